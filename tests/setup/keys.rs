//! Keys by name: made, listed, told apart on record, and revoked one at a time.

use crate::stage::{Serving, Stage, audit};

#[tokio::test]
async fn a_named_key_is_added_listed_and_revoked_at_the_next_call() {
    let stage = Stage::new().await;
    stage.solo().await;
    let made = stage.run(&["generate-key", "--name", "phone", "--env-file", ".env"], "").await;
    let phone = made.says(0, &["restart the server"]).out.trim().to_owned();
    let again = stage.run(&["generate-key", "--name", "phone", "--env-file", ".env"], "").await;
    again.says(2, &["a key named phone already", "users revoke key:phone"]);
    let keys = stage.setting("MCP_API_KEYS").unwrap();
    assert!(keys.ends_with(&format!(",phone={phone}")), "{keys}");
    let laptop = keys.split(',').next().unwrap().strip_prefix("laptop=").unwrap().to_owned();

    let listed = stage.run(&["users", "list", "--env-file", ".env"], "").await;
    listed.says(0, &["KEY", "FINGERPRINT", "laptop", "phone"]).hides(&[&laptop, &phone]);
    let json = stage.run(&["users", "list", "--json", "--env-file", ".env"], "").await;
    let json: serde_json::Value = serde_json::from_str(&json.says(0, &[]).out).unwrap();
    assert_eq!(json["keys"][1]["name"], "phone");
    assert_eq!(json["keys"][1]["fingerprint"].as_str().unwrap().len(), 8);

    let server = Serving::start(&stage.folder).await;
    assert_eq!((server.call(&laptop).await.status, server.call(&phone).await.status), (200, 200));
    let before = stage.forge.requests().len();
    let revoked = stage.run(&["users", "revoke", "key:phone", "--env-file", ".env"], "").await;
    revoked.says(0, &["takes the key phone no more", "Took the key phone out of"]).hides(&[&laptop, &phone]);
    assert_eq!(server.call(&phone).await.status, 401);
    assert_eq!(stage.forge.requests().len(), before, "a revoked key reaches nothing");
    assert_eq!(server.call(&laptop).await.status, 200);
    let nobody = stage.run(&["users", "revoke", "key:phone", "--env-file", ".env"], "").await;
    nobody.says(0, &["takes the key phone no more"]);
    assert_eq!(server.stop().await, 0);

    assert_eq!(stage.setting("MCP_API_KEYS"), Some(format!("laptop={laptop}")));
    let nobody = stage.run(&["users", "revoke", "key:tablet", "--env-file", ".env"], "").await;
    nobody.says(1, &["there is no key named tablet"]);
    let lines = audit(&stage.path("data/audit/audit.log"));
    let revoked: Vec<_> = lines.iter().filter(|line| line["reason"] == "operator_revoked_key").collect();
    assert_eq!(revoked[0]["detail"]["key"], "phone", "{lines:#?}");
    for name in ["laptop", "phone"] {
        assert!(
            lines.iter().any(|line| line["event"] == "tool_invocation" && line.to_string().contains(name)),
            "{name}"
        );
    }
    let server = Serving::start(&stage.folder).await;
    assert_eq!((server.call(&laptop).await.status, server.call(&phone).await.status), (200, 401));
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn keys_as_the_original_has_them_go_on_working() {
    let stage = Stage::new().await;
    stage.solo().await;
    let bare = ["aegis_key_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "0123456789abcdef0123456789abcdef"];
    let entry = stage.setting("MCP_API_KEYS").unwrap();
    std::fs::write(stage.path(".env"), stage.env().replace(&entry, &bare.join(","))).unwrap();
    let server = Serving::start(&stage.folder).await;
    for key in bare {
        assert_eq!(server.call(key).await.status, 200);
    }
    assert_eq!(server.stop().await, 0);
    stage.run(&["users", "list", "--env-file", ".env"], "").await.says(0, &["key-"]).hides(&bare);
}
