//! `aegis-mcp clients`: the programs that people sign in with.

use std::io::{self, Write};
use std::process::ExitCode;

use aegis_custody::Random;
use aegis_custody::oauth::SecretText;
use aegis_custody::oauth::client_secret::{SecretHash, generate};
use aegis_custody::oauth::redirect;
use serde_json::{Value, json};

use super::registry::{ask, chosen};
use super::{EXIT_SETTINGS, EnvFile, complain, exit};
use crate::admin::Request;
use crate::shared::SystemRandom;
use crate::sign_in::preregistered;

/// A client is known here once somebody has signed in with it. Its id is long: copy it from `clients list`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Clients {
    /// List the clients that people signed in with, and those that are revoked.
    List {
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// End everything of a client and refuse its id from now on.
    ///
    /// Its tokens are dead at the next call, and nobody can sign in with it.
    Revoke {
        /// The client id.
        id: String,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Refuse a revoked client no longer. People sign in with it anew.
    Allow {
        /// The client id.
        id: String,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print an entry for OAUTH_CLIENTS_FILE.
    ///
    /// Put it into the JSON array in that file and restart the server.
    Add {
        /// The client's name on the consent page.
        #[arg(long)]
        name: String,
        /// Where the client sends people back to, exactly; any port counts on a loopback address. May be repeated.
        #[arg(long = "redirect-uri", value_name = "URI", required = true)]
        redirect_uris: Vec<String>,
        /// Make a secret too: it is shown once, and the entry holds its hash.
        #[arg(long)]
        secret: bool,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON: an object with `entry` and, with --secret, `client_secret`.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: Clients) -> ExitCode {
    match command {
        Clients::List { env, json } => ask(&env, Request::ClientsList, json),
        Clients::Revoke { id, env, json } => ask(&env, Request::ClientsRevoke { id }, json),
        Clients::Allow { id, env, json } => ask(&env, Request::ClientsAllow { id }, json),
        Clients::Add { name, redirect_uris, secret, env, json } => {
            let settings = match chosen(&env) {
                Ok(settings) => settings,
                Err(code) => return code,
            };
            if let Some(Err(why)) = settings.oauth_clients_file().map(preregistered::read) {
                // An entry for a file that cannot be used is of use all the same.
                complain(&format!("OAUTH_CLIENTS_FILE {why}"));
            }
            match entry(&name, &redirect_uris, secret, &SystemRandom) {
                Ok(made) => exit(print(&made, json, &mut io::stdout(), &mut io::stderr())),
                Err(why) => {
                    complain(&why);
                    ExitCode::from(EXIT_SETTINGS)
                }
            }
        }
    }
}

/// An entry, and the secret whose hash is in it.
struct Made {
    entry: Value,
    secret: Option<SecretText>,
}

fn entry(
    name: &str,
    redirect_uris: &[String],
    with_secret: bool,
    random: &dyn Random,
) -> Result<Made, String> {
    let shown = aegis_custody::oauth::client_id::clean_name(name);
    if shown.is_empty() || shown != name {
        return Err("--name takes 1 to 64 visible characters, with single spaces between words".to_owned());
    }
    for uri in redirect_uris {
        is_redirect(uri).map_err(|why| format!("--redirect-uri {uri:?} {why}"))?;
    }
    let mut chance = [0; 8];
    random.fill(&mut chance);
    let id = format!("{}-{}", slug(name), crate::component::hex(&chance));
    let secret = with_secret.then(|| generate(random));
    let hash = secret.as_ref().map(|secret| SecretHash::of(secret.expose(), random)).transpose();
    let hash = hash.map_err(|unfit| unfit.to_string())?;
    let entry = match hash {
        None => json!({
            "client_id": id, "client_name": name, "redirect_uris": redirect_uris,
            "token_endpoint_auth_method": "none",
        }),
        Some(hash) => json!({
            "client_id": id, "client_name": name, "redirect_uris": redirect_uris,
            "token_endpoint_auth_method": "client_secret_basic", "client_secret_hash": hash.to_string(),
        }),
    };
    // What the server will read, by the server's own rules.
    preregistered::parse(json!([entry]).to_string().as_bytes()).map_err(|why| format!("the entry {why}"))?;
    Ok(Made { entry, secret })
}

/// Letters and digits of a name, for an id that people recognise.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let short: String = slug.chars().take(40).collect();
    if short.is_empty() { "client".to_owned() } else { short.trim_end_matches('-').to_owned() }
}

/// An operator may name what a stranger may not, such as a scheme of its own; still not what could only be a mistake.
fn is_redirect(uri: &str) -> Result<(), &'static str> {
    if !uri.bytes().all(|byte| byte.is_ascii_graphic()) || uri.contains(['\\', '#', '"', '<', '>']) {
        return Err(
            "has characters that no redirect URI may have: spaces, a fragment, quotes or anything beyond ASCII",
        );
    }
    let Some((scheme, rest)) = uri.split_once(':') else {
        return Err("does not begin with a scheme such as https:");
    };
    let letters = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        || !scheme.chars().all(letters)
        || rest.is_empty()
    {
        return Err("does not begin with a scheme such as https:");
    }
    match scheme.to_ascii_lowercase().as_str() {
        "http" if redirect::is_loopback(uri) => Ok(()),
        "http" => Err(
            "is plain http, which is for loopback addresses alone: anybody on the way could take the code",
        ),
        "javascript" | "data" | "vbscript" | "file" | "blob" | "about" | "mailto" | "ws" | "wss" | "ftp" => {
            Err("has a scheme that no program can be called back by")
        }
        "https" => {
            let authority =
                rest.strip_prefix("//").map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
            match authority {
                Some(authority) if !authority.is_empty() && !authority.contains('@') => Ok(()),
                Some(_) | None => Err("has no host, or a name and password in front of it"),
            }
        }
        _ => Ok(()),
    }
}

fn print(made: &Made, json: bool, out: &mut dyn Write, notes: &mut dyn Write) -> io::Result<()> {
    if json {
        let all = match &made.secret {
            None => json!({ "entry": made.entry }),
            Some(secret) => json!({ "entry": made.entry, "client_secret": secret.expose() }),
        };
        return writeln!(out, "{all:#}");
    }
    writeln!(out, "{:#}", made.entry)?;
    writeln!(notes, "# Put this entry into the JSON array in OAUTH_CLIENTS_FILE and restart the server.")?;
    match &made.secret {
        None => Ok(()),
        Some(secret) => writeln!(
            notes,
            "# Give the client its id and this secret, which is not shown again: {}",
            secret.expose()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(secret: bool) -> Made {
        entry("My Editor", &["https://a.example/cb".to_owned()], secret, &SystemRandom)
            .map_err(|_| ())
            .unwrap()
    }

    fn printed(made: &Made, json: bool) -> (String, String) {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        print(made, json, &mut out, &mut notes).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap())
    }

    #[test]
    fn an_entry_is_read_by_the_server_and_its_hash_is_of_the_secret_that_was_shown() {
        let made = made(true);
        let (out, notes) = printed(&made, false);
        let entry: Value = serde_json::from_str(&out).unwrap();
        let id = entry["client_id"].as_str().unwrap();
        assert!(id.starts_with("my-editor-"), "{id}");
        let read = preregistered::parse(format!("[{out}]").as_bytes()).unwrap();
        let shown = notes.trim().rsplit(' ').next().unwrap();
        assert!(read[id].secret.as_ref().unwrap().0.matches(shown));
        assert!(!out.contains(shown), "the entry holds the secret itself");
    }

    #[test]
    fn a_client_without_a_secret_is_public() {
        let (out, notes) = printed(&made(false), true);
        let all: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(all["entry"]["token_endpoint_auth_method"], "none");
        assert!(all.get("client_secret").is_none() && notes.is_empty());
    }

    #[test]
    fn redirects_that_can_only_be_mistakes_are_refused() {
        for good in [
            "https://a.example/cb",
            "http://127.0.0.1/cb",
            "http://[::1]:80/cb",
            "cursor://anysphere.cursor-mcp/cb",
        ] {
            assert_eq!(is_redirect(good), Ok(()), "{good}");
        }
        let bad = [
            "http://a.example/cb",
            "http://127.0.0.1.evil/",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "/cb",
            "https:",
            "https://",
            "https:///cb",
            "https://a@b/cb",
            "https://a.example/#x",
            "https://a.example/ b",
            "https://\u{e4}/",
        ];
        for bad in bad {
            assert!(is_redirect(bad).is_err(), "{bad}");
            assert!(entry("A", &[bad.to_owned()], false, &SystemRandom).is_err());
        }
    }

    #[test]
    fn a_name_is_one_that_can_be_shown() {
        for name in ["", " a", "a\u{202e}", "a\nb"] {
            assert!(
                entry(name, &["https://a.example/".to_owned()], false, &SystemRandom).is_err(),
                "{name:?}"
            );
        }
        assert_eq!(slug("\u{4e2d}\u{6587}"), "client");
    }
}
