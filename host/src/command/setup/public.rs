//! The address at which clients reach the server: what it may be, and what its name means for those that come from the
//! internet. Only the name is looked up; nothing is sent there.

use std::net::IpAddr;

use super::ask::{Person, say};
use super::draft::Draft;
use super::{Done, Stop, names, reach};

/// The address that clients use; what is wrong with it is said before anything is made.
pub(super) async fn public_url(person: &Person, draft: &mut Draft, given: Option<&str>) -> Done<String> {
    let known = draft.get("PUBLIC_BASE_URL").map(|url| url.to_string());
    let mut typed = given.map(str::to_owned);
    loop {
        let text = match (typed.take(), &known) {
            (Some(text), _) => text,
            (None, _) if person.is_here => person.ask(
                "At which address will clients reach this server? (https://..., or http://127.0.0.1:8080 to try it here)",
                known.as_deref().unwrap_or_default(),
            )?,
            (None, Some(known)) => known.clone(),
            (None, None) => {
                return Err(Stop::usage(
                    "--public-url is missing: the https address at which clients will reach this server, such as https://mcp.example.com",
                ));
            }
        };
        match checked(&text) {
            Ok(origin) => {
                if let Some(hint) = reachable(&origin).await {
                    say(&format!("note  {hint}"));
                }
                draft.set("PUBLIC_BASE_URL", &origin)?;
                return Ok(origin);
            }
            Err(stop) if person.is_here => say(&stop.text),
            Err(stop) => return Err(stop),
        }
    }
}

/// Name the site for the compose file with Caddy, where that lies beside the settings. It serves https at the usual port
/// alone.
pub(super) fn name_site(draft: &mut Draft, origin: &str) -> Done<()> {
    match origin.strip_prefix("https://").filter(|authority| !authority.contains(':')) {
        Some(host) if names::has_caddy(draft) => draft.set("MCP_DOMAIN", host),
        Some(_) | None => Ok(()),
    }
}

fn checked(text: &str) -> Done<String> {
    let url = reach::address("--public-url", text.trim().trim_end_matches("/mcp"))?;
    let origin: Vec<&str> = url.splitn(4, '/').collect();
    if origin.len() > 3 {
        return Err(Stop::usage(
            "--public-url: the address must be scheme and host alone; clients then use its /mcp",
        ));
    }
    if url.starts_with("http://") && !reach::is_local(&url) {
        return Err(Stop::usage(format!(
            "--public-url: {url} is plain http, and clients sign in over https alone: put a proxy with a certificate in \
             front (docs/oauth.md has examples) and give its https address"
        )));
    }
    Ok(url)
}

/// What the name's addresses mean for clients.
async fn reachable(origin: &str) -> Option<String> {
    if reach::is_local(origin) {
        return None;
    }
    let host = reach::host(origin).to_owned();
    let found = tokio::time::timeout(super::LIMIT, tokio::net::lookup_host((host.as_str(), 443))).await;
    let addresses: Vec<IpAddr> = match found {
        Ok(Ok(found)) => found.map(|address| address.ip().to_canonical()).collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    meaning(&host, &addresses)
}

fn meaning(host: &str, addresses: &[IpAddr]) -> Option<String> {
    let inside = |address: &IpAddr| match address {
        IpAddr::V4(four) => four.is_private() || four.is_loopback() || four.is_link_local(),
        IpAddr::V6(six) => six.is_loopback() || six.is_unique_local() || six.is_unicast_link_local(),
    };
    if addresses.is_empty() {
        return Some(format!("the name {host} is not known here yet: add it to DNS before clients connect"));
    }
    if addresses.iter().all(inside) {
        return Some(format!(
            "{host} has private addresses alone: programs in your network can connect, such as Claude Code; Claude on \
             the web and ChatGPT connect from the internet and cannot. For them the name needs a public address"
        ));
    }
    if addresses.iter().all(IpAddr::is_ipv6) {
        return Some(format!(
            "{host} has IPv6 addresses alone (AAAA): hosted clients such as Claude on the web may have no way there. Add \
             an IPv4 address (A) to DNS"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_an_origin_over_tls_or_on_this_machine() {
        for (typed, meant) in [
            ("https://mcp.example.com", "https://mcp.example.com"),
            ("https://mcp.example.com/mcp", "https://mcp.example.com"),
            ("HTTPS://MCP.example.com/", "https://mcp.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(checked(typed).ok().as_deref(), Some(meant), "{typed}");
        }
        for wrong in ["http://mcp.example.com", "https://example.com/aegis", "mcp.example.com", ""] {
            assert_eq!(checked(wrong).unwrap_err().code, 2, "{wrong}");
        }
    }

    #[test]
    fn addresses_that_hosted_clients_cannot_reach_are_told() {
        let said = |addresses: &[&str]| {
            meaning(
                "mcp.example.com",
                &addresses.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>(),
            )
        };
        assert!(said(&[]).unwrap().contains("add it to DNS"));
        assert!(said(&["192.168.1.2", "fd00::1"]).unwrap().contains("private addresses alone"));
        assert!(said(&["2001:db8::1"]).unwrap().contains("(AAAA)"));
        assert_eq!(said(&["2001:db8::1", "192.0.2.1"]), None);
        assert_eq!(said(&["192.0.2.1", "192.168.1.2"]), None);
    }
}
