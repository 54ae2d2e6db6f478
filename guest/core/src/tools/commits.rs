//! Commits: the log, what one of them changed, what lies between two, and how checks went.

use super::kit::Entry;

pub(super) const TOOLS: &[&dyn Entry] = &[];
