//! Branches and tags.

use super::kit::Entry;

pub(super) const TOOLS: &[&dyn Entry] = &[];
