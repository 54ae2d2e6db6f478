//! Which rows an operator asks for. Each option that is given narrows, each value of one option widens.

use aegis_custody::Timestamp;

use super::rows::{Kind, Outcome, Row};
use super::when::When;

/// Which rows are shown. `*` in a value stands for any characters, and case makes no difference. An option that is given
/// several times asks for any of its values; different options must all hold.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// Only of this person or API key.
    #[arg(long, value_name = "NAME")]
    user: Vec<String>,
    /// Only by this MCP client.
    #[arg(long, value_name = "NAME")]
    client: Vec<String>,
    /// Only of this tool, such as create_issue or 'delete_*'.
    #[arg(long, value_name = "NAME")]
    tool: Vec<String>,
    /// Only in this repository, such as acme/site or 'acme/*'.
    #[arg(long, value_name = "OWNER/REPO")]
    repo: Vec<String>,
    /// Only with this outcome.
    #[arg(long, value_enum)]
    outcome: Vec<Outcome>,
    /// Only what was refused: the same as --outcome denied.
    #[arg(long)]
    denied: bool,
    /// Only calls that may change something. Refusals before a call is begun do not say whether they would have.
    #[arg(long)]
    writes: bool,
    /// Only with this reason, such as policy_denied.
    #[arg(long, value_name = "NAME")]
    reason: Vec<String>,
    /// Only of this request: the id that a caller was told, or a ticket, which Gitea's log has as X-Request-ID.
    #[arg(long, value_name = "ID")]
    request_id: Vec<String>,
    /// Also what is no call: security events, and what the log says of itself.
    #[arg(long)]
    events: bool,
}

/// From when to when.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct Span {
    /// Only what began then or later: a day, a time in UTC such as 2026-05-28T20:26Z, or how long ago, such as 24h or 7d.
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<When>,
    /// Only what began before then; of a day, all of it counts.
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<When>,
}

/// A span of time, fixed: from the first on, up to but not including the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Within {
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
}

impl Span {
    pub(super) fn at(self, now: Timestamp) -> Within {
        Within {
            from: self.since.map(|since| since.begins(now)),
            to: self.until.map(|until| until.ends(now)),
        }
    }
}

impl Within {
    pub(super) fn has(&self, row: &Row) -> bool {
        self.from.is_none_or(|from| row.time >= from) && self.to.is_none_or(|to| row.time < to)
    }
}

impl Filter {
    pub(super) fn has(&self, row: &Row) -> bool {
        let any = |wanted: &[String], found: &Option<String>| {
            wanted.is_empty()
                || found.as_ref().is_some_and(|found| wanted.iter().any(|wanted| matches(wanted, found)))
        };
        let outcomes = self.denied || !self.outcome.is_empty();
        let of_outcome = row.outcome.is_some_and(|outcome| {
            self.outcome.contains(&outcome) || (self.denied && outcome == Outcome::Denied)
        });
        (self.events || row.kind != Kind::Event)
            && any(&self.user, &row.user)
            && any(&self.client, &row.client)
            && any(&self.tool, &row.tool)
            && any(&self.repo, &row.repository)
            && any(&self.reason, &row.reason)
            && (self.request_id.is_empty()
                || any(&self.request_id, &row.request_id)
                || any(&self.request_id, &row.ticket))
            && (!outcomes || of_outcome)
            && (!self.writes || row.writes())
    }
}

/// Whether a text is the wanted one, in which `*` stands for any characters.
fn matches(wanted: &str, found: &str) -> bool {
    let (wanted, found) = (wanted.to_lowercase(), found.to_lowercase());
    let mut parts = wanted.split('*');
    let Some(mut rest) = found.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_characters_and_case_for_nothing() {
        for (wanted, found, so) in [
            ("alice", "alice", true),
            ("alice", "alicex", false),
            ("Alice", "aLICE", true),
            ("acme/*", "acme/site", true),
            ("acme/*", "acmes/site", false),
            ("*/site", "acme/site", true),
            ("*_issue", "create_issue", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXc", false),
            ("a*a", "a", false),
            ("*", "", true),
            ("**", "x", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(wanted, found), so, "{wanted} {found}");
        }
    }
}
