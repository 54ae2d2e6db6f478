//! The socket of a running server: who may come in, and one line after the other.
//!
//! A socket of mode 0600. The kernel says who connects (SO_PEERCRED, unix(7)): root and the
//! server's own user are let in. A socket that a dead server left is replaced, a living one is not.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net as blocking;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::desk::Desk;
use super::record::{self, Stage};
use super::{Answer, MAX_REQUEST, Request, guest, jobs, writes};
use crate::serve::Server;
use crate::swap::MAX_COMPONENT;

/// Connections at once.
const PLACES: usize = 4;
/// How long a request may take to arrive, and each piece of an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest piece of an answer that is written at once.
const PIECE: usize = 64 << 10;

/// The door while it is open; it closes, and its socket goes, when this is dropped.
pub(super) struct Door {
    task: JoinHandle<()>,
    path: PathBuf,
    id: (u64, u64),
}

impl Door {
    /// Whether its socket is where it was made: a volume may be gone, or somebody may have removed it.
    pub(super) fn is_there(&self) -> bool {
        identity(&self.path).is_ok_and(|id| id == self.id)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
        // Only our own: another server may have put its socket there meanwhile.
        if self.is_there() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Root, and whoever the server runs as.
pub(super) fn is_let_in(own: u32) -> impl Fn(u32) -> bool + Send + 'static {
    move |uid| uid == 0 || uid == own
}

/// Who does what is asked.
pub(super) trait Clerk: Send + Sync + 'static {
    /// Do it and have it recorded; none where the server is about to end. `attached` is what followed its line.
    fn answer(
        &self,
        request: Request,
        attached: Vec<u8>,
        uid: u32,
    ) -> impl Future<Output = Option<Answer>> + Send;
    /// A component was to follow that is larger than any that is taken: none of it was read.
    fn too_large(&self, uid: u32) -> Answer;
    /// Somebody was not let in.
    fn stranger(&self, uid: u32);
}

/// Open the door at `path`.
///
/// # Errors
/// The directory cannot be written, something else has the name, or a living server has it.
pub(super) fn open(
    path: &Path,
    clerk: impl Clerk,
    admits: impl Fn(u32) -> bool + Send + 'static,
) -> io::Result<Door> {
    let listener = listen(path)?;
    let id = identity(path)?;
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    let task = tokio::spawn(accept(listener, Arc::new(clerk), admits));
    Ok(Door { task, path: path.to_owned(), id })
}

fn listen(path: &Path) -> io::Result<blocking::UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "something that is not a socket has this name",
            ));
        }
        Ok(_) if blocking::UnixStream::connect(path).is_ok() => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server answers here"));
        }
        Ok(_) | Err(_) => {}
    }
    // It appears under its name only when it has its mode, and in one step with what a dead server left.
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let _ = std::fs::remove_file(&fresh);
    let listener = blocking::UnixListener::bind(&fresh)?;
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&fresh, path)?;
    Ok(listener)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

async fn accept(listener: UnixListener, clerk: Arc<impl Clerk>, admits: impl Fn(u32) -> bool + Send) {
    let places = Arc::new(Semaphore::new(PLACES));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: the loop must not spin while it lasts.
                tracing::warn!(event = "admin_accept_failed", %error);
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let uid = stream.peer_cred().map(|peer| peer.uid());
        match uid {
            Ok(uid) if admits(uid) => match places.clone().try_acquire_owned() {
                Ok(place) => {
                    let clerk = clerk.clone();
                    tokio::spawn(async move {
                        converse(stream, uid, clerk.as_ref()).await;
                        drop(place);
                    });
                }
                Err(_) => {
                    turn_away(&stream, "busy", "other commands are being answered: try again in a moment")
                }
            },
            Ok(uid) => {
                clerk.stranger(uid);
                turn_away(
                    &stream,
                    "forbidden",
                    "only root and the user that the server runs as are answered here",
                );
            }
            Err(error) => tracing::warn!(event = "admin_peer_unknown", %error),
        }
    }
}

/// Say why, without waiting: what does not fit into the socket's buffer is not said.
fn turn_away(stream: &UnixStream, reason: &str, text: &str) {
    if let Ok(mut line) = serde_json::to_vec(&Answer::refused(reason, text)) {
        line.push(b'\n');
        let _ = stream.try_write(&line);
    }
}

/// What came in as a line.
enum Line {
    Whole(Vec<u8>),
    TooLong,
    Over,
}

async fn converse(stream: UnixStream, uid: u32, clerk: &impl Clerk) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let line = match timeout(PATIENCE, line(&mut read)).await {
            Ok(Line::Whole(line)) => line,
            Ok(Line::TooLong) => {
                let refused = Answer::refused("too_long", "a request is at most 64 KiB long");
                let _ = say(&mut write, &refused).await;
                return;
            }
            Ok(Line::Over) | Err(_) => return,
        };
        let answer = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => match attached(&mut read, request.attached()).await {
                Attached::Whole(bytes) => clerk.answer(request, bytes, uid).await,
                Attached::TooLong => {
                    let _ = say(&mut write, &clerk.too_large(uid)).await;
                    return;
                }
                Attached::Broken => return,
            },
            Err(error) => {
                Some(Answer::refused("malformed", format!("this is no request of this version: {error}")))
            }
        };
        let Some(answer) = answer else { return };
        if say(&mut write, &answer).await.is_err() {
            return;
        }
    }
}

