//! Carrying a request out: by the running server, or, where none runs, on the registry's file.

use std::path::Path;
use std::sync::Arc;

use super::desk::Desk;
use super::places::{Places, Tried, registry_beside};
use super::{Answer, NotAsked, Request, ask};
use crate::settings::Settings;
use crate::shared::SystemClock;
use crate::sign_in::records::Records;
use crate::store::{Store, read_backup};

/// Ask the server that runs with this registry; without one, do it on the file, and `say` so.
///
/// # Errors
/// For a person: why it was not done, and what to do.
pub(crate) fn carry_out(
    settings: &Settings,
    request: Request,
    say: &mut dyn FnMut(&str),
) -> Result<Answer, String> {
    let storage = settings.dcr_storage_path();
    let answer = match ask(&Places::of(settings), &request) {
        Err(NotAsked::NoServer(tried)) => {
            say(&format!("No server answers at {tried}: the command works on the registry's file."));
            alone(settings, storage, &tried, request, say)?
        }
        asked => asked.map_err(|not| not.to_string())?,
    };
    if let Answer::Refused { text, .. } = answer {
        return Err(text);
    }
    Ok(answer)
}

fn alone(
    settings: &Settings,
    storage: &Path,
    tried: &Tried,
    request: Request,
    say: &mut dyn FnMut(&str),
) -> Result<Answer, String> {
    let file = registry_beside(storage);
    if let Request::Restore { path } = &request {
        // Before a registry is made for it.
        read_backup(path).map_err(|error| error.to_string())?;
    } else {
        // Opening would make a registry where there is none, and set one aside that cannot be read.
        if !file.exists() {
            return Err(format!(
                "there is no registry at {}: nobody has signed in yet, or DCR_STORAGE_PATH or AUDIT_LOG_PATH names another \
                 place than the server's. A server that runs and answers at neither {tried} keeps sign-ins in memory: \
                 stopping it ends them",
                file.display()
            ));
        }
        read_backup(&file).map_err(|error| {
            format!(
                "{error}; where a server runs with it, restart that server; otherwise `aegis-mcp registry restore FILE` \
                 puts a backup in its place, or the next start begins a new one and keeps this file beside it"
            )
        })?;
    }
    let opened = Store::open(storage, Arc::new(SystemClock));
    if opened.is_locked() {
        return Err(format!(
            "a server has {} open and does not answer at {tried}: give this command the same AUDIT_LOG_PATH as that server; \
             or restart that server, or stop it, and run the command again",
            file.display(),
        ));
    }
    opened.notes.iter().for_each(|note| say(&note.text));
    let changes = request.reason().is_some() && !matches!(request, Request::Backup { .. });
    if changes && let Some(why) = opened.store.health().reason {
        return Err(format!(
            "{} cannot be written ({why}): nothing was changed. Make {} writable and run the command again; where a \
             server runs, give this command the same AUDIT_LOG_PATH as that server",
            file.display(),
            storage.parent().unwrap_or(storage).display()
        ));
    }
    if changes {
        say("The audit log does not hear of this: it is written by a running server.");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| format!("no thread to work with: {error}"))?;
    let records = Records::new(opened.store, opened.rows, &opened.revoked, crate::sign_in::bounds(settings));
    let desk = Desk { records: &records, sign_in: None, file };
    let answer = runtime.block_on(async {
        let answer = desk.answer(request).await;
        records.store.close().await;
        answer
    });
    records.store.take_notes().iter().for_each(|note| say(&note.text));
    Ok(answer)
}
