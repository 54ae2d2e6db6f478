//! Answers for people: tables and sentences. What clients say of themselves is cleaned before it reaches a terminal.

use std::io::{self, Write};

use aegis_custody::audit::HIDDEN;

use super::{Answer, ClientRow, Ended, GrantRow, Kept, Status, UserDetail, UserRow, writes};

/// Write an answer, for people or, with `json`, for programs.
///
/// # Errors
/// The writer fails.
pub(crate) fn answer(answer: &Answer, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, answer)?;
        return writeln!(out);
    }
    match answer {
        Answer::Clients { clients } => self::clients(clients, out),
        Answer::ClientRevoked { id, known, ended, kept } => {
            let id = clean(id);
            if !known {
                writeln!(
                    out,
                    "Nobody has signed in with {id}; was it typed right? It is refused from now on all the same."
                )?;
            }
            writeln!(out, "Revoked {id}: {}.", ended_by(*ended))?;
            writeln!(
                out,
                "Its tokens are dead and its id is refused; `aegis-mcp clients allow` takes that back."
            )?;
            volatile(*kept, out)
        }
        Answer::ClientAllowed { id, was_revoked, kept } => {
            let id = clean(id);
            if !was_revoked {
                return writeln!(out, "{id} was not revoked: nothing was changed.");
            }
            writeln!(out, "{id} may be used again. What it had before stays ended: people sign in anew.")?;
            volatile(*kept, out)
        }
        Answer::Users { users } => self::users(users, out),
        Answer::User { users } => users.iter().try_for_each(|user| detail(user, out)),
        Answer::UserRevoked { users, known, ended, kept } => {
            let ids: Vec<String> = users.iter().map(i64::to_string).collect();
            if !known {
                writeln!(
                    out,
                    "Nobody with id {} has been here; was it typed right? They are revoked all the same.",
                    ids.join(" and id ")
                )?;
            }
            writeln!(
                out,
                "Revoked the user with id {} at Gitea: {}.",
                ids.join(" and id "),
                ended_by(*ended)
            )?;
            writeln!(
                out,
                "The next call with any of their tokens is refused, also with one that Gitea issued up to now and that is \
                 presented here directly (ACCEPT_GITEA_TOKENS)."
            )?;
            writeln!(
                out,
                "They can sign in again: disable the account in Gitea or change SIGNIN_ALLOW where they must not. Personal \
                 and opaque tokens of theirs stay refused until `aegis-mcp users allow`."
            )?;
            volatile(*kept, out)
        }
        Answer::UserAllowed { users, .. } if users.is_empty() => {
            writeln!(
                out,
                "Nobody of that name is revoked: nothing was changed. `aegis-mcp users list` shows who is."
            )
        }
        Answer::UserAllowed { users, kept } => {
            let ids: Vec<String> = users.iter().map(i64::to_string).collect();
            writeln!(
                out,
                "Tokens of Gitea of the user with id {} are taken again where ACCEPT_GITEA_TOKENS is on. What ended here stays \
                 ended: they sign in anew.",
                ids.join(" and id ")
            )?;
            volatile(*kept, out)
        }
        Answer::BackedUp { path } => writeln!(
            out,
            "Wrote {}. Keep it as safe as the registry, and keep the root keys: without them nobody can use it.",
            path.display()
        ),
        Answer::Restored { path, rows, unreadable, kept } => {
            writeln!(out, "Restored {rows} rows of {}.", path.display())?;
            if *unreadable > 0 {
                writeln!(out, "{unreadable} of them could not be read and were left out.")?;
            }
            writeln!(out, "What was revoked or ended after the backup was made stays so.")?;
            volatile(*kept, out)
        }
        Answer::KeyRevoked { name, known: true } => {
            writeln!(out, "The running server takes the key {} no more.", clean(name))
        }
        Answer::KeyRevoked { name, known: false } => {
            writeln!(out, "The running server has no key named {}.", clean(name))
        }
        Answer::Keys { kids } => keys(kids, out),
        Answer::AuditRotated => {
            writeln!(
                out,
                "The active segment of the audit log is closed; a new one begins with the next line."
            )
        }
        Answer::Jobs { scheduler, jobs } => super::jobs::show_all(*scheduler, jobs, out),
        Answer::JobReport { report } => super::jobs::show_report(report, out),
        Answer::JobRan { report, correlation_id } => super::jobs::show_run(report, correlation_id, out),
        Answer::Writes { changed, status } => writes::show(*changed, status, out),
        Answer::Timeline { logins } => writeln!(out, "{} sign-ins are remembered.", logins.len()),
        Answer::GuestInForce { before, after, signer, volatile, .. } => {
            super::guest::show(before, after, signer.as_deref(), volatile.as_deref(), out)
        }
        Answer::GuestHistory { history } => super::guest::show_history(history, out),
        Answer::Status { status } => self::status(status, out),
        Answer::Refused { text, .. } => writeln!(out, "{text}"),
    }
}

