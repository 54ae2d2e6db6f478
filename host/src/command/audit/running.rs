//! What concerns the log of a server, by its settings: closing a segment, and the public key.

use std::io::{self, Write as _};
use std::process::ExitCode;

use aegis_custody::audit::Line;

use super::each_line;
use crate::admin::{self, Answer, NotAsked, Places, Request, show};
use crate::command::registry::chosen;
use crate::command::signing_key::KeyFile;
use crate::command::{EXIT_SETTINGS, EnvFile, complain, exit};

/// Have the running server close its active segment.
pub(crate) fn rotate(env: &EnvFile, json: bool) -> ExitCode {
    let settings = match chosen(env) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match admin::ask(&Places::of(&settings), &Request::AuditRotate) {
        Ok(Answer::Refused { text, .. }) => failed(&text),
        Ok(answer) => exit(show::answer(&answer, json, &mut io::stdout())),
        Err(NotAsked::NoServer(tried)) => failed(&format!(
            "No server answers at {tried}: a log that nobody writes needs no new segment. Where one runs all the same, give this \
             command its AUDIT_LOG_PATH and DCR_STORAGE_PATH."
        )),
        Err(not) => failed(&not.to_string()),
    }
}

/// Print the public key of the settings' key file under the name of the settings' log.
pub(crate) fn key(env: &EnvFile) -> ExitCode {
    let settings = match chosen(env) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let file = KeyFile::of(&settings);
    let signer = match file.again() {
        Ok(Some(signer)) => signer,
        Ok(None) => {
            return failed(&format!(
                "{} does not exist: the server makes it at its first start, or AUDIT_SIGNING_KEY_FILE names another",
                file.path().display()
            ));
        }
        Err(text) => {
            complain(&text);
            return ExitCode::from(EXIT_SETTINGS);
        }
    };
    let mut log_id = None;
    let learn = &mut |line: &Line<'_>| log_id = log_id.take().or(line.text("log_id").map(String::from));
    // Between two segments there is no active file, and the closed ones tell as well.
    let log = settings.audit_log_path();
    let log = if log.exists() { log } else { log.parent().unwrap_or(log) };
    if let Err(text) = each_line(log, learn) {
        return failed(&text);
    }
    match log_id {
        Some(log_id) => exit(writeln!(io::stdout(), "{}", signer.public(&log_id))),
        None => failed("the log has no line yet: its key is named by its id"),
    }
}

fn failed(text: &str) -> ExitCode {
    complain(text);
    ExitCode::FAILURE
}
