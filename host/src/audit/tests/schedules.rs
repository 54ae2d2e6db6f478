//! Thousands of lives of a log on a disk that drops, reorders and tears what was not synced, with a crash at the end of each:
//! what was acknowledged is there, what is there is a beginning of what was written, opening twice is opening once, and no two
//! checkpoints that were ever signed contradict each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aegis_custody::audit::{Checkpoint, End, Note, Verifier};

use super::super::start::start;
use super::sim::{Fault, Luck, Sim};
use super::{
    Bounds, Dice, Entry, Hand, LogFs, OpenError, Opening, Signer, Writer, clock, entry, evidence, high_water,
    opening, path, signer, world,
};

mod second;

/// How many schedules, for the long form.
const SCHEDULES: &str = "AEGIS_TEST_SCHEDULES";

pub(super) fn asked(name: &str, short: u64) -> u64 {
    std::env::var(name).map_or(short, |number| number.parse().expect("a number"))
}

/// One log from its first line on.
struct Life {
    seed: u64,
    sim: Sim,
    clock: Arc<Hand>,
    luck: Luck,
    bounds: Bounds,
    /// The key that signs now; the one before it is kept.
    key: u8,
    /// Entries that were ever handed in; each has its number in it.
    entries: u64,
    /// Line and entry of what was acknowledged.
    acknowledged: BTreeMap<u64, u64>,
    /// Every checkpoint that ever stood on the disk.
    signed: Vec<Checkpoint>,
    crashes: u64,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut luck = Luck::new(seed);
        let size = 1_500 + u64::try_from(luck.below(6_000)).unwrap();
        let note_lines = 3 + u64::try_from(luck.below(12)).unwrap();
        Self {
            seed,
            sim: Sim::default(),
            clock: clock(),
            bounds: Bounds { size, age: 1_000_000, note_lines, note_age: 60_000, min_free: 0 },
            luck,
            key: 1,
            entries: 0,
            acknowledged: BTreeMap::new(),
            signed: Vec::new(),
            crashes: 0,
        }
    }

    fn signer(&self) -> Signer {
        let pem = |n: u8| signer::fresh_pem(&Dice(n.into()));
        // Those before it stay at hand, as docs/audit.md says.
        let keys: Vec<_> = (self.key.saturating_sub(6)..=self.key).rev().map(pem).collect();
        Signer::from_pem(keys.iter().map(|pem| pem.as_str()).collect::<String>().as_bytes()).unwrap()
    }

    fn opening(&self) -> Opening {
        let high_water = Some(high_water());
        Opening { signer: Arc::new(self.signer()), high_water, ..opening(&path()) }
    }

    fn open_on(&self, sim: &Sim) -> Result<(Writer, Vec<Entry>), OpenError> {
        let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
        start(&self.opening(), world(&fs, &self.clock, self.bounds))
    }

    /// Open the log and write its opening lines; an error where the disk failed. Anything else than a disk that fails is a
    /// refusal of an honest log.
    fn open(&self) -> Result<Writer, String> {
        self.sim.fresh_process();
        match self.open_on(&self.sim) {
            Ok((mut writer, entries)) => match writer.commit(&entries, 0) {
                Ok(_) => Ok(writer),
                Err(failure) => Err(failure.to_string()),
            },
            Err(error) if error.may_pass() || matches!(error, OpenError::Unsynced { .. }) => {
                Err(error.to_string())
            }
            Err(error) => panic!("seed {}: an honest log was refused: {error}", self.seed),
        }
    }

    /// Some seconds of a server.
    fn work(&mut self) {
        let mut writer = self.open().ok();
        for _ in 0..3 + self.luck.below(14) {
            let Some(open) = &mut writer else {
                writer = self.open().ok();
                continue;
            };
            self.clock.0.fetch_add(7, Ordering::AcqRel);
            match self.luck.below(16) {
                0 => drop(open.rotate()),
                1 => drop(open.sign()),
                2 => {
                    self.key += 1;
                    let signer = Arc::new(self.signer());
                    if open.use_key(signer).is_err() {
                        // Whoever gave it starts again with it.
                        writer = None;
                    }
                }
                3 => {
                    self.clock.0.fetch_add(60_000, Ordering::AcqRel);
                }
                4 => {
                    self.clock.0.fetch_sub(5_000, Ordering::AcqRel);
                }
                5 => writer = None,
                _ => self.commit(open),
            }
            self.notice();
        }
    }

    fn commit(&mut self, writer: &mut Writer) {
        let numbers: Vec<u64> = (0..1 + self.luck.below(6) as u64).map(|n| self.entries + n).collect();
        self.entries += numbers.len() as u64;
        let entries: Vec<Entry> =
            numbers.iter().map(|n| entry(&format!("{n} {}", "x".repeat(self.luck.below(500))))).collect();
        if let Ok(first) = writer.commit(&entries, 0) {
            self.acknowledged.extend((first..).zip(numbers));
        }
    }

    /// Keep in mind what was signed.
    fn notice(&mut self) {
        for bytes in self.sim.notes(&path()) {
            let notes = Note::parse_all(&bytes).map(|(notes, _)| notes).unwrap_or_default();
            for note in notes {
                if !self.signed.contains(&note.checkpoint) {
                    self.signed.push(note.checkpoint);
                }
            }
        }
    }

    /// The end of a process: killed, or with all of the machine.
    fn crash(&mut self) {
        self.crashes += 1;
        if self.luck.one_in(4) {
            self.sim.restart(4);
        } else {
            self.sim.crash(&mut self.luck);
        }
    }

    /// Opening a log that was opened and not written to changes nothing.
    fn opens_twice_as_once(&self) {
        let copy = self.sim.copy();
        let open = || self.open_on(&copy).unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
        let files = |copy: &Sim| -> Vec<(String, Option<Vec<u8>>)> {
            let read = |name: String| (name.clone(), copy.read(&path().with_file_name(name)));
            copy.names().into_iter().map(read).collect()
        };
        drop(open());
        let once = files(&copy);
        drop(open());
        assert_eq!(files(&copy), once, "seed {}", self.seed);
    }

    /// Everything that must hold once the log is open again.
    fn judge(&mut self) {
        self.notice();
        let case = format!("seed {}, crash {}", self.seed, self.crashes);
        let mut verifier = Verifier::with_roots_at(self.signed.iter().map(|signed| signed.size));
        let mut numbers = BTreeMap::new();
        let files = self.sim.log(&path());
        for (named, bytes) in &files {
            let segment = verifier.segment(&mut &bytes[..], *named, &mut |line| {
                let reason = line.text("reason").unwrap_or_default();
                numbers.extend(reason.split_once(' ').map(|(n, _)| (line.seq(), n.parse::<u64>().unwrap())));
            });
            let segment = segment.unwrap();
            assert!(!matches!(segment.end, End::Bad { .. }), "{case}: {:?}", segment.end);
            assert!(named.is_some() || segment.end == End::Whole, "{case}");
            assert_eq!(
                named.or(segment.last.map(|mark| mark.seq)),
                segment.last.map(|mark| mark.seq),
                "{case}"
            );
        }
        for (line, entry) in &self.acknowledged {
            assert_eq!(numbers.get(line), Some(entry), "{case}: line {line} was acknowledged");
        }
        let order: Vec<&u64> = numbers.values().collect();
        assert!(order.is_sorted_by(|a, b| a < b), "{case}: entries stand in another order: {order:?}");
        for signed in &self.signed {
            assert_eq!(
                verifier.roots().get(&signed.size),
                Some(&signed.root),
                "{case}: checkpoint {} for {} lines",
                signed.number,
                signed.size
            );
        }
        if let Some(kept) = self.sim.read(&high_water()) {
            let kept = Note::parse(std::str::from_utf8(&kept).unwrap()).unwrap();
            assert!(
                self.signed.contains(&kept.checkpoint),
                "{case}: {kept:?} was kept and stands nowhere else"
            );
        }
        let found = evidence(&self.sim, &[]);
        assert_eq!((found.problems.as_slice(), found.gaps.as_slice()), (&[][..], &[][..]), "{case}");
        assert_eq!(self.sim.second_syncs(), 0, "{case}");
    }
}

