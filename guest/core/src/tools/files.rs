//! Files: which there are at a commit, and what one of them holds.

mod contents;
pub(super) mod link;
mod tree;

#[cfg(test)]
mod tests;

use super::kit::Entry;

pub(super) const TOOLS: &[&dyn Entry] = &[tree::GET_FILE_TREE, contents::GET_FILE_CONTENTS];
