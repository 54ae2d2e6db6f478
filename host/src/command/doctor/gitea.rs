//! Gitea: what a login needs of it (the upstream's own probe), its address as people type it, and what the service
//! token may do. Nothing is changed there.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::report::{Finding, fail, pass, printable, warn};
use super::visitor::{Trouble, Visitor};
use crate::https::NoClient;
use crate::settings::{Secret, Settings};
use crate::shared::SystemClock;
use crate::standing::Standing;
use crate::upstream::{Application, Oldest, Upstream, UpstreamSettings};
use crate::way::Way;

/// Where Gitea describes the account, and the token itself.
const MYSELF: &str = "/api/v1/user";
const SELF: &str = "/api/v1/token";
/// A read for which Gitea asks for each scope of the tools.
const READS: [(&str, &str); 4] = [
    ("read:user", MYSELF),
    ("read:repository", "/api/v1/repos/search?limit=1"),
    ("read:issue", "/api/v1/repos/issues/search?limit=1"),
    ("read:organization", "/api/v1/user/orgs?limit=1"),
];

/// What there is to say. `whole` says that the settings are in force, applications and tokens included.
pub(in crate::command) async fn look(settings: &Settings, whole: bool) -> Vec<Finding> {
    let oauth = whole && settings.oauth_mode();
    let mut findings = match upstream(settings, settings.gitea_internal_url()) {
        Ok(upstream) if oauth => {
            let applications = applications(settings);
            upstream.probe(&applications.iter().collect::<Vec<_>>()).await
        }
        Ok(upstream) => upstream.probe_version().await,
        Err(error) => return vec![fail("gitea_version", error.to_string())],
    };
    if settings.gitea_internal_url().is_some() {
        findings.push(public_address(settings).await);
    }
    if let Some(token) = settings.gitea_token().filter(|_| whole) {
        findings.extend(
            match Visitor::of_gitea(super::LIMIT, settings.gitea_ca_file(), settings.gitea_proxy()) {
                Ok(visitor) => service(settings, token, &visitor).await,
                Err(error) => vec![fail("gitea_token", error.to_string())],
            },
        );
    }
    findings
}

fn upstream(settings: &Settings, internal: Option<&str>) -> Result<Upstream, NoClient> {
    let timeout = Duration::from_secs(settings.request_timeout_seconds()).min(super::LIMIT);
    let way = Way::new(internal.unwrap_or(settings.gitea_url()), timeout, settings)?;
    let asked = UpstreamSettings {
        gitea_url: settings.gitea_url().to_owned(),
        internal_url: internal.map(str::to_owned),
        timeout,
        cache_ttl: Duration::from_secs(60),
        redirect_uri: format!("{}/oauth/callback", super::origin(settings)),
        oldest: Oldest { number: settings.min_gitea_version(), refuse: settings.oauth_mode() },
    };
    // The doctor finds out for itself.
    let standing = Arc::new(Standing::new(false, false));
    Ok(Upstream::new(asked, way, standing, Arc::new(SystemClock)))
}

fn applications(settings: &Settings) -> Vec<Application> {
    let pairs = [
        ("read", settings.gitea_oauth_client_id().zip(settings.gitea_oauth_client_secret())),
        ("write", settings.gitea_oauth_write_client_id().zip(settings.gitea_oauth_write_client_secret())),
    ];
    let made = pairs.into_iter().filter_map(|(name, pair)| {
        let (id, secret) = pair?;
        let client_secret = Secret::new(secret.expose().to_owned());
        Some(Application { name, client_id: id.to_owned(), client_secret })
    });
    made.collect()
}

