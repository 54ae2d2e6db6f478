//! The settings of one client on this machine: as they are, but nobody signs in, nobody needs a key, and there is no
//! address to listen on.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::settings::Environment;

/// What is so, whatever the settings say.
const FIXED: [(&str, &str); 4] = [
    ("OAUTH_MODE", "false"),
    ("AUTH_ENABLED", "false"),
    ("MCP_HOST", "127.0.0.1"),
    // No list changes while one client is served, so there is nothing to keep a stream for.
    ("MAX_STREAMS", "0"),
];

/// An environment with that.
pub(super) struct Alone<'a>(pub(super) &'a dyn Environment);

impl Environment for Alone<'_> {
    fn variable(&self, name: &str) -> Option<OsString> {
        match FIXED.iter().find(|(fixed, _)| *fixed == name) {
            Some((_, value)) => Some(OsString::from(value)),
            None => self.0.variable(name),
        }
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.file(path)
    }
}
