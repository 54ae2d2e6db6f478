//! Writes pages as files, so that they can be looked at in a browser.

#![expect(clippy::disallowed_methods, reason = "writes files where it is told to; it is run by hand")]

use http::Response;

use super::fake::{Stage, asking, person, text};
use crate::ports::{ClientKind, NotOpened, SignInReason, SignInRefused};

const LONG: &str =
    "http://127.0.0.1:49152/oauth/callback/with/a/path/that/is/long/0123456789012345678901234567890123456789";

#[test]
#[ignore = "writes files: set AEGIS_PAGES_DIR and run it by name"]
fn writes_the_pages_to_look_at() {
    let directory = std::path::PathBuf::from(std::env::var("AEGIS_PAGES_DIR").expect("AEGIS_PAGES_DIR"));
    let write = |name: &str, page: Response<Vec<u8>>| {
        std::fs::write(directory.join(format!("{name}.html")), text(&page)).expect("a file");
    };
    let stage = Stage::writing();
    write("consent-document", stage.show(&asking(&[("scope", "write:repository")])));
    *stage.script.remembered.borrow_mut() = Some(person(&["read:repository"], false));
    write("consent-remembered", stage.show(&asking(&[])));
    let stage = Stage::new();
    write("consent-read", stage.show(&asking(&[])));
    let stage = Stage::writing();
    let id = format!("aegis_client_{}", "Zm9vYmFy".repeat(40));
    stage.client(
        ClientKind::Registered,
        &id,
        Some("Totally Claude\u{202e} <b>&</b> a name that does not come to its end soon"),
        LONG,
    );
    write("consent-loopback", stage.show(&asking(&[("client_id", &id), ("redirect_uri", LONG)])));
    let cursor = "cursor://anysphere.cursor-mcp/oauth/callback";
    stage.world.set("OAUTH_REDIRECT_ALLOWLIST", cursor);
    stage.client(ClientKind::Preregistered, "cursor", None, cursor);
    write("consent-scheme", stage.show(&asking(&[("client_id", "cursor"), ("redirect_uri", cursor)])));
    let stage = Stage::new();
    *stage.script.person.borrow_mut() = person(&["read:repository"], true);
    write("narrowed", stage.callback("state=s&code=c"));
    stage.script.not_opened.set(Some(NotOpened::OtherBrowser));
    write("other-browser", stage.callback("state=s&code=c"));
    stage.script.not_opened.set(None);
    let text = "Gitea grants sudo.".to_owned();
    *stage.script.refused.borrow_mut() = Some(SignInRefused { reason: SignInReason::GrantTooWide, text });
    write("grant-too-wide", stage.callback("state=s&code=c"));
    write("redirect-refused", stage.show(&asking(&[("redirect_uri", "https://claude.ai@evil.example/")])));
}
