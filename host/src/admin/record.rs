//! What an operator's request leaves in the audit log. Revoking takes power away and is done whatever becomes of the
//! log; what gives power or takes data elsewhere is done only after the log has it.

use aegis_custody::audit::Event;
use serde_json::{Map, Value, json};

use super::{Answer, Request, writes};
use crate::audit::Entry;
use crate::ports::telemetry::cut;

/// Where a request stands.
#[derive(Clone, Copy)]
pub(super) enum Stage<'a> {
    /// It is asked for and not done yet.
    Asked,
    /// It was answered.
    Answered(&'a Answer),
}

impl Request {
    /// The name of the event of a request that changes something; none for one that only looks.
    pub(super) fn reason(&self) -> Option<&'static str> {
        match self {
            Self::ClientsList
            | Self::UsersList
            | Self::UsersShow { .. }
            | Self::Timeline
            | Self::WritesStatus
            | Self::JobsList
            | Self::JobsReport { .. }
            // What became of a guest has lines of its own.
            | Self::GuestSwap { .. }
            | Self::GuestRollback
            | Self::GuestHistory
            | Self::Status => None,
            Self::ClientsRevoke { .. } => Some("operator_revoked_client"),
            Self::ClientsAllow { .. } => Some("operator_allowed_client"),
            Self::UsersRevoke { .. } => Some("operator_revoked_user"),
            Self::UsersAllow { .. } => Some("operator_allowed_user"),
            Self::Backup { .. } => Some("operator_backed_up_registry"),
            Self::Restore { .. } => Some("operator_restored_registry"),
            Self::KeyRevoke { .. } => Some("operator_revoked_key"),
            Self::KeysReload => Some("operator_reloaded_keys"),
            Self::AuditRotate => Some("operator_rotated_audit_log"),
            Self::JobsRun { .. } => Some("operator_ran_job"),
            Self::WritesTurn { on: false } => Some("operator_turned_writes_off"),
            Self::WritesTurn { on: true } => Some("operator_turned_writes_on"),
        }
    }

    /// Whether it must be on record before it is done.
    pub(super) fn is_recorded_first(&self) -> bool {
        match self {
            Self::ClientsAllow { .. }
            | Self::UsersAllow { .. }
            | Self::Backup { .. }
            | Self::Restore { .. }
            | Self::JobsRun { .. }
            | Self::WritesTurn { on: true } => true,
            Self::ClientsList
            | Self::ClientsRevoke { .. }
            | Self::UsersList
            | Self::UsersShow { .. }
            | Self::UsersRevoke { .. }
            | Self::KeyRevoke { .. }
            | Self::KeysReload
            | Self::Timeline
            | Self::AuditRotate
            | Self::WritesTurn { on: false }
            | Self::WritesStatus
            | Self::JobsList
            | Self::JobsReport { .. }
            | Self::GuestSwap { .. }
            | Self::GuestRollback
            | Self::GuestHistory
            | Self::Status => false,
        }
    }

    /// What it is about.
    fn object(&self) -> Map<String, Value> {
        let (name, value) = match self {
            Self::ClientsRevoke { id } | Self::ClientsAllow { id } => ("client", json!(id)),
            Self::UsersShow { login } | Self::UsersRevoke { login } | Self::UsersAllow { login } => {
                ("login", json!(login))
            }
            Self::KeyRevoke { name } => ("key", json!(name)),
            Self::Backup { path } | Self::Restore { path } => ("path", json!(path.display().to_string())),
            Self::JobsRun { job, owner, repo, apply } => {
                let members = [("job", json!(cut(job, 64))), ("apply", json!(apply))];
                let place = ("repository", json!(cut(&format!("{owner}/{repo}"), 256)));
                return members
                    .into_iter()
                    .chain([place])
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect();
            }
            Self::ClientsList
            | Self::JobsList
            | Self::JobsReport { .. }
            | Self::UsersList
            | Self::KeysReload
            | Self::Timeline
            | Self::AuditRotate
            | Self::WritesTurn { .. }
            | Self::WritesStatus
            | Self::GuestSwap { .. }
            | Self::GuestRollback
            | Self::GuestHistory
            | Self::Status => return Map::new(),
        };
        Map::from_iter([(name.to_owned(), value)])
    }
}

/// The entry of a request that changes something, by the uid of who asked.
pub(super) fn entry(request: &Request, uid: u32, stage: Stage<'_>) -> Option<Entry> {
    let reason = request.reason()?;
    let mut detail = request.object();
    detail.insert("peer_uid".to_owned(), uid.into());
    let (word, facts) = match stage {
        Stage::Asked => ("asked", Value::Null),
        Stage::Answered(Answer::Refused { reason, .. }) => ("failed", json!({ "cause": reason })),
        Stage::Answered(answer) => ("done", facts(answer)),
    };
    detail.insert("stage".to_owned(), word.into());
    if let Value::Object(facts) = facts {
        detail.extend(facts);
    }
    let members =
        Map::from_iter([("reason".to_owned(), reason.into()), ("detail".to_owned(), detail.into())]);
    Some(Entry { event: Event::SecurityEvent, members })
}

fn facts(answer: &Answer) -> Value {
    match answer {
        Answer::ClientRevoked { known, ended, kept, .. } => json!({
            "known": known, "sessions": ended.sessions, "approvals": ended.approvals, "codes": ended.codes,
            "durable": kept.durable, "kept_once": kept.kept_once,
        }),
        Answer::ClientAllowed { was_revoked, kept, .. } => {
            json!({"was_revoked": was_revoked, "durable": kept.durable, "kept_once": kept.kept_once})
        }
        Answer::UserRevoked { users, known, ended, kept } => json!({
            "users": users, "known": known, "sessions": ended.sessions, "approvals": ended.approvals, "grants": ended.grants,
            "codes": ended.codes, "durable": kept.durable, "kept_once": kept.kept_once,
        }),
        Answer::UserAllowed { users, kept } => {
            json!({"users": users, "durable": kept.durable, "kept_once": kept.kept_once})
        }
        Answer::Restored { rows, unreadable, kept, .. } => {
            json!({"rows": rows, "unreadable": unreadable, "durable": kept.durable, "kept_once": kept.kept_once})
        }
        Answer::KeyRevoked { known, .. } => json!({ "known": known }),
        Answer::Keys { kids } => json!({ "kids": kids }),
        Answer::Writes { changed, status } => writes::facts(*changed, status),
        Answer::JobRan { correlation_id, .. } => json!({ "correlation_id": correlation_id }),
        Answer::Clients { .. }
        | Answer::AuditRotated
        | Answer::Jobs { .. }
        | Answer::JobReport { .. }
        | Answer::Users { .. }
        | Answer::User { .. }
        | Answer::BackedUp { .. }
        | Answer::Timeline { .. }
        | Answer::GuestInForce { .. }
        | Answer::GuestHistory { .. }
        | Answer::Status { .. }
        | Answer::Refused { .. } => Value::Null,
    }
}

/// The entry of somebody who may not come in.
pub(super) fn stranger(uid: u32) -> Entry {
    let detail = json!({ "peer_uid": uid });
    let members =
        Map::from_iter([("reason".to_owned(), "admin_peer_refused".into()), ("detail".to_owned(), detail)]);
    Entry { event: Event::SecurityEvent, members }
}
