//! Why a component is not put in force: one name each, for programs and for the log.

/// The text of [`Cause::UnderWay`].
pub(super) const UNDER_WAY: &str = "another guest is being tried at this moment: try again when that is done";
/// The text of [`Cause::NothingBefore`].
pub(super) const NOTHING_BEFORE: &str =
    "the guest in force is the one that came with the program: there is none to go back to";

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It is larger than any component that is taken.
    TooLarge,
    /// Another one is being tried.
    UnderWay,
    /// The server ends.
    Stopping,
    /// GUEST_TRUSTED_KEYS asks for a signature, and there is none.
    Unsigned,
    /// The signature is no signature of this file for this purpose.
    BadSignature,
    /// The signature is by a key that is not trusted.
    UnknownSigner,
    /// The file of GUEST_TRUSTED_KEYS cannot be used.
    NoKeys,
    /// No component, or none that can be compiled.
    NotAComponent,
    /// It imports what no guest may have.
    ForbiddenImport,
    /// It was made for other interfaces than this host has.
    OtherVersion,
    /// It answers no HTTP request.
    NoHandler,
    /// Its `preflight` failed.
    Preflight,
    /// It does not take the policy in force, or the settings.
    PolicyRejected,
    /// It did not answer the requests that it was tried with as a gateway does.
    SelfTest,
    /// The audit log cannot be written.
    AuditUnavailable,
    /// There is none to go back to.
    NothingBefore,
    /// The one that was kept is not there, or is not what it was.
    NotKept,
}

impl Cause {
    /// The name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::UnderWay => "swap_under_way",
            Self::Stopping => "stopping",
            Self::Unsigned => "unsigned",
            Self::BadSignature => "bad_signature",
            Self::UnknownSigner => "unknown_signer",
            Self::NoKeys => "no_trusted_keys",
            Self::NotAComponent => "not_a_component",
            Self::ForbiddenImport => "forbidden_import",
            Self::OtherVersion => "other_version",
            Self::NoHandler => "no_handler",
            Self::Preflight => "preflight_failed",
            Self::PolicyRejected => "policy_rejected",
            Self::SelfTest => "self_test_failed",
            Self::AuditUnavailable => "audit_unavailable",
            Self::NothingBefore => "nothing_before",
            Self::NotKept => "not_kept",
        }
    }

    /// Whether it lies with the component, its signature or where it is kept, and not with the moment.
    pub(super) fn is_the_components(self) -> bool {
        match self {
            Self::TooLarge
            | Self::Unsigned
            | Self::BadSignature
            | Self::UnknownSigner
            | Self::NoKeys
            | Self::NotAComponent
            | Self::ForbiddenImport
            | Self::OtherVersion
            | Self::NoHandler
            | Self::Preflight
            | Self::PolicyRejected
            | Self::SelfTest
            | Self::NotKept => true,
            Self::UnderWay | Self::Stopping | Self::AuditUnavailable | Self::NothingBefore => false,
        }
    }

    /// With a text for people: what is wrong, and what helps.
    pub(crate) fn because(self, text: impl Into<String>) -> Refused {
        Refused { cause: self, text: text.into() }
    }
}

/// A refusal.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Refused {
    /// Why.
    pub(crate) cause: Cause,
    /// The same for a person.
    pub(crate) text: String,
}

impl Refused {
    /// The server ends.
    pub(crate) fn stopping() -> Self {
        Cause::Stopping.because("the server is about to end")
    }
}
