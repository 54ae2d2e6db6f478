//! Asking a running server through its socket. Blocking, as commands are.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::places::{Places, Tried};
use super::{Answer, Request};

/// Longest answer that is read, in bytes: far more than a full registry lists.
const MAX_ANSWER: u64 = 64 << 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the copy of a whole registry may take.
const COPY_PATIENCE: Duration = Duration::from_secs(120);
/// How long a swap may take: compiling gives way to everybody.
const SWAP_PATIENCE: Duration = Duration::from_secs(400);
/// How long a run may take: longer than TOTAL_TIMEOUT_SECONDS can be.
const RUN_PATIENCE: Duration = Duration::from_secs(3_700);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAsked {
    /// No server runs with these settings, or it has no socket.
    #[error("no server answers at {0}")]
    NoServer(Tried),
    /// The socket is somebody else's.
    #[error(
        "{} may be opened by root and by the user that the server runs as, and by nobody else: run the command as one of \
         them", .0.display()
    )]
    Forbidden(PathBuf),
    /// There is a server, and it says nothing.
    #[error(
        "a server holds {} and does not answer ({}): look at its log, and restart it if it hangs; nothing is known of \
         what became of the command", .0.display(), .1
    )]
    Silent(PathBuf, String),
    /// What it says cannot be read.
    #[error("the server at {} answers in a form that this program does not know: both must be of one version", .0.display())]
    Unreadable(PathBuf),
}

/// Ask the server whose socket is at one of the two places.
///
/// # Errors
/// See [`NotAsked`].
pub(crate) fn ask(places: &Places, request: &Request) -> Result<Answer, NotAsked> {
    ask_with(places, request, &[])
}

/// The same with the bytes that follow a request's line.
///
/// # Errors
/// See [`NotAsked`].
pub(crate) fn ask_with(places: &Places, request: &Request, attached: &[u8]) -> Result<Answer, NotAsked> {
    let patience = match request {
        Request::Backup { .. } | Request::Restore { .. } => COPY_PATIENCE,
        Request::JobsRun { .. } => RUN_PATIENCE,
        Request::GuestSwap { .. } | Request::GuestRollback => SWAP_PATIENCE,
        Request::ClientsList
        | Request::ClientsRevoke { .. }
        | Request::ClientsAllow { .. }
        | Request::UsersList
        | Request::UsersShow { .. }
        | Request::UsersRevoke { .. }
        | Request::UsersAllow { .. }
        | Request::KeyRevoke { .. }
        | Request::KeysReload
        | Request::Timeline
        | Request::WritesTurn { .. }
        | Request::WritesStatus
        | Request::AuditRotate
        | Request::JobsList
        | Request::JobsReport { .. }
        | Request::GuestHistory
        | Request::Status => PATIENCE,
    };
    let first = match ask_within(&places.home, request, attached, patience) {
        Err(not @ (NotAsked::NoServer(_) | NotAsked::Forbidden(_))) => not,
        asked => return asked,
    };
    match (first, ask_within(&places.stand_in, request, attached, patience)) {
        (NotAsked::NoServer(Tried(mut tried)), Err(NotAsked::NoServer(Tried(more)))) => {
            tried.extend(more);
            Err(NotAsked::NoServer(Tried(tried)))
        }
        (first, Err(NotAsked::NoServer(_))) => Err(first),
        (_, asked) => asked,
    }
}

pub(super) fn ask_within(
    path: &Path,
    request: &Request,
    attached: &[u8],
    patience: Duration,
) -> Result<Answer, NotAsked> {
    let named = || path.to_path_buf();
    let silent = |error: std::io::Error| {
        let slow = [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind());
        let why = if slow { format!("not within {} seconds", patience.as_secs()) } else { error.to_string() };
        NotAsked::Silent(named(), why)
    };
    let mut stream = UnixStream::connect(path).map_err(|error| {
        // Refused: the socket of a server that is gone. Not a valid name: too long for a socket, so no server has one.
        let nobody = [
            ErrorKind::NotFound,
            ErrorKind::NotADirectory,
            ErrorKind::ConnectionRefused,
            ErrorKind::InvalidInput,
        ];
        if nobody.contains(&error.kind()) {
            NotAsked::NoServer(Tried(vec![named()]))
        } else if error.kind() == ErrorKind::PermissionDenied {
            NotAsked::Forbidden(named())
        } else {
            silent(error)
        }
    })?;
    stream.set_read_timeout(Some(patience)).map_err(silent)?;
    stream.set_write_timeout(Some(patience)).map_err(silent)?;
    let mut line = serde_json::to_vec(request).map_err(|_| NotAsked::Unreadable(named()))?;
    line.push(b'\n');
    // Whoever is turned away is told so at once: what was not sent any more does not matter then.
    let sent = stream.write_all(&line).and_then(|()| stream.write_all(attached));
    let mut answer = Vec::new();
    let read = BufReader::new(stream).take(MAX_ANSWER).read_until(b'\n', &mut answer);
    if answer.last() != Some(&b'\n') {
        sent.map_err(silent)?;
        read.map_err(silent)?;
        return Err(NotAsked::Silent(named(), "it closed the connection".to_owned()));
    }
    serde_json::from_slice(&answer).map_err(|_| NotAsked::Unreadable(named()))
}
