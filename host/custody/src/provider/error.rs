//! Every way in which Gitea as provider can fail us, each with one stable name and a sentence for who can act.
//!
//! No variant carries a token, a code, a secret or text that Gitea wrote into an answer.

use super::fault::Fault;
use super::version::Number;

/// Why something asked of Gitea did not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// No connection, or it broke. Holds the client's reason, without URL.
    #[error(
        "Gitea cannot be reached: {0}; check that Gitea runs and that GITEA_URL or GITEA_INTERNAL_URL is right"
    )]
    Unreachable(String),
    /// No whole answer in time.
    #[error("Gitea did not answer in time; try again, and look at Gitea's load if it lasts")]
    TimedOut,
    /// Codes of others have been in exchange for so long that this one had no turn. Nothing was sent for it.
    #[error(
        "Gitea is slow with the sign-ins before this one; try again, and look at Gitea's load if it lasts"
    )]
    Busy,
    /// An answer beyond its cap.
    #[error(
        "Gitea's answer from {0} is larger than anything it should send; check what answers at GITEA_URL"
    )]
    TooLarge(&'static str),
    /// A redirect, which is never followed: it would carry a secret to another address.
    #[error("Gitea redirects {0}; set GITEA_URL to the address that Gitea calls its ROOT_URL")]
    Redirected(&'static str),
    /// A status that means nothing here.
    #[error("Gitea answered {1} at {0}; look into Gitea's log")]
    Failed(&'static str, u16),
    /// An answer that is not what it should be. The second text says what is wrong with it.
    #[error("Gitea's answer from {0} {1}; check that GITEA_URL leads to Gitea and not to a proxy's page")]
    Unreadable(&'static str, &'static str),
    /// Gitea has no OAuth2 provider there.
    #[error("Gitea has no OAuth2 provider at {0}; set ENABLED=true in section [oauth2] of Gitea's app.ini")]
    OauthDisabled(&'static str),
    /// The issuer is not GITEA_URL.
    #[error(
        "Gitea calls itself another issuer than GITEA_URL; set GITEA_URL to Gitea's ROOT_URL, and JWT_CLAIM_ISSUER in \
         its app.ini to the same or to nothing"
    )]
    IssuerDiffers,
    /// Discovery names an endpoint outside GITEA_URL.
    #[error(
        "Gitea names its {0} outside GITEA_URL; set GITEA_URL to Gitea's ROOT_URL, with the same scheme and port"
    )]
    EndpointElsewhere(&'static str),
    /// Gitea cannot do what the login needs.
    #[error("Gitea's discovery document lacks {0}; update Gitea to 1.27.0 or newer")]
    Lacking(&'static str),
    /// Older than `MIN_GITEA_VERSION`, which is this.
    #[error("Gitea is older than MIN_GITEA_VERSION, {0}; update Gitea to 1.27.0 or newer")]
    Outdated(Number),
    /// The client id is unknown or the secret is wrong.
    #[error(
        "Gitea rejects this server's own credentials for the {0} application; check the client id and secret against \
         the application in Gitea's settings"
    )]
    ClientRejected(&'static str),
    /// The application in Gitea has another redirect URI.
    #[error(
        "Gitea does not know the redirect URI for the {0} application; register exactly PUBLIC_BASE_URL/oauth/callback there"
    )]
    RedirectRejected(&'static str),
    /// The authorization code is not good, or not any more.
    #[error(
        "Gitea refused the authorization code, which is used up, expired or not ours; start the login again"
    )]
    CodeRefused,
    /// The grant is gone: nothing but a new login helps.
    #[error("the grant at Gitea is dead ({0}); sign in again")]
    GrantRevoked(Dead),
    /// The ID token is not one to believe.
    #[error("Gitea's ID token is not valid: {0}; start the login again, and tell the operator if it lasts")]
    IdToken(Fault),
    /// The access token is of the wrong kind or not readable.
    #[error(
        "Gitea's access token is not valid: {0}; start the login again, and tell the operator if it lasts"
    )]
    AccessToken(Fault),
    /// The access token is not active.
    #[error("the access token is not active at Gitea: it ended, or its grant or user did; sign in again")]
    TokenInactive,
    /// The access token was made for somebody else.
    #[error("the access token belongs to another application of Gitea; sign in through this server")]
    OtherApplication,
    /// Two answers of Gitea name different people.
    #[error("Gitea's answers disagree about {0}; the login is refused, start it again")]
    Disagreement(&'static str),
    /// Gitea shows its page for people who are blocked, not activated yet or have to choose a new password first.
    #[error("Gitea keeps this user out; sign in at Gitea in a browser to see why, then sign in here again")]
    UserBlocked,
    /// A login name that cannot stand in a header or a path.
    #[error("Gitea names a user by characters that this server does not take; rename the user in Gitea")]
    StrangeLogin,
}

/// Why a grant is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dead {
    /// The person revoked it, or the user or the application was deleted.
    Gone,
    /// The refresh token was followed by a newer one (`INVALIDATE_REFRESH_TOKENS=true` in Gitea).
    AlreadyUsed,
    /// The refresh token expired, or the signing key of Gitea changed.
    Unreadable,
}

impl std::fmt::Display for Dead {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Gone => "it was revoked",
            Self::AlreadyUsed => "its refresh token was replaced by a newer one",
            Self::Unreadable => "its refresh token expired or Gitea's signing key changed",
        })
    }
}

/// Whose turn it is after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The grant, code or token is dead: the person signs in again, and what was kept of it goes.
    SignIn,
    /// The operator mends the settings here or in Gitea: what is kept of the grant stays.
    Operator,
    /// Nobody could be asked: try later, what is kept of the grant stays.
    Retry,
}

