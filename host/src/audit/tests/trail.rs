//! The queue and its thread: who is answered, when, and with what.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use super::super::fs::{LockError, LogFile, LogFs, Space, Stat};
use super::super::{Appended, QUEUE, Trail, Unavailable};
use super::sim::{Fault, Sim};
use super::{Bounds, Entry, call, clock, entry, events, opening, path, verified, world};

fn open(fs: impl LogFs + 'static) -> Trail {
    let world = world(&(Arc::new(fs) as Arc<dyn LogFs>), &clock(), Bounds::default());
    Trail::open_in(opening(&path()), world, Vec::new()).unwrap()
}

/// A simulated disk whose file operations wait at a gate once it is shut.
#[derive(Clone)]
struct Gated {
    sim: Sim,
    gate: Arc<Mutex<Option<Receiver<Panic>>>>,
}

/// The writer at the gate is to panic.
struct Panic;

impl Gated {
    fn new() -> Self {
        Self { sim: Sim::default(), gate: Arc::default() }
    }

    /// From now on nothing is looked at until the sender says so, or is dropped.
    fn shut(&self) -> Sender<Panic> {
        let (sender, receiver) = channel();
        *self.gate.lock().unwrap() = Some(receiver);
        sender
    }

    /// Until somebody waits at the gate.
    fn entered(&self) {
        while self.gate.lock().unwrap().is_some() {
            std::thread::yield_now();
        }
    }

    fn wait(&self) {
        let gate = self.gate.lock().unwrap().take();
        if let Some(gate) = gate
            && matches!(gate.recv(), Ok(Panic))
        {
            panic!("the test asked for this");
        }
    }
}

