//! Where things are kept: the volumes of the image and of the packages where they can be written, else a folder beside
//! the settings. And a policy file that allows changes, where there is none yet.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::ask::say;
use super::draft::Draft;
use super::{Common, Done, Stop};

/// The usual volumes.
const LOGS: &str = "/var/log/aegis-mcp";
const DATA: &str = "/var/lib/aegis-mcp";
/// The policy file that is made for changes.
const POLICY: &str = "aegis-policy.yaml";
/// What it says. The settings still say whether and where.
const ALLOWS_WRITES: &str = "# Reads and writes are allowed wherever the settings and the caller's own rights allow them.\n\
                             # docs/policy.md has rules for single tools, repositories and paths.\n\
                             defaults:\n  read: allow\n  write: allow\n";
/// Ports that are tried from the usual one on.
const PORTS: std::ops::Range<u16> = 8_080..8_100;

/// Choose where the audit log and the registry are, unless that is settled. Gives the folder that has to be made.
pub(super) fn choose(draft: &mut Draft, common: &Common, is_team: bool) -> Done<Option<PathBuf>> {
    let settled =
        draft.get("AUDIT_LOG_PATH").is_some() && (!is_team || draft.get("DCR_STORAGE_PATH").is_some());
    if common.data_dir.is_none() && (settled || (is_writable(LOGS) && is_writable(DATA))) {
        return Ok(None);
    }
    let folder = common.data_dir.clone().unwrap_or_else(|| draft.directory().join("data"));
    let folder = std::path::absolute(&folder)
        .map_err(|error| Stop::usage(format!("{} names no folder: {error}", folder.display())))?;
    let files = [
        // Apart from the key that signs it, which lies beside the registry.
        ("AUDIT_LOG_PATH", "audit/audit.log"),
        ("GUEST_CACHE_DIR", "guests"),
        ("DCR_STORAGE_PATH", "dcr_clients.json"),
    ];
    for (name, file) in files {
        let path = folder.join(file).display().to_string();
        if common.data_dir.is_some() { draft.set(name, &path)? } else { draft.set_if_missing(name, &path)? }
    }
    Ok(Some(folder))
}

fn is_writable(folder: &str) -> bool {
    Path::new(folder).is_dir() && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Make the folder, for its owner alone.
pub(super) fn make(folder: Option<&Path>) -> Done<()> {
    let Some(folder) = folder else { return Ok(()) };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
        Stop::failed(format!(
            "{} cannot be made: {error}; nothing was written. Name another folder by --data-dir",
            folder.display()
        ))
    })
}

/// A policy that allows writes, where none is named: the built-in one denies them.
pub(super) fn policy(draft: &mut Draft) -> Done<()> {
    if let Some(named) = draft.get("POLICY_FILE_PATH") {
        say(&format!("note  {} must allow writes as well (docs/policy.md)", named.as_str()));
        return Ok(());
    }
    let path = draft.directory().join(POLICY);
    draft.set("POLICY_FILE_PATH", &path.display().to_string())
}

/// Write the policy file that [`policy`] named, unless there is one.
pub(super) fn make_policy(draft: &Draft) -> Done<()> {
    let ours = draft.directory().join(POLICY);
    if draft.get("POLICY_FILE_PATH").is_none_or(|named| Path::new(named.as_str()) != ours) {
        return Ok(());
    }
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&ours);
    let written =
        file.and_then(|mut file| file.write_all(ALLOWS_WRITES.as_bytes()).and_then(|()| file.sync_all()));
    match written {
        Ok(()) => say(&format!("Wrote {}, which allows changes; edit it to narrow them.", ours.display())),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            let _ = std::fs::remove_file(&ours);
            return Err(Stop::failed(format!("{} cannot be written: {error}", ours.display())));
        }
    }
    Ok(())
}

/// The port to listen on: as told, as it was, or the first of some that nobody has.
pub(super) fn port(draft: &mut Draft, told: Option<u16>) -> Done<()> {
    if let Some(port) = told {
        if !is_free(port) {
            say(&format!(
                "note  port {port} is in use on this machine now; the server needs it free to start"
            ));
        }
        return draft.set("MCP_PORT", &port.to_string());
    }
    if draft.get("MCP_PORT").is_some() {
        return Ok(());
    }
    let Some(free) = PORTS.into_iter().find(|port| is_free(*port)) else {
        return Err(Stop::failed("ports 8080 to 8099 are all in use: name a free one by --port"));
    };
    if free != PORTS.start {
        say(&format!(
            "note  port {} is in use on this machine, so this server listens on {free} (MCP_PORT)",
            PORTS.start
        ));
    }
    // Written down, so that a second run while the server has the port does not find another one.
    draft.set("MCP_PORT", &free.to_string())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
