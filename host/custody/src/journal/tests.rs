//! The journal beside another instance that does whatever it likes between any two steps, and on a directory that
//! fails at any step.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Draft, Fault, Files, Journal, KEPT};

/// What happens before a step, once.
type Before = Option<(usize, Box<dyn FnOnce()>)>;

/// A directory in memory. Before one step, something happens; from another on, every step fails.
#[derive(Clone, Default)]
struct Disk {
    names: Rc<RefCell<BTreeMap<String, Rc<Vec<u8>>>>>,
    step: Rc<Cell<usize>>,
    before: Rc<RefCell<Before>>,
    fails: Rc<Cell<Option<usize>>>,
}

impl Disk {
    /// The same directory as another instance sees it.
    fn elsewhere(&self) -> Self {
        Self { names: self.names.clone(), ..Self::default() }
    }

    fn step(&self) -> Result<(), String> {
        let step = self.step.get();
        self.step.set(step + 1);
        let due = self.before.borrow().as_ref().is_some_and(|(at, _)| *at == step);
        if due {
            let (_, act) = self.before.borrow_mut().take().unwrap();
            act();
        }
        if self.fails.get().is_some_and(|from| step >= from) { Err("no space".to_owned()) } else { Ok(()) }
    }
}

impl Files for Disk {
    fn list(&self) -> Result<Vec<String>, String> {
        self.step()?;
        Ok(self.names.borrow().keys().cloned().collect())
    }
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        self.step()?;
        Ok(self.names.borrow().get(name).map(|bytes| bytes.to_vec()))
    }
    fn create(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        self.step()?;
        assert!(self.names.borrow_mut().insert(name.to_owned(), Rc::new(bytes.to_vec())).is_none());
        Ok(())
    }
    fn link(&self, from: &str, to: &str) -> Result<bool, String> {
        self.step()?;
        let mut names = self.names.borrow_mut();
        if names.contains_key(to) {
            return Ok(false);
        }
        let file = names.get(from).unwrap().clone();
        names.insert(to.to_owned(), file);
        Ok(true)
    }
    fn remove(&self, name: &str) -> Result<(), String> {
        self.step()?;
        self.names.borrow_mut().remove(name);
        Ok(())
    }
    fn sync(&self) -> Result<(), String> {
        self.step()
    }
}

thread_local! {
    static DRAFTS: Cell<u64> = const { Cell::new(0) };
}

fn draft(at: u64) -> Draft {
    DRAFTS.set(DRAFTS.get() + 1);
    Draft { at, name: DRAFTS.get().to_string() }
}

/// The state of these tests: which things were taken, in which order, and by whom.
fn taken(whole: &[u8], entries: &[Vec<u8>]) -> Vec<String> {
    let whole = String::from_utf8(whole.to_vec()).unwrap();
    let entries = entries.iter().map(|entry| String::from_utf8(entry.clone()).unwrap());
    whole.split_whitespace().map(str::to_owned).chain(entries).collect()
}

fn all(disk: &Disk) -> Vec<String> {
    let standing = Journal::new(disk.elsewhere()).read(&draft(0)).unwrap();
    taken(&standing.whole, &standing.entries)
}

/// Take the lowest number that nobody has; which one it is.
fn take(disk: &Disk, who: &str) -> Result<usize, Fault> {
    let journal = Journal::new(disk.clone());
    loop {
        let standing = journal.read(&draft(0))?;
        let mut taken = taken(&standing.whole, &standing.entries);
        let mine = taken.len();
        let entry = format!("{mine}:{who}");
        if journal.append(&standing, entry.as_bytes(), &draft(0))? {
            if standing.is_due() {
                taken.push(entry);
                // Nothing depends on it.
                let _ = journal.fold(&standing, taken.join(" ").as_bytes(), &draft(0));
            }
            return Ok(mine);
        }
    }
}

/// Nothing twice, nothing missing, and everything in its place.
fn assert_whole(taken: &[String]) {
    for (place, entry) in taken.iter().enumerate() {
        assert_eq!(entry.split_once(':').unwrap().0, place.to_string(), "{taken:?}");
    }
}

#[test]
fn what_was_appended_is_read_back_in_order_however_much_it_is() {
    let disk = Disk::default();
    for nth in 0..1000 {
        assert_eq!(take(&disk, "a"), Ok(nth));
    }
    let taken = all(&disk);
    assert_eq!(taken.len(), 1000);
    assert_whole(&taken);
    let files = disk.names.borrow().len();
    assert!(files < usize::try_from(KEPT).unwrap() + 40, "{files} files are left");
}

