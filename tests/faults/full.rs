//! F4: a small volume that fills up under load and is freed, again and again: calls are refused with 503 and never answered
//! with 500, service returns without a restart, and the log says that the disk was full.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use aegis_tests::server::Server;

use crate::campaign::size;
use crate::stand::{Stand, read_as, result_of, until};

/// How often the volume is filled.
const FILLS: &str = "AEGIS_TEST_FILLS";
/// Set in a process that has mounts of its own.
const ALONE: &str = "AEGIS_TEST_MOUNTS";
const CALLERS: usize = 16;
/// Fills of one log; then a new one begins, on a new volume.
const OF_ONE_LOG: usize = 10;

/// A volume of 16 MiB in memory.
struct Volume(PathBuf);

impl Volume {
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    /// Write until nothing more fits.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).expect("created");
        for piece in [1 << 20, 1 << 12, 512] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
        path
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Calls of several callers, until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    callers: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn on(server: &Server) -> Self {
        let (stop, answered, refused) = <(Arc<AtomicBool>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let callers = (0..CALLERS).map(|caller| {
            let (url, stop, answered, refused) =
                (server.url.clone(), stop.clone(), answered.clone(), refused.clone());
            tokio::spawn(async move {
                let mut ids = Vec::new();
                while !stop.load(Ordering::Acquire) {
                    // Anything but a result or a 503 with its name fails the campaign.
                    match result_of(&read_as(&url, caller).await.expect("an answer")) {
                        Some(id) => {
                            ids.push(id);
                            answered.fetch_add(1, Ordering::AcqRel);
                        }
                        None => drop(refused.fetch_add(1, Ordering::AcqRel)),
                    }
                }
                ids
            })
        });
        Self { callers: callers.collect(), stop, answered, refused }
    }

    async fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Release);
        let mut ids = Vec::new();
        for caller in self.callers {
            ids.extend(caller.await.expect("only results and 503"));
        }
        ids
    }
}

/// Fill one volume so often; refusals, and the longest time until a call was served again, in milliseconds.
async fn filled(fills: usize) -> (usize, u128) {
    let stand = Stand::new().await;
    let volume = Volume::mount(stand.trail()).expect("this process may mount");
    let server = stand.setup().start().await;
    let (mut answered, mut refused, mut longest) = (BTreeSet::new(), 0, 0);
    for _ in 0..fills {
        let load = Load::on(&server);
        until("there is load", async || load.answered.load(Ordering::Acquire) > CALLERS).await;
        let filler = volume.fill();
        until("calls are refused", async || load.refused.load(Ordering::Acquire) > 2 * CALLERS).await;
        let before = load.answered.load(Ordering::Acquire);
        std::fs::remove_file(filler).expect("removed");
        let freed = Instant::now();
        until("calls are served again", async || load.answered.load(Ordering::Acquire) > before).await;
        longest = longest.max(freed.elapsed().as_millis());
        refused += load.refused.load(Ordering::Acquire);
        answered.extend(load.end().await);
    }
    assert_eq!(server.stop().await.code, 0);
    let told = stand.lines().iter().filter(|line| line["event"] == "audit_disk_full").count();
    assert!(told >= fills, "the disk was full {fills} times, and {told} lines tell");
    stand.judge(&answered, "filled and freed").await;
    assert_eq!(stand.verify().await.0, 0);
    assert_eq!(stand.forge.violations(), Vec::<String>::new());
    (refused, longest)
}

/// Whether this process may mount; if not, the same test in a process with mounts of its own has been run in its place.
fn mounts() -> bool {
    let probe = Stand::probe();
    if Volume::mount(&probe.0).is_some() {
        return true;
    }
    let alone = std::env::var_os(ALONE).is_none().then(|| {
        let own = std::env::current_exe().expect("this test");
        let words = ["-rm", "--"].map(std::ffi::OsStr::new);
        let name = "full::a_volume_that_fills_up_refuses_calls_and_serves_again";
        let mut command = Command::new("unshare");
        command.args(words).arg(own).args([name, "--exact", "--ignored", "--nocapture"]).env(ALONE, "1");
        command.status()
    });
    match alone {
        Some(Ok(status)) if status.success() => false,
        _ => panic!(
            "a small volume cannot be mounted here, so this campaign cannot be run: be root, or allow user namespaces (unshare -rm)"
        ),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the right to mount: `make faults-short`"]
async fn a_volume_that_fills_up_refuses_calls_and_serves_again() {
    if !mounts() {
        return;
    }
    let count = size(FILLS, 3);
    let (mut refused, mut longest, mut left) = (0, 0, count);
    while left > 0 {
        let now = left.min(OF_ONE_LOG);
        let (some, long) = filled(now).await;
        refused += some;
        longest = longest.max(long);
        left -= now;
    }
    let bound = size("AEGIS_TEST_BACK_MS", usize::MAX);
    println!(
        "F4: filled and freed {count} times, {refused} calls refused with 503, none with 500; served again after {longest} ms at most"
    );
    assert!(longest < bound as u128, "served again after {longest} ms");
}
