//! Both ways once more at a Gitea that is none of ours, where `AEGIS_TEST_GITEA_URL` and `AEGIS_TEST_GITEA_ADMIN`
//! (`user:password`) name one; otherwise at the sample alone, in both versions. Nothing is removed at Gitea.

use aegis_tests::forge::world::password;
use aegis_tests::forge::{Forge, Options, Version};
use aegis_tests::server::{Folder, free_port};

use crate::stage::{READS, Serving, applications, run, setting, token};

async fn both_ways(url: &str, login: &str, secret: &str, run_name: &str) {
    let folder = Folder::new();
    let personal = token(url, login, secret, &format!("solo {run_name}"), &READS).await;
    let narrow = token(url, login, secret, &format!("narrow {run_name}"), &["read:user"]).await;
    let port = free_port().to_string();
    let solo = ["setup", "solo", "--gitea-url", url, "--token-stdin", "--port", &port];
    run(&folder, &solo, &narrow).await.says(1, &["lacks read:repository, read:issue, read:organization"]);
    run(&folder, &solo, &personal).await.says(0, &["Wrote "]).hides(&[&personal]);
    let env = std::fs::read_to_string(folder.0.join(".env")).unwrap();
    let keys = setting(&env, "MCP_API_KEYS").unwrap();
    let server = Serving::start(&folder).await;
    assert_eq!(server.call(keys.split_once('=').unwrap().1).await.status, 200);
    assert_eq!(server.stop().await, 0);

    let folder = Folder::new();
    let makes = token(url, login, secret, &format!("one-time {run_name}"), &["write:user"]).await;
    let public = format!("http://127.0.0.1:{}", free_port());
    let name = format!("AegisGitea-MCP {run_name}");
    let team = [
        "setup",
        "team",
        "--gitea-url",
        url,
        "--public-url",
        &public,
        "--application-name",
        &name,
        "--admin-token-stdin",
        "--writes",
    ];
    run(&folder, &team, &narrow).await.says(1, &["write:user", "Confidential Client  checked"]);
    let mine = async || {
        let all = applications(url, &makes).await;
        all.into_iter().filter(|app| app["name"].as_str().unwrap_or_default().starts_with(&name)).count()
    };
    assert_eq!(mine().await, 0);
    run(&folder, &team, &makes).await.says(0, &["pass  gitea_application", "Wrote "]).hides(&[&makes]);
    assert_eq!(mine().await, 2);
    run(&folder, &team, &makes).await.says(0, &["nothing was changed"]);
    assert_eq!(mine().await, 2);
    let server = Serving::start(&folder).await;
    assert_eq!(server.stop().await, 0);
    std::fs::remove_file(folder.0.join(".env")).unwrap();
    run(&folder, &team, &makes).await.says(1, &["already", "--new-secret"]);
    let renews = [&team[..], &["--new-secret"]].concat();
    run(&folder, &renews, &makes).await.says(0, &["Wrote "]);
    assert_eq!(mine().await, 2);
}

#[tokio::test]
async fn both_ways_at_the_sample_in_both_versions() {
    for version in [Version::V1_27, Version::V1_26] {
        let forge = Forge::start(Options { version, ..Options::default() }).await;
        both_ways(&forge.url(), "alice", &password("alice"), "run").await;
    }
}

#[tokio::test]
async fn both_ways_at_a_real_gitea() {
    let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(url) = read("AEGIS_TEST_GITEA_URL") else {
        println!("{{\"setup\":\"gitea\",\"skipped\":1,\"why\":\"AEGIS_TEST_GITEA_URL names none\"}}");
        return;
    };
    let admin = read("AEGIS_TEST_GITEA_ADMIN").expect("AEGIS_TEST_GITEA_ADMIN is user:password of an admin");
    let (login, secret) = admin.split_once(':').expect("user:password");
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    both_ways(url.trim_end_matches('/'), login, secret, &format!("{:x}", since.as_millis())).await;
}
