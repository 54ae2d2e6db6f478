//! Keeping the door where operators find it: beside the registry, and beside the audit log for as long as that cannot
//! be. So somebody can be revoked also while the registry's volume is full, read-only or gone.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::door::{Clerk, Door, OfServer, is_let_in, open};
use super::places::{Places, registry_beside};
use crate::serve::Server;

/// How often it is looked whether the door is where it should be.
const LOOK: Duration = Duration::from_secs(1);

/// The door while it is attended; it closes, and its socket goes, when this is dropped.
pub(crate) struct Attending {
    task: JoinHandle<()>,
    state: Arc<Mutex<State>>,
}

/// Where the door is.
enum State {
    /// At this place; nowhere where none could be opened.
    Open(Option<(PathBuf, Door)>),
    /// The server ends: nothing is opened any more.
    Over,
}

impl Drop for Attending {
    fn drop(&mut self) {
        self.task.abort();
        // A look that is under way finds this, and closes what it opened.
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Over;
    }
}

/// Answer operators from now on. Without sign-in there is no registry, and the socket is beside the audit log. Where no socket can be made at either place the log says so
/// once, and it is tried again for as long as the server runs.
pub(crate) fn attend(storage: &Path, audit: &Path, server: &Arc<Server>) -> Option<Attending> {
    let places = match server.shared.sign_in {
        Some(_) => Places::beside(storage, audit),
        None => Places::beside_audit(audit),
    };
    let clerk = OfServer { server: Arc::downgrade(server), registry: registry_beside(storage) };
    let own = rustix::process::geteuid().as_raw();
    Some(keep(places, clerk, move |uid| is_let_in(own)(uid), LOOK))
}

/// [`attend`] with everything given.
pub(super) fn keep<C, A>(places: Places, clerk: C, admits: A, every: Duration) -> Attending
where
    C: Clerk + Clone,
    A: Fn(u32) -> bool + Clone + Send + Sync + 'static,
{
    let state = Arc::new(Mutex::new(State::Open(None)));
    let mut keeper = Keeper {
        places,
        state: Arc::clone(&state),
        open: move |path: &Path| open(path, clerk.clone(), admits.clone()),
        is_told: false,
    };
    // At once: whoever is told that the server listens finds the door.
    keeper.look();
    let task = tokio::spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            // A volume that hangs must not hold up whoever answers requests.
            let looked = tokio::task::spawn_blocking(move || {
                keeper.look();
                keeper
            });
            match looked.await {
                Ok(back) => keeper = back,
                Err(_) => return,
            }
        }
    });
    Attending { task, state }
}

struct Keeper<O> {
    places: Places,
    state: Arc<Mutex<State>>,
    open: O,
    /// Whether it was said that there is no door.
    is_told: bool,
}

impl<O: Fn(&Path) -> io::Result<Door>> Keeper<O> {
    /// Open the door at the best place there is, unless it stands there.
    fn look(&mut self) {
        let standing = self.standing();
        if standing.as_deref() == Some(self.places.home.as_path()) {
            return;
        }
        let home = self.places.home.clone();
        let why = match (self.open)(&home) {
            Ok(door) => {
                if standing.is_some() || self.is_told {
                    tracing::info!(event = "admin_socket_back", path = %home.display());
                }
                return self.settle(home, door);
            }
            Err(why) => why,
        };
        if standing.is_some() {
            return;
        }
        let stand_in = self.places.stand_in.clone();
        match (self.open)(&stand_in) {
            Ok(door) => {
                tracing::warn!(
                    event = "admin_socket_elsewhere",
                    path = %stand_in.display(),
                    instead_of = %home.display(),
                    %why,
                    "operators' commands reach this server beside the audit log for now",
                );
                self.settle(stand_in, door);
            }
            Err(error) => self.tell(&why, &error),
        }
    }

    /// Where the door is, if its socket is still there.
    fn standing(&self) -> Option<PathBuf> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Open(Some((path, door))) if door.is_there() => Some(path.clone()),
            State::Open(_) => None,
            // Whatever is opened now is closed again at once.
            State::Over => Some(self.places.home.clone()),
        }
    }

    fn settle(&mut self, path: PathBuf, door: Door) {
        self.is_told = false;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Open(open) = &mut *state {
            *open = Some((path, door));
        }
    }

    fn tell(&mut self, why: &io::Error, error: &io::Error) {
        if std::mem::replace(&mut self.is_told, true) {
            return;
        }
        tracing::warn!(
            event = "admin_socket_unavailable",
            path = %self.places.home.display(),
            %why,
            stand_in = %self.places.stand_in.display(),
            %error,
            "commands such as `aegis-mcp users list` cannot reach this server; it is tried again all the time",
        );
    }
}
