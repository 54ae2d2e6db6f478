//! Files: which there are at a commit, and what one of them holds.

mod contents;
mod link;
mod tree;

#[cfg(test)]
mod tests;

pub(super) use contents::GET_FILE_CONTENTS;
pub(super) use tree::GET_FILE_TREE;
