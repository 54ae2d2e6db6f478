//! What answers tell of: clients, people, what they approved, and the state of the server. Times are RFC 3339, in UTC; no
//! token, code or key is ever part of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::store::Committed;

/// What ended when somebody was revoked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// Sign-ins whose tokens were good.
    pub(crate) sessions: usize,
    /// Remembered approvals.
    pub(crate) approvals: usize,
    /// Grants at Gitea that were held here.
    pub(crate) grants: usize,
    /// Codes that nobody had redeemed yet.
    pub(crate) codes: usize,
}

/// A client. Times are RFC 3339, in UTC; what is not known is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientRow {
    /// Its id.
    pub(crate) id: String,
    /// As it calls itself; that proves nothing.
    pub(crate) name: String,
    /// `dynamic`, `document` or `registered` (by the operator's file).
    pub(crate) kind: Option<String>,
    /// First finished sign-in.
    pub(crate) first_seen: Option<String>,
    /// Last use that was noted.
    pub(crate) last_used: Option<String>,
    /// Sign-ins whose tokens are good.
    pub(crate) sessions: usize,
    /// Since when it is revoked.
    pub(crate) revoked_at: Option<String>,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserRow {
    /// Id at Gitea.
    pub(crate) id: i64,
    /// Newest known login.
    pub(crate) login: String,
    /// First sign-in.
    pub(crate) first_seen: Option<String>,
    /// Last use that was noted.
    pub(crate) last_seen: Option<String>,
    /// Sign-ins whose tokens are good.
    pub(crate) sessions: usize,
    /// The ids of their clients.
    pub(crate) clients: Vec<String>,
    /// Remembered approvals.
    pub(crate) approvals: usize,
    /// What is held from Gitea.
    pub(crate) grants: Vec<GrantRow>,
    /// Since when they are revoked: what Gitea issued to them up to then is refused.
    pub(crate) revoked_at: Option<String>,
}

/// A grant at Gitea.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GrantRow {
    /// `read` or `write`: through which application.
    pub(crate) application: String,
    /// Whether it is good, as far as known.
    pub(crate) live: bool,
    /// Why it is not.
    pub(crate) why: Option<String>,
    /// Since when it is not.
    pub(crate) since: Option<String>,
}

/// A person with what they approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserDetail {
    /// The person.
    #[serde(flatten)]
    pub(crate) user: UserRow,
    /// By client.
    pub(crate) approved: Vec<ApprovalRow>,
}

/// A remembered approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ApprovalRow {
    /// The client id.
    pub(crate) client: String,
    /// As the client calls itself.
    pub(crate) name: String,
    /// Where it sends people back to.
    pub(crate) redirect_uri: String,
    /// `read:repository`, `write:repository`.
    pub(crate) scopes: Vec<String>,
    /// When.
    pub(crate) approved_at: String,
    /// Last sign-in that it was good for.
    pub(crate) last_used: String,
}

/// How well a change is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Whether it is on the volume, as often as it should be.
    pub(crate) durable: bool,
    /// It is in the registry, and the file beside it that repeats what is revoked could not be written. Where neither is
    /// so, the change counts until the server stops.
    #[serde(default)]
    pub(crate) kept_once: bool,
}

impl From<Committed> for Kept {
    fn from(committed: Committed) -> Self {
        Self { durable: committed == Committed::Durable, kept_once: committed == Committed::Once }
    }
}

/// How a server and its registry are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Whether a running server answers; otherwise a command opened the file itself.
    pub(crate) running: bool,
    /// Of the program that answers.
    pub(crate) version: String,
    /// Its process id.
    pub(crate) pid: u32,
    /// What clients call the server; none where none runs.
    pub(crate) origin: Option<String>,
    /// The registry's file.
    pub(crate) file: PathBuf,
    /// Its length in bytes.
    pub(crate) bytes: u64,
    /// Whether what is remembered outlives the process.
    pub(crate) durable: bool,
    /// Why not.
    pub(crate) reason: Option<String>,
    /// Why what was revoked is not kept a second time; none while it is.
    #[serde(default)]
    pub(crate) revocations: Option<String>,
    /// The newest error, also where it is over.
    pub(crate) last_error: Option<String>,
    /// Transactions since the start.
    pub(crate) commits: u64,
    /// Key ids, the newest first; none where no server runs.
    pub(crate) kids: Vec<String>,
    /// How much is remembered.
    pub(crate) counts: Counts,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Token families, ended ones included.
    pub(crate) families: usize,
    /// Grants, dead ones included.
    pub(crate) grants: usize,
    /// Remembered approvals.
    pub(crate) approvals: usize,
    /// Clients in the index.
    pub(crate) clients: usize,
    /// Clients that are revoked.
    pub(crate) revoked_clients: usize,
    /// People.
    pub(crate) users: usize,
    /// Codes, used ones that are watched included.
    pub(crate) codes: usize,
    /// Single use claims.
    pub(crate) claims: usize,
}
