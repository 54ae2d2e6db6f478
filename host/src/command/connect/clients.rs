//! What each client takes: the one place of these facts in the program. docs/connect.md says the same for people, and a
//! test compares the two.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Line, Way, quoted};
use crate::settings::Settings;

/// The name under which a client shows this server.
const NAME: &str = "aegis-gitea";

/// A client that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::command) enum Client {
    /// Claude Code, in a terminal.
    ClaudeCode,
    /// Claude on the web, desktop and mobile.
    Claude,
    /// Visual Studio Code.
    Vscode,
    /// Cursor.
    Cursor,
    /// ChatGPT.
    Chatgpt,
    /// Any other.
    Generic,
}

/// What a server must let in for a client that signs in.
struct Facts {
    /// The host of its metadata document, beyond those that are let in by default.
    document: Option<&'static str>,
    /// Redirects of versions that register instead.
    redirects: &'static [&'static str],
    /// Whether it calls from its maker's network.
    is_hosted: bool,
}

impl Client {
    fn facts(self) -> Facts {
        match self {
            Self::ClaudeCode | Self::Generic => Facts { document: None, redirects: &[], is_hosted: false },
            Self::Claude => Facts { document: None, redirects: &[], is_hosted: true },
            Self::Vscode => Facts {
                document: Some("vscode.dev"),
                redirects: &["https://vscode.dev/redirect", "https://insiders.vscode.dev/redirect"],
                is_hosted: false,
            },
            Self::Cursor => Facts {
                document: None,
                redirects: &["cursor://anysphere.cursor-mcp/oauth/callback"],
                is_hosted: false,
            },
            Self::Chatgpt => Facts {
                document: Some("chatgpt.com"),
                redirects: &["https://chatgpt.com/connector_platform_oauth_redirect"],
                is_hosted: true,
            },
        }
    }
}

/// What to paste into a client.
///
/// # Errors
/// The client cannot be connected in this way: what can be done instead.
pub(super) fn line(client: Client, way: &Way) -> Result<Line, String> {
    match client {
        Client::ClaudeCode => Ok(claude_code(way)),
        Client::Claude => claude(way),
        Client::Vscode => Ok(vscode(way)),
        Client::Cursor => Ok(cursor(way)),
        Client::Chatgpt => chatgpt(way),
        Client::Generic => Ok(generic(way)),
    }
}

