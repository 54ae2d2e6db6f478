//! Search in the files of a commit.

use super::kit::Entry;

pub(super) const TOOLS: &[&dyn Entry] = &[];
