//! Every rule that a decision looks at, one after the other, in words. For people: the deciding is in the parent, and
//! a test holds the two together.

use super::{Asked, Loaded, Rules, asked, denied};
use crate::decision::{Class, Request};
use crate::prepared::{Lists, entry_keys};
use crate::problem::quoted;

/// What a rule has to say about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It denies, and that is final.
    Denies,
    /// It is an allow list that does not name what is asked for, which closes it.
    Closes,
    /// It allows.
    Allows,
    /// It has nothing against it.
    Passes,
    /// There is no such rule, or another one stands in its place.
    Absent,
}

impl Verdict {
    /// As one word: `denies`, `closes`, `allows`, `passes`, `absent`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Denies => "denies",
            Self::Closes => "closes",
            Self::Allows => "allows",
            Self::Passes => "passes",
            Self::Absent => "absent",
        }
    }
}

/// One rule that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, as in [`crate::Reason::rule`].
    pub rule: String,
    /// What it says.
    pub verdict: Verdict,
    /// The same for a person.
    pub words: String,
}

impl Rules {
    /// Every rule that [`Rules::decide`] looks at for this request, in its order. What follows a deny is listed too: it
    /// may have to change as well.
    #[must_use]
    pub fn looked_at(&self, request: &Request<'_>) -> Vec<Step> {
        if let Some(reason) = self.unfit(request) {
            return vec![Step { rule: reason.rule, verdict: Verdict::Denies, words: reason.message }];
        }
        let mut steps =
            vec![step("request", Verdict::Passes, "every name and path in it is well formed".to_owned())];
        steps.push(deny_list("tools.deny", &self.globals.tools, request.tool));
        self.each_entry(request, |entry, key| {
            steps.push(match entry {
                None => step(&rule(key, ""), Verdict::Absent, "the document has no rules for it".to_owned()),
                Some(entry) => deny_list(&rule(key, ".tools.deny"), &entry.rules.tools, request.tool),
            });
        });
        // As in the decision: one path after the other, each by every entry.
        for path in paths_of(request) {
            steps.extend(self.entries.iter().map(|entry| path_denial(entry, path)));
        }
        steps.push(allow_list("tools.allow", &self.globals.tools, request.tool));
        steps.extend(self.entries.iter().map(|entry| self.tool_list(entry, request.tool)));
        steps.extend(self.entries.iter().flat_map(|entry| self.path_list(entry, request)));
        steps.push(self.fallback(request));
        steps
    }

    /// The entries that may hold rules for the request, in the order in which they are asked.
    fn each_entry(&self, request: &Request<'_>, mut visit: impl FnMut(Option<&Loaded>, &str)) {
        let Some((owner, repo)) = request.repository else { return };
        for key in entry_keys(owner, repo).iter().rev() {
            visit(self.entries.iter().find(|entry| entry.key == *key), key);
        }
    }

    fn tool_list(&self, entry: &Loaded, tool: &str) -> Step {
        let name = rule(&entry.key, ".tools.allow");
        match self.tool_allowlist() {
            Some(in_force) if in_force.key != entry.key && !entry.rules.tools.allow.is_empty() => {
                step(&name, Verdict::Absent, format!("the list of {} stands in its place", in_force.key))
            }
            Some(_) | None => allow_list(&name, &entry.rules.tools, tool),
        }
    }

