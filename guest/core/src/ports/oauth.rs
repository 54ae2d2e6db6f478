//! The ports of signing in: `aegis:gateway/clients`, `aegis:gateway/login` and `aegis:gateway/seal`.
//!
//! The chain is client, flow, session, code, tokens, and each link comes only from the one before it.

/// `aegis:gateway/clients`.
pub trait Clients {
    /// Make an id that proves what was registered. Nothing is written.
    ///
    /// # Errors
    /// Registration is closed, or the registration does not fit into an id.
    fn register(&self, registration: &Registration) -> Result<Registered, NotRegistered>;

    /// The client behind an id.
    ///
    /// # Errors
    /// There is none that may be used.
    fn lookup(&self, client_id: &str) -> Result<Box<dyn Client>, UnknownClient>;
}

/// A client that the host has found to exist.
pub trait Client {
    /// What is known about it.
    fn profile(&self) -> Profile;
    /// Whether this is one of its redirect URIs: the same bytes, save the port of a loopback URI.
    fn permits(&self, redirect_uri: &str) -> bool;
    /// Begin a flow for a request that a person approved.
    ///
    /// # Errors
    /// The request does not fit the client or the server.
    fn begin(&self, approved: &Approved) -> Result<Box<dyn Flow>, NotBegun>;
    /// An approval that this browser remembers for this client and redirect URI.
    fn remembered(&self, redirect_uri: &str, cookies: &[(String, String)]) -> Option<Person>;
}

/// `aegis:gateway/login`, the part that needs no client in hand.
pub trait Login {
    /// The flow behind a `state` that came back. Uses it up.
    ///
    /// # Errors
    /// There is none for this browser.
    fn open(&self, state: &str, cookies: &[(String, String)]) -> Result<Box<dyn Flow>, NotOpened>;
    /// Trade a code for tokens.
    ///
    /// # Errors
    /// See [`Denied`].
    fn redeem(
        &self,
        client: &Proof,
        code: &str,
        verifier: Option<&str>,
        redirect_uri: Option<&str>,
    ) -> Result<Tokens, Denied>;
    /// Trade a refresh token for its successor. `scopes` may narrow the access token.
    ///
    /// # Errors
    /// See [`Denied`].
    fn refresh(&self, client: &Proof, token: &str, scopes: Option<&[String]>) -> Result<Tokens, Denied>;
    /// End what a token belongs to. Unknown tokens are no error.
    ///
    /// # Errors
    /// See [`Denied`].
    fn revoke(&self, client: &Proof, token: &str) -> Result<(), Denied>;
}

/// A sign-in on its way to Gitea and back.
pub trait Flow {
    /// Gitea's authorization endpoint with everything it needs.
    fn upstream_url(&self) -> String;
    /// Name and value of the cookie that binds the flow to this browser; it lives 10 minutes.
    fn cookie(&self) -> (String, String);
    /// What was approved.
    fn approved(&self) -> Approved;
    /// For which client.
    fn client(&self) -> Profile;
    /// Trade Gitea's code for a person. Works once.
    ///
    /// # Errors
    /// Nobody is signed in.
    fn exchange(&self, code: &str) -> Result<Box<dyn SignedIn>, SignInRefused>;
    /// Gitea sent the browser back with an error.
    fn abandon(&self, error: &str);
}

/// A person who has signed in: `session` in `login.wit`.
pub trait SignedIn {
    /// Who, and with which scopes.
    fn who(&self) -> Person;
    /// A code for the client of the flow. Works once; none after that, or where the client was revoked meanwhile.
    fn issue_code(&self) -> Option<String>;
    /// Name, value and seconds of a cookie that remembers the approval in this browser.
    fn remembrance(&self) -> Option<(String, String, u32)>;
}

/// `aegis:gateway/seal`.
pub trait Seal {
    /// Seal a value of at most 8 KiB for at most a day; none where there is no key.
    fn seal(&self, purpose: Purpose, value: &[u8], ttl_seconds: u32) -> Option<String>;
    /// Open what was sealed for the same purpose, other than a consent page.
    ///
    /// # Errors
    /// It was not sealed here, or is over.
    fn open(&self, purpose: Purpose, sealed: &str) -> Result<Vec<u8>, Broken>;
    /// Open the request behind a consent page for the person's answer, which is given once.
    ///
    /// # Errors
    /// It was not sealed here, is over, or was answered before.
    fn answer(&self, sealed: &str, choice: Choice) -> Result<Vec<u8>, Broken>;
}

/// How a client proves itself at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// It cannot keep a secret.
    None,
    /// `Authorization: Basic`.
    Basic,
    /// `client_secret` in the form.
    Post,
}

/// Where a client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// Its id is the URL of a metadata document.
    Document,
    /// It registered itself.
    Registered,
    /// The operator wrote it down.
    Preregistered,
}