/// `GITEA_URL` itself, where this host goes another way: people's browsers use it.
async fn public_address(settings: &Settings) -> Finding {
    const CHECK: &str = "gitea_public_address";
    let url = settings.gitea_url();
    let asked = match upstream(settings, None) {
        Ok(upstream) => {
            upstream.version().await.map(|version| version.text).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    match asked {
        Ok(version) => pass(CHECK, format!("GITEA_URL {url} answers too (Gitea {version})")),
        Err(why) => {
            let says = format!(
                "GITEA_URL {url} cannot be checked from here: {why}; this server goes by GITEA_INTERNAL_URL, but \
                 people's browsers must reach GITEA_URL"
            );
            warn(CHECK, says)
        }
    }
}

/// Whose `GITEA_TOKEN` is and what it may do.
async fn service(settings: &Settings, token: &Secret, visitor: &Visitor) -> Vec<Finding> {
    const CHECK: &str = "gitea_token";
    let base = settings.gitea_internal_url().unwrap_or(settings.gitea_url()).trim_end_matches('/');
    let authorization = zeroize::Zeroizing::new(format!("token {}", token.expose()));
    let headers = [("authorization", authorization.as_str()), ("accept", "application/json")];
    let ask = async |path: &str| visitor.get(&format!("{base}{path}"), &headers).await;
    // Gitea 1.27 shows a token its own scopes; before, what it refuses tells them.
    let shown = match ask(SELF).await {
        Ok(answer) if answer.status == 200 => scopes_in(&answer.json()),
        Ok(answer) if answer.status == 401 => {
            return vec![fail(CHECK, not_taken(settings))];
        }
        Ok(_) => None,
        Err(trouble) => return vec![unreachable(CHECK, &trouble)],
    };
    let (mut user, mut missing) = (Value::Null, Vec::new());
    for (scope, path) in READS {
        let refused = match ask(path).await {
            // Before 1.27 there is no page of a token's own, and any token is told so.
            Ok(answer) if answer.status == 401 => return vec![fail(CHECK, not_taken(settings))],
            Ok(answer) => {
                if path == MYSELF && answer.status == 200 {
                    user = answer.json();
                }
                answer.status == 403
            }
            Err(trouble) => return vec![unreachable(CHECK, &trouble)],
        };
        if shown.as_ref().map_or(refused, |scopes| !covers(scopes, scope)) {
            missing.push(scope);
        }
    }
    if let Some(scopes) = shown.as_ref().filter(|_| settings.write_mode()) {
        missing.extend(crate::upstream::WRITE_SET.into_iter().filter(|scope| !covers(scopes, scope)));
    }
    let login = user.get("login").and_then(Value::as_str).map(printable);
    let who = login.unwrap_or_else(|| "an account that it may not name".to_owned());
    let mut findings = vec![if missing.is_empty() {
        pass(CHECK, format!("GITEA_TOKEN acts as {who} and has the scopes that the tools need"))
    } else {
        let missing = missing.join(", ");
        fail(
            CHECK,
            format!(
                "GITEA_TOKEN of {who} lacks {missing}; make a token with it in Gitea (Settings, Applications)"
            ),
        )
    }];
    if shown.is_none() && settings.write_mode() {
        let wanted = crate::upstream::WRITE_SET.join(" and ");
        let says = format!(
            "whether GITEA_TOKEN has {wanted} cannot be seen before Gitea 1.27; changes fail without"
        );
        findings.push(warn("gitea_token_scopes", says));
    }
    findings.extend(surplus(settings, shown.as_deref().unwrap_or_default()));
    findings.extend(power(settings, user.get("is_admin").and_then(Value::as_bool).unwrap_or_default()));
    findings
}

/// What to do about a token that is mistyped, deleted or of another Gitea.
fn not_taken(settings: &Settings) -> String {
    format!(
        "Gitea does not take GITEA_TOKEN; make a new one at {}/user/settings/applications and run \
         `aegis-mcp setup solo --token-stdin < FILE`, or set it",
        settings.gitea_url().trim_end_matches('/')
    )
}

/// `scopes` of a token's own description.
fn scopes_in(token: &Value) -> Option<Vec<String>> {
    let scopes = token.get("scopes")?.as_array()?;
    Some(scopes.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// Whether a token with these scopes may do that: `write:x` includes `read:x`, and `all` everything.
fn covers(scopes: &[String], wanted: &str) -> bool {
    let wider = wanted.replacen("read:", "write:", 1);
    scopes.iter().any(|scope| scope == wanted || *scope == wider || scope == "all")
}

/// Scopes that nothing here uses.
fn surplus(settings: &Settings, scopes: &[String]) -> Option<Finding> {
    let used = |scope: &&String| {
        let scope = scope.as_str();
        let write = settings.write_mode() && crate::upstream::WRITE_SET.contains(&scope);
        write || READS.iter().any(|(known, _)| *known == scope) || scope == "public-only"
    };
    let unused: Vec<_> = scopes.iter().filter(|scope| !used(scope)).map(|scope| printable(scope)).collect();
    let says =
        "that nothing here uses; make a token with the read scopes alone, and the write scopes in write mode";
    (!unused.is_empty())
        .then(|| warn("gitea_token_scopes", format!("GITEA_TOKEN has {} {says}", unused.join(", "))))
}

fn unreachable(check: &'static str, trouble: &Trouble) -> Finding {
    fail(check, format!("{trouble}; check that Gitea runs and that GITEA_URL or GITEA_INTERNAL_URL is right"))
}

/// Whether the account is as powerful as it has to be, and not more.
fn power(settings: &Settings, is_admin: bool) -> Option<Finding> {
    const CHECK: &str = "gitea_token_power";
    match (settings.gitea_token_sudo(), is_admin) {
        (true, false) => {
            let says = "GITEA_TOKEN_SUDO needs the token of a site administrator, and this is none (or it lacks \
                        read:user); set it to false, or use an administrator's token";
            Some(fail(CHECK, says))
        }
        (true, true) => {
            Some(warn(CHECK, "GITEA_TOKEN can act as anybody in Gitea (GITEA_TOKEN_SUDO); guard it well"))
        }
        (false, true) => {
            let says = "GITEA_TOKEN belongs to a site administrator; use an ordinary account that sees only what \
                        assistants may see";
            Some(warn(CHECK, says))
        }
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scope_covers_itself_and_what_it_includes() {
        let scopes = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert!(covers(&scopes(&["read:issue"]), "read:issue"));
        assert!(covers(&scopes(&["write:issue"]), "read:issue"));
        assert!(covers(&scopes(&["all"]), "write:issue"));
        assert!(!covers(&scopes(&["read:issue"]), "write:issue"));
        assert!(!covers(&scopes(&["read:repository"]), "read:issue"));
    }

    #[test]
    fn scopes_are_read_where_gitea_shows_them() {
        assert_eq!(scopes_in(&json!({"scopes": ["read:user"]})), Some(vec!["read:user".to_owned()]));
        assert_eq!(scopes_in(&json!({"message": "not found"})), None);
    }
}
