//! `write off|on|status`: turning changes in Gitea off while the server runs, and on again.
//!
//! Turning off takes power away: it is done at once, whatever becomes of the log. Turning on gives it back, so it is on
//! record before; and it never gives more than the settings do, which somebody has reviewed.

use std::io::{self, Write};

use aegis_custody::Clock as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::record::{self, Stage};
use super::{Answer, Request};
use crate::mailbox::Topic;
use crate::shared::{Shared, SystemClock};
use crate::writes::{Turned, Writes};

/// How it is with writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WriteStatus {
    /// Whether changes may be sent to Gitea now, as far as policy and lists allow them.
    pub(crate) on: bool,
    /// Whether `WRITE_MODE` is on in the settings that the server started with.
    pub(crate) configured: bool,
    /// Changes that are with Gitea at this moment.
    pub(crate) under_way: usize,
    /// When an operator turned it last since the start.
    pub(crate) turned_at: Option<String>,
    /// The user id of that operator's command.
    pub(crate) turned_by: Option<u32>,
}

impl WriteStatus {
    fn of(writes: &Writes) -> Self {
        let turned = writes.turned();
        Self {
            on: writes.are_on(),
            configured: writes.are_configured(),
            under_way: writes.under_way(),
            turned_at: turned.map(|turned| turned.at.to_string()),
            turned_by: turned.map(|turned| turned.uid),
        }
    }
}

/// Do what is asked about writes; none where something else is asked.
pub(super) async fn answer(shared: &Shared, request: &Request, uid: u32) -> Option<Answer> {
    let on = match request {
        Request::WritesStatus => {
            return Some(Answer::Writes { changed: false, status: WriteStatus::of(&shared.writes) });
        }
        Request::WritesTurn { on } => *on,
        Request::ClientsList
        | Request::ClientsRevoke { .. }
        | Request::ClientsAllow { .. }
        | Request::UsersList
        | Request::UsersShow { .. }
        | Request::UsersRevoke { .. }
        | Request::UsersAllow { .. }
        | Request::Backup { .. }
        | Request::Restore { .. }
        | Request::KeyRevoke { .. }
        | Request::KeysReload
        | Request::Timeline
        | Request::AuditRotate
        | Request::JobsList
        | Request::JobsRun { .. }
        | Request::JobsReport { .. }
        | Request::GuestSwap { .. }
        | Request::GuestRollback
        | Request::GuestHistory
        | Request::Status => return None,
    };
    if on && shared.writes.are_configured() {
        let asked = record::entry(request, uid, Stage::Asked);
        if let Some(entry) = asked
            && let Err(unavailable) = shared.trail.append(entry).await
        {
            let text = format!("nothing was done: {unavailable}");
            return Some(Answer::refused("audit_unavailable", text));
        }
    }
    let answer = turn(shared, on, uid);
    if let Some(entry) = record::entry(request, uid, Stage::Answered(&answer)) {
        tracing::warn!(event = "operator", what = request.reason(), uid, writes = shared.writes.are_on());
        let _ = shared.trail.append(entry).await;
    }
    Some(answer)
}

fn turn(shared: &Shared, on: bool, uid: u32) -> Answer {
    if on && !shared.writes.are_configured() {
        let text = "this server was started without writes, and a command cannot give what its settings do not: set \
                    WRITE_MODE=true and name the repositories in WRITE_REPOSITORY_WHITELIST, then restart it \
                    (docs/write-mode.md)";
        return Answer::refused("writes_not_configured", text);
    }
    let changed = shared.writes.turn(on, Turned { at: SystemClock.now(), uid });
    if changed {
        // What can be called, and what rests on it.
        Topic::ALL.into_iter().for_each(|topic| shared.mailbox.announce(topic));
    }
    Answer::Writes { changed, status: WriteStatus::of(&shared.writes) }
}

/// What the audit log says of it.
pub(super) fn facts(changed: bool, status: &WriteStatus) -> Value {
    json!({"changed": changed, "on": status.on, "under_way": status.under_way})
}

/// For a person.
pub(super) fn show(changed: bool, status: &WriteStatus, out: &mut dyn Write) -> io::Result<()> {
    let WriteStatus { on, configured, under_way, turned_at, turned_by } = status;
    let now = if changed { "now" } else { "" };
    writeln!(out, "{}", format!("Writes are {now} {}.", if *on { "on" } else { "off" }).replace("  ", " "))?;
    match (*on, *configured) {
        (true, _) => writeln!(
            out,
            "Which ones, WRITE_REPOSITORY_WHITELIST (or WRITE_ALLOW_ALL_TOKEN_REPOS) and the policy say."
        )?,
        (false, true) => writeln!(
            out,
            "No change leaves for Gitea. The settings have WRITE_MODE=true: `aegis-mcp write on` turns them on again, and so \
             does a restart; set WRITE_MODE=false to keep them off."
        )?,
        (false, false) => writeln!(out, "The settings have WRITE_MODE=false: no command turns them on.")?,
    }
    match under_way {
        0 => {}
        1 => writeln!(out, "One change is with Gitea at this moment; its outcome will be in the audit log.")?,
        more => writeln!(
            out,
            "{more} changes are with Gitea at this moment; their outcomes will be in the audit log."
        )?,
    }
    if let (Some(at), Some(uid)) = (turned_at, turned_by) {
        writeln!(out, "Turned {} at {at} by user id {uid}.", if *on { "on" } else { "off" })?;
    }
    Ok(())
}