fn said(paste: impl Into<String>, says: &[&str]) -> Line {
    Line { paste: Zeroizing::new(paste.into()), says: says.iter().map(|&text| text.to_owned()).collect() }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// The arguments after the program.
fn arguments(env_file: Option<&str>) -> Vec<String> {
    let mut all = vec!["stdio".to_owned()];
    all.extend(env_file.into_iter().flat_map(|file| ["--env-file".to_owned(), file.to_owned()]));
    all
}

fn claude_code(way: &Way) -> Line {
    let says = &["In a shell:"];
    match way {
        Way::SignIn { url } => Line {
            says: vec!["In a shell; then /mcp in Claude Code, choose aegis-gitea, Authenticate:".to_owned()],
            ..said(format!("claude mcp add --transport http {NAME} {url}"), &[])
        },
        Way::Open { url } => said(format!("claude mcp add --transport http {NAME} {url}"), says),
        Way::Key { url, key, .. } => said(
            format!(
                "claude mcp add --transport http {NAME} {url} --header \"Authorization: Bearer {}\"",
                key.as_str()
            ),
            says,
        ),
        Way::Stdio { program, env_file } => {
            let words: Vec<String> = arguments(env_file.as_deref()).iter().map(|word| quoted(word)).collect();
            said(format!("claude mcp add {NAME} -- {} {}", quoted(program), words.join(" ")), says)
        }
    }
}

fn claude(way: &Way) -> Result<Line, String> {
    match way {
        Way::SignIn { url } => Ok(said(
            url,
            &["In Claude: Settings, Connectors, Add custom connector; a name of your choice, and as URL the line below. Leave \
               client id and secret empty; Add, then Connect:"],
        )),
        Way::Stdio { .. } => Ok(said(
            pretty(&mcp_servers(way)),
            &["In Claude Desktop: Settings, Developer, Edit Config opens claude_desktop_config.json. Put this into it and \
               start Claude again:"],
        )),
        Way::Key { .. } | Way::Open { .. } => Err(
            "Claude takes no key. Claude Desktop can start this program itself: add --stdio. On the web and on a phone Claude \
             signs in: `aegis-mcp setup team`. For Claude Code: `aegis-mcp connect claude-code`"
                .to_owned(),
        ),
    }
}

fn vscode(way: &Way) -> Line {
    let server = match way {
        Way::SignIn { url } | Way::Open { url } => json!({ "type": "http", "url": url }),
        Way::Key { url, .. } => {
            json!({ "type": "http", "url": url, "headers": { "Authorization": "Bearer ${input:aegis-key}" } })
        }
        Way::Stdio { program, env_file } => {
            json!({ "type": "stdio", "command": program, "args": arguments(env_file.as_deref()) })
        }
    };
    let mut document = json!({ "servers": { NAME: server } });
    let mut says = vec!["In .vscode/mcp.json, or by the command MCP: Open User Configuration:".to_owned()];
    if let (Way::Key { name, .. }, Some(members)) = (way, document.as_object_mut()) {
        // The file is often committed, so the key is asked for instead.
        let input = json!([{
            "type": "promptString", "id": "aegis-key", "description": "Key for aegis-gitea", "password": true,
        }]);
        members.insert("inputs".to_owned(), input);
        says.push(format!(
            "VS Code asks for the key once and keeps it. It is the one named {name} in MCP_API_KEYS; `aegis-mcp connect \
             generic` shows it."
        ));
    }
    Line { paste: Zeroizing::new(pretty(&document)), says }
}

fn cursor(way: &Way) -> Line {
    said(pretty(&mcp_servers(way)), &["In ~/.cursor/mcp.json:"])
}

fn chatgpt(way: &Way) -> Result<Line, String> {
    match way {
        Way::SignIn { url } => Ok(said(
            url,
            &["In ChatGPT: Settings, Apps & Connectors, Advanced settings, Developer mode on; then Create: a name, the line \
               below as URL, authentication OAuth:"],
        )),
        Way::Key { .. } | Way::Open { .. } | Way::Stdio { .. } => {
            Err("ChatGPT connects from OpenAI's network and takes no key: it signs in, over https. `aegis-mcp setup team` sets \
                 that up"
                .to_owned())
        }
    }
}

fn generic(way: &Way) -> Line {
    match way {
        Way::SignIn { url } => {
            said(url, &["Give the client this URL and nothing else; it opens a browser to sign in:"])
        }
        Way::Open { .. } | Way::Key { .. } => said(
            pretty(&mcp_servers(way)),
            &["In the client's configuration (Streamable HTTP; many take this form):"],
        ),
        Way::Stdio { .. } => {
            said(pretty(&mcp_servers(way)), &["In the client's configuration (many take this form):"])
        }
    }
}

/// The form that most clients took over from Claude Desktop.
fn mcp_servers(way: &Way) -> Value {
    let server = match way {
        Way::SignIn { url } | Way::Open { url } => json!({ "url": url }),
        Way::Key { url, key, .. } => {
            json!({ "url": url, "headers": { "Authorization": format!("Bearer {}", key.as_str()) } })
        }
        Way::Stdio { program, env_file } => {
            json!({ "command": program, "args": arguments(env_file.as_deref()) })
        }
    };
    json!({ "mcpServers": { NAME: server } })
}

/// The lines that the settings lack before a client is let in.
pub(super) fn lacking(client: Client, settings: &Settings) -> Vec<String> {
    let facts = client.facts();
    let in_force = |name: &str| {
        settings
            .rows()
            .iter()
            .find(|row| row.setting.name == name)
            .map_or_else(String::new, |row| row.shown.clone())
    };
    let mut lines = Vec::new();
    for (name, wanted) in
        [("CIMD_ALLOWED_HOSTS", facts.document.as_slice()), ("OAUTH_REDIRECT_ALLOWLIST", facts.redirects)]
    {
        lines.extend(extended(&in_force(name), wanted).map(|list| format!("  {name}={list}")));
    }
    if !lines.is_empty() {
        let first = "First let this client in: set this for the server, and restart it:";
        lines.insert(0, first.to_owned());
    }
    lines
}

/// A list with what is missing in it; none where nothing is.
fn extended(list: &str, wanted: &[&str]) -> Option<String> {
    let mut items: Vec<&str> =
        list.split(',').map(str::trim).filter(|item| !item.is_empty() && *item != "none").collect();
    let before = items.len();
    for item in wanted {
        if !items.contains(item) {
            items.push(item);
        }
    }
    (items.len() > before).then(|| items.join(","))
}

/// What keeps a hosted client from ever arriving.
pub(super) fn unreachable(client: Client, settings: &Settings) -> Option<String> {
    let is_public = settings.public_base_url().is_some_and(|url| url.starts_with("https://"));
    (client.facts().is_hosted && !is_public).then(|| {
        "It connects from the internet, and PUBLIC_BASE_URL is no https address: it cannot reach this server. `aegis-mcp \
         setup team --public-url https://...` changes that"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    const DOCUMENT: &str = include_str!("../../../../docs/connect.md");

    fn sign_in() -> Way {
        Way::SignIn { url: "https://<host>/mcp".to_owned() }
    }

    #[test]
    fn the_guide_for_people_has_the_same_facts() {
        for client in Client::value_variants() {
            let facts = client.facts();
            for fact in facts.document.iter().chain(facts.redirects) {
                assert!(DOCUMENT.contains(fact), "{client:?}: {fact}");
            }
            if let Some(list) = extended("claude.ai,claude.com", facts.document.as_slice()) {
                assert!(DOCUMENT.contains(&format!("CIMD_ALLOWED_HOSTS={list}\n")), "{list}");
            }
            if let Some(list) = extended("", facts.redirects) {
                assert!(DOCUMENT.contains(&format!("OAUTH_REDIRECT_ALLOWLIST={list}\n")), "{list}");
            }
        }
        assert!(DOCUMENT.contains(line(Client::ClaudeCode, &sign_in()).unwrap().paste.as_str()));
        for client in [Client::Vscode, Client::Cursor] {
            let paste: Value = serde_json::from_str(&line(client, &sign_in()).unwrap().paste).unwrap();
            let in_guide = DOCUMENT.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            assert!(in_guide.into_iter().any(|shown| shown == paste), "{client:?}: {paste}");
        }
    }

    #[test]
    fn a_key_stands_in_a_header_and_never_in_a_file_that_is_shared() {
        let way = || Way::Key {
            url: "http://127.0.0.1:8080/mcp".to_owned(),
            name: "laptop".to_owned(),
            key: Zeroizing::new("aegis_key_x".to_owned()),
        };
        for client in [Client::ClaudeCode, Client::Cursor, Client::Generic] {
            assert!(line(client, &way()).unwrap().paste.contains("Bearer aegis_key_x"), "{client:?}");
        }
        let vscode = line(Client::Vscode, &way()).unwrap();
        assert!(!vscode.paste.contains("aegis_key_x") && vscode.paste.contains("promptString"));
        assert!(line(Client::Chatgpt, &way()).err().unwrap().contains("setup team"));
        assert!(line(Client::Claude, &way()).err().unwrap().contains("--stdio"));
    }

    #[test]
    fn a_program_is_started_by_its_whole_path() {
        let way = Way::Stdio {
            program: "/opt/my apps/aegis-mcp".to_owned(),
            env_file: Some("/home/me/.env".to_owned()),
        };
        let shell = line(Client::ClaudeCode, &way).unwrap();
        assert_eq!(
            shell.paste.as_str(),
            "claude mcp add aegis-gitea -- '/opt/my apps/aegis-mcp' stdio --env-file /home/me/.env"
        );
        for client in [Client::Claude, Client::Cursor, Client::Generic, Client::Vscode] {
            let paste: Value = serde_json::from_str(&line(client, &way).unwrap().paste).unwrap();
            let server =
                paste.pointer("/mcpServers/aegis-gitea").or(paste.pointer("/servers/aegis-gitea")).unwrap();
            assert_eq!(server["command"], "/opt/my apps/aegis-mcp", "{client:?}");
            assert_eq!(server["args"], json!(["stdio", "--env-file", "/home/me/.env"]), "{client:?}");
        }
    }

    #[test]
    fn a_list_is_extended_and_not_replaced() {
        assert_eq!(extended("a,b", &["c"]).as_deref(), Some("a,b,c"));
        assert_eq!(extended("none", &["c"]).as_deref(), Some("c"));
        assert_eq!(extended("a, c", &["c"]), None);
        assert_eq!(extended("", &[]), None);
    }
}
