//! Labels of repositories and of organisations.

use super::kit::Entry;

pub(super) const TOOLS: &[&dyn Entry] = &[];