#[test]
fn two_instances_never_take_the_same_whatever_the_other_does_in_between() {
    for others in [1, 3, 17, 40, 300, 700] {
        for already in [0, 5, 16, 33] {
            for at in 0..60 {
                let disk = Disk::default();
                for _ in 0..already {
                    take(&disk.elsewhere(), "before").unwrap();
                }
                let other = disk.elsewhere();
                let act = move || (0..others).for_each(|_| assert!(take(&other, "other").is_ok()));
                *disk.before.borrow_mut() = Some((at, Box::new(act)));
                let mine = take(&disk, "mine");
                let interrupted = disk.before.borrow().is_none();
                let taken = all(&disk);
                assert_whole(&taken);
                let held: Vec<usize> =
                    (0..taken.len()).filter(|nth| taken[*nth].ends_with(":mine")).collect();
                match mine {
                    Ok(mine) => assert_eq!(held, [mine], "others {others}, before {already}, at step {at}"),
                    // It may count or not, but not twice, and only after a very long pause.
                    Err(fault) => {
                        assert_eq!(fault, Fault::Overtaken);
                        assert!(held.len() <= 1 && others >= 300, "at step {at}");
                    }
                }
                if !interrupted {
                    break;
                }
                assert_eq!(taken.len() - held.len(), already + others);
            }
        }
    }
}

#[test]
fn an_instance_that_is_killed_anywhere_leaves_a_whole_entry_or_none_and_nobody_waits() {
    for already in [0, 16, 300] {
        for at in 0..70 {
            let disk = Disk::default();
            for _ in 0..already {
                take(&disk.elsewhere(), "before").unwrap();
            }
            disk.fails.set(Some(at));
            let mine = take(&disk, "mine");
            let expected = already + usize::from(all(&disk).iter().any(|entry| entry.ends_with(":mine")));
            assert!(mine.is_err() || expected == already + 1, "what was answered is lost, step {at}");
            assert_eq!(take(&disk.elsewhere(), "after"), Ok(expected));
            assert_whole(&all(&disk));
        }
    }
}

#[test]
fn two_instances_that_begin_a_journal_at_once_begin_the_same_one() {
    for at in 0..12 {
        let disk = Disk::default();
        let other = disk.elsewhere();
        *disk.before.borrow_mut() = Some((at, Box::new(move || assert!(take(&other, "other").is_ok()))));
        take(&disk, "mine").unwrap();
        assert_whole(&all(&disk));
        assert_eq!(all(&disk).len(), 1 + usize::from(disk.before.borrow().is_none()));
    }
}

#[test]
fn a_file_that_was_changed_or_cut_stops_everything() {
    let disk = Disk::default();
    for _ in 0..20 {
        take(&disk, "a").unwrap();
    }
    let names: BTreeSet<String> = disk.names.borrow().keys().cloned().collect();
    let newest_whole = names.iter().rfind(|name| name.starts_with("w-")).unwrap().clone();
    let last = names.iter().rfind(|name| name.starts_with("e-")).unwrap().clone();
    for name in [newest_whole, last] {
        let good = disk.names.borrow().get(&name).unwrap().clone();
        let mut changed = good.to_vec();
        *changed.last_mut().unwrap() ^= 1;
        for bad in [changed, good[..good.len() - 1].to_vec(), Vec::new()] {
            disk.names.borrow_mut().insert(name.clone(), Rc::new(bad));
            assert_eq!(take(&disk.elsewhere(), "b"), Err(Fault::Damaged(name.clone())));
        }
        disk.names.borrow_mut().insert(name, good);
    }
    assert_eq!(take(&disk, "b"), Ok(20));
}

#[test]
fn what_killed_instances_left_behind_is_cleared_away_after_an_hour() {
    let disk = Disk::default();
    disk.create("t-1000-gone", b"").unwrap();
    disk.create("t-9000-busy", b"").unwrap();
    let journal = Journal::new(disk.clone());
    let standing = journal.read(&draft(9000)).unwrap();
    assert_eq!(journal.append(&standing, b"0:a", &draft(9000)), Ok(true));
    journal.fold(&standing, b"0:a", &draft(9000)).unwrap();
    assert!(!disk.names.borrow().contains_key("t-1000-gone"));
    assert!(disk.names.borrow().contains_key("t-9000-busy"));
}
