//! The deciding. Order of thought, each step final:
//!
//! 1. a request that cannot be judged is denied;
//! 2. every deny list that applies is asked, and any match denies;
//! 3. every allow list in force closes what it does not name;
//! 4. an allow list that names the tool allows it;
//! 5. the default for the tool's class decides.
//!
//! Nothing here reads YAML, and nothing here allows because something is missing.

mod looked;

pub use looked::{Step, Verdict};

use crate::corrupt::Corrupt;
use crate::decision::{Class, Decision, Effect, Reason, Request};
use crate::document::EVERY_TOOL;
use crate::pattern::{self, AllowPattern, DenyPattern};
use crate::prepared::{self, GLOBALS_KEY, Globals, Line, Lists, Repository, entry_keys};
use crate::problem::quoted;
use crate::{LISTING_TOOL, PATH_TOOLS, names, path};

/// Most reasons that a deny lists. More paths than this may be refused; the first say enough.
const REASONS: usize = 16;

/// The rules that apply to one target: the global ones, and those of one repository if there is one.
#[derive(Clone, Debug)]
pub struct Rules {
    globals: Globals,
    target: Option<(String, String)>,
    /// Matching entries, the most specific first.
    entries: Vec<Loaded>,
}

/// One entry of `repositories` with its patterns ready for matching.
#[derive(Clone, Debug)]
struct Loaded {
    key: String,
    rules: Repository,
    allow: Vec<AllowPattern>,
    deny: Vec<DenyPattern>,
}

impl Rules {
    /// Load what applies to `target`, a repository's owner and name, from prepared entries. `get` answers the
    /// entry of a key as [`crate::Document::prepare`] made it, or none if the document has no such key.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] where the global entry is missing or an entry cannot be read. The caller must then deny.
    pub fn from_prepared(
        mut get: impl FnMut(&str) -> Option<Vec<u8>>,
        target: Option<(&str, &str)>,
    ) -> Result<Rules, Corrupt> {
        let globals = get(GLOBALS_KEY).ok_or_else(|| Corrupt::new(GLOBALS_KEY, "it is missing"))?;
        let globals = prepared::read(GLOBALS_KEY, &globals)?;
        let mut entries = Vec::new();
        if let Some((owner, repo)) = target {
            for key in entry_keys(owner, repo).into_iter().rev() {
                if let Some(bytes) = get(&key) {
                    entries.push(Loaded::new(key, &bytes)?);
                }
            }
        }
        let target = target.map(|(owner, repo)| (owner.to_ascii_lowercase(), repo.to_ascii_lowercase()));
        Ok(Rules { globals, target, entries })
    }