impl UpstreamError {
    /// The name under which logs, metrics and pages know it. It does not change between versions.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "gitea_unreachable",
            Self::TimedOut => "gitea_timed_out",
            Self::Busy => "gitea_busy",
            Self::TooLarge(_) => "gitea_answer_too_large",
            Self::Redirected(_) => "gitea_redirected",
            Self::Failed(..) => "gitea_failed",
            Self::Unreadable(..) => "gitea_answer_unreadable",
            Self::OauthDisabled(_) => "gitea_oauth_disabled",
            Self::IssuerDiffers => "gitea_issuer_differs",
            Self::EndpointElsewhere(_) => "gitea_endpoint_elsewhere",
            Self::Lacking(_) => "gitea_lacks_feature",
            Self::Outdated(_) => "gitea_too_old",
            Self::ClientRejected(_) => "gitea_client_rejected",
            Self::RedirectRejected(_) => "gitea_redirect_uri_rejected",
            Self::CodeRefused => "gitea_refused_code",
            Self::GrantRevoked(_) => "grant_revoked",
            Self::IdToken(fault) => fault.id_token_name(),
            Self::AccessToken(fault) => fault.access_token_name(),
            Self::TokenInactive => "gitea_token_inactive",
            Self::OtherApplication => "gitea_token_other_application",
            Self::Disagreement(_) => "gitea_identity_disagrees",
            Self::UserBlocked => "gitea_user_blocked",
            Self::StrangeLogin => "gitea_login_unusable",
        }
    }

    /// Whether it may be over by itself soon: Gitea is away, or it or a proxy in front of it says that it is in trouble.
    pub fn may_pass(&self) -> bool {
        if let Self::Failed(_, status) = self {
            return *status == 429 || *status >= 500;
        }
        self.remedy() == Remedy::Retry
    }

    /// Who acts next.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Unreachable(_) | Self::TimedOut | Self::Busy | Self::Failed(..) => Remedy::Retry,
            Self::TooLarge(_)
            | Self::Redirected(_)
            | Self::Unreadable(..)
            | Self::OauthDisabled(_)
            | Self::IssuerDiffers
            | Self::EndpointElsewhere(_)
            | Self::Lacking(_)
            | Self::Outdated(_)
            | Self::ClientRejected(_)
            | Self::RedirectRejected(_)
            | Self::StrangeLogin => Remedy::Operator,
            Self::CodeRefused
            | Self::GrantRevoked(_)
            | Self::IdToken(_)
            | Self::AccessToken(_)
            | Self::TokenInactive
            | Self::OtherApplication
            | Self::UserBlocked
            | Self::Disagreement(_) => Remedy::SignIn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dead, Fault, Number, Remedy, UpstreamError};

    #[test]
    fn every_error_has_its_own_name_and_says_what_to_do() {
        let at = "its token endpoint";
        let all = [
            (UpstreamError::Unreachable("refused".to_owned()), "gitea_unreachable", Remedy::Retry),
            (UpstreamError::TimedOut, "gitea_timed_out", Remedy::Retry),
            (UpstreamError::Busy, "gitea_busy", Remedy::Retry),
            (UpstreamError::TooLarge(at), "gitea_answer_too_large", Remedy::Operator),
            (UpstreamError::Redirected(at), "gitea_redirected", Remedy::Operator),
            (UpstreamError::Failed(at, 500), "gitea_failed", Remedy::Retry),
            (UpstreamError::Unreadable(at, "is no JSON"), "gitea_answer_unreadable", Remedy::Operator),
            (UpstreamError::OauthDisabled(at), "gitea_oauth_disabled", Remedy::Operator),
            (UpstreamError::IssuerDiffers, "gitea_issuer_differs", Remedy::Operator),
            (UpstreamError::EndpointElsewhere("jwks_uri"), "gitea_endpoint_elsewhere", Remedy::Operator),
            (UpstreamError::Lacking("issuer"), "gitea_lacks_feature", Remedy::Operator),
            (UpstreamError::Outdated(Number(1, 26, 2)), "gitea_too_old", Remedy::Operator),
            (UpstreamError::ClientRejected("read"), "gitea_client_rejected", Remedy::Operator),
            (UpstreamError::RedirectRejected("read"), "gitea_redirect_uri_rejected", Remedy::Operator),
            (UpstreamError::CodeRefused, "gitea_refused_code", Remedy::SignIn),
            (UpstreamError::GrantRevoked(Dead::Gone), "grant_revoked", Remedy::SignIn),
            (UpstreamError::IdToken(Fault::Nonce), "id_token_invalid:nonce", Remedy::SignIn),
            (UpstreamError::AccessToken(Fault::Kind), "access_token_invalid:kind", Remedy::SignIn),
            (UpstreamError::TokenInactive, "gitea_token_inactive", Remedy::SignIn),
            (UpstreamError::OtherApplication, "gitea_token_other_application", Remedy::SignIn),
            (UpstreamError::Disagreement("the user's login"), "gitea_identity_disagrees", Remedy::SignIn),
            (UpstreamError::UserBlocked, "gitea_user_blocked", Remedy::SignIn),
            (UpstreamError::StrangeLogin, "gitea_login_unusable", Remedy::Operator),
        ];
        for (error, name, remedy) in all {
            assert_eq!((error.name(), error.remedy()), (name, remedy));
            assert!(error.to_string().contains(';'), "what it is; what to do: {error}");
        }
    }
}
