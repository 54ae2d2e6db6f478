//! Answering requests from what is remembered, whether a server runs or a command opened the file itself.

use std::path::{Path, PathBuf};

use aegis_custody::Timestamp;
use aegis_custody::oauth::registry::{ClientView, GrantState, Registry, UserView, Who};

use super::{Answer, ApprovalRow, ClientRow, Counts, Ended, GrantRow, Request, Status, UserDetail, UserRow};
use crate::sign_in::SignIn;
use crate::sign_in::records::Records;
use crate::store::read_backup;

/// What answers are made of.
pub(super) struct Desk<'a> {
    pub(super) records: &'a Records,
    /// Only where a server runs.
    pub(super) sign_in: Option<&'a SignIn>,
    /// The registry's file.
    pub(super) file: PathBuf,
}

impl Desk<'_> {
    /// Do what is asked. What is changed counts when this returns.
    pub(super) async fn answer(&self, request: Request) -> Answer {
        match request {
            Request::ClientsList => Answer::Clients { clients: self.records.read(clients) },
            Request::ClientsRevoke { id } => self.revoke_client(id).await,
            Request::ClientsAllow { id } => self.allow_client(id).await,
            Request::UsersList => Answer::Users { users: self.records.read(users) },
            Request::UsersShow { login } => self.show_user(&login),
            Request::UsersRevoke { login } => self.revoke_user(&login).await,
            Request::UsersAllow { login } => self.allow_user(&login).await,
            Request::Backup { path } => self.backup(path).await,
            Request::Restore { path } => self.restore(path).await,
            // Keys and writes are the server's alone, and it answers before it comes here.
            Request::KeyRevoke { .. }
            | Request::WritesTurn { .. }
            | Request::WritesStatus
            | Request::AuditRotate
            | Request::JobsList
            | Request::JobsReport { .. }
            | Request::JobsRun { .. }
            | Request::GuestSwap { .. }
            | Request::GuestRollback
            | Request::GuestHistory => no_server(),
            Request::KeysReload => self.reload_keys(),
            Request::Timeline => match self.sign_in {
                Some(sign_in) => Answer::Timeline { logins: sign_in.timeline.all() },
                None => no_server(),
            },
            Request::Status => Answer::Status { status: self.status() },
        }
    }

    async fn revoke_client(&self, id: String) -> Answer {
        let (outcome, committed) = self
            .records
            .keep(|registry, now| {
                let known = registry.clients(now).iter().any(|client| client.id == id);
                let (revoked, changes) = registry.revoke_client(&id, now);
                ((known, revoked), changes)
            })
            .await;
        match outcome {
            (known, Ok(revoked)) => {
                let ended = Ended {
                    sessions: revoked.families,
                    approvals: revoked.approvals,
                    grants: 0,
                    codes: revoked.codes,
                };
                Answer::ClientRevoked { id, known, ended, kept: committed.into() }
            }
            (_, Err(not)) => Answer::refused("client_not_revoked", not.to_string()),
        }
    }

    async fn allow_client(&self, id: String) -> Answer {
        let (was_revoked, committed) = self.records.keep(|registry, _| registry.allow_client(&id)).await;
        Answer::ClientAllowed { id, was_revoked, kept: committed.into() }
    }

    fn show_user(&self, login: &str) -> Answer {
        let Some(who) = who(login) else { return nobody(login) };
        let found = self.records.read(|registry, now| {
            let is_meant = |user: &UserView| match who {
                Who::Id(id) => user.user == id,
                Who::Login(login) => user.login.to_lowercase() == login.to_lowercase(),
            };
            let meant: Vec<UserView> = registry.users(now).into_iter().filter(is_meant).collect();
            meant.into_iter().map(|user| detail(registry, user, now)).collect::<Vec<_>>()
        });
        if found.is_empty() { nobody(login) } else { Answer::User { users: found } }
    }

    async fn revoke_user(&self, login: &str) -> Answer {
        let Some(who) = who(login) else { return nobody_yet(login) };
        let ((known, revoked), committed) = self
            .records
            .keep(|registry, now| {
                // A number counts also where nobody of that number was here: with a token of Gitea they can come any moment.
                let known = match who {
                    Who::Id(id) => registry.users(now).iter().any(|user| user.user == id),
                    Who::Login(_) => true,
                };
                let (revoked, changes) = registry.revoke_user(who, now);
                ((known, revoked), changes)
            })
            .await;
        if revoked.users.is_empty() && revoked.codes == 0 {
            return nobody_yet(login);
        }
        if revoked.unnoted > 0 {
            let text = "their sessions, approvals and grants here have ended, but the list of revoked users is full, so \
                        tokens of Gitea that they present directly go on: allow users who are gone for good by \
                        `aegis-mcp users allow`, then revoke again";
            return Answer::refused("user_not_noted", text);
        }
        let ended = Ended {
            sessions: revoked.families,
            approvals: revoked.approvals,
            grants: revoked.grants,
            codes: revoked.codes,
        };
        Answer::UserRevoked { users: revoked.users, known, ended, kept: committed.into() }
    }

    async fn allow_user(&self, login: &str) -> Answer {
        let Some(who) = who(login) else { return nobody(login) };
        let (users, committed) = self.records.keep(|registry, _| registry.allow_user(who)).await;
        Answer::UserAllowed { users, kept: committed.into() }
    }

    async fn backup(&self, path: PathBuf) -> Answer {
        if let Err(text) = may_be_written(&path).await {
            return Answer::refused("backup_target", text);
        }
        match self.records.store.backup(path.clone()).await {
            Ok(()) => Answer::BackedUp { path },
            Err(error) => Answer::refused("not_backed_up", error.to_string()),
        }
    }

    async fn restore(&self, path: PathBuf) -> Answer {
        if !path.is_absolute() {
            return Answer::refused("not_restored", "the path of a backup must be absolute");
        }
        let from = path.clone();
        let rows = match tokio::task::spawn_blocking(move || read_backup(&from)).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => return Answer::refused("not_restored", error.to_string()),
            Err(_) => return Answer::refused("not_restored", "the backup was not read to its end"),
        };
        let count = rows.len();
        let (unreadable, committed) = self.records.keep(|registry, _| registry.replace(rows)).await;
        Answer::Restored { path, rows: count, unreadable: unreadable.len(), kept: committed.into() }
    }

    fn reload_keys(&self) -> Answer {
        match self.sign_in.map(SignIn::reload_keys) {
            Some(Ok(kids)) => Answer::Keys { kids },
            Some(Err(unusable)) => Answer::refused(
                "keys_not_reloaded",
                format!("{unusable}; the keys from before stay in force"),
            ),
            None => no_server(),
        }
    }

    fn status(&self) -> Status {
        let health = self.records.store.health();
        let stats = self.records.read(|registry, _| registry.stats());
        Status {
            running: self.sign_in.is_some(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            origin: self.sign_in.map(|sign_in| sign_in.origin.clone()),
            file: self.file.clone(),
            bytes: health.bytes,
            durable: health.durable,
            reason: health.reason,
            revocations: health.revocations,
            last_error: health.last_error,
            commits: health.commits,
            kids: self.sign_in.map_or_else(Vec::new, |sign_in| {
                sign_in.keyring().kids().map(|kid| kid.to_string()).collect()
            }),
            counts: Counts {
                families: stats.families,
                grants: stats.grants,
                approvals: stats.approvals,
                clients: stats.clients,
                revoked_clients: stats.refused_clients,
                users: stats.users,
                codes: stats.codes,
                claims: stats.claims,
            },
        }
    }
}

