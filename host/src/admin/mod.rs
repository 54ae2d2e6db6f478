//! The operator's door: a Unix socket beside the registry or the audit log, through which commands read and change what the running
//! server remembers.
//!
//! One JSON request a line, one JSON answer a line. Whoever may open the door is root or the server's own user, which
//! may read the registry's file anyway; so the door gives no power, it only makes that what is changed counts at once and
//! is on record. Nothing here goes to Gitea, and no token, code or key is ever part of an answer.

mod ask;
mod attend;
mod chosen;
mod desk;
mod door;
mod guest;
mod jobs;
mod offline;
mod places;
mod record;
mod rows;
pub(crate) mod show;
#[cfg(test)]
mod tests;
mod writes;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use ask::{NotAsked, ask, ask_with};
pub(crate) use attend::{Attending, attend};
pub(crate) use chosen::{load_here, load_only};
pub(crate) use offline::carry_out;
pub(crate) use places::Places;
pub(crate) use rows::{ApprovalRow, ClientRow, Counts, Ended, GrantRow, Kept, Status, UserDetail, UserRow};
use writes::WriteStatus;

use crate::jobs::Row;
use crate::sign_in::timeline::Login;

/// Longest request in bytes, its line end included.
const MAX_REQUEST: usize = 64 << 10;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Every client that somebody signed in with or that was revoked.
    ClientsList,
    /// End everything of a client and refuse its id from now on.
    ClientsRevoke {
        /// The client id.
        id: String,
    },
    /// Refuse a client no longer.
    ClientsAllow {
        /// The client id.
        id: String,
    },
    /// Everybody that anything is known of.
    UsersList,
    /// One person, with what they approved.
    UsersShow {
        /// The login at Gitea, or `id:` and the number.
        login: String,
    },
    /// End everything of a person; they may sign in again.
    UsersRevoke {
        /// The login at Gitea, or `id:` and the number.
        login: String,
    },
    /// Refuse a person's tokens of Gitea no longer for having been revoked.
    UsersAllow {
        /// The login at Gitea, or `id:` and the number.
        login: String,
    },
    /// Copy the registry to a file.
    Backup {
        /// An absolute path, as the server sees it.
        path: PathBuf,
    },
    /// Put a copy in place of the registry's content.
    Restore {
        /// An absolute path, as the server sees it.
        path: PathBuf,
    },
    /// Take an API key no more.
    KeyRevoke {
        /// Its name in MCP_API_KEYS.
        name: String,
    },
    /// Read the keyring file again.
    KeysReload,
    /// The newest sign-ins, step by step.
    Timeline,
    /// Close the active segment of the audit log.
    AuditRotate,
    /// Turn changes in Gitea off, or on again.
    WritesTurn {
        /// Which of them.
        on: bool,
    },
    /// Whether changes may be sent to Gitea.
    WritesStatus,
    /// Every job.
    JobsList,
    /// Run a job now.
    JobsRun {
        /// Its name.
        job: String,
        /// The repository's owner.
        owner: String,
        /// The repository's name.
        repo: String,
        /// Whether it acts on what it finds.
        apply: bool,
    },
    /// What a job has reported last in a repository.
    JobsReport {
        /// Its name.
        job: String,
        /// The repository's owner.
        owner: String,
        /// The repository's name.
        repo: String,
    },
    /// Put the component in force whose bytes follow the line.
    GuestSwap {
        /// How many there are.
        bytes: u64,
        /// Its signature file.
        signature: Option<String>,
    },
    /// Put the guest in force again that was before.
    GuestRollback,
    /// Which guests were put in force.
    GuestHistory,
    /// How the server and its registry are.
    Status,
}

impl Request {
    /// How many bytes follow its line.
    fn attached(&self) -> u64 {
        if let Self::GuestSwap { bytes, .. } = self { *bytes } else { 0 }
    }
}

