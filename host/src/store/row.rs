//! What the registry file holds: rows of bytes in named tables. Their meaning belongs to whoever wrote them.

use std::fmt;

/// A table of the registry. The names are part of the file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    /// Token families.
    Families,
    /// Gitea grants, encrypted by their owner.
    Grants,
    /// Remembered approvals.
    Approvals,
    /// Registered clients.
    Clients,
    /// People who signed in.
    Users,
    /// Whatever is there once.
    Meta,
}

impl Table {
    /// Every table.
    pub(crate) const ALL: [Self; 6] =
        [Self::Families, Self::Grants, Self::Approvals, Self::Clients, Self::Users, Self::Meta];

    /// The name in the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Families => "families",
            Self::Grants => "grants",
            Self::Approvals => "approvals",
            Self::Clients => "clients",
            Self::Users => "users",
            Self::Meta => "meta",
        }
    }
}

/// One row to be written, or removed where there is no value.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) table: Table,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

/// One row as it is stored.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) table: Table,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.as_ref().map(Vec::len);
        write!(f, "Change({}, key of {} bytes, value of {value:?} bytes)", self.table.name(), self.key.len())
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, value) = (self.key.len(), self.value.len());
        write!(f, "Row({}, key of {key} bytes, value of {value} bytes)", self.table.name())
    }
}
