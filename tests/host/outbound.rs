//! The way out to Gitea: whom it trusts, what becomes of TLS that is not to be trusted, and proxies.

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::server::{KEY, Server, Setup};

use crate::scene::{READ, Scene, WRITE, call};
use crate::tls::{Flaw, Tls, Tunnels, file, stranger};

/// `name:pa/ss`
const ACCOUNT: &str = "Basic bmFtZTpwYS9zcw==";

/// A call, its status and its error's name.
async fn called(server: &Server, what: (&str, &str)) -> (u16, String) {
    let answer = call(&server.url, KEY, what).await.expect("it ran").expect("an answer");
    let reason = answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    (answer.status, reason)
}

/// It ends as unreachable, is on record with the requests that were tried, and the forge has heard nothing.
async fn unreachable(scene: &Scene, server: Server, tries: usize) {
    assert_eq!(called(&server, READ).await, (502, "gitea_unreachable".to_owned()));
    let lines = server.audit();
    let outcome = lines.iter().rfind(|line| line["event"] == "tool_invocation").expect("an outcome");
    assert_eq!((&outcome["status"], &outcome["reason"]), (&"error".into(), &"gitea_unreachable".into()));
    let calls = outcome["calls"].as_array().expect("the requests that were tried");
    assert_eq!(calls.len(), tries, "{outcome}");
    assert!(calls.iter().all(|call| call["status"].is_null()), "{outcome}");
    assert!(scene.forge.requests().is_empty());
    assert_eq!(server.stop().await.code, 0);
}

