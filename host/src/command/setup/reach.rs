//! Finding Gitea: at the address that somebody typed, or, where that is `localhost` and this runs in a container, where
//! Gitea is from there. Says what was tried. Only public pages of Gitea are asked.

use std::net::IpAddr;

use serde_json::Value;

use super::ask::{Person, say};
use super::{Done, Stop};
use crate::command::doctor::report::printable;
use crate::command::doctor::visitor::{Answer, Visitor};
use crate::settings::web_address;

/// Where a Gitea tells its version.
const VERSION: &str = "/api/v1/version";
/// Where it says what it calls itself.
const DISCOVERY: &str = "/.well-known/openid-configuration";
/// What containers call the machine that they run on, and a Gitea beside them in a compose file.
const FROM_A_CONTAINER: [&str; 3] = ["host.docker.internal", "host.containers.internal", "gitea"];

/// A Gitea that answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// As people open it.
    pub(super) url: String,
    /// As this machine reaches it, where that differs.
    pub(super) internal: Option<String>,
}

impl Found {
    /// The address that is asked from here.
    pub(super) fn base(&self) -> &str {
        self.internal.as_deref().unwrap_or(&self.url)
    }
}

/// Ask for the address until a Gitea answers there; once, where nobody can be asked.
pub(super) async fn find(
    person: &Person,
    visitor: &Visitor,
    given: Option<String>,
    internal: Option<String>,
    known: Option<String>,
) -> Done<Found> {
    let mut typed = given;
    loop {
        let text = match typed.take() {
            Some(text) => text,
            None if person.is_here => {
                let otherwise = known.as_deref().unwrap_or("http://localhost:3000");
                person.ask("Where do you open your Gitea in the browser?", otherwise)?
            }
            None => known.clone().ok_or_else(|| {
                Stop::usage("--gitea-url is missing: the address at which you open Gitea, such as https://git.example.com")
            })?,
        };
        match search(visitor, &text, internal.as_deref()).await {
            Ok(found) => return Ok(found),
            Err(stop) if person.is_here => say(&stop.text),
            Err(stop) => return Err(stop),
        }
    }
}

async fn search(visitor: &Visitor, text: &str, internal: Option<&str>) -> Done<Found> {
    let mut said = Vec::new();
    let internal = internal.map(|url| address("--gitea-internal-url", url)).transpose()?;
    if let Some(internal) = internal {
        let url = candidates(text)?.into_iter().next().unwrap_or_default();
        return match look(visitor, &internal).await {
            Look::Gitea => Ok(Found { url, internal: Some(internal) }),
            Look::Elsewhere(to) => Err(nothing(vec![format!("{internal} sends on to {to}")], &internal)),
            Look::Nothing(why) => Err(nothing(vec![why], &internal)),
        };
    }
    let candidates = candidates(text)?;
    for candidate in &candidates {
        match look(visitor, candidate).await {
            Look::Gitea => {
                say(&format!("Gitea answers at {candidate}."));
                return Ok(Found { url: candidate.clone(), internal: None });
            }
            Look::Elsewhere(to) => match look(visitor, &to).await {
                Look::Gitea => {
                    say(&format!("{candidate} sends on to {to}, where Gitea answers: that is its address."));
                    return Ok(Found { url: to, internal: None });
                }
                Look::Elsewhere(_) | Look::Nothing(_) => {
                    said.push(format!("{candidate} sends on to {to}, and no Gitea answers there"));
                }
            },
            Look::Nothing(why) => said.push(why),
        }
    }
    let local = candidates.iter().find(|url| is_local(url));
    let Some(local) = local else { return Err(nothing(said, &candidates.join(" and "))) };
    for name in FROM_A_CONTAINER {
        let other = with_host(local, name);
        match look(visitor, &other).await {
            Look::Gitea => {
                say(&format!(
                    "Nothing at {local} from here, but Gitea answers at {other}: this runs in a container. People go on \
                     opening {local}, this server uses {other} (GITEA_INTERNAL_URL)."
                ));
                return Ok(Found { url: local.clone(), internal: Some(other) });
            }
            Look::Elsewhere(_) => {}
            Look::Nothing(why) => said.push(why),
        }
    }
    Err(nothing(said, local))
}

/// What was tried, and what to do.
fn nothing(said: Vec<String>, at: &str) -> Stop {
    let mut text = format!("No Gitea answers at {at}. Tried:");
    for why in said {
        text.push_str("\n  ");
        text.push_str(&printable(&why));
    }
    text.push_str("\nCheck that Gitea runs, and give the address that a browser on this machine opens.");
    if is_local(at) {
        text.push_str(
            "\nIn a container, `localhost` is the container itself: give Gitea's name in the compose file \
             (--gitea-internal-url http://gitea:3000), or the machine's (--gitea-internal-url \
             http://host.docker.internal:3000; on Linux the container then needs \
             `extra_hosts: [\"host.docker.internal:host-gateway\"]`).",
        );
    }
    Stop::failed(text)
}

