//! The public address as clients see it: name, connection, certificate, metadata, the challenge that starts a sign-in,
//! and what a proxy in between does to requests. Everything asked here anybody may ask.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::report::{Finding, fail, pass, printable, warn};
use super::visitor::{Answer, Trouble, Visitor};
use crate::settings::Settings;

/// How hosted clients and scripts call themselves; bot protection likes to stop these.
const USER_AGENTS: [&str; 4] = ["Claude-User", "python-httpx/0.28.1", "node", "Mozilla/5.0"];
/// An address of nobody (RFC 5737), for a header that a proxy must not let through.
const FORGED: &str = "192.0.2.77";
/// What is said where the server's own limits end the examination.
const LIMITED: &str = "the server limits requests from this address just now; run this again in a minute";
/// How much of the end of the audit log is looked through, in bytes.
const TAIL: u64 = 512 << 10;
/// How often the audit log is looked at for a line that joins the next batch, and how long in between.
const LOOKS: u32 = 30;
const BETWEEN: Duration = Duration::from_millis(100);

/// The public address, and what is known of it.
pub(super) struct Front<'a> {
    pub(super) settings: &'a Settings,
    pub(super) visitor: &'a Visitor,
    /// Without a slash at the end.
    pub(super) origin: String,
}

/// What a message to `/mcp` without a credential says.
fn hello() -> Vec<u8> {
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": { "name": "aegis-mcp doctor", "version": env!("CARGO_PKG_VERSION") } });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }).to_string().into_bytes()
}

