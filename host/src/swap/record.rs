//! Which guests were put in force, which of them a rollback comes to, and what of that outlives the process.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aegis_custody::Clock as _;
use serde::{Deserialize, Serialize};

use super::{By, Offered, kept};
use crate::component::digest;
use crate::generation::Generation;
use crate::guest::Linked;
use crate::shared::SystemClock;

/// Guests above the image's own that can be gone back to, the one in force included.
const DEPTH: usize = 4;
/// Events that are remembered.
const MAX_PAST: usize = 100;
/// The form of the file.
const VERSION: u32 = 1;

/// What became of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// It was put in force.
    Swapped,
    /// It was put in force again at a start.
    Restored,
    /// It came back in place of one that an operator took down.
    RolledBack,
    /// It came back in place of one whose requests failed.
    GaveUp,
    /// It came with a newer program, and is in force in place of what was swapped in.
    NewerImage,
    /// It came with the program, and is in force since what was swapped in could not be restored.
    NotRestored,
}

impl What {
    /// The name of the line in the audit log.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Swapped => "guest_swapped",
            Self::Restored => "guest_restored",
            Self::RolledBack | Self::GaveUp => "guest_rolled_back",
            Self::NewerImage => "guest_image_newer",
            Self::NotRestored => "guest_not_restored",
        }
    }

    /// Whether it takes the one on top away.
    pub(super) fn takes_off(self) -> bool {
        matches!(self, Self::RolledBack | Self::GaveUp)
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Past {
    /// When, RFC 3339 in UTC.
    pub(crate) at: String,
    /// What.
    pub(crate) what: What,
    /// SHA-256 of the guest in force from then on.
    pub(crate) digest: String,
    /// Of the one before it.
    pub(crate) before: String,
    /// `operator`, `file`, `start` or `failures`.
    pub(crate) by: String,
    /// The user id of an operator's command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uid: Option<u32>,
    /// Who signed it, where signatures were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signer: Option<String>,
}

/// A guest that can be gone back to.
pub(super) struct Step {
    pub(super) digest: String,
    /// Its code; none where it was not needed since the start.
    pub(super) linked: Option<Arc<Linked>>,
    pub(super) signer: Option<String>,
    by: String,
    uid: Option<u32>,
    /// The component, until it is on the volume.
    unwritten: Option<Offered>,
}

impl Step {
    /// One that is kept, and not read yet.
    pub(super) fn unread(digest: &str) -> Self {
        let digest = digest.to_owned();
        Self { digest, linked: None, signer: None, by: String::new(), uid: None, unwritten: None }
    }

    pub(super) fn new(linked: Arc<Linked>, by: By, signer: Option<String>) -> Self {
        let digest = linked.guest.digest.clone();
        Self {
            digest,
            linked: Some(linked),
            signer,
            by: by.name().to_owned(),
            uid: by.uid(),
            unwritten: None,
        }
    }
}

/// The record as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    version: u32,
    /// The guest that came with the program.
    pub(super) image: String,
    /// Above it, the one in force last.
    pub(super) line: Vec<String>,
    history: VecDeque<Past>,
}

impl File {
    /// From its text.
    ///
    /// # Errors
    /// It is not of this form.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let file: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let is_digest =
            |text: &&String| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let named = file.line.iter().chain([&file.image]);
        if file.version != VERSION || file.line.len() > DEPTH || file.history.len() > MAX_PAST {
            return Err("it is of another version of this program".to_owned());
        }
        if named.clone().filter(is_digest).count() != named.count() {
            return Err("it names a guest by what is no digest".to_owned());
        }
        Ok(file)
    }
}

/// The record of a process.
pub(super) struct Record {
    folder: PathBuf,
    image: Arc<Linked>,
    line: Vec<Step>,
    past: VecDeque<Past>,
    /// Why it is not on the volume.
    trouble: Option<String>,
}

/// What an operator is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    /// SHA-256 of the guest in force.
    pub(crate) in_force: String,
    /// The number of its generation: 1 for the first since the start of the process.
    pub(crate) generation: u64,
    /// SHA-256 of the guest that came with the program.
    pub(crate) image: String,
    /// What `guest rollback` comes to; none where the image's own is in force.
    pub(crate) rollback_to: Option<String>,
    /// Where it is kept.
    pub(crate) folder: PathBuf,
    /// Why a restart does not find it; none where it does.
    pub(crate) volatile: Option<String>,
    /// What happened, the oldest first.
    pub(crate) past: VecDeque<Past>,
}

