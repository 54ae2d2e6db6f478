//! Whatever looks through the files of a commit: which it wants, and what it makes of each.

use crate::settings::Search;

/// Whether there is reason to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) enum Next {
    GoOn,
    Enough,
}

/// One look through a commit.
pub(in crate::tools) trait Look {
    /// What may be read of the archive.
    fn bounds(&self) -> Search;
    /// Begin again in another way, in what is left of the time.
    fn again(&mut self);
    /// Whether a file of so many bytes is to be read. What the policy does not show is not.
    fn wants(&mut self, path: &str, bytes: u64) -> bool;
    /// A file that is wanted.
    fn file(&mut self, path: &str, content: &[u8]) -> Next;
    /// A file was named, and its content cannot be had.
    fn missing(&mut self);
    /// There is a file, and nobody can say for sure what it is called, and so what the policy thinks of it.
    fn unnamed(&mut self);
    /// Whether there is time left.
    fn time(&mut self) -> Next;
    /// Not everything was read, and why.
    fn stop(&mut self, why: String);
}
