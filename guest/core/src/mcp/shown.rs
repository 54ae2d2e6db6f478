//! What a client is shown: the tools that settings, its headers, write mode and the policy leave, and the resources and
//! prompts that work with them.
//!
//! A list promises nothing: every call is decided on its own. A scope that is missing hides nothing, since a client asks
//! for more scopes only when a call is refused for want of one.

use serde_json::{Map, Value};

use super::call::{self, CallError, Session, withheld};
use super::era::Era;
use super::methods::list;
use super::views::Failed;
use crate::access::{self, Reach};
use crate::audit;
use crate::prompts::Prompt;
use crate::reply::Screen;
use crate::resources::{Address, Resource};
use crate::tools::kit::Entry;

/// What one caller is shown in one request.
pub(super) struct Shown<'a> {
    session: &'a Session<'a>,
    reach: Reach,
}

impl<'a> Shown<'a> {
    /// # Errors
    /// The policy cannot be read: nothing is shown, and a call would be refused by the same name.
    pub(super) fn of(session: &'a Session<'a>) -> Result<Self, Failed> {
        let reach = access::reach(session.ports.settings, session.config).map_err(|refused| {
            session.ports.audit.note(&audit::denied(refused.reason(), None, None, &refused.detail()));
            let error = CallError::refused(&refused, &Screen::new(session.config));
            Failed::Call { error: Box::new(error), correlation_id: session.request_id.to_owned() }
        })?;
        Ok(Self { session, reach })
    }

    fn tools(&self) -> impl Iterator<Item = &'static dyn Entry> {
        self.session.offer.tools.tools().filter(|tool| {
            call::left_out(self.session, *tool).is_none() && self.reach.includes(tool.name(), tool.class())
        })
    }

    /// Whether every one of these tools is shown.
    fn all(&self, needed: &[&str]) -> bool {
        needed.iter().all(|needed| self.tools().any(|tool| tool.name() == *needed))
    }

    fn resources(&self) -> impl Iterator<Item = &'static dyn Resource> {
        let every = self.session.offer.resources.iter().copied();
        every.filter(|resource| self.all(resource.tools()))
    }

    pub(super) fn prompts(&self) -> impl Iterator<Item = &'static dyn Prompt> {
        self.session.offer.prompts.iter().copied().filter(|prompt| self.all(prompt.tools()))
    }
}

/// `tools/list`: one page, in the catalogue's order.
pub(super) fn tools_list(
    session: &Session<'_>,
    era: Era,
    params: &Map<String, Value>,
) -> Result<Map<String, Value>, Failed> {
    let tools = Shown::of(session)?.tools().map(|tool| withheld::definition(session.config, tool)).collect();
    Ok(list(era, params, "tools", tools)?)
}

/// `resources/list`: those with one address.
pub(super) fn resources_list(
    session: &Session<'_>,
    era: Era,
    params: &Map<String, Value>,
) -> Result<Map<String, Value>, Failed> {
    let one = |resource: &&dyn Resource| matches!(resource.address(), Address::One(_));
    let resources = Shown::of(session)?.resources().filter(one).map(|one| one.definition()).collect();
    Ok(list(era, params, "resources", resources)?)
}

/// `resources/templates/list`: those with many.
pub(super) fn templates_list(
    session: &Session<'_>,
    era: Era,
    params: &Map<String, Value>,
) -> Result<Map<String, Value>, Failed> {
    let many = |resource: &&dyn Resource| matches!(resource.address(), Address::Many(_));
    let templates = Shown::of(session)?.resources().filter(many).map(|one| one.definition()).collect();
    Ok(list(era, params, "resourceTemplates", templates)?)
}

/// `prompts/list`.
pub(super) fn prompts_list(
    session: &Session<'_>,
    era: Era,
    params: &Map<String, Value>,
) -> Result<Map<String, Value>, Failed> {
    let prompts = Shown::of(session)?.prompts().map(|prompt| prompt.definition()).collect();
    Ok(list(era, params, "prompts", prompts)?)
}

#[cfg(test)]
mod tests;
