//! What becomes of text by people without write access.

use super::Lockdown;

/// `LOCKDOWN`: what becomes, in public repositories, of text by people without write access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutsideText {
    /// It is shown like any other.
    Shown,
    /// It is shown with a mark beside it.
    Marked,
    /// It is withheld until it is asked for.
    Hidden,
}

impl From<Lockdown> for OutsideText {
    fn from(word: Lockdown) -> Self {
        match word {
            Lockdown::Off => Self::Shown,
            Lockdown::Mark => Self::Marked,
            Lockdown::Hide => Self::Hidden,
        }
    }
}
