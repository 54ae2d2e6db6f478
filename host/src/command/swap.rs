//! `aegis-mcp guest swap|rollback|history`: replacing the guest of the running server, through its socket.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::registry::chosen;
use super::{EXIT_LOCKED, EXIT_UNAVAILABLE, EnvFile, complain, exit};
use crate::admin::{Answer, NotAsked, Places, Request, ask_with, show};
use crate::regular;
use crate::swap::{Cause, MAX_COMPONENT, MAX_SIGNATURE};

/// There is nothing to be handed in.
const EXIT_UNREADABLE: u8 = 2;

/// Hand a component to the server, with its signature where there is one beside it.
pub(super) fn swap(env: &EnvFile, file: &Path, json: bool) -> ExitCode {
    let (bytes, signature) = match read(file) {
        Ok(read) => read,
        Err(why) => {
            complain(&why);
            return ExitCode::from(EXIT_UNREADABLE);
        }
    };
    ask(env, &Request::GuestSwap { bytes: bytes.len() as u64, signature }, &bytes, json)
}

/// Put the guest in force again that was before.
pub(super) fn rollback(env: &EnvFile, json: bool) -> ExitCode {
    ask(env, &Request::GuestRollback, &[], json)
}

/// Show which guests were put in force.
pub(super) fn history(env: &EnvFile, json: bool) -> ExitCode {
    ask(env, &Request::GuestHistory, &[], json)
}

fn read(file: &Path) -> Result<(Vec<u8>, Option<String>), String> {
    let unread = |path: &Path, error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let bytes = regular::read(file, MAX_COMPONENT).map_err(|error| unread(file, error))?;
    let mut beside = file.as_os_str().to_owned();
    beside.push(".sig");
    let beside = PathBuf::from(beside);
    let signature = match regular::read(&beside, MAX_SIGNATURE) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((bytes, None)),
        read => read.map_err(|error| unread(&beside, error))?,
    };
    let signature = String::from_utf8(signature).map_err(|_| format!("{} is no text", beside.display()))?;
    Ok((bytes, Some(signature)))
}

fn ask(env: &EnvFile, request: &Request, attached: &[u8], json: bool) -> ExitCode {
    let settings = match chosen(env) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match ask_with(&Places::of(&settings), request, attached) {
        Ok(answer @ Answer::Refused { .. }) => refused(&answer, json),
        Ok(answer) => exit(show::answer(&answer, json, &mut std::io::stdout())),
        Err(NotAsked::NoServer(tried)) => {
            complain(&format!(
                "No server answers at {tried}, so nothing was done: guests are swapped in a running server. Give this \
                 command the server's AUDIT_LOG_PATH and DCR_STORAGE_PATH (`--env-file`)."
            ));
            ExitCode::from(EXIT_UNAVAILABLE)
        }
        Err(not) => {
            complain(&not.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Nothing has changed. The name is for programs, the code tells what may be tried again as it is.
fn refused(answer: &Answer, json: bool) -> ExitCode {
    let Answer::Refused { reason, text } = answer else { return ExitCode::FAILURE };
    complain(&format!("{reason}: {text}"));
    if json && show::answer(answer, true, &mut std::io::stdout()).is_err() {
        return ExitCode::FAILURE;
    }
    if reason == Cause::UnderWay.name() { ExitCode::from(EXIT_LOCKED) } else { ExitCode::FAILURE }
}
