//! The canary switch: a secret and a hostile character in every free-text string that leaves the sample Gitea.
//! Never in identifiers, refs, enums, URLs, times or logins, so that every call works as without it.

/// A string shaped like a GitHub token. No output of the product may hold it.
pub const CANARY: &str = concat!("gh", "p_", "C4naryC4naryC4naryC4naryC4naryC4nary");
/// A string shaped like one of the product's own access tokens. No output may hold it either.
pub const CANARY_TOKEN: &str = concat!(
    "aegis",
    "_at_",
    "C4naryC4naryC4naryC4naryC4nary",
    "C4naryC4naryC4naryC4naryC4naryC4naryC4naryC4nary"
);
/// RIGHT-TO-LEFT OVERRIDE: shows text in another order than a machine reads it.
pub const BIDI: char = '\u{202E}';

/// Whether strings are seeded.
#[derive(Debug, Clone, Copy)]
pub struct Seeding(pub bool);

impl Seeding {
    /// A title, body, description, message or person's name as it is sent.
    #[must_use]
    pub fn text(self, text: &str) -> String {
        if self.0 { format!("{text} {CANARY} {CANARY_TOKEN} {BIDI}seeded") } else { text.to_owned() }
    }

    /// A file's name as it is sent. Seeded in front, so that its extension stays.
    #[must_use]
    pub fn name(self, name: &str) -> String {
        if self.0 { format!("{}{name}", Self::mark()) } else { name.to_owned() }
    }

    /// A file's path as it is sent: the last segment is seeded, directories keep their names.
    #[must_use]
    pub fn path(self, path: &str) -> String {
        match path.rsplit_once('/') {
            Some((directory, name)) => format!("{directory}/{}", self.name(name)),
            None => self.name(path),
        }
    }

    /// The stored path behind one that a client sent, seeded or not.
    #[must_use]
    pub fn plain(self, path: &str) -> String {
        if self.0 { path.replace(&Self::mark(), "") } else { path.to_owned() }
    }

    /// Whether a client that sent `asked` means the stored `text`.
    #[must_use]
    pub fn same(self, text: &str, asked: &str) -> bool {
        text == asked || self.text(text) == asked
    }

    /// A text file's content as it is stored: the seed becomes part of the blob, so size and sha agree with it.
    #[must_use]
    pub fn file(self, content: &str) -> String {
        if self.0 && !content.is_empty() {
            format!("{content}# {CANARY} {CANARY_TOKEN} {BIDI}seeded\n")
        } else {
            content.to_owned()
        }
    }

    fn mark() -> String {
        format!("{CANARY}.{CANARY_TOKEN}.{BIDI}")
    }
}
