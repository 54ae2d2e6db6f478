//! The sample Gitea as an OAuth2 and OpenID provider: applications, grants, codes, sessions, and which request goes
//! where. Answers as Gitea 1.27 and 1.26 do, where they differ by `Version`. It reads the machine's clock, since the
//! product judges its tokens by its own; `Forge::pass` moves it.

pub(super) mod apps;
mod control;
mod flaws;
mod keys;
mod open;
mod pages;
mod token;
mod uri;
mod visit;

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::call::Answer;
use super::scopes;
use super::seeding::Seeding;
use super::world::World;
use keys::{SigningKey, chance};

pub use control::{GrantSeen, Minted, Registered};
pub use flaws::IdTokenFlaw;
pub use keys::Signing;
pub(super) use uri::{encoded as form_encoded, pairs};
pub(super) use visit::{Visit, basic, bearer};

/// Client id of `tea`, which every Gitea has registered: a public application that is not the product.
pub const TEA_CLIENT_ID: &str = "d57cb8c4-630c-4168-8324-ec79935e18d4";
/// How long a code lives, in seconds.
const CODE_SECONDS: i64 = 600;
/// Where OAuth lives.
const OAUTH: &str = "/login/oauth/";

/// What an operator sets in the section `[oauth2]` and for its addresses. Change it at any time with
/// `Forge::configure`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `ENABLED`: without it every endpoint is 404.
    pub enabled: bool,
    /// `JWT_SIGNING_ALGORITHM`. A change makes a new key.
    pub signing: Signing,
    /// `INVALIDATE_REFRESH_TOKENS`: a refresh token works once, and any new token kills the earlier ones.
    pub invalidate_refresh_tokens: bool,
    /// `ACCESS_TOKEN_EXPIRATION_TIME`, seconds; also the life of ID tokens.
    pub access_token_seconds: i64,
    /// `REFRESH_TOKEN_EXPIRATION_TIME`, seconds.
    pub refresh_token_seconds: i64,
    /// `JWT_CLAIM_ISSUER`; none for the root URL.
    pub issuer: Option<String>,
    /// `ROOT_URL` without the slash at the end; none for the address that the forge listens on.
    pub root_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            signing: Signing::default(),
            invalidate_refresh_tokens: false,
            access_token_seconds: 3600,
            refresh_token_seconds: 730 * 3600,
            issuer: None,
            root_url: None,
        }
    }
}

/// A registered application.
#[derive(Debug)]
struct App {
    id: u64,
    /// Zero for one of the instance.
    owner: u64,
    name: String,
    client_id: String,
    secret: String,
    redirect_uris: Vec<String>,
    confidential: bool,
    skip_secondary_authorization: bool,
    created: i64,
}

/// What a user allowed an application: one a user and application, its scope fixed for life.
#[derive(Debug)]
struct Grant {
    id: u64,
    app: u64,
    user: u64,
    scope: String,
    nonce: String,
    counter: u64,
}

#[derive(Debug)]
struct Code {
    code: String,
    grant: u64,
    redirect_uri: String,
    challenge: String,
    method: String,
    ends: i64,
}

/// A browser's session. It holds one pending authorization.
#[derive(Debug, Default)]
struct Session {
    id: String,
    user: Option<u64>,
    client_id: Option<String>,
    redirect_uri: Option<String>,
    state: Option<String>,
    challenge: String,
    method: String,
}

/// Who a request turned out to come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bearer {
    pub(super) user: u64,
    pub(super) scopes: Vec<String>,
}

/// Everything the provider knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: Settings,
    /// Whether people's names carry the canary.
    seeding: Seeding,
    key: SigningKey,
    turn: usize,
    apps: Vec<App>,
    grants: Vec<Grant>,
    codes: Vec<Code>,
    sessions: Vec<Session>,
    made: u64,
    passed: i64,
    flaws: VecDeque<IdTokenFlaw>,
}

impl State {
    pub(super) fn new(settings: Settings, seeding: Seeding) -> Self {
        let tea = App {
            id: 1,
            owner: 0,
            name: "tea".to_owned(),
            client_id: TEA_CLIENT_ID.to_owned(),
            secret: String::new(),
            redirect_uris: vec!["http://127.0.0.1".to_owned(), "https://127.0.0.1".to_owned()],
            confidential: false,
            skip_secondary_authorization: false,
            created: 0,
        };
        Self {
            key: SigningKey::new(settings.signing, 0),
            settings,
            seeding,
            turn: 0,
            apps: vec![tea],
            grants: Vec::new(),
            codes: Vec::new(),
            sessions: Vec::new(),
            made: 1,
            passed: 0,
            flaws: VecDeque::new(),
        }
    }

    /// Seconds since 1970 by this server's clock.
    pub(super) fn now(&self) -> i64 {
        let machine = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        i64::try_from(machine).unwrap_or(0) + self.passed
    }

    fn number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// The issuer that is named in tokens and discovery.
    fn issuer(&self, root: &str) -> String {
        self.settings.issuer.clone().unwrap_or_else(|| self.root(root))
    }