fn volatile(kept: Kept, out: &mut dyn Write) -> io::Result<()> {
    match kept {
        Kept { durable: true, .. } => Ok(()),
        Kept { kept_once: true, .. } => writeln!(
            out,
            "It counts now and is in the registry, but registry.revoked beside it cannot be written: until it can, which is \
             tried again all the time, a restart or a damaged registry may undo this. See `aegis-mcp registry info`."
        ),
        Kept { .. } => writeln!(
            out,
            "It counts now, and is forgotten when the server stops: the registry cannot be written. See `aegis-mcp registry info`."
        ),
    }
}

fn ended_by(ended: Ended) -> String {
    let Ended { sessions, approvals, grants, codes } = ended;
    format!(
        "ended {sessions} sessions, {approvals} approvals, {grants} grants at Gitea and {codes} unused codes"
    )
}

fn clients(clients: &[ClientRow], out: &mut dyn Write) -> io::Result<()> {
    if clients.is_empty() {
        return writeln!(out, "No client has finished a sign-in yet.");
    }
    let rows = clients.iter().map(|client| {
        [
            clean(&client.name),
            client.kind.clone().unwrap_or_default(),
            client.sessions.to_string(),
            at(client.last_used.as_deref()),
            client.revoked_at.as_deref().map_or_else(String::new, |since| at(Some(since))),
            clean(&client.id),
        ]
    });
    table(["NAME", "KIND", "SESSIONS", "LAST USED", "REVOKED", "ID"], rows, out)
}

fn users(users: &[UserRow], out: &mut dyn Write) -> io::Result<()> {
    if users.is_empty() {
        return writeln!(out, "Nobody has signed in yet.");
    }
    let rows = users.iter().map(|user| {
        [
            clean(&user.login),
            user.id.to_string(),
            user.sessions.to_string(),
            user.clients.len().to_string(),
            at(user.last_seen.as_deref()),
            user.revoked_at.as_deref().map_or_else(String::new, |since| at(Some(since))),
            grants(&user.grants),
        ]
    });
    table(["LOGIN", "ID", "SESSIONS", "CLIENTS", "LAST SEEN", "REVOKED", "GRANTS"], rows, out)
}

