//! Gitea as OAuth2 and OpenID provider: where the browser is sent, what a code and a refresh are exchanged for, who
//! signed in.
//!
//! It holds no grant and no user: it asks, checks and hands over. Client secrets and tokens go to Gitea alone, over
//! the addresses of [`discovery`], and never into an error, a log or `Debug`. Nothing a client said reaches Gitea
//! from here but a code and a verifier.
//!
//! A future of [`Upstream::exchange`] or [`Upstream::refresh`] that is dropped loses the tokens that Gitea may have
//! issued already, and with them, under `INVALIDATE_REFRESH_TOKENS`, the grant: run them in a task of their own.

mod bearer;
mod cached;
mod probe;
mod provider;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use aegis_custody::oauth::SecretText;
use aegis_custody::provider::signature::Material;
use aegis_custody::provider::{
    discovery, error, fault, id_token, jwt, keys, people, scopes, strict, tokens, version,
};
use aegis_custody::{Clock, Timestamp};

use crate::settings::Secret;
use crate::standing::{Held, Standing};
use crate::way::Way;
use cached::Cached;
use id_token::Expected;
use jwt::Parts;
use keys::Keys;
use people::same_person;
use tokens::Asked;
use wire::{As, Wire};

pub(crate) use bearer::TokenRefused;
pub(crate) use discovery::Discovery;
pub(crate) use error::{Remedy, UpstreamError};
pub(crate) use fault::Fault;
pub(crate) use people::{Identity, Introspection, Userinfo};
pub(crate) use probe::{Because, Finding, Verdict};
pub(crate) use scopes::{Judgement, READ_SET, WRITE_SET, judge};
pub(crate) use version::{Number, Oldest};

/// What is asked besides the API scopes: `openid` for the ID token, `profile` for the login in it.
const OPENID: [&str; 2] = ["openid", "profile"];
/// The longest ID token looked at: the cap of the answer that it came in.
const ID_TOKEN_MOST: usize = wire::MOST;
/// What errors call the key set.
const KEYS: &str = "its key set";

/// An OAuth2 application registered in Gitea, confidential, with our redirect URI.
#[derive(Debug)]
pub(crate) struct Application {
    /// `read` or `write`.
    pub(crate) name: &'static str,
    /// As Gitea made it.
    pub(crate) client_id: String,
    /// As Gitea showed it once.
    pub(crate) client_secret: Secret,
}

/// Where Gitea is and how it is asked.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamSettings {
    /// `GITEA_URL`: as browsers reach it and as Gitea writes it.
    pub(crate) gitea_url: String,
    /// `GITEA_INTERNAL_URL`: as this host reaches it, when that differs.
    pub(crate) internal_url: Option<String>,
    /// How long one request may take.
    pub(crate) timeout: Duration,
    /// `OAUTH_CACHE_TTL_SECONDS`: how long discovery and keys are used.
    pub(crate) cache_ttl: Duration,
    /// Where Gitea sends the browser back to.
    pub(crate) redirect_uri: String,
    /// `MIN_GITEA_VERSION`, and what becomes of an older one.
    pub(crate) oldest: Oldest,
}

/// What Gitea issued.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// For its API.
    pub(crate) access: Secret,
    /// For the next tokens.
    pub(crate) refresh: Option<Secret>,
    /// Who signed in.
    pub(crate) id: Option<Secret>,
    /// When `access` ends.
    pub(crate) expires: Timestamp,
}

impl From<tokens::Tokens> for Tokens {
    fn from(read: tokens::Tokens) -> Self {
        let secret = |text: SecretText| Secret::new(text.expose().to_owned());
        Self {
            access: secret(read.access),
            refresh: read.refresh.map(secret),
            id: read.id.map(secret),
            expires: read.expires,
        }
    }
}