impl Record {
    /// Nothing was swapped yet.
    pub(super) fn new(folder: PathBuf, image: Arc<Linked>) -> Self {
        Self { folder, image, line: Vec::new(), past: VecDeque::new(), trouble: None }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    /// Why what is kept cannot be used.
    pub(super) fn troubled(&mut self, why: String) {
        self.trouble = Some(why);
    }

    /// Go on with what was kept: its history, and `line` of what was in force.
    pub(super) fn go_on(&mut self, file: File, line: &[String]) {
        self.past = file.history;
        self.line = line.iter().map(|digest| Step::unread(digest)).collect();
    }

    /// The one below the guest on top.
    pub(super) fn below(&self) -> Option<Step> {
        let on_top = self.line.len().checked_sub(1)?;
        let Some(below) = on_top.checked_sub(1).and_then(|below| self.line.get(below)) else {
            return Some(Step::new(self.image.clone(), By::Start, None));
        };
        Some(Step {
            digest: below.digest.clone(),
            linked: below.linked.clone(),
            signer: below.signer.clone(),
            by: below.by.clone(),
            uid: below.uid,
            unwritten: None,
        })
    }

    /// Forget the one below the guest on top: it cannot come back. Whether it was there, and was not the program's own.
    pub(super) fn pass_over(&mut self, on_top: &str, below: &str) -> bool {
        let [.., under, top] = self.line.as_slice() else { return false };
        let is_there = top.digest == on_top && under.digest == below;
        if is_there {
            self.line.remove(self.line.len().saturating_sub(2));
        }
        is_there
    }

    /// What became of a guest last, where that is known.
    pub(super) fn last_of(&self, digest: &str) -> Option<Left> {
        self.past.iter().rev().find_map(|past| {
            if past.digest == digest {
                return Some(Left::InForce);
            }
            // One that could not be restored at a start may be good by now.
            (past.before == digest && past.what != What::NotRestored).then_some(Left::TakenOff)
        })
    }

    /// Another guest is in force.
    pub(super) fn note(&mut self, what: What, before: &str, step: Step) {
        let past = Past {
            at: SystemClock.now().to_string(),
            what,
            digest: step.digest.clone(),
            before: before.to_owned(),
            by: step.by.clone(),
            uid: step.uid,
            signer: step.signer.clone(),
        };
        self.past.push_back(past);
        while self.past.len() > MAX_PAST {
            self.past.pop_front();
        }
        match what {
            What::Swapped => {
                self.line.push(step);
                if self.line.len() > DEPTH {
                    self.line.remove(0);
                }
            }
            What::RolledBack | What::GaveUp => {
                self.line.pop();
                self.is_at_hand(step);
            }
            What::Restored => self.is_at_hand(step),
            What::NewerImage | What::NotRestored => self.line.clear(),
        }
    }

    /// The guest on top is in memory.
    fn is_at_hand(&mut self, step: Step) {
        if let Some(top) = self.line.last_mut() {
            (top.linked, top.signer) = (step.linked, step.signer);
        }
    }

    /// Bring it to the volume, with the components that are new there. What fails is tried again with the next change.
    pub(super) fn write(&mut self, offered: Option<Offered>) {
        if let Some(offered) = offered {
            let name = digest(&offered.bytes);
            // It may have been taken down again already.
            if let Some(step) = self.line.iter_mut().rev().find(|step| step.digest == name) {
                step.unwritten = Some(offered);
            }
        }
        let file = File {
            version: VERSION,
            image: self.image.guest.digest.clone(),
            line: self.line.iter().map(|step| step.digest.clone()).collect(),
            history: self.past.clone(),
        };
        let new = self.line.iter().filter_map(|step| Some((step.digest.as_str(), step.unwritten.as_ref()?)));
        let written = kept::write(&self.folder, &file, new);
        match &written {
            Ok(()) => self.line.iter_mut().for_each(|step| step.unwritten = None),
            Err(why) => {
                tracing::warn!(event = "guest_not_kept", folder = %self.folder.display(), why, "a restart serves another guest");
            }
        }
        self.trouble = written.err();
    }

    /// All of it, for an operator.
    pub(super) fn history(&self, in_force: &Generation) -> History {
        History {
            in_force: in_force.digest().to_owned(),
            generation: in_force.number,
            image: self.image.guest.digest.clone(),
            rollback_to: self.below().map(|step| step.digest),
            folder: self.folder.clone(),
            volatile: self.trouble.clone(),
            past: self.past.clone(),
        }
    }
}

/// What became of a guest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It was put in force.
    InForce,
    /// It was taken down again, or another one was put in its place.
    TakenOff,
}