/// A file that is there and is no backup is somebody's: the audit log, maybe. It is not written over.
async fn may_be_written(path: &Path) -> Result<(), String> {
    if !path.is_absolute() {
        return Err("the path of a backup must be absolute".to_owned());
    }
    let there = path.to_owned();
    let looked = tokio::task::spawn_blocking(move || match std::fs::symlink_metadata(&there) {
        Ok(found) => found.is_file() && read_backup(&there).is_ok(),
        Err(_) => true,
    });
    if looked.await.unwrap_or(false) {
        return Ok(());
    }
    Err(format!("{} is there already and is not a backup of a registry; name another file", path.display()))
}

fn no_server() -> Answer {
    Answer::refused("no_server", "only a running server knows that, and none runs with this registry")
}

fn nobody(login: &str) -> Answer {
    let text = format!("nothing is known of {login:?} here; `aegis-mcp users list` shows everybody");
    Answer::refused("unknown_user", text)
}

/// As above, with how somebody is revoked who was never here.
fn nobody_yet(login: &str) -> Answer {
    let text = format!(
        "nothing is known of {login:?} here, so nothing was revoked; `aegis-mcp users list` shows everybody. To refuse \
         somebody who was never here, name their number at Gitea: `aegis-mcp users revoke id:N`. The number is in the list \
         of user accounts in Gitea's site administration, and is the `id` that Gitea's /api/v1/users/LOGIN tells"
    );
    Answer::refused("unknown_user", text)
}

/// A login, or `id:` and a number, which Gitea counts from 1: no login at Gitea has a colon.
fn who(text: &str) -> Option<Who<'_>> {
    match text.strip_prefix("id:") {
        Some(id) => id.parse().ok().filter(|id| *id > 0).map(Who::Id),
        None => (!text.is_empty()).then_some(Who::Login(text)),
    }
}

fn clients(registry: &Registry, now: Timestamp) -> Vec<ClientRow> {
    let row = |client: ClientView| ClientRow {
        id: client.id,
        name: client.name,
        kind: client.kind.map(|kind| kind.name().to_owned()),
        first_seen: client.first_seen.map(|at| at.to_string()),
        last_used: client.last_used.map(|at| at.to_string()),
        sessions: client.families,
        revoked_at: client.refused_at.map(|at| at.to_string()),
    };
    registry.clients(now).into_iter().map(row).collect()
}

fn users(registry: &Registry, now: Timestamp) -> Vec<UserRow> {
    registry.users(now).into_iter().map(user).collect()
}

fn user(view: UserView) -> UserRow {
    let grant = |(application, state): (aegis_custody::oauth::registry::Application, GrantState)| {
        let application = application.name().to_owned();
        match state {
            GrantState::Live => GrantRow { application, live: true, why: None, since: None },
            GrantState::Dead { why, at } => {
                GrantRow { application, live: false, why: Some(why), since: Some(at.to_string()) }
            }
        }
    };
    UserRow {
        id: view.user,
        login: view.login,
        first_seen: view.first_seen.map(|at| at.to_string()),
        last_seen: view.last_seen.map(|at| at.to_string()),
        sessions: view.families,
        clients: view.clients,
        approvals: view.approvals,
        grants: view.grants.into_iter().map(grant).collect(),
        revoked_at: view.revoked_at.map(|at| at.to_string()),
    }
}

fn detail(registry: &Registry, view: UserView, now: Timestamp) -> UserDetail {
    let approved = registry.clients(now).into_iter().filter_map(|client| {
        let approval = registry.approval(&client.id, view.user, now)?;
        Some(ApprovalRow {
            client: client.id,
            name: client.name,
            redirect_uri: approval.redirect_uri.clone(),
            scopes: crate::sign_in::words(approval.scopes),
            approved_at: approval.approved_at.to_string(),
            last_used: approval.last_used.to_string(),
        })
    });
    let approved = approved.collect();
    UserDetail { user: user(view), approved }
}