/// The next line. One that is cut off is no request: its rest might have said something else.
async fn line(read: &mut BufReader<OwnedReadHalf>) -> Line {
    let mut line = Vec::new();
    let most = u64::try_from(MAX_REQUEST).unwrap_or(u64::MAX);
    match read.take(most).read_until(b'\n', &mut line).await {
        Ok(_) if line.last() == Some(&b'\n') => Line::Whole(line),
        Ok(_) if line.len() >= MAX_REQUEST => Line::TooLong,
        Ok(_) | Err(_) => Line::Over,
    }
}

/// What follows a line.
enum Attached {
    Whole(Vec<u8>),
    TooLong,
    Broken,
}

/// So many bytes, for which room is made as they come.
async fn attached(read: &mut BufReader<OwnedReadHalf>, bytes: u64) -> Attached {
    if bytes > MAX_COMPONENT {
        return Attached::TooLong;
    }
    let mut all = Vec::new();
    while let Some(left) = bytes.checked_sub(all.len() as u64).filter(|left| *left > 0) {
        let mut next = (&mut *read).take(left.min(1 << 20));
        match timeout(PATIENCE, next.read_buf(&mut all)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) | Err(_) => return Attached::Broken,
        }
    }
    Attached::Whole(all)
}

async fn say(write: &mut OwnedWriteHalf, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    for piece in line.chunks(PIECE) {
        timeout(PATIENCE, write.write_all(piece)).await??;
    }
    Ok(())
}

/// The clerk of a running server. It does not keep the server from ending.
#[derive(Clone)]
pub(super) struct OfServer {
    pub(super) server: Weak<Server>,
    pub(super) registry: PathBuf,
}

impl Clerk for OfServer {
    async fn answer(&self, request: Request, attached: Vec<u8>, uid: u32) -> Option<Answer> {
        if let Some(answer) = guest::answer(&self.server, &request, attached, uid).await {
            return Some(answer);
        }
        let server = self.server.upgrade()?;
        if let Some(answer) = jobs::answer(&server, &request, uid).await {
            return Some(answer);
        }
        let shared = server.shared.clone();
        drop(server);
        if let Request::KeyRevoke { name } = &request {
            let answer = Answer::KeyRevoked { name: name.clone(), known: shared.keys.revoke(name) };
            shared.mailbox.recheck.now();
            if let Some(entry) = record::entry(&request, uid, Stage::Answered(&answer)) {
                tracing::info!(event = "operator", what = request.reason(), uid);
                // Taking power away is done whatever becomes of the log; who is told so may rely on both.
                let _ = shared.trail.append(entry).await;
            }
            return Some(answer);
        }
        if request == Request::AuditRotate {
            // On record first, so that it is the last thing in the segment that is closed.
            if let Some(entry) = record::entry(&request, uid, Stage::Answered(&Answer::AuditRotated)) {
                shared.trail.push(entry);
            }
            return Some(match shared.trail.rotate().await {
                Ok(()) => Answer::AuditRotated,
                Err(error) => Answer::refused("not_rotated", error.to_string()),
            });
        }
        if let Some(answer) = writes::answer(&shared, &request, uid).await {
            return Some(answer);
        }
        let Some(sign_in) = shared.sign_in.clone() else {
            let text =
                "nobody signs in at this server: its clients have keys, which `aegis-mcp users list` shows";
            return Some(Answer::refused("no_sign_in", text));
        };
        let desk = Desk { records: &sign_in.records, sign_in: Some(&sign_in), file: self.registry.clone() };
        if request.is_recorded_first()
            && let Some(entry) = record::entry(&request, uid, Stage::Asked)
            && let Err(unavailable) = shared.trail.append(entry).await
        {
            return Some(Answer::refused("audit_unavailable", format!("nothing was done: {unavailable}")));
        }
        let answer = desk.answer(request.clone()).await;
        // Whatever it was: most of what operators ask for takes something away.
        shared.mailbox.recheck.now();
        // What the change met at the volume stands before it on record.
        for note in sign_in.records.store.take_notes() {
            crate::sign_in::tell(&shared.trail, &note);
        }
        if let Some(entry) = record::entry(&request, uid, Stage::Answered(&answer)) {
            tracing::info!(event = "operator", what = request.reason(), uid);
            shared.trail.push(entry);
        }
        Some(answer)
    }

    fn too_large(&self, uid: u32) -> Answer {
        guest::too_large(&self.server, uid)
    }

    fn stranger(&self, uid: u32) {
        tracing::warn!(event = "admin_peer_refused", uid);
        let kind =
            crate::floods::Kind { denial: false, reason: "admin_peer_refused".to_owned(), network: None };
        if let Some(shared) = self.server.upgrade().map(|server| server.shared.clone())
            && shared.floods.admit(kind, std::time::Instant::now())
        {
            shared.trail.push(record::stranger(uid));
        }
    }
}