impl LogFs for Gated {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.sim.create_dir(dir)
    }
    fn lock(&self, path: &Path) -> Result<Box<dyn Send>, LockError> {
        self.sim.lock(path)
    }
    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn LogFile>>> {
        self.sim.open(path)
    }
    fn content(&self, path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
        self.sim.content(path, most)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        self.sim.create(path)
    }
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        // The reserve is looked at before the log is open.
        if path.extension() != Some("reserve".as_ref()) {
            self.wait();
        }
        self.sim.stat(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.sim.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.sim.remove(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.sim.list(dir)
    }
    fn reserve(&self, path: &Path, len: u64) -> io::Result<()> {
        self.sim.reserve(path, len)
    }
    fn space(&self, dir: &Path) -> io::Result<Space> {
        self.sim.space(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.sim.sync_dir(dir)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_share_batches_and_each_learns_its_own_line() {
    let sim = Sim::default();
    let trail = open(sim.clone());
    let mut writers = Vec::new();
    for n in 0..64 {
        let trail = trail.clone();
        writers.push(tokio::spawn(async move {
            let mut acked = Vec::new();
            for m in 0..20 {
                let id = format!("{n}-{m}");
                acked.push((trail.append(entry(&id)).await.unwrap().seq, id));
            }
            acked
        }));
    }
    let mut acked = Vec::new();
    for writer in writers {
        acked.extend(writer.await.unwrap());
    }
    let health = trail.health();
    trail.close();
    let lines = verified(&sim.log(&path()));
    assert_eq!(lines.len(), 1 + 64 * 20 + 1);
    for (seq, id) in acked {
        assert_eq!(lines[usize::try_from(seq - 1).unwrap()]["reason"], id);
    }
    assert!(health.writable && health.queue_depth == 0 && health.lines == 1281);
    assert!(health.batches <= 1280 && health.syncs >= health.batches);
}

#[tokio::test]
async fn what_waits_behind_a_slow_disk_becomes_one_batch() {
    let disk = Gated::new();
    let gate = disk.shut();
    let trail = open(disk.clone());
    let sent = Arc::new(AtomicUsize::new(0));
    let waiting: Vec<_> = (0..100)
        .map(|n| {
            let (trail, sent) = (trail.clone(), Arc::clone(&sent));
            tokio::spawn(async move {
                sent.fetch_add(1, Ordering::AcqRel);
                trail.append(entry(&n.to_string())).await
            })
        })
        .collect();
    // All are sent before the disk answers.
    while sent.load(Ordering::Acquire) < 100 {
        tokio::task::yield_now().await;
    }
    drop(gate);
    for waiter in waiting {
        waiter.await.unwrap().unwrap();
    }
    // The log's own first line may be one; the thread may have taken a part before it came to the gate, and the rest after.
    assert!(trail.health().batches <= 3, "{:?}", trail.health());
    trail.close();
}

#[tokio::test]
async fn nobody_waits_longer_than_the_deadline() {
    let disk = Gated::new();
    let trail = open(disk.clone());
    let gate = disk.shut();
    let (slow, refused) = tokio::join!(trail.append(entry("slow")), async {
        disk.entered();
        trail.append(call("t", "pending")).await
    });
    assert!(slow.unwrap_err().to_string().contains("2 seconds"));
    assert!(refused.unwrap_err().to_string().contains("2 seconds"));
    // What a caller does whose intent was refused.
    trail.push(call("t", "aborted"));
    drop(gate);
    trail.close();
    // The one on its way to the disk came there. The other had not been begun, and is not done late.
    let lines = verified(&disk.sim.log(&path()));
    assert_eq!(events(&lines), ["log_open", "security_event", "tool_invocation", "log_close"]);
    assert_eq!((&lines[1]["reason"], &lines[2]["status"]), (&"slow".into(), &"aborted".into()));
    assert_eq!(unknown(&disk.sim), 0);
}

/// How many calls a new start finds without an outcome.
fn unknown(sim: &Sim) -> usize {
    open(sim.clone()).close();
    let lines = verified(&sim.log(&path()));
    lines.iter().filter(|line| line["event"] == "outcome_unknown").count()
}

/// Send an entry to the trail now and wait for it later.
fn sent(trail: &Trail, entry: Entry) -> tokio::task::JoinHandle<Result<Appended, Unavailable>> {
    let mut append = Box::pin({
        let trail = trail.clone();
        async move { trail.append(entry).await }
    });
    assert!(append.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    tokio::spawn(append)
}

#[tokio::test]
async fn lines_stand_in_the_order_in_which_they_were_sent() {
    let disk = Gated::new();
    let trail = open(disk.clone());
    let gate = disk.shut();
    trail.push(entry("first"));
    disk.entered();
    let intent = sent(&trail, call("t", "pending"));
    trail.push(entry("between"));
    let outcome = sent(&trail, call("t", "success"));
    trail.push(entry("last"));
    drop(gate);
    assert_eq!(intent.await.unwrap().unwrap().seq, 3);
    assert_eq!(outcome.await.unwrap().unwrap().seq, 5);
    trail.close();
    let lines = verified(&disk.sim.log(&path()));
    let said: Vec<_> =
        lines[1..6].iter().map(|line| line["reason"].as_str().or(line["status"].as_str())).collect();
    assert_eq!(said, ["first", "pending", "between", "success", "last"].map(Some));
    assert_eq!(unknown(&disk.sim), 0);
}

#[tokio::test]
async fn an_intent_whose_caller_has_gone_is_not_written_late() {
    let disk = Gated::new();
    let trail = open(disk.clone());
    let gate = disk.shut();
    trail.push(entry("first"));
    disk.entered();
    let gone = sent(&trail, call("gone", "pending"));
    let kept = sent(&trail, call("kept", "pending"));
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    trail.push(call("gone", "aborted"));
    drop(gate);
    assert_eq!(kept.await.unwrap().unwrap().seq, 3);
    trail.close();
    let lines = verified(&disk.sim.log(&path()));
    assert_eq!((&lines[2]["ticket"], &lines[2]["status"]), (&"kept".into(), &"pending".into()));
    assert_eq!((&lines[3]["ticket"], &lines[3]["status"]), (&"gone".into(), &"aborted".into()));
    assert_eq!(lines.len(), 5);
    assert_eq!(unknown(&disk.sim), 1, "only the one that was acknowledged");
}

#[tokio::test]
async fn what_was_pushed_before_and_during_an_outage_keeps_its_order() {
    let sim = Sim::default();
    let trail = open(sim.clone());
    sim.plan(0, Fault::From(io::ErrorKind::Other));
    for n in 0..3 {
        trail.push(entry(&format!("pushed-{n}")));
        trail.append(entry("refused")).await.unwrap_err();
    }
    sim.heal();
    trail.append(entry("after")).await.unwrap();
    trail.close();
    let lines = verified(&sim.log(&path()));
    let said: Vec<_> = lines.iter().filter_map(|line| line["reason"].as_str()).collect();
    assert_eq!(said, ["pushed-0", "pushed-1", "pushed-2", "after"]);
}

#[tokio::test]
async fn an_outage_keeps_the_order_of_more_than_a_batch_and_refuses_who_waits_behind_it() {
    let disk = Gated::new();
    let trail = open(disk.clone());
    let gate = disk.shut();
    trail.push(entry("0"));
    disk.entered();
    disk.sim.plan(0, Fault::From(io::ErrorKind::Other));
    for n in 1..2_500 {
        trail.push(entry(&n.to_string()));
    }
    let refused = sent(&trail, entry("refused"));
    drop(gate);
    assert!(!refused.await.unwrap().unwrap_err().to_string().contains("2 seconds"));
    disk.sim.heal();
    trail.append(entry("2500")).await.unwrap();
    trail.close();
    let lines = verified(&disk.sim.log(&path()));
    let said: Vec<usize> = lines.iter().filter_map(|line| line["reason"].as_str()?.parse().ok()).collect();
    assert_eq!(said, (0..=2_500).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_outcome_sent_again_after_its_caller_was_refused_ends_the_call() {
    let sim = Sim::default();
    let trail = open(sim.clone());
    trail.append(call("t", "pending")).await.unwrap();
    sim.plan(0, Fault::From(io::ErrorKind::Other));
    trail.append(call("t", "success")).await.unwrap_err();
    let mut late = call("t", "success");
    late.members.insert("late".into(), true.into());
    trail.push(late);
    sim.heal();
    trail.close();
    let lines = verified(&sim.log(&path()));
    assert_eq!(events(&lines), ["log_open", "tool_invocation", "recovery", "tool_invocation", "log_close"]);
    assert_eq!(lines[3]["late"], true);
    assert_eq!(unknown(&sim), 0);
}

#[tokio::test]
async fn a_stop_tries_a_failed_batch_once_more() {
    let sim = Sim::default();
    let trail = open(sim.clone());
    trail.append(entry("before")).await.unwrap();
    // Operations of a batch: look, append, sync.
    sim.plan(2, Fault::Once(io::ErrorKind::Other));
    trail.close();
    let lines = verified(&sim.log(&path()));
    assert_eq!(events(&lines), ["log_open", "security_event", "segment_open", "recovery", "log_close"]);
}

#[tokio::test]
async fn everybody_who_waits_is_refused_at_once_when_the_writer_dies() {
    let disk = Gated::new();
    let trail = open(disk.clone());
    let gate = disk.shut();
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let trail = trail.clone();
            tokio::spawn(async move { trail.append(entry("waiting")).await })
        })
        .collect();
    tokio::task::yield_now().await;
    gate.send(Panic).unwrap();
    for waiter in waiting {
        let refused = waiter.await.unwrap().unwrap_err().to_string();
        assert!(refused.contains("ended") || refused.contains("closed"), "{refused}");
    }
    trail.close();
    assert!(!trail.health().writable);
    trail.append(entry("late")).await.unwrap_err();
}

#[tokio::test]
async fn an_outage_refuses_and_keeps_what_was_pushed_and_ends_without_a_restart() {
    let sim = Sim::default();
    let trail = open(sim.clone());
    sim.plan(0, Fault::From(io::ErrorKind::StorageFull));
    trail.push(entry("pushed"));
    let refused = trail.append(entry("refused")).await.unwrap_err();
    assert!(refused.to_string().contains("audit log"), "{refused}");
    assert!(!trail.health().writable && trail.health().last_error.is_some());
    sim.heal();
    trail.append(entry("after")).await.unwrap();
    assert!(trail.health().writable);
    trail.close();
    let lines = verified(&sim.log(&path()));
    assert_eq!(events(&lines)[1], "audit_disk_full");
    assert_eq!((&lines[2]["reason"], &lines[3]["reason"]), (&"pushed".into(), &"after".into()));
    assert_eq!(lines.len(), 5);
}

#[tokio::test]
async fn a_volume_that_cannot_be_written_at_the_start_refuses_until_it_can_be() {
    // Every operation of an opening, from the first to the lines about it.
    for index in 0..8 {
        let sim = Sim::default();
        sim.plan(index, Fault::From(io::ErrorKind::PermissionDenied));
        let trail = open(sim.clone());
        trail.push(entry("pushed"));
        trail.append(entry("refused")).await.unwrap_err();
        assert!(!trail.health().writable && trail.health().last_error.is_some(), "{index}");
        assert_eq!(trail.health().lines, 0, "{index}");
        sim.heal();
        trail.append(entry("after")).await.unwrap();
        assert!(trail.health().writable, "{index}");
        trail.close();
        let lines = verified(&sim.log(&path()));
        let said: Vec<_> = lines.iter().filter_map(|line| line["reason"].as_str()).collect();
        assert_eq!(said, ["pushed", "after"], "{index}: {lines:#?}");
        let opened = events(&lines).iter().position(|event| *event == "log_open");
        assert!(opened.is_some_and(|at| at <= 1), "{index}: only an outage may come before it: {lines:#?}");
        assert_eq!(sim.second_syncs(), 0, "{index}");
    }
}

#[tokio::test]
async fn what_is_lost_before_the_log_has_a_line_is_told_of_after_its_first() {
    let sim = Sim::default();
    sim.plan(0, Fault::From(io::ErrorKind::ReadOnlyFilesystem));
    let trail = open(sim.clone());
    for n in 0..3 * QUEUE {
        trail.push(entry(&n.to_string()));
    }
    trail.append(entry("refused")).await.unwrap_err();
    let lost = trail.health().lost;
    assert!(lost > 0);
    sim.heal();
    // What was pushed fills the queue until the thread has taken it.
    while trail.append(entry("after")).await.is_err() {
        tokio::task::yield_now().await;
    }
    trail.close();
    let lines = verified(&sim.log(&path()));
    assert_eq!(events(&lines)[0], "log_open");
    let counts = lines.iter().filter(|line| line["event"] == "lines_lost");
    let told: u64 = counts.map(|line| line["count"].as_u64().unwrap()).sum();
    let kept = lines.iter().filter(|line| line["event"] == "security_event").count();
    assert_eq!(told, trail.health().lost);
    assert_eq!(u64::try_from(kept).unwrap() + told, u64::try_from(3 * QUEUE + 1).unwrap());
}

#[tokio::test]
async fn a_volume_that_never_could_be_written_ends_without_a_line() {
    let sim = Sim::default();
    sim.plan(0, Fault::From(io::ErrorKind::ReadOnlyFilesystem));
    let trail = open(sim.clone());
    trail.append(entry("refused")).await.unwrap_err();
    trail.close();
    assert!(sim.log(&path()).is_empty());
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_counts_what_it_loses() {
    let disk = Gated::new();
    let trail = open(disk.clone());
    let gate = disk.shut();
    trail.push(entry("first"));
    disk.entered();
    for n in 0..3 * QUEUE {
        trail.push(entry(&n.to_string()));
    }
    let lost = trail.health().lost;
    assert_eq!(lost, u64::try_from(2 * QUEUE).unwrap());
    let refused = trail.append(entry("refused")).await.unwrap_err();
    assert!(refused.to_string().contains("waiting"), "{refused}");
    drop(gate);
    trail.close();
    let lines = verified(&disk.sim.log(&path()));
    let told: u64 = lines
        .iter()
        .filter(|line| line["event"] == "lines_lost")
        .map(|line| line["count"].as_u64().unwrap())
        .sum();
    assert_eq!(told, lost);
    let kept = lines.iter().filter(|line| line["event"] == "security_event").count();
    assert_eq!(kept, 1 + QUEUE);
}

#[tokio::test]
async fn a_stop_writes_what_waits_and_says_so() {
    let sim = Sim::default();
    let trail = open(sim.clone());
    for n in 0..3_000 {
        trail.push(entry(&n.to_string()));
    }
    trail.close();
    trail.close();
    let lines = verified(&sim.log(&path()));
    assert_eq!(lines.len(), 3_002);
    assert_eq!(lines.last().unwrap()["event"], "log_close");
    trail.append(entry("late")).await.unwrap_err();
}