fn grants(grants: &[GrantRow]) -> String {
    let shown = grants.iter().map(|grant| match &grant.why {
        Some(why) => format!("{} (ended: {})", grant.application, clean(why)),
        None => grant.application.clone(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn detail(detail: &UserDetail, out: &mut dyn Write) -> io::Result<()> {
    let user = &detail.user;
    writeln!(out, "{}, id {} at Gitea", clean(&user.login), user.id)?;
    writeln!(out, "  first seen  {}", at(user.first_seen.as_deref()))?;
    writeln!(out, "  last seen   {}", at(user.last_seen.as_deref()))?;
    writeln!(out, "  sessions    {}", user.sessions)?;
    writeln!(out, "  grants      {}", grants(&user.grants))?;
    if let Some(since) = &user.revoked_at {
        writeln!(out, "  revoked     {}: what Gitea issued up to then is refused", at(Some(since)))?;
    }
    for client in &user.clients {
        writeln!(out, "  uses        {}", clean(client))?;
    }
    for approval in &detail.approved {
        writeln!(
            out,
            "  approved    {} for {}, back to {}, at {}: {}",
            approval.scopes.join(" and "),
            named(&approval.name),
            clean(&approval.redirect_uri),
            at(Some(&approval.approved_at)),
            clean(&approval.client),
        )?;
    }
    Ok(())
}

fn named(name: &str) -> String {
    if name.is_empty() { "a client without a name".to_owned() } else { clean(name) }
}

fn status(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    match &status.origin {
        Some(origin) => {
            writeln!(
                out,
                "server     {} (version {}, process {})",
                clean(origin),
                status.version,
                status.pid
            )?;
        }
        None => writeln!(out, "server     none runs")?,
    }
    writeln!(out, "registry   {} ({} bytes)", status.file.display(), status.bytes)?;
    match (&status.reason, status.durable) {
        (_, true) => writeln!(out, "state      durable")?,
        (reason, false) => {
            let why = reason.as_deref().unwrap_or("it cannot be written");
            writeln!(out, "state      in memory only: {}", clean(why))?;
        }
    }
    if let Some(why) = &status.revocations {
        writeln!(out, "revoked    kept once only, registry.revoked cannot be written: {}", clean(why))?;
    }
    if !status.kids.is_empty() {
        writeln!(out, "keys       {}", status.kids.join(", "))?;
    }
    let counts = status.counts;
    writeln!(
        out,
        "holds      {} users, {} clients, {} revoked clients, {} sessions (ended ones included), {} approvals, {} grants",
        counts.users,
        counts.clients,
        counts.revoked_clients,
        counts.families,
        counts.approvals,
        counts.grants
    )
}

/// Key ids, the newest first.
pub(crate) fn keys(kids: &[String], out: &mut dyn Write) -> io::Result<()> {
    for (index, kid) in kids.iter().enumerate() {
        let word = if index == 0 { "  makes new tokens" } else { "" };
        writeln!(out, "{kid}{word}")?;
    }
    Ok(())
}

/// A time to the second, as people read it.
fn at(time: Option<&str>) -> String {
    let Some(time) = time else { return "-".to_owned() };
    match time.split_once('.') {
        Some((seconds, _)) => format!("{}Z", seconds.replace('T', " ")),
        None => clean(time),
    }
}

/// Without control characters and others that a terminal acts on or hides.
pub(crate) fn clean(text: &str) -> String {
    let hidden = |c: char| HIDDEN.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(c)));
    text.chars().map(|c| if c.is_control() || hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// A table in columns.
///
/// # Errors
/// The writer fails.
pub(crate) fn table<const N: usize>(
    heads: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let all: Vec<[String; N]> = std::iter::once(heads.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; N];
    for row in &all {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &all {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Committed;

    fn shown(answer: &Answer) -> String {
        let mut out = Vec::new();
        super::answer(answer, false, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn client(name: &str, id: &str) -> ClientRow {
        ClientRow {
            id: id.to_owned(),
            name: name.to_owned(),
            kind: Some("dynamic".to_owned()),
            first_seen: None,
            last_used: Some("2026-01-31T23:59:59.000Z".to_owned()),
            sessions: 2,
            revoked_at: None,
        }
    }

    #[test]
    fn a_table_lines_up_and_an_id_stands_whole_at_the_end() {
        let long = format!("d1.{}", "x".repeat(200));
        let text = shown(&Answer::Clients { clients: vec![client("Editor", &long), client("", "ci")] });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        let column = lines[0].find("ID").unwrap();
        assert_eq!(lines[1].get(column..), Some(long.as_str()));
        assert_eq!(lines[2].get(column..), Some("ci"));
        assert!(lines[1].contains("2026-01-31 23:59:59Z"), "{text}");
    }

    #[test]
    fn a_name_cannot_move_the_cursor_or_turn_the_text_around() {
        let text = shown(&Answer::Clients { clients: vec![client("\u{1b}[2Jnice\u{202e}\nroot", "a")] });
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    }

    #[test]
    fn what_is_not_on_the_volume_is_said_to_be_forgotten_at_the_stop() {
        let revoked = |committed: Committed| Answer::UserRevoked {
            users: vec![7],
            known: true,
            ended: Ended::default(),
            kept: committed.into(),
        };
        assert!(shown(&revoked(Committed::Volatile)).contains("forgotten when the server stops"));
        let once = shown(&revoked(Committed::Once));
        assert!(once.contains("registry.revoked beside it cannot be written") && !once.contains("forgotten"));
        let well = shown(&revoked(Committed::Durable));
        assert!(!well.contains("forgotten") && !well.contains("registry.revoked"));
    }
}
