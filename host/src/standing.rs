//! What is known of Gitea since the start, and what follows from it: whether this server is ready, and whether people's
//! sign-ins and calls are held back.
//!
//! It is about the first time that Gitea is seen. Once it was seen and is good, a Gitea that goes away again is the
//! breaker's business ([`crate::way`]): calls fail and say why, and the server stays ready to say so.

use std::sync::{Mutex, PoisonError};

/// What is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nobody looks (`STARTUP_VALIDATE_GITEA=false`).
    Unasked,
    /// It could not be asked yet.
    Away,
    /// It is older than `MIN_GITEA_VERSION`, and people sign in through it.
    TooOld,
    /// Nobody could sign in through it.
    Unfit,
    /// It is older than `MIN_GITEA_VERSION`, and only keys are used.
    Old,
    /// Nothing is wrong with it.
    Good,
}

/// Why sign-ins and the calls of people who signed in are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Held {
    /// Not seen yet.
    #[error("Gitea has not answered since this server started; it is asked again every few seconds")]
    NotSeen,
    /// Too old.
    #[error("Gitea is older than MIN_GITEA_VERSION; the operator has to update it")]
    TooOld,
    /// Sign-in cannot work.
    #[error("Gitea is not set up for this server; the operator finds in the log what is wrong")]
    Unfit,
}

/// What is known, for everybody who wants to know.
pub(crate) struct Standing {
    known: Mutex<Known>,
    /// Whether people sign in. With keys nothing is held back: the operator's own token is used as it always was.
    holds: bool,
}

impl Standing {
    /// Nothing is known yet: `looks` says whether somebody will find out.
    pub(crate) fn new(looks: bool, people_sign_in: bool) -> Self {
        let known = if looks { Known::Away } else { Known::Unasked };
        Self { known: Mutex::new(known), holds: people_sign_in }
    }

    /// What is known now.
    pub(crate) fn known(&self) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is this from now on.
    pub(crate) fn is(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Why sign-ins and calls are held back, if they are.
    pub(crate) fn held(&self) -> Option<Held> {
        match self.known() {
            _ if !self.holds => None,
            Known::Away => Some(Held::NotSeen),
            Known::TooOld => Some(Held::TooOld),
            Known::Unfit => Some(Held::Unfit),
            Known::Unasked | Known::Old | Known::Good => None,
        }
    }

    /// Why this server is not ready, if it is not, as `/ready` names it.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        match self.known() {
            Known::Away => Some("gitea_unreachable"),
            Known::TooOld => Some("gitea_too_old"),
            Known::Unfit => Some("gitea_unfit"),
            Known::Unasked | Known::Old | Known::Good => None,
        }
    }

    /// What the operator should know although it is ready, as `/ready` names it.
    pub(crate) fn warning(&self) -> Option<&'static str> {
        (self.known() == Known::Old).then_some("gitea_too_old")
    }
}

#[cfg(test)]
mod tests {
    use super::{Held, Known, Standing};

    #[test]
    fn people_are_held_back_until_gitea_is_known_to_be_good() {
        let standing = Standing::new(true, true);
        assert_eq!((standing.held(), standing.reason()), (Some(Held::NotSeen), Some("gitea_unreachable")));
        for (known, held, reason) in [
            (Known::TooOld, Some(Held::TooOld), Some("gitea_too_old")),
            (Known::Unfit, Some(Held::Unfit), Some("gitea_unfit")),
            (Known::Good, None, None),
        ] {
            standing.is(known);
            assert_eq!((standing.held(), standing.reason(), standing.warning()), (held, reason, None));
        }
    }

    #[test]
    fn keys_are_never_held_back_and_nothing_is_where_nobody_looks() {
        let standing = Standing::new(true, false);
        assert_eq!((standing.held(), standing.reason()), (None, Some("gitea_unreachable")));
        standing.is(Known::Old);
        assert_eq!((standing.held(), standing.reason()), (None, None));
        assert_eq!(standing.warning(), Some("gitea_too_old"));
        let unasked = Standing::new(false, true);
        assert_eq!((unasked.held(), unasked.reason(), unasked.warning()), (None, None, None));
    }
}