    /// The root URL that is named in discovery.
    fn root(&self, root: &str) -> String {
        self.settings.root_url.clone().unwrap_or_else(|| root.to_owned())
    }

    fn app(&self, client_id: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.client_id == client_id)
    }

    fn grant(&self, id: u64) -> Option<&Grant> {
        self.grants.iter().find(|grant| grant.id == id)
    }

    fn grant_of(&self, user: u64, app: u64) -> Option<&Grant> {
        self.grants.iter().find(|grant| grant.user == user && grant.app == app)
    }

    /// Make a grant; gives its id.
    fn allow(&mut self, user: u64, app: u64, scope: &str) -> u64 {
        let id = self.grants.last().map_or(1, |grant| grant.id + 1).max(self.number());
        self.grants.push(Grant { id, app, user, scope: scope.to_owned(), nonce: String::new(), counter: 0 });
        id
    }

    /// The grant behind a token that this server signed, whatever kind of token, and whether it is for access.
    fn opened(&self, token: &str) -> Option<(&Grant, Value)> {
        let claims = self.key.open(token, self.now())?;
        let grant = self.grant(claims["gnt"].as_u64()?)?;
        Some((grant, claims))
    }

    /// Who a good access token stands for: signature, time, kind, and the grant still there.
    pub(super) fn bearer(&self, token: &str) -> Option<Bearer> {
        let (grant, claims) = self.opened(token)?;
        (claims["tt"] == 0).then(|| Bearer { user: grant.user, scopes: scopes::of_grant(&grant.scope) })
    }

    /// The user of a session, by the value of its cookie.
    pub(super) fn signed_in(&self, cookie: &str) -> Option<u64> {
        self.sessions.iter().find(|session| session.id == cookie)?.user
    }

    /// Forget the flaws of ID tokens to come.
    pub(super) fn mend(&mut self) {
        self.flaws.clear();
    }

    fn revoke(&mut self, user: u64, app: u64, grant: u64) {
        self.grants.retain(|known| (known.id, known.user, known.app) != (grant, user, app));
    }
}

/// `gta_`, `gto_` and 52 letters and digits: base32 of 32 random bytes in lower case.
fn word(prefix: &str) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bits = chance::<32>().into_iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1));
    let mut out = prefix.to_owned();
    for _ in 0..52 {
        let five = (0..5).fold(0_u8, |sum, _| sum << 1 | bits.next().unwrap_or(0));
        out.push(char::from(LETTERS[usize::from(five)]));
    }
    out
}

/// So many random bytes in hex.
fn hex<const N: usize>() -> String {
    chance::<N>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A random UUID, version 4.
fn uuid() -> String {
    let mut hex = hex::<16>();
    hex.replace_range(12..13, "4");
    hex.replace_range(16..17, "a");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Groups as Gitea names them: each organisation, and below it each team that somebody is in.
fn groups(world: &World, person: u64) -> Vec<String> {
    let organisations = world.accounts.iter().filter(|account| account.organisation);
    let mut all = Vec::new();
    for org in organisations.filter(|org| world.is_member(org.id, person)) {
        all.push(org.login.clone());
        let teams = world.teams.iter().filter(|t| t.organisation == org.id && t.members.contains(&person));
        all.extend(teams.map(|team| format!("{}:{}", org.login, team.name.to_ascii_lowercase())));
    }
    all
}

/// Answer a request outside the API; none where Gitea would have to be more than an OAuth provider.
pub(super) fn answer(visit: &Visit, world: &World, state: &mut State) -> Option<Answer> {
    let read = visit.method == "GET";
    let path = visit.path.as_str();
    let enabled = state.settings.enabled;
    let oauth = path.starts_with(OAUTH) || path == "/.well-known/openid-configuration";
    if oauth && !enabled {
        return Some(Answer::empty(404));
    }
    Some(match path {
        "/.well-known/openid-configuration" if read => open::discovery(visit, state),
        // Probed by clients that know newer servers. Gitea has neither.
        "/.well-known/oauth-authorization-server" | "/.well-known/oauth-protected-resource" => {
            visit.with_session(state, Answer::empty(404))
        }
        "/" if read => pages::front(visit, state),
        "/user/login" | "/user/logout" => pages::session(visit, world, state)?,
        "/user/settings/applications" if read => pages::signed_in(visit, world, state, pages::applications),
        "/login/oauth/authorize" => pages::signed_in(visit, world, state, pages::authorize),
        "/login/oauth/grant" if !read => pages::signed_in(visit, world, state, pages::grant),
        "/login/oauth/keys" | "/login/oauth/userinfo" => open::with_credential(visit, world, state),
        "/login/oauth/access_token" | "/login/oauth/introspect" => {
            if read {
                return Some(Answer::empty(405).with("Allow", "POST").with("Allow", "OPTIONS"));
            }
            open::with_credential(visit, world, state)
        }
        _ if !read && pages::revoked(path).is_some() => pages::signed_in(visit, world, state, pages::revoke),
        _ => return None,
    })
}
