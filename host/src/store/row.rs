//! The rows and their changes, as the state in `aegis_custody` makes them.

pub(crate) use aegis_custody::oauth::registry::{Change, Row, Table};