impl Front<'_> {
    /// Everything that can be seen from outside.
    pub(super) async fn look(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.scheme());
        let first = match self.knock("aegis-mcp-doctor", None).await {
            Ok(answer) => answer,
            Err(trouble) => {
                findings.push(self.nobody(&trouble));
                return findings;
            }
        };
        findings.extend(self.certificate(&first));
        if let Some(stopped) = self.in_between(&first) {
            findings.push(stopped);
            return findings;
        }
        findings.push(pass("public_address", format!("{} answers", self.origin)));
        if self.settings.oauth_mode() {
            findings.push(self.challenge(&first));
            findings.push(self.resource().await);
            findings.push(self.server().await);
        } else {
            findings.push(self.refusal(&first));
        }
        findings.push(self.user_agents(&first).await);
        findings.push(self.forwarded().await);
        findings
    }

    /// The first message of a client, without a credential.
    async fn knock(&self, user_agent: &str, id: Option<&str>) -> Result<Answer, Trouble> {
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("user-agent", user_agent),
        ];
        if let Some(id) = id {
            headers.extend([("x-request-id", id), ("x-forwarded-for", FORGED)]);
        }
        self.visitor.post(&format!("{}/mcp", self.origin), &headers, &hello()).await
    }

    fn scheme(&self) -> Option<Finding> {
        const CHECK: &str = "public_scheme";
        let host = self.origin.strip_prefix("http://")?;
        let local = ["127.", "localhost", "[::1]"].iter().any(|prefix| host.starts_with(prefix));
        if local {
            return None;
        }
        let says = format!(
            "{} is plain http; put a proxy with TLS in front and set PUBLIC_BASE_URL to its https address: people's \
             browsers and hosted clients need it, and keys would be readable on the way",
            self.origin
        );
        Some(if self.settings.oauth_mode() { fail(CHECK, says) } else { warn(CHECK, says) })
    }

    fn nobody(&self, trouble: &Trouble) -> Finding {
        if trouble.is_absence() {
            let says =
                format!("nothing runs at {}: {trouble}; start the server and run this again", self.origin);
            return warn("public_address", says);
        }
        fail("public_address", trouble.to_string())
    }

    fn certificate(&self, answer: &Answer) -> Option<Finding> {
        const CHECK: &str = "public_certificate";
        let (validity, now) = (answer.validity?, crate::sign_in::now());
        let says = format!("the certificate is good for this name and {}", validity.left_in_words(now));
        Some(if validity.is_near_its_end(now) {
            warn(CHECK, format!("{says}; renew it, and see why nothing has renewed it by itself"))
        } else {
            pass(CHECK, says)
        })
    }

    /// An answer that is not this server's.
    fn in_between(&self, answer: &Answer) -> Option<Finding> {
        const CHECK: &str = "public_address";
        let (origin, status) = (&self.origin, answer.status);
        let reason = answer.json().get("error").and_then(Value::as_str).map(printable).unwrap_or_default();
        let says = match status {
            300..=399 => {
                let to = printable(answer.header("location"));
                format!(
                    "{origin}/mcp redirects to {to}; set PUBLIC_BASE_URL to where it ends, for clients do not follow"
                )
            }
            502..=504 if reason.is_empty() => {
                let says =
                    format!("a proxy at {origin} answers {status}: nothing runs behind it; start the server");
                return Some(warn(CHECK, format!("{says} and run this again")));
            }
            400 | 403 | 421 if reason.contains("host") => format!(
                "the server refuses the name that it was called by ({reason}): let the proxy pass the header Host on \
                 unchanged, or list the name in ALLOWED_HOSTS"
            ),
            404 | 405 if reason.is_empty() => {
                format!(
                    "{origin}/mcp answers {status}: no such server there; let the proxy pass every path to it"
                )
            }
            403 | 406 | 429 if reason.is_empty() => {
                format!(
                    "something in front of {origin} answers {status}; let its bot protection leave this address alone"
                )
            }
            429 => return Some(warn(CHECK, LIMITED)),
            _ => return None,
        };
        Some(fail(CHECK, says))
    }

    /// RFC 9728 section 5.1.
    fn challenge(&self, answer: &Answer) -> Finding {
        const CHECK: &str = "public_challenge";
        let wanted =
            format!("resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\"", self.origin);
        let shown = answer.header("www-authenticate");
        if answer.status != 401 {
            let says = format!(
                "/mcp without a token answers {}, not 401; is this address another server's?",
                answer.status
            );
            return fail(CHECK, says);
        }
        if shown.is_empty() {
            return fail(CHECK, "the 401 at /mcp has lost its WWW-Authenticate; let the proxy pass it on");
        }
        if !shown.contains(&wanted) {
            let says = format!(
                "the 401 at /mcp leads elsewhere ({}); the server that runs there has another PUBLIC_BASE_URL: restart \
                 it with these settings",
                printable(shown)
            );
            return fail(CHECK, says);
        }
        pass(CHECK, "a 401 at /mcp leads clients to the sign-in")
    }

    /// With keys, or open to this machine alone.
    fn refusal(&self, answer: &Answer) -> Finding {
        const CHECK: &str = "public_challenge";
        match (answer.status, self.settings.auth_enabled()) {
            (401, true) => pass(CHECK, "/mcp asks for a key"),
            (200, false) => pass(CHECK, "/mcp is open to this machine, as AUTH_ENABLED=false says"),
            (status, true) => fail(
                CHECK,
                format!("/mcp without a key answers {status}, not 401; is this address another server's?"),
            ),
            (status, false) => {
                fail(CHECK, format!("/mcp answers {status}; is this address another server's?"))
            }
        }
    }

    /// RFC 9728: what clients compare with the URL that somebody typed.
    async fn resource(&self) -> Finding {
        let path = "/.well-known/oauth-protected-resource/mcp";
        let wanted = format!("{}/mcp", self.origin);
        self.document("public_resource_metadata", path, "resource", &wanted).await
    }

    /// RFC 8414: what clients compare with where they found it.
    async fn server(&self) -> Finding {
        let path = "/.well-known/oauth-authorization-server";
        self.document("public_server_metadata", path, "issuer", &self.origin).await
    }

    async fn document(&self, check: &'static str, path: &str, member: &str, wanted: &str) -> Finding {
        let url = format!("{}{path}", self.origin);
        let answer = match self.visitor.get(&url, &[("accept", "application/json")]).await {
            Ok(answer) => answer,
            Err(trouble) => return fail(check, trouble.to_string()),
        };
        if answer.status != 200 {
            let says =
                format!("{path} answers {}; let the proxy pass /.well-known/ to this server", answer.status);
            return fail(check, says);
        }
        match answer.json().get(member).and_then(Value::as_str) {
            Some(found) if found == wanted => {
                pass(check, format!("{member} is {wanted}, as clients type it"))
            }
            Some(found) => {
                let says = format!(
                    "{member} is {} and clients that were given {wanted} refuse that; set PUBLIC_BASE_URL to the \
                     address that clients use and restart",
                    printable(found)
                );
                fail(check, says)
            }
            None => {
                fail(check, format!("{path} is no metadata; let the proxy pass /.well-known/ to this server"))
            }
        }
    }

    /// The same request must not be answered otherwise because of who says to send it.
    async fn user_agents(&self, first: &Answer) -> Finding {
        const CHECK: &str = "public_user_agents";
        let mut blocked = Vec::new();
        for agent in USER_AGENTS {
            match self.knock(agent, None).await {
                Ok(answer) if answer.status == first.status => {}
                Ok(answer) if answer.status == 429 && !answer.json().is_null() => {
                    return warn(CHECK, LIMITED);
                }
                Ok(answer) => blocked.push(format!("{agent} gets {}", answer.status)),
                Err(trouble) => blocked.push(format!("{agent} gets nothing ({trouble})")),
            }
        }
        if blocked.is_empty() {
            return pass(CHECK, format!("{} are all answered alike", USER_AGENTS.join(", ")));
        }
        let says = format!(
            "{} where others get {}; let the proxy's bot protection pass them",
            blocked.join(", "),
            first.status
        );
        fail(CHECK, says)
    }

    /// Whose address the server believes it sees: the audit log says so of every refusal.
    async fn forwarded(&self) -> Finding {
        const CHECK: &str = "proxy_headers";
        let ours = format!("doctor-{}", crate::shared::random_name());
        let id = match self.knock("aegis-mcp-doctor", Some(&ours)).await {
            Ok(answer) => answer.header("x-request-id").to_owned(),
            Err(trouble) => return fail(CHECK, trouble.to_string()),
        };
        let log = self.settings.audit_log_path();
        for _ in 0..LOOKS {
            if let Some(address) = recorded(log, &id) {
                return self.judge_source(address);
            }
            tokio::time::sleep(BETWEEN).await;
        }
        let says = format!(
            "{} holds no line of the request just made, so the address that the server sees is unknown; run the doctor \
             where the server runs, as its user and with its settings",
            log.display()
        );
        warn(CHECK, says)
    }

    fn judge_source(&self, address: IpAddr) -> Finding {
        const CHECK: &str = "proxy_headers";
        let proxies = self.settings.trusted_proxies();
        if address.to_string() == FORGED {
            let says = "the server believed an X-Forwarded-For that was made up: anybody can choose the address that is \
                        limited and recorded; let the proxy replace that header, and name the proxy alone in TRUSTED_PROXIES";
            return fail(CHECK, says);
        }
        if proxies.iter().any(|network| network.contains(&address)) {
            let says = format!(
                "the server sees {address}, which TRUSTED_PROXIES names as a proxy: the proxy sends no X-Forwarded-For, \
                 or this request came from the proxy's own machine; let it set that header"
            );
            return warn(CHECK, says);
        }
        if self.is_direct() || !proxies.is_empty() {
            return pass(CHECK, format!("the server sees {address}, and no made-up X-Forwarded-For"));
        }
        let says = format!(
            "the server sees {address} and TRUSTED_PROXIES is empty: if a proxy stands in front, everybody shares its \
             address and its limits; set TRUSTED_PROXIES to the proxy's address"
        );
        if is_inside(address) { warn(CHECK, says) } else { pass(CHECK, format!("the server sees {address}")) }
    }

    /// Whether the public address is the socket itself.
    fn is_direct(&self) -> bool {
        self.origin == super::socket(self.settings)
    }
}

