//! What the documentation tells people is held to the built program: each client's redirect is accepted with exactly
//! the settings that `docs/connect.md` names for it and refused without them, and every name and sentence that
//! `docs/troubleshooting.md` quotes is one that the program says.

use std::path::{Path, PathBuf};

use aegis_tests::http::Answer;
use aegis_tests::server::Server;
use aegis_tests::sign_in::{Client, register};
use serde_json::{Value, json};

use crate::scene::Scene;

/// One client of `docs/connect.md`.
struct Documented {
    /// The heading of its section.
    heading: &'static str,
    /// Where it publishes what it is, if it does.
    document: Option<&'static str>,
    /// Its redirects as the section writes them, with `PORT` where the port is free.
    redirects: &'static [&'static str],
    /// Whether a server without any setting accepts all of them.
    free: bool,
}

const CLIENTS: [Documented; 7] = [
    Documented {
        heading: "Claude",
        document: Some("https://claude.ai/oauth/mcp-oauth-client-metadata"),
        redirects: &["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"],
        free: true,
    },
    Documented {
        heading: "Claude Code",
        document: Some("https://claude.ai/oauth/claude-code-client-metadata"),
        redirects: &["http://localhost:PORT/callback", "http://127.0.0.1:PORT/callback"],
        free: true,
    },
    Documented {
        heading: "Cowork",
        document: None,
        redirects: &["https://claude.ai/api/mcp/auth_callback"],
        free: true,
    },
    Documented {
        heading: "ChatGPT",
        document: Some("https://chatgpt.com/oauth/client.json"),
        redirects: &["https://chatgpt.com/connector_platform_oauth_redirect"],
        free: false,
    },
    Documented {
        heading: "VS Code",
        document: Some("https://vscode.dev/oauth/client-metadata.json"),
        redirects: &[
            "http://127.0.0.1:PORT/",
            "https://vscode.dev/redirect",
            "https://insiders.vscode.dev/redirect",
        ],
        free: false,
    },
    Documented {
        heading: "Cursor",
        document: None,
        redirects: &["cursor://anysphere.cursor-mcp/oauth/callback"],
        free: false,
    },
    Documented {
        heading: "Any other client",
        document: None,
        redirects: &["http://127.0.0.1:PORT/callback", "http://localhost:PORT/callback"],
        free: true,
    },
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands below a heading of the second level, up to the next one.
fn section(document: &str, heading: &str) -> String {
    let title = format!("## {heading}");
    let lines = document.lines().skip_while(|line| *line != title).skip(1);
    let found: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    assert!(!found.is_empty(), "docs/connect.md has no section `{heading}`");
    found.join("\n")
}

/// The settings of a section: lines such as `NAME=value`, as they would stand in `.env`.
fn settings(section: &str) -> Vec<(String, String)> {
    let pairs = section.lines().filter_map(|line| line.split_once('='));
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let named = pairs.filter(|(name, _)| is_name(name));
    named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl Documented {
    fn section(&self) -> String {
        section(&text("docs/connect.md"), self.heading)
    }

    /// Registers all of its redirects at once, as a client does.
    async fn register(&self, server: &Server) -> Answer {
        let redirects: Vec<String> =
            self.redirects.iter().map(|redirect| redirect.replace("PORT", "33418")).collect();
        let body = json!({
            "client_name": self.heading,
            "redirect_uris": redirects,
            "token_endpoint_auth_method": "none",
        });
        register(&server.url, &body).await
    }
}

/// `GET` of the authorization endpoint, by somebody without cookies.
async fn ask(server: &Server, id: &str, redirect: &str) -> Answer {
    let client = Client { server: server.url.clone(), id: id.to_owned(), redirect: redirect.to_owned() };
    let url = client.authorize_url(&[]);
    let target = url.strip_prefix(&server.url).unwrap().to_owned();
    server.stranger("GET", &target, &[], b"").await
}

#[tokio::test]
async fn every_client_is_accepted_with_the_settings_that_its_section_names() {
    for client in CLIENTS {
        let section = client.section();
        let settings = settings(&section);
        assert_eq!(settings.is_empty(), client.free, "{}: {settings:?}", client.heading);
        let scene = Scene::new().await;
        let setup = settings.iter().fold(scene.setup(), |setup, (name, value)| setup.set(name, value));
        let server = setup.start().await;
        let answer = client.register(&server).await;
        assert_eq!(answer.status, 201, "{}: {}", client.heading, answer.text());
        let id = answer.json()["client_id"].as_str().unwrap_or_default().to_owned();
        for redirect in client.redirects {
            assert!(section.contains(redirect), "the section `{}` lacks {redirect}", client.heading);
            // Another port than the registered one, where the port is free.
            let page = ask(&server, &id, &redirect.replace("PORT", "51234")).await;
            assert_eq!(page.status, 200, "{} {redirect}: {}", client.heading, page.text());
            assert!(page.text().contains("name=\"decision\""), "{} {redirect}", client.heading);
        }
        assert_eq!(server.stop().await.code, 0);
    }
}

#[tokio::test]
async fn without_its_settings_a_client_that_needs_them_is_refused() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    for client in CLIENTS {
        let answer = client.register(&server).await;
        if client.free {
            assert_eq!(answer.status, 201, "{}: {}", client.heading, answer.text());
        } else {
            assert_eq!(answer.status, 400, "{}: {}", client.heading, answer.text());
            assert_eq!(answer.json()["error"], "invalid_redirect_uri", "{}", client.heading);
        }
    }
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn a_document_is_refused_until_its_host_is_in_the_setting_that_its_section_names() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    for client in CLIENTS.iter().filter(|client| !client.free) {
        let Some(document) = client.document else { continue };
        let redirect = client.redirects.first().unwrap().replace("PORT", "51234");
        // The host is looked at before anything is fetched, so this does not leave the machine.
        let page = ask(&server, document, &redirect).await;
        assert_eq!(page.status, 400, "{}", client.heading);
        assert!(page.text().contains("client_host_not_allowed"), "{}", page.text());
        let settings = settings(&client.section());
        let hosts = settings.iter().find(|(name, _)| name == "CIMD_ALLOWED_HOSTS");
        let hosts: Vec<&str> = hosts.map(|(_, value)| value.split(',').collect()).unwrap_or_default();
        let host = document.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap();
        for wanted in [host, "claude.ai", "claude.com"] {
            assert!(hosts.contains(&wanted), "{}: {hosts:?} lacks {wanted}", client.heading);
        }
    }
    assert_eq!(server.stop().await.code, 0);
}

#[test]
fn every_document_that_a_section_names_is_built_in_with_the_redirects_of_the_section() {
    let built_in: Value = serde_json::from_str(&text("host/src/documents/builtin.json")).unwrap();
    let documents = built_in["documents"].as_array().unwrap();
    let mut named = 0;
    for client in CLIENTS {
        let Some(document) = client.document else { continue };
        named += 1;
        assert!(client.section().contains(document), "the section `{}` lacks {document}", client.heading);
        let copy = documents.iter().find(|copy| copy["client_id"] == document);
        let copy = copy.unwrap_or_else(|| panic!("{document} is not built in"));
        for redirect in copy["redirect_uris"].as_array().unwrap() {
            let redirect = redirect.as_str().unwrap();
            // The document of a program on loopback leaves the port out.
            let documented = client.redirects.iter().any(|own| own.replace(":PORT", "") == redirect);
            assert!(documented, "the section `{}` lacks {redirect}", client.heading);
        }
    }
    assert_eq!(named, documents.len(), "a built-in document has no section in docs/connect.md");
}

/// All Rust of the program itself, with the line breaks inside of texts taken out as the compiler does.
fn source() -> String {
    let mut all = String::new();
    let mut folders: Vec<PathBuf> =
        ["guest/core/src", "host/src", "host/custody/src"].map(|at| root().join(at)).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                all.push_str(&joined(&std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    all
}

/// `\` at the end of a line inside of a text swallows the break and the indentation after it.
fn joined(source: &str) -> String {
    let mut pieces = source.split("\\\n");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str(piece.trim_start());
    }
    out
}

/// What stands between two marks, for each pair of them.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    let starts = text.split(open).skip(1);
    starts.filter_map(|rest| rest.split_once(close).map(|(inside, _)| inside)).collect()
}

/// Whether a code span is a name of the program's: lower case words joined by underscores.
fn is_name(span: &str) -> bool {
    span.contains('_') && span.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn every_name_in_the_troubleshooting_is_one_that_the_program_uses() {
    let (guide, source) = (text("docs/troubleshooting.md"), source());
    let mut names: Vec<&str> = guide.split('`').skip(1).step_by(2).filter(|span| is_name(span)).collect();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() > 40, "only {} names were found: {names:?}", names.len());
    let used = |name: &str| {
        // As a text, or as the name of a field of a log line.
        [format!("\"{name}\""), format!("{name} ="), format!(" {name},")]
            .iter()
            .any(|form| source.contains(form))
    };
    let unknown: Vec<&str> = names.into_iter().filter(|name| !used(name)).collect();
    assert!(unknown.is_empty(), "docs/troubleshooting.md names what the program does not: {unknown:?}");
}

#[test]
fn every_sentence_that_the_troubleshooting_quotes_is_one_that_the_program_says() {
    let (guide, source) = (text("docs/troubleshooting.md"), source());
    let flat = guide.split_whitespace().collect::<Vec<_>>().join(" ");
    let quoted = between(&flat, "“", "”");
    assert!(quoted.len() > 30, "only {} quotations were found", quoted.len());
    let unsaid: Vec<&str> = quoted.into_iter().filter(|sentence| !source.contains(sentence)).collect();
    assert!(unsaid.is_empty(), "docs/troubleshooting.md quotes what the program does not say: {unsaid:#?}");
}

#[test]
fn every_way_in_which_a_sign_in_is_refused_stands_in_the_troubleshooting() {
    let guide = text("docs/troubleshooting.md");
    let map = text("guest/core/src/oauth/pages.rs");
    let is_row = |line: &&str| ["=> page(", "=> at(", "=> client("].iter().any(|way| line.contains(way));
    let names: Vec<&str> = map.lines().filter(is_row).filter_map(|line| line.split('"').nth(1)).collect();
    assert!(names.len() > 40, "only {} refusals were found: {names:?}", names.len());
    let missing: Vec<&str> = names.into_iter().filter(|name| !guide.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/troubleshooting.md says nothing about {missing:?}");
}
