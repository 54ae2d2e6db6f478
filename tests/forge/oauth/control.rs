//! What a test may do to the OAuth side from outside HTTP: register, look, move time, revoke, rotate, spoil.

use std::fmt;

use super::keys::SigningKey;
use super::token::issue;
use super::{IdTokenFlaw, Settings, apps};
use crate::forge::world::World;
use crate::forge::{Forge, held};

/// A new application.
#[derive(Clone, PartialEq, Eq)]
pub struct Registered {
    /// Id, as in the path that revokes.
    pub id: u64,
    /// Client id.
    pub client_id: String,
    /// Client secret. A public application has one too and needs none.
    pub client_secret: String,
}

impl fmt::Debug for Registered {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Registered")
            .field("id", &self.id)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// A grant as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantSeen {
    /// Id, as in claim `gnt` and in the path that revokes.
    pub id: u64,
    /// Id of the application.
    pub app: u64,
    /// Whose.
    pub login: String,
    /// Which application's.
    pub client_id: String,
    /// The scope string, as at first consent.
    pub scope: String,
    /// How many times tokens were issued, while `invalidate_refresh_tokens` is on.
    pub counter: u64,
}

/// Tokens that no browser fetched.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// A good access token.
    pub access_token: String,
    /// A good refresh token.
    pub refresh_token: String,
    /// The ID token, where the grant's scope holds `openid`.
    pub id_token: Option<String>,
}

impl fmt::Debug for Minted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Minted { .. }")
    }
}

impl Forge {
    /// Register an application of somebody.
    ///
    /// # Panics
    /// There is no such account.
    #[must_use]
    pub fn register(&self, owner: &str, name: &str, redirects: &[&str], confidential: bool) -> Registered {
        let owner = self.id_of(owner);
        let redirects = redirects.iter().map(|&uri| uri.to_owned()).collect();
        let mut state = held(&self.shared.oauth);
        let at = apps::register(&mut state, owner, name, redirects, confidential, false);
        let app = &state.apps[at];
        Registered { id: app.id, client_id: app.client_id.clone(), client_secret: app.secret.clone() }
    }

    /// Change what an operator would change in `[oauth2]`. Another signing algorithm makes another key.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        let mut state = held(&self.shared.oauth);
        let before = state.settings.signing;
        change(&mut state.settings);
        if state.settings.signing != before {
            state.key = SigningKey::new(state.settings.signing, state.turn);
        }
    }

    /// Replace the signing key: JWKS shows another one, and every token signed before is dead. RSA keys come from
    /// two fixed ones in turn, so that a second rotation brings the first back.
    pub fn rotate_key(&self) {
        let mut state = held(&self.shared.oauth);
        state.turn += 1;
        state.key = SigningKey::new(state.settings.signing, state.turn);
    }

    /// Let so many seconds pass for codes and tokens.
    pub fn pass(&self, seconds: i64) {
        held(&self.shared.oauth).passed += seconds;
    }

    /// Seconds since 1970 by the forge's clock.
    #[must_use]
    pub fn now(&self) -> i64 {
        held(&self.shared.oauth).now()
    }

    /// Change people, rights, repositories or anything else, between requests.
    pub fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut held(&self.shared.world));
    }

    /// Prohibit somebody from signing in, or allow it again.
    ///
    /// # Panics
    /// There is no such account.
    pub fn disable(&self, login: &str, disabled: bool) {
        let id = self.id_of(login);
        self.change(|world| {
            for account in world.accounts.iter_mut().filter(|account| account.id == id) {
                account.disabled = disabled;
            }
        });
    }

    /// Every grant there is.
    #[must_use]
    pub fn grants(&self) -> Vec<GrantSeen> {
        let world = held(&self.shared.world);
        let state = held(&self.shared.oauth);
        let shown = state.grants.iter().map(|grant| GrantSeen {
            id: grant.id,
            app: grant.app,
            login: world.account_by_id(grant.user).login.clone(),
            client_id: state
                .apps
                .iter()
                .find(|app| app.id == grant.app)
                .map_or_else(String::new, |app| app.client_id.clone()),
            scope: grant.scope.clone(),
            counter: grant.counter,
        });
        shown.collect()
    }

    /// Revoke what somebody allowed an application, as they can in their settings; whether there was anything.
    pub fn revoke(&self, login: &str, client_id: &str) -> bool {
        let found =
            self.grants().into_iter().find(|grant| grant.login == login && grant.client_id == client_id);
        let Some(grant) = found else { return false };
        let user = self.id_of(login);
        held(&self.shared.oauth).revoke(user, grant.app, grant.id);
        true
    }

    /// Tokens of somebody for an application, without a browser: under the grant there is, or a new one of this scope.
    ///
    /// # Panics
    /// There is no such account or application.
    #[must_use]
    pub fn mint(&self, login: &str, client_id: &str, scope: &str) -> Minted {
        let user = self.id_of(login);
        let world = held(&self.shared.world);
        let mut state = held(&self.shared.oauth);
        let app = state.app(client_id).unwrap_or_else(|| panic!("no application {client_id}")).id;
        let known = state.grant_of(user, app).map(|grant| grant.id);
        let grant = known.unwrap_or_else(|| state.allow(user, app, scope));
        let body = issue(&self.url, &world, &mut state, grant);
        let body = body.unwrap_or_else(|(error, why)| panic!("{error}: {why}"));
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        Minted {
            access_token: text("access_token").unwrap_or_default(),
            refresh_token: text("refresh_token").unwrap_or_default(),
            id_token: text("id_token"),
        }
    }

    /// Spoil the next ID token. Several are used up one after the other.
    pub fn spoil_id_token(&self, flaw: IdTokenFlaw) {
        held(&self.shared.oauth).flaws.push_back(flaw);
    }

    fn id_of(&self, login: &str) -> u64 {
        let world = held(&self.shared.world);
        world.account(login).unwrap_or_else(|| panic!("the sample Gitea knows no {login}")).id
    }
}