    /// Decide one tool call. The request must name the repository that these rules were loaded for.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        if let Some(reason) = self.unfit(request) {
            return Decision { effect: Effect::Deny, reasons: vec![reason] };
        }
        let mut reasons = self.denials(request);
        reasons.extend(self.closures(request));
        if !reasons.is_empty() {
            reasons.truncate(REASONS);
            return Decision { effect: Effect::Deny, reasons };
        }
        if let Some(reason) = self.explicit_allow(request) {
            return Decision { effect: Effect::Allow, reasons: vec![reason] };
        }
        self.by_default(request)
    }

    /// Whether the policy can allow the tool for any target at all. False means that every call of it is denied, whatever
    /// it touches; true promises nothing about any one call. Asks the global rules alone, so any target's will do.
    pub fn possible(&self, tool: &str, class: Class) -> bool {
        if denied(&self.globals.tools, tool).is_some() {
            return false;
        }
        match asked(&self.globals.tools, tool) {
            Named(_) => true,
            Closed(_) => false,
            Open => {
                self.globals.default_for(class).effect() == Effect::Allow
                    || self.globals.opened.iter().any(|opened| opened == tool)
            }
        }
    }

    /// Whether the path rules let a listing, diff or search result show `path`. A directory is shown too where
    /// only something beneath it may be allowed. Says nothing about the tool: ask [`Rules::decide`] first.
    pub fn path_visible(&self, path: &str, is_dir: bool) -> bool {
        path::check(path).is_ok()
            && !self.entries.iter().any(|entry| entry.deny.iter().any(|pattern| pattern.covers(path, is_dir)))
            && self.path_allowlist().is_none_or(|entry| {
                entry.allow.iter().any(|p| p.matches(path) || (is_dir && p.could_match_beneath(path)))
            })
    }

    /// Whether there are path rules for this target at all; if not, [`Rules::path_visible`] refuses only
    /// paths that are not clean.
    pub fn has_path_rules(&self) -> bool {
        self.entries.iter().any(|entry| !entry.allow.is_empty() || !entry.deny.is_empty())
    }

    /// Whether a listing of repositories may show the repository that these rules were loaded for: where
    /// [`LISTING_TOOL`] on it is allowed.
    pub fn repository_visible(&self) -> bool {
        let Some((owner, repo)) = &self.target else { return false };
        let request = Request {
            tool: LISTING_TOOL,
            class: Class::Read,
            repository: Some((owner.as_str(), repo.as_str())),
            paths: &[],
        };
        self.decide(&request).allowed()
    }

    /// Whether a listing may name the owner whose entry was loaded: not where `owner/*` hides every repository of theirs,
    /// whatever another entry says.
    pub fn owner_visible(&self) -> bool {
        let every = |entry: &&Loaded| entry.key.ends_with("/*");
        let mut entries = self.entries.iter().filter(every);
        self.target.is_some() && !entries.any(|entry| denied(&entry.rules.tools, LISTING_TOOL).is_some())
    }

    /// Why the request cannot be judged, if so.
    fn unfit(&self, request: &Request<'_>) -> Option<Reason> {
        let deny = |part: &str, message: String| Some(Reason { rule: format!("request.{part}"), message });
        if !names::is_tool(request.tool) {
            return deny("tool", format!("{} is not a tool name.", quoted(request.tool)));
        }
        if let Some((owner, repo)) = request.repository
            && !(names::is_owner_or_repository(owner) && names::is_owner_or_repository(repo))
        {
            return deny("repository", format!("{} is not owner/repo.", quoted(&format!("{owner}/{repo}"))));
        }
        if !self.loaded_for(request.repository) {
            return deny(
                "repository",
                "the policy was loaded for another target than the request's.".to_owned(),
            );
        }
        if request.repository.is_none() && !request.paths.is_empty() {
            return deny("paths", "a path without a repository cannot be judged.".to_owned());
        }
        if PATH_TOOLS.contains(&request.tool) && request.paths.is_empty() {
            return deny("paths", format!("`{}` needs a path to be judged by.", request.tool));
        }
        request.paths.iter().find_map(|path| {
            let wrong = path::check(path).err()?;
            deny("paths", format!("the path {} {wrong}.", quoted(path)))
        })
    }

    fn loaded_for(&self, repository: Option<(&str, &str)>) -> bool {
        match (&self.target, repository) {
            (None, None) => true,
            (Some((owner, repo)), Some(asked)) => {
                owner.eq_ignore_ascii_case(asked.0) && repo.eq_ignore_ascii_case(asked.1)
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// What deny lists say. All entries that match the repository are asked.
    fn denials(&self, request: &Request<'_>) -> Vec<Reason> {
        let tool = request.tool;
        let mut reasons = Vec::new();
        if let Some(line) = denied(&self.globals.tools, tool) {
            let message = format!(
                "`{tool}` is denied everywhere by line {line} of the policy; to allow it, change that line."
            );
            reasons.push(Reason { rule: "tools.deny".to_owned(), message });
        }
        for entry in &self.entries {
            if let Some(line) = denied(&entry.rules.tools, tool) {
                let message = format!(
                    "`{tool}` is denied on {} by line {line} of the policy; to allow it there, change that line.",
                    entry.key
                );
                reasons.push(entry.reason("tools.deny", message));
            }
        }
        for (path, entry) in request.paths.iter().flat_map(|path| self.entries.iter().map(move |e| (path, e)))
        {
            if let Some(Line(pattern, line, _)) = entry.denying_pattern(path) {
                let message = format!(
                    "the path {} is denied on {} by {} on line {line} of the policy; to allow it, change that \
                     line.",
                    quoted(path),
                    entry.key,
                    quoted(pattern)
                );
                reasons.push(entry.reason("paths.deny", message));
            }
        }
        reasons
    }

    /// What allow lists close: everything that they do not name.
    fn closures(&self, request: &Request<'_>) -> Vec<Reason> {
        let tool = request.tool;
        let mut reasons = Vec::new();
        if let Closed(line) = asked(&self.globals.tools, tool) {
            let message = format!(
                "`tools.allow` (line {line} of the policy) closes every tool that it does not name; to allow \
                 `{tool}`, name it there."
            );
            reasons.push(Reason { rule: "tools.allow".to_owned(), message });
        }
        if let Some(entry) = self.tool_allowlist()
            && let Closed(line) = asked(&entry.rules.tools, tool)
        {
            let message = format!(
                "on {} the list on line {line} of the policy closes every tool that it does not name; to allow \
                 `{tool}` there, name it in that list.",
                entry.key
            );
            reasons.push(entry.reason("tools.allow", message));
        }
        if let Some(entry) = self.path_allowlist() {
            for path in request.paths.iter().filter(|path| !entry.allow.iter().any(|p| p.matches(path))) {
                let message = format!(
                    "the path {} matches nothing in the list on line {} of the policy, which closes every other \
                     path on {}; to allow it, add a pattern that matches it.",
                    quoted(path),
                    first_line(&entry.rules.paths.allow),
                    entry.key
                );
                reasons.push(entry.reason("paths.allow", message));
            }
        }
        reasons
    }

    /// The allow list that names the tool, the most specific first. Path lists narrow; they open nothing.
    fn explicit_allow(&self, request: &Request<'_>) -> Option<Reason> {
        let message = |line| format!("`{}` is allowed by line {line} of the policy.", request.tool);
        if let Some(entry) = self.tool_allowlist()
            && let Named(line) = asked(&entry.rules.tools, request.tool)
        {
            return Some(entry.reason("tools.allow", message(line)));
        }
        match asked(&self.globals.tools, request.tool) {
            Named(line) => Some(Reason { rule: "tools.allow".to_owned(), message: message(line) }),
            Closed(_) | Open => None,
        }
    }

    fn by_default(&self, request: &Request<'_>) -> Decision {
        let class = request.class.name();
        let fallback = self.globals.default_for(request.class);
        let source = match fallback.line {
            0 => "by default".to_owned(),
            line => format!("line {line} of the policy"),
        };
        let effect = fallback.effect();
        let message = match (effect, &self.target) {
            (Effect::Allow, _) => {
                format!("no rule names `{}`, and a {class} is allowed ({source}).", request.tool)
            }
            (Effect::Deny, Some((owner, repo))) => format!(
                "no rule names `{}`, and a {class} is denied ({source}); to allow it, name it in \
                 `repositories.{owner}/{repo}.tools.allow` beside every other tool wanted there.",
                request.tool
            ),
            (Effect::Deny, None) => format!(
                "no rule names `{}`, and a {class} is denied ({source}); to allow it, name it in `tools.allow` \
                 beside every other tool wanted.",
                request.tool
            ),
        };
        Decision { effect, reasons: vec![Reason { rule: format!("defaults.{class}"), message }] }
    }

    /// The entry whose `tools.allow` is in force: the most specific that has one.
    fn tool_allowlist(&self) -> Option<&Loaded> {
        self.entries.iter().find(|entry| !entry.rules.tools.allow.is_empty())
    }

    /// The entry whose `paths.allow` is in force: the most specific that has one.
    fn path_allowlist(&self) -> Option<&Loaded> {
        self.entries.iter().find(|entry| !entry.allow.is_empty())
    }
}

impl Loaded {
    fn new(key: String, bytes: &[u8]) -> Result<Self, Corrupt> {
        let rules: Repository = prepared::read(&key, bytes)?;
        for Line(pattern, _, _) in rules.paths.allow.iter().chain(&rules.paths.deny) {
            pattern::check(pattern)
                .map_err(|wrong| Corrupt::new(&key, format!("{} {wrong}", quoted(pattern))))?;
        }
        let allow = rules.paths.allow.iter().map(|Line(pattern, _, _)| AllowPattern::new(pattern)).collect();
        let deny = rules.paths.deny.iter().map(|Line(pattern, _, _)| DenyPattern::new(pattern)).collect();
        Ok(Self { key, rules, allow, deny })
    }

    fn reason(&self, list: &str, message: String) -> Reason {
        Reason { rule: format!("repositories.{}.{list}", self.key), message }
    }

    fn denying_pattern(&self, path: &str) -> Option<&Line> {
        let mut patterns = self.deny.iter().zip(&self.rules.paths.deny);
        patterns.find(|(pattern, _)| pattern.covers(path, false)).map(|(_, line)| line)
    }
}

/// What an allow list says about a tool.
enum Asked {
    /// There is no list.
    Open,
    /// It names the tool, on this line.
    Named(u32),
    /// It does not name the tool; it begins on this line.
    Closed(u32),
}
use Asked::{Closed, Named, Open};

fn asked(lists: &Lists, tool: &str) -> Asked {
    if lists.allow.is_empty() {
        return Open;
    }
    let named = lists.allow.iter().find(|Line(name, _, _)| name == tool);
    named.map_or_else(|| Closed(first_line(&lists.allow)), |Line(_, line, _)| Named(*line))
}

/// The line that denies a tool, if one does.
fn denied(lists: &Lists, tool: &str) -> Option<u32> {
    let mut lines = lists.deny.iter();
    lines.find(|Line(name, _, _)| name == tool || name == EVERY_TOOL).map(|Line(_, line, _)| *line)
}

fn first_line(list: &[Line]) -> u32 {
    list.first().map_or(0, |Line(_, line, _)| *line)
}