fn behind(scene: &Scene, tls: &Tls) -> Setup {
    // The system trusts nobody who matters here, whatever the machine.
    let nobody = file(&scene.folder.0, "nobody.pem", &stranger());
    scene.setup().set("GITEA_URL", &tls.url).set("SSL_CERT_FILE", &nobody.display().to_string())
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_trusted_by_its_file_alone() {
    let scene = Scene::new().await;
    let tls = Tls::before(&scene.forge.url(), Flaw::None).await;
    unreachable(&scene, behind(&scene, &tls).start().await, 1).await;
    let other = Tls::before(&scene.forge.url(), Flaw::None).await;
    let wrong = file(&scene.folder.0, "other.pem", &other.pem).display().to_string();
    unreachable(&scene, behind(&scene, &tls).set("GITEA_CA_FILE", &wrong).start().await, 1).await;

    let right = file(&scene.folder.0, "right.pem", &format!("A note.\n{}{}", other.pem, tls.pem));
    let server = behind(&scene, &tls).set("GITEA_CA_FILE", &right.display().to_string()).start().await;
    assert_eq!(called(&server, READ).await.0, 200);
    assert_eq!(scene.forge.requests().len(), 1);
    assert_eq!(server.stop().await.code, 0);
    // Where the system has no authorities at all, those of the file are enough.
    let none = scene.folder.0.join("none.pem").display().to_string();
    let alone = behind(&scene, &tls).set("SSL_CERT_FILE", &none);
    let server = alone.set("GITEA_CA_FILE", &right.display().to_string()).start().await;
    assert_eq!(called(&server, READ).await.0, 200);
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn bad_tls_is_tried_once_and_nothing_is_said_to_it() {
    let scene = Scene::new().await;
    for flaw in [Flaw::Expired, Flaw::OtherName] {
        let tls = Tls::before(&scene.forge.url(), flaw).await;
        let trusted = file(&scene.folder.0, "trusted.pem", &tls.pem).display().to_string();
        unreachable(&scene, behind(&scene, &tls).set("GITEA_CA_FILE", &trusted).start().await, 1).await;
    }
}

#[tokio::test]
async fn a_file_of_authorities_that_cannot_be_used_stops_the_start() {
    let scene = Scene::new().await;
    let tls = Tls::before(&scene.forge.url(), Flaw::None).await;
    let cut = tls.pem.replace("-----END CERTIFICATE-----\n", "");
    let no_der = "-----BEGIN CERTIFICATE-----\nbm8gREVS\n-----END CERTIFICATE-----\n";
    for (name, text) in
        [("empty.pem", ""), ("text.pem", "no certificate\n"), ("cut.pem", &cut), ("der.pem", no_der)]
    {
        let path = file(&scene.folder.0, name, text).display().to_string();
        let (code, said) = behind(&scene, &tls).set("GITEA_CA_FILE", &path).refused().await;
        assert_eq!(code, 64, "{name}: {said}");
        assert!(said.contains("GITEA_CA_FILE") && said.contains(&path), "{name}: {said}");
    }
    // Also where nothing needs it yet.
    let missing = scene.folder.0.join("missing.pem").display().to_string();
    let (code, said) = scene.setup().set("GITEA_CA_FILE", &missing).refused().await;
    assert!(code == 64 && said.contains(&missing), "{code} {said}");
}

#[tokio::test]
async fn a_proxy_gets_a_tunnel_and_hears_nothing_of_what_is_said() {
    let scene = Scene::new().await;
    let tls = Tls::before(&scene.forge.url(), Flaw::None).await;
    let trusted = file(&scene.folder.0, "trusted.pem", &tls.pem).display().to_string();
    let tunnels = Tunnels::open(Some(ACCOUNT)).await;
    let through = |account: &str| {
        let proxy = format!("http://{account}@{}", tunnels.authority);
        behind(&scene, &tls).set("GITEA_CA_FILE", &trusted).set("GITEA_PROXY", &proxy)
    };
    let server = through("name:pa%2Fss").start().await;
    assert_eq!(called(&server, READ).await.0, 200);
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0);
    let asked = tunnels.asked();
    let [one] = asked.as_slice() else { panic!("one tunnel, not {asked:?}") };
    assert_eq!(one.line, format!("CONNECT {} HTTP/1.1", tls.authority()));
    assert_eq!(one.account.as_deref(), Some(ACCOUNT));
    assert_eq!(one.first, Some(0x16), "what goes through begins as TLS does");
    let said = format!("{}{:?}", stopped.log, stopped.audit);
    assert!(!said.contains("pa%2Fss") && !said.contains("pa/ss") && !said.contains(SVC_TOKEN), "{said}");

    // One that does not let us in is a Gitea that cannot be reached; nothing goes around it.
    let before = scene.forge.requests().len();
    let server = through("name:wrong").start().await;
    assert_eq!(called(&server, READ).await, (502, "gitea_unreachable".to_owned()));
    assert_eq!(called(&server, WRITE).await.0, 403, "writes are off");
    assert_eq!(scene.forge.requests().len(), before);
    let stopped = server.stop().await;
    assert!(!stopped.log.contains("wrong"), "{}", stopped.log);
}

#[tokio::test]
async fn a_proxy_that_is_none_or_would_read_along_stops_the_start() {
    let scene = Scene::new().await;
    for (url, proxy, words) in [
        ("https://git.example", "socks5://name:hunter2@proxy:1", "must begin with http://"),
        ("https://git.example", "http://name:hunter2@proxy:1/path", "without a path"),
        ("http://git.example", "http://name:hunter2@proxy:1", "needs Gitea to be reached by https://"),
    ] {
        let (code, said) = scene.setup().set("GITEA_URL", url).set("GITEA_PROXY", proxy).refused().await;
        assert_eq!(code, 64, "{said}");
        assert!(said.contains("GITEA_PROXY") && said.contains(words), "{words}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let inside =
        scene.setup().set("GITEA_URL", "https://git.example").set("GITEA_INTERNAL_URL", "http://gitea:3000");
    let (code, said) = inside.set("GITEA_PROXY", "http://proxy:1").refused().await;
    assert!(code == 64 && said.contains("needs Gitea to be reached by https://"), "{code} {said}");
}
