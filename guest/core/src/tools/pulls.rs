//! Pull requests: list, read, open, comment. Merging does not exist.

use super::kit::Entry;

pub(super) const TOOLS: &[&dyn Entry] = &[];
