//! The keys of a policy document, once: what the parser names in its messages and what the schema for editors says.

use crate::yaml::Entry;

/// A key and what it holds, for whoever writes a policy.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
}

/// A mapping: where it stands, in words, and its keys.
pub(crate) struct Mapping {
    pub(crate) stands: &'static str,
    pub(crate) keys: &'static [Key],
}

/// The document itself.
pub(crate) const TOP: Mapping = Mapping {
    stands: "at the top",
    keys: &[
        Key { name: "defaults", doc: "What holds for a tool that no rule names." },
        Key {
            name: "tools",
            doc: "Rules for every repository, and for tools that touch none. Any deny wins; an allow list closes \
                  every tool that it does not name.",
        },
        Key {
            name: "repositories",
            doc: "Rules for single repositories (`owner/repo`) or for all of one owner's (`owner/*`), in any \
                  letter case.",
        },
    ],
};

/// Under `defaults`.
pub(crate) const DEFAULTS: Mapping = Mapping {
    stands: "under `defaults`",
    keys: &[
        Key { name: "read", doc: "For tools that change nothing in Gitea. Left out: allow." },
        Key { name: "write", doc: "For tools that change something in Gitea. Left out: deny." },
    ],
};

/// Under a repository.
pub(crate) const ENTRY: Mapping = Mapping {
    stands: "under a repository",
    keys: &[
        Key { name: "tools", doc: "Rules for tools on this repository." },
        Key {
            name: "paths",
            doc: "Rules for paths inside this repository. They open no tool; they limit what allowed tools touch \
                  and what listings show.",
        },
    ],
};

/// Under `tools`.
pub(crate) const TOOLS: Mapping = Mapping {
    stands: "under `tools`",
    keys: &[
        Key {
            name: "allow",
            doc: "Tools that are allowed, whatever the defaults say. Every tool that is not named here is closed.",
        },
        Key {
            name: "deny",
            doc: "Tools that are denied, whatever is allowed elsewhere. \"*\" stands for every tool.",
        },
    ],
};

/// Under `paths`.
pub(crate) const PATHS: Mapping = Mapping {
    stands: "under `paths`",
    keys: &[
        Key {
            name: "allow",
            doc: "Patterns of the paths that are open; every other path is closed. Letter case counts.",
        },
        Key {
            name: "deny",
            doc: "Patterns of paths that are closed, with everything beneath. Letter case makes no difference.",
        },
    ],
};

const ALL: [&Mapping; 5] = [&TOP, &DEFAULTS, &ENTRY, &TOOLS, &PATHS];

impl Mapping {
    /// The keys, for a message.
    pub(crate) fn allowed(&self) -> String {
        self.names().collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }

    /// What was probably meant by a key that has no meaning here: a key of this mapping, or a key of another place.
    pub(crate) fn meant(&self, entry: &Entry) -> String {
        let near = crate::near::hint(&entry.key, self.names());
        if !near.is_empty() {
            return near;
        }
        let elsewhere = ALL.iter().filter(|other| other.names().any(|name| name == entry.key));
        let places: Vec<&str> = elsewhere.map(|other| other.stands).collect();
        if places.is_empty() { String::new() } else { format!(" (it belongs {})", places.join(" or ")) }
    }
}