/// What is answered, in the order of [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(crate) enum Answer {
    /// To [`Request::ClientsList`].
    Clients {
        /// By id.
        clients: Vec<ClientRow>,
    },
    /// To [`Request::ClientsRevoke`].
    ClientRevoked {
        /// Its id.
        id: String,
        /// Whether anything was known of it before.
        known: bool,
        /// What ended.
        ended: Ended,
        /// How well that is kept.
        #[serde(flatten)]
        kept: Kept,
    },
    /// To [`Request::ClientsAllow`].
    ClientAllowed {
        /// Its id.
        id: String,
        /// Whether it was revoked before.
        was_revoked: bool,
        /// As above.
        #[serde(flatten)]
        kept: Kept,
    },
    /// To [`Request::UsersList`].
    Users {
        /// By id at Gitea.
        users: Vec<UserRow>,
    },
    /// To [`Request::UsersShow`]; several where a login changed hands.
    User {
        /// By id at Gitea.
        users: Vec<UserDetail>,
    },
    /// To [`Request::UsersRevoke`].
    UserRevoked {
        /// Their ids at Gitea.
        users: Vec<i64>,
        /// Whether anything was known of them before.
        known: bool,
        /// What ended.
        ended: Ended,
        /// As above.
        #[serde(flatten)]
        kept: Kept,
    },
    /// To [`Request::UsersAllow`].
    UserAllowed {
        /// Their ids at Gitea; none where nobody of that name was revoked.
        users: Vec<i64>,
        /// As above.
        #[serde(flatten)]
        kept: Kept,
    },
    /// To [`Request::Backup`].
    BackedUp {
        /// The file.
        path: PathBuf,
    },
    /// To [`Request::Restore`].
    Restored {
        /// The file.
        path: PathBuf,
        /// Rows that were in it.
        rows: usize,
        /// How many of them could not be read.
        unreadable: usize,
        /// As above.
        #[serde(flatten)]
        kept: Kept,
    },
    /// To [`Request::KeyRevoke`].
    KeyRevoked {
        /// Its name.
        name: String,
        /// Whether the server took it until now.
        known: bool,
    },
    /// To [`Request::KeysReload`].
    Keys {
        /// Key ids, the newest first.
        kids: Vec<String>,
    },
    /// To [`Request::Timeline`].
    Timeline {
        /// The oldest first.
        logins: Vec<Login>,
    },
    /// To [`Request::AuditRotate`].
    AuditRotated,
    /// To [`Request::WritesTurn`] and [`Request::WritesStatus`].
    Writes {
        /// Whether it made a difference.
        changed: bool,
        /// How it is now.
        #[serde(flatten)]
        status: WriteStatus,
    },
    /// To [`Request::JobsList`].
    Jobs {
        /// Whether the scheduler is on.
        scheduler: bool,
        /// In the order of the settings.
        jobs: Vec<Row>,
    },
    /// To [`Request::JobsRun`].
    JobRan {
        /// What the job reports.
        report: serde_json::Value,
        /// Joins it with what is on record.
        correlation_id: String,
    },
    /// To [`Request::JobsReport`].
    JobReport {
        /// As it is kept.
        report: crate::jobs::Report,
    },
    /// To [`Request::GuestSwap`] and [`Request::GuestRollback`].
    GuestInForce {
        /// SHA-256 of the guest that was in force.
        before: String,
        /// Of the one that is.
        after: String,
        /// The number of its generation.
        generation: u64,
        /// Who signed it, where signatures are asked for.
        signer: Option<String>,
        /// Why a restart serves another one; none where it does not.
        volatile: Option<String>,
    },
    /// To [`Request::GuestHistory`].
    GuestHistory {
        /// All of it.
        #[serde(flatten)]
        history: crate::swap::History,
    },
    /// To [`Request::Status`].
    Status {
        /// How it is.
        status: Status,
    },
    /// To anything that is not done.
    Refused {
        /// A name for programs.
        reason: String,
        /// For a person: why, and what to do.
        text: String,
    },
}

impl Answer {
    fn refused(reason: &str, text: impl Into<String>) -> Self {
        Self::Refused { reason: reason.to_owned(), text: text.into() }
    }
}