/// Live, and show the disk after each crash and after each recovery.
fn lived(seed: u64, see: &mut dyn FnMut(&Sim)) -> Life {
    let mut life = Life::new(seed);
    for _ in 0..1 + life.luck.below(3) {
        let errors = [0, 0, 25, 60][life.luck.below(4)];
        life.sim.weather(seed ^ life.crashes, errors);
        if life.luck.one_in(2) {
            let at = life.luck.below(120) as u64;
            life.sim.plan(at, Fault::Power);
        }
        life.work();
        life.crash();
        life.notice();
        see(&life.sim);
        if life.luck.one_in(3) {
            // The power goes again while it is opened.
            let at = life.luck.below(14) as u64;
            life.sim.weather(seed, 0);
            life.sim.plan(at, Fault::Power);
            drop(life.open());
            life.notice();
            life.crash();
        }
        life.sim.heal();
        life.opens_twice_as_once();
        let mut writer = life.open().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        life.commit(&mut writer);
        drop(writer);
        life.judge();
        see(&life.sim);
    }
    life
}

#[test]
fn no_schedule_of_writes_errors_and_crashes_loses_or_contradicts_what_was_acknowledged() {
    let count = asked(SCHEDULES, 2_000);
    let first = asked("AEGIS_TEST_SEED", 1);
    let threads: Vec<_> = (0..2)
        .map(|thread| {
            std::thread::spawn(move || {
                let (mut crashes, mut lines, mut signed) = (0, 0, 0);
                for seed in (first..first + count).skip(thread).step_by(2) {
                    let life = lived(seed, &mut |_| ());
                    crashes += life.crashes;
                    lines += life.acknowledged.len();
                    signed += life.signed.len();
                }
                (crashes, lines, signed)
            })
        })
        .collect();
    let (mut crashes, mut lines, mut signed) = (0, 0, 0);
    for thread in threads {
        let done = thread.join().expect("no schedule failed");
        (crashes, lines, signed) = (crashes + done.0, lines + done.1, signed + done.2);
    }
    assert!(crashes >= count && lines > 0 && signed > 0);
    println!(
        "F2: {count} schedules from seed {first}, {crashes} crashes, {lines} acknowledged lines, 0 lost; {signed} checkpoints, 0 contradict"
    );
}