/// Gitea as provider. Cheap to share, safe to use from many tasks.
pub(crate) struct Upstream {
    wire: Wire,
    clock: Arc<dyn Clock>,
    public: String,
    internal: String,
    redirect_uri: String,
    oldest: Oldest,
    standing: Arc<Standing>,
    discovery: Cached<Discovery>,
    keys: Cached<Keys>,
    good: bearer::Good,
    /// Held for reading while a code is exchanged and until its tokens are kept. Under `INVALIDATE_REFRESH_TOKENS` the
    /// exchange kills the refresh token that is still on record: whoever is refused for that waits here, and looks
    /// again at what is on record, before a grant is given up. Who the person is shows only after an exchange, so this
    /// one is for all; codes that come while somebody waits have a [`turn`](Self::turn) after that, or none.
    pub(crate) exchanging: tokio::sync::RwLock<()>,
}

impl Upstream {
    /// For checked settings, over the way to Gitea. Nothing is asked yet. While `standing` holds sign-in back, no
    /// code of a person is exchanged.
    pub(crate) fn new(
        settings: UpstreamSettings,
        way: Arc<Way>,
        standing: Arc<Standing>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let UpstreamSettings { gitea_url, internal_url, timeout, cache_ttl, redirect_uri, oldest } = settings;
        let bare = |url: &str| url.trim_end_matches('/').to_owned();
        let public = bare(&gitea_url);
        let internal = internal_url.as_deref().map_or_else(|| public.clone(), bare);
        Self {
            wire: Wire::new(way, timeout),
            clock,
            public,
            internal,
            redirect_uri,
            oldest,
            standing,
            discovery: Cached::new(cache_ttl),
            keys: Cached::new(cache_ttl),
            good: bearer::Good::new(),
            exchanging: tokio::sync::RwLock::new(()),
        }
    }