/// How an address came out.
enum Look {
    Gitea,
    Elsewhere(String),
    Nothing(String),
}

async fn look(visitor: &Visitor, base: &str) -> Look {
    let answer = match visitor.get(&format!("{base}{VERSION}"), &[("accept", "application/json")]).await {
        Ok(answer) => answer,
        Err(trouble) => return Look::Nothing(format!("{base}: {trouble}")),
    };
    match answer.status {
        200 if answer.json().get("version").is_some_and(Value::is_string) => Look::Gitea,
        // REQUIRE_SIGNIN_VIEW hides the version from strangers.
        401 | 403 if is_json(&answer) => Look::Gitea,
        301 | 302 | 307 | 308 => match answer.header("location").strip_suffix(VERSION) {
            Some(to) if web_address(to).is_ok() => Look::Elsewhere(to.to_owned()),
            Some(_) | None => {
                Look::Nothing(format!("{base}: sends on to another page; a proxy or a login stands in front"))
            }
        },
        404 => Look::Nothing(format!(
            "{base}: something answers there, but it is no Gitea (404); where Gitea is below a path, give the path too"
        )),
        status => {
            Look::Nothing(format!("{base}: something answers there with status {status}, but not as Gitea"))
        }
    }
}

fn is_json(answer: &Answer) -> bool {
    answer.header("content-type").starts_with("application/json")
}

/// The issuer that Gitea names, which is its ROOT_URL; none where it is no OpenID provider.
pub(super) async fn issuer(visitor: &Visitor, base: &str) -> Option<String> {
    let answer =
        visitor.get(&format!("{base}{DISCOVERY}"), &[]).await.ok().filter(|answer| answer.status == 200)?;
    let issuer = answer.json().get("issuer")?.as_str()?.trim_end_matches('/').to_owned();
    web_address(&issuer).ok()
}

/// The addresses that a text may mean.
fn candidates(text: &str) -> Done<Vec<String>> {
    let text = text.trim();
    if text.contains("://") {
        return Ok(vec![address("--gitea-url", text)?]);
    }
    Ok(vec![
        address("--gitea-url", &format!("https://{text}"))?,
        address("--gitea-url", &format!("http://{text}"))?,
    ])
}

/// An address in its normal form, without what people copy along with it.
pub(super) fn address(flag: &str, text: &str) -> Done<String> {
    let text = text.trim();
    let bare = ["/user/login", "/explore/repos", "/api/v1"].iter().find_map(|end| text.strip_suffix(end));
    web_address(bare.unwrap_or(text)).map_err(|why| Stop::usage(format!("{flag}: the address {why}")))
}

/// Host and port of an address, and what is before and behind.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    Some((scheme, authority, path))
}

/// The host of an address, without port and brackets.
pub(super) fn host(url: &str) -> &str {
    let authority = parts(url).map_or("", |(_, authority, _)| authority);
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((six, _)) => six,
        None => authority.split(':').next().unwrap_or(authority),
    }
}

/// Whether an address is that of the machine itself.
pub(super) fn is_local(url: &str) -> bool {
    let host = host(url);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The same port and path at another host.
fn with_host(url: &str, host: &str) -> String {
    let Some((scheme, authority, path)) = parts(url) else { return url.to_owned() };
    let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    match port {
        Some(port) => format!("{scheme}://{host}:{port}{path}"),
        None => format!("{scheme}://{host}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_and_paste_becomes_an_address() {
        for (typed, meant) in [
            ("git.example.com", vec!["https://git.example.com", "http://git.example.com"]),
            (" nas:3000 ", vec!["https://nas:3000", "http://nas:3000"]),
            ("https://git.example.com/", vec!["https://git.example.com"]),
            ("http://nas:3000/gitea/user/login", vec!["http://nas:3000/gitea"]),
        ] {
            assert_eq!(candidates(typed).ok().unwrap(), meant, "{typed}");
        }
        assert!(candidates("https://user:pw@git.example.com").is_err());
    }

    #[test]
    fn another_host_keeps_port_and_path() {
        assert_eq!(with_host("http://localhost:3000/git", "gitea"), "http://gitea:3000/git");
        assert_eq!(with_host("http://[::1]:3000", "gitea"), "http://gitea:3000");
        assert_eq!(with_host("https://localhost", "gitea"), "https://gitea");
        for local in ["http://localhost:3000", "http://127.0.0.9", "http://[::1]:80/x"] {
            assert!(is_local(local), "{local}");
        }
        assert!(!is_local("http://localhost.example.com"));
    }
}