/// Where proxies of one's own stand.
fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback(),
    }
}

/// The address on the audit line of a request; none where there is no such line yet.
fn recorded(log: &Path, request_id: &str) -> Option<IpAddr> {
    let mut file = std::fs::File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    let text = String::from_utf8_lossy(&tail);
    let lines = text.lines().rev().filter(|line| !request_id.is_empty() && line.contains(request_id));
    let mut read = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = read.find(|line| line.get("request_id").and_then(Value::as_str) == Some(request_id))?;
    line.get("address")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_that_of_the_very_request() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("audit.log");
        assert_eq!(recorded(&log, "doctor-1"), None);
        let lines = "{\"request_id\":\"other\",\"detail\":\"doctor-1\",\"address\":\"10.0.0.9\"}\n\
                     {\"request_id\":\"doctor-1\",\"address\":\"10.0.0.1\"}\nhalf a li";
        std::fs::write(&log, lines).unwrap();
        assert_eq!(recorded(&log, "doctor-1"), Some([10, 0, 0, 1].into()));
        assert_eq!(recorded(&log, "doctor-2"), None);
        assert_eq!(recorded(&log, ""), None);
    }

    #[test]
    fn private_addresses_are_inside_however_they_are_written() {
        for (address, inside) in
            [("172.18.0.1", true), ("::ffff:10.0.0.1", true), ("fd00::1", true), ("203.0.113.9", false)]
        {
            assert_eq!(is_inside(address.parse().unwrap()), inside, "{address}");
        }
    }
}