    /// Where to send the browser: Gitea's authorization endpoint (RFC 6749 section 4.1.1) with PKCE S256 (RFC 7636)
    /// and a nonce. Asked for is always [`READ_SET`], and of [`WRITE_SET`] what `scopes` holds; any other
    /// word in it is left out, since one that Gitea does not know would give full access.
    pub(crate) fn authorize_url(
        &self,
        app: &Application,
        state: &str,
        nonce: &str,
        challenge: &str,
        scopes: &[&str],
    ) -> String {
        let write = WRITE_SET.into_iter().filter(|word| scopes.contains(word));
        let scope = OPENID.into_iter().chain(READ_SET).chain(write).collect::<Vec<_>>().join(" ");
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("client_id", app.client_id.as_str()),
                ("redirect_uri", &self.redirect_uri),
                ("response_type", "code"),
                ("scope", &scope),
                ("state", state),
                ("nonce", nonce),
                ("code_challenge", challenge),
                ("code_challenge_method", "S256"),
            ])
            .finish();
        format!("{}/login/oauth/authorize?{query}", self.public)
    }

    /// A turn to exchange a code, to be held until its tokens are kept. It is waited for at most so long: one exchange
    /// that Gitea leaves hanging must not keep everybody waiting who signs in after it.
    ///
    /// # Errors
    /// [`UpstreamError::Busy`].
    pub(crate) async fn turn(
        &self,
        most: Duration,
    ) -> Result<tokio::sync::RwLockReadGuard<'_, ()>, UpstreamError> {
        tokio::time::timeout(most, self.exchanging.read()).await.map_err(|_| UpstreamError::Busy)
    }

    /// Exchanges an authorization code (RFC 6749 section 4.1.3). Gitea takes a code once.
    ///
    /// # Errors
    /// [`UpstreamError::CodeRefused`] for a code that is not good, [`UpstreamError::ClientRejected`] and
    /// [`UpstreamError::RedirectRejected`] for our own registration, [`UpstreamError::Outdated`] while Gitea is too old
    /// to sign anybody in, others for a Gitea that could not be asked.
    pub(crate) async fn exchange(
        &self,
        app: &Application,
        code: &Secret,
        verifier: &Secret,
    ) -> Result<Tokens, UpstreamError> {
        match self.standing.held() {
            Some(held @ Held::NotSeen) => return Err(UpstreamError::Unreachable(held.to_string())),
            Some(Held::TooOld) => return Err(UpstreamError::Outdated(self.oldest.number)),
            // The exchange itself will say what it is.
            Some(Held::Unfit) | None => {}
        }
        self.present(app, code, verifier).await
    }

    /// [`exchange`](Self::exchange), whatever is known of Gitea.
    async fn present(
        &self,
        app: &Application,
        code: &Secret,
        verifier: &Secret,
    ) -> Result<Tokens, UpstreamError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code_verifier", verifier.expose()),
        ];
        self.tokens(app, &form, Asked::Code).await
    }

    /// Gets new tokens (RFC 6749 section 6). The answer's refresh token replaces the one given, which may be dead
    /// from now on: one refresh of a grant at a time.
    ///
    /// # Errors
    /// [`UpstreamError::GrantRevoked`] alone means that the grant is dead. [`UpstreamError::ClientRejected`] is about
    /// our credentials, everything else about a Gitea that could not be asked: the grant is to be kept.
    pub(crate) async fn refresh(
        &self,
        app: &Application,
        refresh_token: &Secret,
    ) -> Result<Tokens, UpstreamError> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())];
        self.tokens(app, &form, Asked::Refresh).await
    }

    async fn tokens(
        &self,
        app: &Application,
        form: &[(&str, &str)],
        asked: Asked,
    ) -> Result<Tokens, UpstreamError> {
        let discovery = self.discovery().await?;
        let own = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.expose())];
        let form = [form, &own].concat();
        let asked_at = self.clock.now();
        let answer = self.wire.post(tokens::WHAT, &discovery.token, As::Nobody, &form).await?;
        if answer.status != 200 {
            return Err(tokens::refusal(&answer, asked, app.name));
        }
        tokens::Tokens::read(&answer, asked_at).map(Tokens::from)
    }

    /// Who signed in: the ID token is checked, then introspection must know the access token as ours and name the
    /// same user, then userinfo gives login and groups of that user. `nonce` is the one given to
    /// [`authorize_url`](Self::authorize_url).
    ///
    /// # Errors
    /// Anything missing, wrong or in disagreement; see [`UpstreamError`].
    pub(crate) async fn identify(
        &self,
        app: &Application,
        tokens: &Tokens,
        nonce: &str,
    ) -> Result<Identity, UpstreamError> {
        let id = tokens.id.as_ref().ok_or(UpstreamError::IdToken(Fault::Missing))?;
        let subject = self.check_id_token(app, id.expose(), nonce).await?;
        let parts =
            jwt::take_apart(tokens.access.expose(), wire::MOST).map_err(UpstreamError::AccessToken)?;
        if !parts.is_access_token() {
            return Err(UpstreamError::AccessToken(Fault::Kind));
        }
        let Introspection::Active(active) = self.introspect(app, &tokens.access).await? else {
            return Err(UpstreamError::TokenInactive);
        };
        if !active.audience.contains(&app.client_id) {
            return Err(UpstreamError::OtherApplication);
        }
        if active.subject != subject {
            return Err(UpstreamError::Disagreement("who the user is"));
        }
        let info = self.userinfo(&tokens.access).await?;
        same_person(&active, &info)?;
        Ok(Identity { subject, login: info.login, groups: info.groups, words: active.words })
    }

    /// What Gitea says about a token to one of our applications (RFC 7662). Every 401 counts as inactive but the one
    /// about our own credentials.
    ///
    /// # Errors
    /// [`UpstreamError::ClientRejected`] for our own credentials; others for a Gitea that could not be asked.
    pub(crate) async fn introspect(
        &self,
        app: &Application,
        token: &Secret,
    ) -> Result<Introspection, UpstreamError> {
        let discovery = self.discovery().await?;
        let form = [("token", token.expose())];
        let who = As::Application(app);
        let answer = self.wire.post(people::INTROSPECTION, &discovery.introspection, who, &form).await?;
        Introspection::read(&answer, app.name, &discovery.issuer)
    }

    /// Who holds an access token, with groups.
    ///
    /// # Errors
    /// [`UpstreamError::TokenInactive`] for a dead token; others for a Gitea that could not be asked.
    pub(crate) async fn userinfo(&self, token: &Secret) -> Result<Userinfo, UpstreamError> {
        let discovery = self.discovery().await?;
        let answer = self.wire.get(people::USERINFO, &discovery.userinfo, As::Bearer(token)).await?;
        Userinfo::read(&answer)
    }

    /// Gitea's discovery document, at most the time to live old.
    ///
    /// # Errors
    /// It cannot be had, or names another issuer or endpoints elsewhere.
    pub(crate) async fn discovery(&self) -> Result<Arc<Discovery>, UpstreamError> {
        let ask = || async {
            let url = format!("{}/.well-known/openid-configuration", self.internal);
            let answer = self.wire.get(discovery::WHAT, &url, As::Nobody).await?;
            match answer.status {
                200 => Discovery::read(&answer.body, &self.public, &self.internal),
                404 => Err(UpstreamError::OauthDisabled(discovery::WHAT)),
                status => Err(UpstreamError::Failed(discovery::WHAT, status)),
            }
        };
        self.discovery.get(self.clock.as_ref(), |_| true, ask).await
    }

    /// Gitea's keys, at most the time to live old, asked for again when `kid` is wanted and not among them.
    async fn keys(&self, kid: Option<&str>) -> Result<Arc<Keys>, UpstreamError> {
        let ask = || async {
            let discovery = self.discovery().await?;
            let answer = self.wire.get(KEYS, &discovery.keys, As::Nobody).await?;
            match answer.status {
                200 => Keys::read(&answer.body),
                status => Err(UpstreamError::Failed(KEYS, status)),
            }
        };
        let wanted = |keys: &Keys| kid.is_none_or(|kid| keys.find(kid).is_some());
        self.keys.get(self.clock.as_ref(), wanted, ask).await
    }

    /// Whether the signature is that of the published key of that name, whose algorithm is the header's. The outer
    /// error says that the keys could not be had.
    async fn check_signature(
        &self,
        parts: &Parts<'_>,
        kid: &str,
    ) -> Result<Result<(), Fault>, UpstreamError> {
        let keys = self.keys(Some(kid)).await?;
        let Some(key) = keys.find(kid) else { return Ok(Err(Fault::UnknownKey)) };
        if key.algorithm != parts.algorithm {
            return Ok(Err(Fault::Algorithm));
        }
        Ok(if parts.is_signed_by(&key.key, provider::verify) { Ok(()) } else { Err(Fault::Signature) })
    }

    /// Checks an ID token; gives its subject.
    async fn check_id_token(
        &self,
        app: &Application,
        token: &str,
        nonce: &str,
    ) -> Result<String, UpstreamError> {
        let parts = jwt::take_apart(token, ID_TOKEN_MOST).map_err(UpstreamError::IdToken)?;
        let discovery = self.discovery().await?;
        if !discovery.signs_with(parts.algorithm) {
            return Err(UpstreamError::IdToken(Fault::Algorithm));
        }
        let checked = if parts.algorithm.is_symmetric() {
            // The key is the client secret, so the algorithm must be Gitea's only one: beside a public key it would
            // be the way to sign with what everybody can read.
            let key = Material::Secret(SecretText::new(app.client_secret.expose().to_owned()));
            match (discovery.signs_only_with(parts.algorithm), parts.is_signed_by(&key, provider::verify)) {
                (false, _) => Err(Fault::Algorithm),
                (true, false) => Err(Fault::Signature),
                (true, true) => Ok(()),
            }
        } else {
            let kid = parts.kid.as_deref().ok_or(UpstreamError::IdToken(Fault::KeyId))?;
            self.check_signature(&parts, kid).await?
        };
        checked.map_err(UpstreamError::IdToken)?;
        let expected =
            Expected { discovery: &discovery, client_id: &app.client_id, nonce, now: self.seconds() };
        expected.claims(&parts).map_err(UpstreamError::IdToken)
    }

    fn seconds(&self) -> i64 {
        self.clock.now().unix_millis().div_euclid(1_000)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
