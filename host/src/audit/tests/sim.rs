//! A file system in memory that fails, tears and loses power at a chosen operation.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::audit::fs::{LockError, LogFile, LogFs, Space, Stat};

mod power;

pub(super) use power::Luck;

/// What happens at the chosen operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It fails once; a write leaves half of its bytes.
    Once(io::ErrorKind),
    /// It and everything after it fails, until [`Sim::heal`].
    From(io::ErrorKind),
    /// The power goes: it and everything after it fails, and [`Sim::restart`] finds what was durable.
    Power,
}

#[derive(Clone, Default)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// A sync of it failed once.
    spoiled: bool,
}

#[derive(Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// The names after each change since they were last made durable.
    later_names: Vec<BTreeMap<PathBuf, usize>>,
    /// What the disk does by itself.
    weather: Option<power::Weather>,
    operations: u64,
    plan: Option<(u64, Fault)>,
    down: Option<io::ErrorKind>,
    second_syncs: u64,
    space: Option<Space>,
}

#[derive(Clone, Default)]
pub(super) struct Sim(Arc<Mutex<State>>);

impl Sim {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Another process knows of no sync that failed.
    pub(super) fn fresh_process(&self) {
        self.state().inodes.iter_mut().for_each(|inode| inode.spoiled = false);
    }

    /// Let the operation with that index, counted from now, go wrong.
    pub(super) fn plan(&self, index: u64, fault: Fault) {
        let mut state = self.state();
        state.plan = Some((state.operations + index, fault));
    }

    pub(super) fn operations(&self) -> u64 {
        self.state().operations
    }

    pub(super) fn heal(&self) {
        let mut state = self.state();
        (state.plan, state.down, state.weather) = (None, None, None);
    }

    /// The machine comes back. Of the bytes that were not synced, `kept` of 4 quarters made it to the disk.
    pub(super) fn restart(&self, kept: usize) {
        let mut state = self.state();
        if kept < 4 {
            for inode in &mut state.inodes {
                let grown = inode.now.len().saturating_sub(inode.durable.len());
                let kept = inode.durable.len() + grown * kept / 4;
                if inode.now.len() >= inode.durable.len() {
                    inode.now.truncate(kept);
                } else {
                    inode.now = inode.durable.clone();
                }
                inode.durable = inode.now.clone();
            }
            state.names = state.durable_names.clone();
        }
        state.plan = None;
        state.down = None;
    }

    /// What is free of 100 MB; without this the volume does not say.
    pub(super) fn free(&self, free: u64) {
        self.state().space = Some(Space { free, total: 100_000_000 });
    }

    /// Syncs of a file whose sync had failed.
    pub(super) fn second_syncs(&self) -> u64 {
        self.state().second_syncs
    }

    pub(super) fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(path).map(|inode| state.inodes[*inode].now.clone())
    }

    pub(super) fn write(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        state.inodes.push(Inode { now: bytes.to_vec(), durable: bytes.to_vec(), spoiled: false });
        let inode = state.inodes.len() - 1;
        state.names.insert(path.to_path_buf(), inode);
        state.durable_names.insert(path.to_path_buf(), inode);
    }

    /// Names in the directory of the log.
    pub(super) fn names(&self) -> Vec<String> {
        let state = self.state();
        let in_log = state.names.keys().filter(|path| path.parent() == super::path().parent());
        in_log.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    /// All files of the log in order, with the last line that a closed name states.
    pub(super) fn log(&self, path: &Path) -> Vec<(Option<u64>, Vec<u8>)> {
        let place = crate::audit::names::Place::new(path).unwrap();
        let mut files: Vec<_> = place
            .closed_among(self.names())
            .into_iter()
            .map(|closed| (Some(closed.last), self.read(&place.closed(&closed.name)).unwrap()))
            .collect();
        files.extend(self.read(path).map(|bytes| (None, bytes)));
        files
    }
}

impl Sim {
    /// All files of checkpoints in order.
    pub(super) fn notes(&self, path: &Path) -> Vec<Vec<u8>> {
        let place = crate::audit::names::Place::new(path).unwrap();
        let mut files = place.checkpoints_among(self.names());
        files.push(place.checkpoints());
        files.iter().filter_map(|path| self.read(path)).collect()
    }
}

impl State {
    /// Count an operation; an error where this one goes wrong.
    fn step(&mut self) -> io::Result<()> {
        let index = self.operations;
        self.operations += 1;
        self.weather()?;
        if let Some((at, fault)) = self.plan
            && at == index
        {
            let kind = match fault {
                Fault::Once(kind) => return Err(kind.into()),
                Fault::From(kind) => kind,
                Fault::Power => io::ErrorKind::BrokenPipe,
            };
            self.down = Some(kind);
        }
        self.down.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn named(&self, path: &Path) -> Option<usize> {
        self.names.get(path).copied()
    }
}

impl LogFs for Sim {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        self.state().step()
    }

    fn lock(&self, _: &Path) -> Result<Box<dyn Send>, LockError> {
        self.state().step().map_err(LockError::Io)?;
        Ok(Box::new(()))
    }

    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn LogFile>>> {
        let mut state = self.state();
        state.step()?;
        let sim = self.clone();
        Ok(state.named(path).map(|inode| Box::new(SimFile { sim, inode }) as Box<dyn LogFile>))
    }

    fn content(&self, path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
        self.state().step()?;
        let found = self.read(path);
        if found.as_ref().is_some_and(|bytes| bytes.len() as u64 > most) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(found)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let mut state = self.state();
        state.step()?;
        if state.named(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.names.insert(path.to_path_buf(), inode);
        state.renamed();
        Ok(Box::new(SimFile { sim: self.clone(), inode }))
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let mut state = self.state();
        state.step()?;
        Ok(state.named(path).map(|inode| stat(&state, inode)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let inode = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_path_buf(), inode);
        state.renamed();
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.renamed();
        Ok(())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        self.state().step()?;
        Ok(self.names())
    }

    fn reserve(&self, path: &Path, len: u64) -> io::Result<()> {
        self.state().step()?;
        // A little stands for it: what lies in it is never read.
        self.write(path, &vec![0; usize::try_from(len.min(64)).unwrap()]);
        Ok(())
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        self.state().space.ok_or_else(|| io::ErrorKind::Other.into())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        // A journal keeps the changes of all directories in one order.
        state.durable_names = state.names.clone();
        state.later_names.clear();
        Ok(())
    }
}

fn stat(state: &State, inode: usize) -> Stat {
    Stat { id: (1, inode as u64), len: state.inodes[inode].now.len() as u64 }
}

struct SimFile {
    sim: Sim,
    inode: usize,
}

impl LogFile for SimFile {
    fn stat(&self) -> io::Result<Stat> {
        let mut state = self.sim.state();
        state.step()?;
        Ok(stat(&state, self.inode))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.sim.state();
        let done = state.step();
        let written = if done.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        state.inodes[self.inode].now.extend(written);
        done
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.sim.state();
        state.second_syncs += u64::from(state.inodes[self.inode].spoiled);
        let done = state.step();
        let inode = &mut state.inodes[self.inode];
        match done {
            Ok(()) => inode.durable = inode.now.clone(),
            Err(_) => inode.spoiled = true,
        }
        done
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        let mut state = self.sim.state();
        state.step()?;
        state.inodes[self.inode].now.truncate(usize::try_from(len).unwrap());
        Ok(())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let mut state = self.sim.state();
        state.step()?;
        let rest = state.inodes[self.inode].now.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}
