//! The state directory: the one preopened directory that the adapter uses, through `wasi:filesystem` itself, since
//! some runtimes refuse files that Rust's standard library opens for writing. Without it nothing is recorded, and
//! so nothing is done.

use aegis_custody::audit::Event;
use serde_json::{Map, Value};
use wasip2::clocks::monotonic_clock;
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

use crate::trail::{self, Genesis, LOCK, LOG, LogFile};
use crate::{environment, settings};

/// How often, and after how many nanoseconds, the lock is tried again: two seconds in all.
const TRIES: u32 = 400;
const PAUSE: u64 = 5_000_000;

/// Append one line to the audit log in the state directory.
///
/// # Errors
/// What is wrong, and what the operator can do.
pub(crate) fn record(event: Event, members: &Map<String, Value>) -> Result<(), String> {
    let directory = directory()?;
    let _held = Held::take(&directory)?;
    let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
    let file = directory
        .open_at(PathFlags::empty(), LOG, OpenFlags::CREATE, flags)
        .map_err(|code| format!("cannot open {LOG}: {code:?}"))?;
    let genesis = || Genesis { log_id: environment::random_id(), policy: settings::policy_digest_hex() };
    trail::append(&Preopened(file), environment::now(), event, members, genesis)
}

fn directory() -> Result<Descriptor, String> {
    let wanted = environment::variable("STATE_DIR").unwrap_or_else(|| "/state".to_owned());
    preopens::get_directories()
        .into_iter()
        .find(|(_, path)| *path == wanted)
        .map(|(directory, _)| directory)
        .ok_or_else(|| format!("the runtime offers no directory {wanted}; preopen one or set STATE_DIR"))
}

/// The lock file, removed when this is dropped.
struct Held<'a>(&'a Descriptor);

impl<'a> Held<'a> {
    fn take(directory: &'a Descriptor) -> Result<Self, String> {
        let flags = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
        for _ in 0..TRIES {
            match directory.open_at(PathFlags::empty(), LOCK, flags, DescriptorFlags::WRITE) {
                Ok(_) => return Ok(Self(directory)),
                Err(ErrorCode::Exist) => monotonic_clock::subscribe_duration(PAUSE).block(),
                Err(code) => {
                    return Err(format!("cannot create {LOCK}: {code:?}; is the directory writable?"));
                }
            }
        }
        Err(format!("{LOCK} is held; if no instance is running, an earlier one was killed: remove the file"))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Err(code) = self.0.unlink_file_at(LOCK) {
            environment::print(&format!(
                "{{\"level\":\"ERROR\",\"event\":\"audit_lock_stays\",\"code\":\"{code:?}\"}}"
            ));
        }
    }
}

struct Preopened(Descriptor);

impl LogFile for Preopened {
    fn size(&self) -> Result<u64, String> {
        self.0.stat().map(|stat| stat.size).map_err(|code| format!("cannot look at {LOG}: {code:?}"))
    }

    fn read(&self, length: u64, offset: u64) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        while (out.len() as u64) < length {
            let done = out.len() as u64;
            let (piece, end) = self
                .0
                .read(length - done, offset + done)
                .map_err(|code| format!("cannot read {LOG}: {code:?}"))?;
            if piece.is_empty() && !end {
                return Err(format!("cannot read {LOG}: nothing came"));
            }
            out.extend_from_slice(&piece);
            if end {
                break;
            }
        }
        Ok(out)
    }

    fn write(&self, bytes: &[u8], offset: u64) -> Result<(), String> {
        let mut done = 0_usize;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            let wrote = self
                .0
                .write(rest, offset + done as u64)
                .map_err(|code| format!("cannot write {LOG}: {code:?}"))?;
            if wrote == 0 {
                return Err(format!("cannot write {LOG}: nothing was taken"));
            }
            done += usize::try_from(wrote).unwrap_or(usize::MAX).min(rest.len());
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), String> {
        self.0.sync_data().map_err(|code| format!("cannot sync {LOG}: {code:?}"))
    }
}
