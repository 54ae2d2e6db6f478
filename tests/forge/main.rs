//! The sample Gitea as a program, for a demonstration or a look around: prints its world and serves it until SIGINT.

use std::path::PathBuf;
use std::process::ExitCode;

use aegis_tests::forge::{Fault, FaultKind, Forge, Options, Registered, Settings, Signing, Version};
use serde_json::{Value, json};

const USAGE: &str = "usage: forge [--port N] [--version 1.27|1.26|1.24] [--audit FILE] [--canary] [--empty-milestone] [--json]
             [--app REDIRECT_URI] [--write-app REDIRECT_URI] [--signing RS256|ES256|EdDSA|HS256]
             [--invalidate-refresh-tokens] [--access-token-seconds N] [--sudo] [--hang PATH]
  --app registers a confidential application with this redirect and prints its client id and secret, for
  GITEA_OAUTH_CLIENT_ID and GITEA_OAUTH_CLIENT_SECRET; --write-app a second one. --sudo lets a site admin's token act
  as others without calling it a violation. --hang never answers a path that holds these words.";

/// What the command line asks for.
struct Asked {
    options: Options,
    as_json: bool,
    /// Name and redirect of each application.
    apps: Vec<(&'static str, String)>,
    /// Paths that are never answered.
    hangs: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let asked = match parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(problem) => {
            eprintln!("forge: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let forge = Forge::start(asked.options).await;
    asked.hangs.iter().for_each(|path| forge.every_fault(Fault::on(path, FaultKind::Hang)));
    let register = |(name, redirect): &(&'static str, String)| {
        (*name, forge.register("root", &format!("AegisGitea-MCP {name}"), &[redirect], true))
    };
    let apps: Vec<(&str, Registered)> = asked.apps.iter().map(register).collect();
    let mut tour = forge.tour();
    let shown = |(name, app): &(&str, Registered)| json!({ "name": name, "client_id": app.client_id, "client_secret": app.client_secret });
    tour["applications"] = apps.iter().map(shown).collect();
    if asked.as_json {
        println!("{tour:#}");
    } else {
        print!("{}", describe(&tour));
    }
    let stopped = tokio::signal::ctrl_c().await;
    for violation in forge.violations() {
        eprintln!("forge: {violation}");
    }
    if stopped.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let (mut options, mut as_json) = (Options { port: Some(3000), ..Options::default() }, false);
    let (mut apps, mut hangs, mut oauth) = (Vec::new(), Vec::new(), Settings::default());
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--port" => {
                let port = value()?;
                options.port = Some(port.parse().map_err(|_| format!("{port} is not a port"))?);
            }
            "--version" => {
                options.version = match value()?.as_str() {
                    "1.27" => Version::V1_27,
                    "1.26" => Version::V1_26,
                    "1.24" => Version::V1_24,
                    other => {
                        return Err(format!("no Gitea {other} is played here, only 1.27, 1.26 and 1.24"));
                    }
                };
            }
            "--audit" => options.audit = Some(PathBuf::from(value()?)),
            "--canary" => options.canary = true,
            "--empty-milestone" => options.empty_milestone = true,
            "--sudo" => options.sudo = true,
            "--app" => apps.push(("reading", value()?)),
            "--write-app" => apps.push(("writing", value()?)),
            "--hang" => hangs.push(value()?),
            "--invalidate-refresh-tokens" => oauth.invalidate_refresh_tokens = true,
            "--access-token-seconds" => {
                let seconds = value()?;
                oauth.access_token_seconds =
                    seconds.parse().map_err(|_| format!("{seconds} is not a number of seconds"))?;
            }
            "--signing" => {
                let name = value()?;
                let all = [Signing::Rs256, Signing::Es256, Signing::EdDsa, Signing::Hs256];
                let found = all.into_iter().find(|signing| signing.name() == name);
                oauth.signing = found.ok_or_else(|| format!("{name} is no algorithm that is played here"))?;
            }
            "--json" => as_json = true,
            other => return Err(format!("unknown option {other}")),
        }
    }
    options.oauth = oauth;
    Ok(Asked { options, as_json, apps, hangs })
}

fn describe(tour: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = |name: &str| tour[name].as_array().cloned().unwrap_or_default();
    let mut out = format!("Sample Gitea {} at {}\n\nTokens\n", word(&tour["version"]), word(&tour["url"]));
    for token in rows("tokens") {
        let scopes: Vec<String> = token["scopes"].as_array().into_iter().flatten().map(word).collect();
        out.push_str(&format!(
            "  {:<8} {}  {}\n",
            word(&token["user"]),
            word(&token["token"]),
            scopes.join(" ")
        ));
    }
    out.push_str("\nPeople\n");
    for account in rows("accounts").iter().filter(|account| account["kind"] == "person") {
        out.push_str(&format!(
            "  sign in as {} with {}\n",
            word(&account["login"]),
            word(&account["password"])
        ));
    }
    let apps = rows("applications");
    if !apps.is_empty() {
        out.push_str("\nApplications\n");
    }
    for app in apps {
        out.push_str(&format!(
            "  application {} {} {}\n",
            word(&app["name"]),
            word(&app["client_id"]),
            word(&app["client_secret"])
        ));
    }
    out.push_str("\nRepositories\n");
    for repo in rows("repositories") {
        let mark = |name: &str| if repo[name] == true { format!(" {name}") } else { String::new() };
        out.push_str(&format!("  {}{}{}\n", word(&repo["full_name"]), mark("private"), mark("archived")));
    }
    out
}
