//! F5: syncs that fail once, ten times and for ever: the file whose sync failed is never synced again, service goes on in a
//! new one as soon as the disk allows it, and nothing that was answered is missing.

use std::collections::BTreeSet;

use crate::stand::{Stand, read, result_of, until};
use crate::strace::{around, calls, ended, injected, required, synced_again};

/// Serve while syncs fail, and stop; how many failed, and whether a call was answered after that.
async fn served(inject: &str, heals: bool) -> (usize, bool) {
    let stand = Stand::new().await;
    let server = stand.setup().start().await;
    let mut answered = BTreeSet::new();
    answered.extend(result_of(&read(&server.url).await.expect("an answer")));
    assert_eq!(server.stop().await.code, 0);

    let trace = stand.folder.0.join("trace");
    let words = around(stand.trail(), &trace, Some(inject));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut last = false;
    let calls = if let Ok(server) = stand.setup().wrapped_in(&words).try_start().await {
        let process = server.pid();
        for _ in 0..20 {
            let id = result_of(&read(&server.url).await.expect("an answer"));
            last = id.is_some();
            answered.extend(id);
        }
        if heals {
            until("it serves again", async || {
                read(&server.url).await.is_some_and(|answer| answer.status == 200)
            })
            .await;
            last = true;
        }
        server.try_signal("TERM").await;
        server.wait().await;
        ended(&trace, process).await
    } else {
        calls(&trace)
    };
    assert_eq!(synced_again(&calls), Vec::<String>::new(), "{inject}: synced after a sync had failed");
    stand.judge(&answered, inject).await;
    let server = stand.setup().start().await;
    assert_eq!(read(&server.url).await.expect("an answer").status, 200, "{inject}");
    assert_eq!(server.stop().await.code, 0, "{inject}");
    stand.judge(&answered, inject).await;
    assert_eq!(stand.forge.violations(), Vec::<String>::new(), "{inject}");
    (injected(&calls), last)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace: `make faults-short`"]
async fn a_file_whose_sync_failed_is_never_synced_again() {
    required();
    let mut failed = 0;
    for error in ["EIO", "ENOSPC"] {
        for call in ["fdatasync", "fsync"] {
            for (when, heals) in [("8", true), ("8..17", true), ("8+", false), ("1+", false)] {
                let (count, served) = served(&format!("{call}:error={error}:when={when}"), heals).await;
                assert!(!heals || served || count == 0, "{call} {error} {when}: it did not go on");
                failed += count;
            }
        }
    }
    assert!(failed > 20, "only {failed} syncs failed");
    println!("F5: {failed} syncs failed in 16 lives, once, ten times and for ever: no file was synced again");
}
