//! Which tools there are for one request: what the operator's settings leave of the catalogue, and what the client wants
//! of that.
//!
//! A client says by headers what it wants, and headers can only take away. Policy, write mode and scopes are not looked
//! at: `access` decides on them, for each call.

#[cfg(test)]
mod tests;

use http::HeaderMap;

use crate::ports::Class;
use crate::settings::{Invalid, Tools};
use crate::tools::Catalogue;
use crate::tools::kit::Entry;

/// The header by which a client gives up everything that writes: `true` or `false`, also `1` or `0`.
pub const READONLY: &str = "X-MCP-Readonly";
/// The header that lists the sets a client wants.
pub const TOOLSETS: &str = "X-MCP-Toolsets";
/// The header that lists single tools a client wants, besides those of the sets.
pub const TOOLS: &str = "X-MCP-Tools";

/// The word that stands for every set.
const ALL: &str = "all";
/// Most bytes of one of the headers.
const HEADER_BYTES: usize = 2_048;

/// What the client of one request wants. By default everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    readonly: bool,
    /// In lower case; none where the client does not choose by sets.
    sets: Option<Vec<String>>,
    /// In lower case; none where the client does not choose by tools.
    tools: Option<Vec<String>>,
}

/// Why a tool is not there for this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Its set is not in `TOOLSETS`.
    BySets,
    /// It is in `TOOLS_DENY`.
    ByDenial,
    /// It writes, and the client said that it only reads.
    ByReadonly,
    /// The client listed what it wants, by the headers of this name, and this tool is not among it.
    ByWish(&'static str),
}

/// A header that cannot be understood. It is not ignored: whoever sent it relies on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The header's name.
    pub header: &'static str,
    /// What is wrong with it, and what would be right, after "The header X".
    pub why: &'static str,
}

impl Selection {
    /// What the headers of a request say. One that is empty counts as absent.
    ///
    /// # Errors
    /// One of them is sent twice, is too long, holds more than visible ASCII, or is no answer to its question.
    pub fn of(headers: &HeaderMap) -> Result<Self, Unreadable> {
        let readonly = match value(headers, READONLY)?.map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(_) => return Err(Unreadable { header: READONLY, why: "has to be true or false" }),
        };
        Ok(Self { readonly, sets: names(headers, TOOLSETS)?, tools: names(headers, TOOLS)? })
    }

    /// Why this tool is not there; none where it is.
    #[must_use]
    pub fn left_out(&self, settings: &Tools, catalogue: &Catalogue, tool: &dyn Entry) -> Option<LeftOut> {
        let set = catalogue.toolset_of(tool.name()).map_or("", |set| set.name);
        if !settings.sets.is_empty() && !lists_set(&settings.sets, set) {
            return Some(LeftOut::BySets);
        }
        if lists(&settings.denied, tool.name()) {
            return Some(LeftOut::ByDenial);
        }
        if self.readonly && tool.class() == Class::Write {
            return Some(LeftOut::ByReadonly);
        }
        let (headers, wanted) = match (&self.sets, &self.tools) {
            (None, None) => return None,
            (Some(sets), None) => (TOOLSETS, lists_set(sets, set)),
            (None, Some(tools)) => (TOOLS, lists(tools, tool.name())),
            (Some(sets), Some(tools)) => {
                ("X-MCP-Toolsets and X-MCP-Tools", lists_set(sets, set) || lists(tools, tool.name()))
            }
        };
        if wanted { None } else { Some(LeftOut::ByWish(headers)) }
    }
}

impl LeftOut {
    /// The one name of this refusal: its message and detail tell the rest.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::BySets | Self::ByDenial | Self::ByReadonly | Self::ByWish(_) => "tool_not_selected",
        }
    }

    /// What left it out and who can change that. Not yet cleaned.
    #[must_use]
    pub fn message(self, tool: &str) -> String {
        match self {
            Self::BySets => format!(
                "`{tool}` is not offered here: its set is not among TOOLSETS. The operator can add it there."
            ),
            Self::ByDenial => format!(
                "`{tool}` is not offered here: TOOLS_DENY names it. The operator can take it off that list."
            ),
            Self::ByReadonly => format!(
                "`{tool}` changes something, and this client sends the header {READONLY}. Whoever set up the client \
                 can take the header away."
            ),
            Self::ByWish(headers) => format!(
                "`{tool}` is not among what this client asks for by {headers}. Whoever set up the client can add it."
            ),
        }
    }

    /// The setting or the headers, for the record.
    #[must_use]
    pub fn detail(self) -> (String, String) {
        let (kind, name) = match self {
            Self::BySets => ("setting", "TOOLSETS"),
            Self::ByDenial => ("setting", "TOOLS_DENY"),
            Self::ByReadonly => ("header", READONLY),
            Self::ByWish(headers) => ("header", headers),
        };
        (kind.to_owned(), name.to_owned())
    }
}

/// Names in the settings that the catalogue does not have. One that is unknown would leave out what somebody wants
/// there, or leave in what somebody wants gone.
#[must_use]
pub fn unknown_names(settings: &Tools, catalogue: &Catalogue) -> Vec<Invalid> {
    let sets: Vec<&str> = catalogue.toolsets.iter().map(|set| set.name).collect();
    let tools: Vec<&str> = catalogue.tools().map(Entry::name).collect();
    let known_set = |name: &str| name.eq_ignore_ascii_case(ALL) || contains(&sets, name);
    let set_problem = first_unknown(&settings.sets, known_set).map(|place| Invalid {
        name: "TOOLSETS",
        message: format!(
            "has an entry {place} that is no set of tools; there are: {ALL}, {}",
            sets.join(", ")
        ),
    });
    let tool_problem = first_unknown(&settings.denied, |name| contains(&tools, name)).map(|place| Invalid {
        name: "TOOLS_DENY",
        message: format!("has an entry {place} that is no tool; there are: {}", tools.join(", ")),
    });
    set_problem.into_iter().chain(tool_problem).collect()
}

/// Counted from 1.
fn first_unknown(names: &[String], known: impl Fn(&str) -> bool) -> Option<usize> {
    names.iter().position(|name| !known(name)).map(|place| place.saturating_add(1))
}

fn contains(known: &[&str], name: &str) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn lists(names: &[String], name: &str) -> bool {
    names.iter().any(|listed| listed.eq_ignore_ascii_case(name))
}

fn lists_set(names: &[String], set: &str) -> bool {
    lists(names, ALL) || lists(names, set)
}

/// The names in a header; none where it is absent or empty. One that holds commas alone names nothing, and nothing is
/// what it leaves.
fn names(headers: &HeaderMap, header: &'static str) -> Result<Option<Vec<String>>, Unreadable> {
    let Some(text) = value(headers, header)? else { return Ok(None) };
    let listed = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    Ok(Some(listed.map(str::to_ascii_lowercase).collect()))
}

/// The one value of a header.
fn value<'h>(headers: &'h HeaderMap, header: &'static str) -> Result<Option<&'h str>, Unreadable> {
    let unreadable = |why| Unreadable { header, why };
    let mut values = headers.get_all(header).iter();
    let (value, None) = (values.next(), values.next()) else {
        return Err(unreadable("is sent twice; send it once, with commas"));
    };
    let Some(value) = value else { return Ok(None) };
    if value.len() > HEADER_BYTES {
        return Err(unreadable("is longer than 2048 bytes"));
    }
    let text = value.to_str().map_err(|_| unreadable("has to be plain ASCII"))?.trim();
    Ok(Some(text).filter(|text| !text.is_empty()))
}