/// What a client registers, its redirect URIs judged before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// As it calls itself.
    pub name: Option<String>,
    /// At most 5.
    pub redirect_uris: Vec<String>,
    /// How it will prove itself.
    pub authentication: Authentication,
}

/// A new client.
#[derive(Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its id.
    pub client_id: String,
    /// Its secret, shown once.
    pub client_secret: Option<String>,
    /// Seconds since 1970.
    pub issued_at: u64,
}

/// Why a client is not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRegistered {
    /// `DCR_ENABLED` is false.
    Disabled,
    /// Larger than an id can hold.
    TooLarge,
}

/// What is known about a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its id.
    pub id: String,
    /// Where it comes from.
    pub kind: ClientKind,
    /// As it calls itself; not to be believed.
    pub name: Option<String>,
    /// How it proves itself.
    pub authentication: Authentication,
}

/// Why there is no such client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownClient {
    /// Forged, mistyped, of another server, or never registered.
    NotFound,
    /// The operator revoked it.
    Revoked,
    /// The host of its document is not allowed.
    HostNotAllowed,
    /// Its document cannot be used; the reason is for a person.
    Document(String),
}

/// An authorization request that a person approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// Where the code goes.
    pub redirect_uri: String,
    /// S256, 43 characters.
    pub code_challenge: String,
    /// Whether the person granted writes.
    pub write: bool,
    /// The client's own `state`.
    pub state: Option<String>,
}

/// Why a flow does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotBegun {
    /// The redirect URI is not the client's.
    RedirectNotPermitted,
    /// Challenge or state are not of the form they must have.
    Malformed,
    /// Writes are off on this server.
    WritesOff,
}

/// Why there is no flow for this browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOpened {
    /// Forged, cut, of another server, or from before a restart.
    Invalid,
    /// More than 10 minutes old.
    Expired,
    /// This browser did not approve it.
    OtherBrowser,
    /// It was used before.
    Used,
    /// The client was revoked meanwhile.
    ClientGone,
    /// This network has let too many flows come back.
    TooMany,
}

/// Why nobody is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInRefused {
    /// The named reason.
    pub reason: SignInReason,
    /// What happened, for the person.
    pub text: String,
}

/// The named reasons of [`SignInRefused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInReason {
    /// Gitea does not accept the code.
    CodeRefused,
    /// Gitea does not accept this server's application.
    ApplicationRefused,
    /// Gitea cannot be asked now.
    GiteaUnavailable,
    /// The ID token does not prove the person.
    IdentityInvalid,
    /// The ID token is of another sign-in, probably a newer one of the same person.
    Overtaken,
    /// The grant at Gitea lacks part of the read set.
    GrantTooNarrow,
    /// The grant at Gitea holds more than was ever asked for.
    GrantTooWide,
    /// `SIGNIN_ALLOW` does not name this person.
    NotAllowed,
    /// The flow was used.
    Used,
    /// The approval was remembered for another person than the one who signed in.
    OtherPerson,
}

/// A person who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Gitea login.
    pub login: String,
    /// What the tokens will carry.
    pub scopes: Vec<String>,
    /// Writes were approved, but the grant at Gitea does not carry them.
    pub narrowed: bool,
}

/// How a client proves itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    /// Its id.
    pub client_id: String,
    /// Its secret, where it sent one.
    pub secret: Option<String>,
    /// Where the secret stood.
    pub method: Presented,
}

/// Where a client secret stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// There was none.
    Nothing,
    /// In `Authorization: Basic`.
    Basic,
    /// In the form.
    Post,
}

/// What a client gets.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// For this server alone.
    pub access_token: String,
    /// Its use gives a successor.
    pub refresh_token: String,
    /// Seconds that the access token lives.
    pub expires_in: u32,
    /// What the access token carries.
    pub scopes: Vec<String>,
}

/// Why there are no tokens (RFC 6749 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Unknown client, wrong secret, or another method than registered.
    InvalidClient,
    /// The code or token is unknown, used, over, revoked, another client's, or fails PKCE.
    InvalidGrant,
    /// A genuine refresh token of this client that is good no more: replaced, expired or revoked. No guess.
    EndedGrant,
    /// More than was granted.
    InvalidScope,
    /// It cannot be checked now.
    Unavailable,
}

/// What a sealed value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The authorization request behind a consent page.
    Consent,
    /// A page cursor.
    Cursor,
    /// A confirmation that a client repeats.
    Confirmation,
}

/// What a person chose on a consent page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nothing.
    Deny,
    /// Reading.
    Read,
    /// Reading and making changes.
    Write,
}

/// Why a sealed value does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Not sealed here, or not for this.
    Forged,
    /// Over, or answered before.
    Expired,
}
