//! `GUEST_WATCH_PATH`: a component that is put in force whenever its file changes. A bad one leaves the guest in force, and is
//! told once, not at each look.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use super::record::Left;
use super::{By, Cause, MAX_COMPONENT, MAX_SIGNATURE, Offered, refuse_too_large, swap};
use crate::component::digest;
use crate::regular;
use crate::serve::Server;
use crate::watch::{LOOK, Watch};

/// A component and its signature, as they are looked at.
struct Looks {
    path: PathBuf,
    signature: PathBuf,
    watches: [Watch; 2],
    /// What both held when they were tried last.
    tried: Option<String>,
}

/// Put in force what stands at a path, now and whenever it changes, for as long as the server lives.
pub(crate) fn attend(server: &Arc<Server>, path: &Path) {
    let server = Arc::downgrade(server);
    let mut signature = path.as_os_str().to_owned();
    signature.push(".sig");
    let signature = PathBuf::from(signature);
    let watches = [Watch::new(path), Watch::new(&signature)];
    let mut looks = Looks { path: path.to_owned(), signature, watches, tried: None };
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            // A volume that hangs must not hold up whoever answers requests.
            let looked = tokio::task::spawn_blocking(move || {
                let offered = looks.offered();
                (looks, offered)
            });
            let Ok((back, offered)) = looked.await else { return };
            looks = back;
            match offered {
                None if server.strong_count() == 0 => return,
                None => {}
                Some(offered) => looks.take(&server, offered).await,
            }
        }
    });
}

impl Looks {
    /// What stands there, where it has changed since the last look.
    fn offered(&mut self) -> Option<io::Result<Offered>> {
        let [component, signature] = &mut self.watches;
        // Both, so that neither counts later.
        let (component, signature) = (component.look(), signature.look());
        if !(component || signature) {
            return None;
        }
        let bytes = match regular::read(&self.path, MAX_COMPONENT) {
            Ok(bytes) => bytes,
            Err(error) => return Some(Err(error)),
        };
        let signature = regular::read(&self.signature, MAX_SIGNATURE);
        let signature = signature.ok().and_then(|bytes| String::from_utf8(bytes).ok());
        Some(Ok(Offered { bytes, signature }))
    }

    async fn take(&mut self, server: &Weak<Server>, offered: io::Result<Offered>) {
        let offered = match offered {
            Ok(offered) => offered,
            Err(why) if why.kind() == io::ErrorKind::FileTooLarge => {
                refuse_too_large(server, By::File);
                return;
            }
            // It may come yet, and nobody has asked for anything else meanwhile.
            Err(why) => {
                tracing::warn!(event = "guest_file_unread", path = %self.path.display(), %why, "the guest in force stays");
                return;
            }
        };
        let name = digest(&offered.bytes);
        let both = format!("{name} {}", offered.signature.as_deref().unwrap_or_default());
        let is_first = self.tried.is_none();
        if self.tried.as_ref() == Some(&both) || (is_first && was_taken_off(server, &name)) {
            self.tried = Some(both);
            return;
        }
        match swap(server, offered, By::File).await {
            // Whoever is at it comes first; the file is looked at again.
            Err(refused) if refused.cause == Cause::UnderWay => {
                self.watches = [Watch::new(&self.path), Watch::new(&self.signature)];
            }
            Ok(_) | Err(_) => self.tried = Some(both),
        }
    }
}

/// What was taken down or replaced before the start, also by a newer program, is not put in force by it: the file is as it was.
fn was_taken_off(server: &Weak<Server>, digest: &str) -> bool {
    let Some(server) = server.upgrade() else { return false };
    let Some(swaps) = server.swaps.get() else { return false };
    let is = swaps.record().last_of(digest) == Some(Left::TakenOff);
    if is {
        tracing::warn!(
            event = "guest_file_left",
            component = digest,
            "another guest has taken its place before; change the file to have it tried again"
        );
    }
    is
}