    fn path_list(&self, entry: &Loaded, request: &Request<'_>) -> Vec<Step> {
        let name = rule(&entry.key, ".paths.allow");
        let list = &entry.rules.paths.allow;
        if list.is_empty() {
            return vec![step(&name, Verdict::Absent, "there is no such list".to_owned())];
        }
        match self.path_allowlist() {
            Some(in_force) if in_force.key != entry.key => {
                return vec![step(
                    &name,
                    Verdict::Absent,
                    format!("the list of {} stands in its place", in_force.key),
                )];
            }
            Some(_) | None => {}
        }
        if request.paths.is_empty() {
            return vec![step(&name, Verdict::Passes, "the call names no path".to_owned())];
        }
        let judged = |path: &&str| {
            let matching = entry.allow.iter().zip(list).find(|(pattern, _)| pattern.matches(path));
            match matching {
                Some((_, line)) => {
                    let words = format!("{} matches {} (line {})", quoted(path), quoted(&line.0), line.1);
                    step(&name, Verdict::Passes, words)
                }
                None => {
                    let words = format!("{} matches none of its {}", quoted(path), patterns(list.len()));
                    step(&name, Verdict::Closes, words)
                }
            }
        };
        request.paths.iter().map(judged).collect()
    }

    fn fallback(&self, request: &Request<'_>) -> Step {
        let class = request.class.name();
        let name = format!("defaults.{class}");
        let decided = self.decide(request);
        if decided.rule() != name {
            let words = format!("is not asked: {} has decided", decided.rule());
            return step(&name, Verdict::Absent, words);
        }
        let fallback = self.globals.default_for(request.class);
        let place = match fallback.line {
            0 => "since the document does not say".to_owned(),
            line => format!("line {line}"),
        };
        let kind = match request.class {
            Class::Read => "reads",
            Class::Write => "writes",
        };
        if fallback.allow {
            step(&name, Verdict::Allows, format!("{kind} that no rule names are allowed ({place})"))
        } else {
            step(&name, Verdict::Denies, format!("{kind} that no rule names are denied ({place})"))
        }
    }
}

fn rule(key: &str, list: &str) -> String {
    format!("repositories.{key}{list}")
}

fn step(rule: &str, verdict: Verdict, words: String) -> Step {
    Step { rule: rule.to_owned(), verdict, words }
}

fn deny_list(name: &str, lists: &Lists, tool: &str) -> Step {
    match denied(lists, tool) {
        Some(line) => step(name, Verdict::Denies, format!("names `{tool}`, or every tool (line {line})")),
        None if lists.deny.is_empty() => step(name, Verdict::Absent, "there is no such list".to_owned()),
        None => {
            step(name, Verdict::Passes, format!("`{tool}` is not among its {}", entries(lists.deny.len())))
        }
    }
}

fn allow_list(name: &str, lists: &Lists, tool: &str) -> Step {
    match asked(lists, tool) {
        Asked::Open => step(name, Verdict::Absent, "there is no such list".to_owned()),
        Asked::Named(line) => step(name, Verdict::Allows, format!("names `{tool}` (line {line})")),
        Asked::Closed(line) => {
            let words = format!("begins on line {line} and does not name `{tool}`");
            step(name, Verdict::Closes, words)
        }
    }
}

/// The paths of a request, or nothing once where it names none.
fn paths_of<'r>(request: &'r Request<'_>) -> Vec<Option<&'r str>> {
    if request.paths.is_empty() { vec![None] } else { request.paths.iter().map(|path| Some(*path)).collect() }
}

fn path_denial(entry: &Loaded, path: Option<&str>) -> Step {
    let name = rule(&entry.key, ".paths.deny");
    let list = &entry.rules.paths.deny;
    if list.is_empty() {
        return step(&name, Verdict::Absent, "there is no such list".to_owned());
    }
    let Some(path) = path else {
        return step(&name, Verdict::Passes, "the call names no path".to_owned());
    };
    match entry.denying_pattern(path) {
        Some(line) => {
            let words = format!("{} is covered by {} (line {})", quoted(path), quoted(&line.0), line.1);
            step(&name, Verdict::Denies, words)
        }
        None => {
            let words = format!("{} is covered by none of its {}", quoted(path), patterns(list.len()));
            step(&name, Verdict::Passes, words)
        }
    }
}

fn entries(count: usize) -> String {
    if count == 1 { "one entry".to_owned() } else { format!("{count} entries") }
}

fn patterns(count: usize) -> String {
    if count == 1 { "one pattern".to_owned() } else { format!("{count} patterns") }
}
