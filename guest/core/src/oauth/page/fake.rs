//! A stage for sign-ins: clients, flows and seals that answer as a test tells them and keep what they were asked,
//! and a reader of pages that is stricter than a browser.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::mcp::fake::World;
use crate::oauth::{authorize, callback};
use crate::ports::{
    Approved, Authentication, Broken, Choice, Client, ClientKind, Clients, Denied, Flow, Login, NoSignIn,
    NotBegun, NotOpened, NotRegistered, Person, Ports, Profile, Proof, Purpose, Registered, Registration,
    Seal, SignInRefused, SignedIn, Tokens, UnknownClient,
};
use crate::settings::Config;

pub(in crate::oauth) const ORIGIN: &str = "https://mcp.example.com";
pub(in crate::oauth) const CLAUDE: &str = "https://claude.ai/api/mcp/auth_callback";
pub(in crate::oauth) const CLIENT: &str = "https://claude.ai/oauth/mcp-oauth-client-metadata";
pub(in crate::oauth) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(in crate::oauth) const UPSTREAM: &str =
    "https://git.example.com/login/oauth/authorize?client_id=aegis&state=s";
pub(in crate::oauth) const REQUEST_ID: &str = "req-4f1c";

type Cookies = Vec<(String, String)>;

/// What the ports answer and what they were asked.
pub(in crate::oauth) struct Script {
    pub(in crate::oauth) profile: RefCell<Profile>,
    pub(in crate::oauth) unknown: RefCell<Option<UnknownClient>>,
    pub(in crate::oauth) permitted: RefCell<Vec<String>>,
    pub(in crate::oauth) not_begun: Cell<Option<NotBegun>>,
    pub(in crate::oauth) remembered: RefCell<Option<Person>>,
    pub(in crate::oauth) flow_cookie: RefCell<(String, String)>,
    pub(in crate::oauth) upstream: RefCell<String>,
    pub(in crate::oauth) not_opened: Cell<Option<NotOpened>>,
    pub(in crate::oauth) approved: RefCell<Approved>,
    pub(in crate::oauth) refused: RefCell<Option<SignInRefused>>,
    pub(in crate::oauth) person: RefCell<Person>,
    pub(in crate::oauth) remembrance: RefCell<Option<(String, String, u32)>>,
    pub(in crate::oauth) code: RefCell<String>,
    pub(in crate::oauth) seals: Cell<bool>,
    /// What the host was told of pages.
    pub(in crate::oauth) answered: RefCell<Vec<Choice>>,
    pub(in crate::oauth) broken: Cell<Option<Broken>>,
    pub(in crate::oauth) begun: RefCell<Vec<Approved>>,
    pub(in crate::oauth) opened: RefCell<Vec<(String, Cookies)>>,
    pub(in crate::oauth) exchanged: RefCell<Vec<String>>,
    pub(in crate::oauth) abandoned: RefCell<Vec<String>>,
}

/// One server with its script.
pub(in crate::oauth) struct Stage {
    pub(in crate::oauth) world: World,
    pub(in crate::oauth) script: Rc<Script>,
}

pub(in crate::oauth) fn person(scopes: &[&str], narrowed: bool) -> Person {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    Person { login: "ada".to_owned(), scopes, narrowed }
}

impl Stage {
    pub(in crate::oauth) fn new() -> Self {
        let world = World::new();
        world.set("PUBLIC_BASE_URL", ORIGIN);
        world.set("OAUTH_MODE", "true");
        let script = Script {
            profile: RefCell::new(Profile {
                id: CLIENT.to_owned(),
                kind: ClientKind::Document,
                name: Some("Claude".to_owned()),
                authentication: Authentication::None,
            }),
            unknown: RefCell::default(),
            permitted: RefCell::new(vec![CLAUDE.to_owned()]),
            not_begun: Cell::default(),
            remembered: RefCell::default(),
            flow_cookie: RefCell::new(("__Host-aegis-flow".to_owned(), "f1".to_owned())),
            upstream: RefCell::new(UPSTREAM.to_owned()),
            not_opened: Cell::default(),
            approved: RefCell::new(Approved {
                redirect_uri: CLAUDE.to_owned(),
                code_challenge: CHALLENGE.to_owned(),
                write: false,
                state: Some("a b&c=d".to_owned()),
            }),
            refused: RefCell::default(),
            person: RefCell::new(person(&["read:repository"], false)),
            remembrance: RefCell::default(),
            code: RefCell::new("our+code/1".to_owned()),
            seals: Cell::new(true),
            answered: RefCell::default(),
            broken: Cell::default(),
            begun: RefCell::default(),
            opened: RefCell::default(),
            exchanged: RefCell::default(),
            abandoned: RefCell::default(),
        };
        Self { world, script: Rc::new(script) }
    }

    /// With writes possible.
    pub(in crate::oauth) fn writing() -> Self {
        let stage = Self::new();
        stage.world.set("WRITE_MODE", "true");
        stage.world.set("WRITE_ALLOW_ALL_TOKEN_REPOS", "true");
        stage
    }

    /// Another client, which permits one redirect URI.
    pub(in crate::oauth) fn client(&self, kind: ClientKind, id: &str, name: Option<&str>, redirect: &str) {
        let (id, name) = (id.to_owned(), name.map(str::to_owned));
        *self.script.profile.borrow_mut() = Profile { id, kind, name, authentication: Authentication::None };
        *self.script.permitted.borrow_mut() = vec![redirect.to_owned()];
    }

    pub(in crate::oauth) fn config(&self) -> Config {
        Config::load(&self.world).expect("settings")
    }

    pub(in crate::oauth) fn ports(&self) -> Ports<'_> {
        Ports { clients: self, login: self, seal: self, ..self.world.ports() }
    }

    pub(in crate::oauth) fn show(&self, query: &str) -> Response<Vec<u8>> {
        authorize::show(&self.ports(), &self.config(), query, &[], REQUEST_ID)
    }

    pub(in crate::oauth) fn decide(&self, headers: &[(&'static str, &str)], body: &str) -> Response<Vec<u8>> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        authorize::decide(&self.ports(), &self.config(), &map, body.as_bytes(), REQUEST_ID)
    }

    pub(in crate::oauth) fn callback(&self, query: &str) -> Response<Vec<u8>> {
        let cookies = [("__Host-aegis-flow".to_owned(), "f1".to_owned())];
        callback::answer(&self.ports(), &self.config(), query, &cookies, REQUEST_ID)
    }

    /// The names in the record since the last time.
    pub(in crate::oauth) fn reasons(&self) -> Vec<String> {
        let reasons = self.world.reasons();
        self.world.notes.borrow_mut().clear();
        reasons
    }
}

/// A query of these pairs, everything but letters and digits escaped.
pub(in crate::oauth) fn query(pairs: &[(&str, &str)]) -> String {
    let coded = |text: &str| -> String {
        let escape = |byte: u8| match byte {
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        };
        text.bytes().map(escape).collect()
    };
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", coded(name), coded(value))).collect();
    pairs.join("&")
}

/// A good authorization request, with changes: a pair replaces the one of its name, and `-name` leaves it out.
pub(in crate::oauth) fn asking(changes: &[(&str, &str)]) -> String {
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", CLAUDE),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "a b&c=d"),
    ];
    for change in changes {
        let name = change.0.trim_start_matches('-');
        pairs.retain(|(own, _)| *own != name);
        if !change.0.starts_with('-') {
            pairs.push(*change);
        }
    }
    query(&pairs)
}

pub(in crate::oauth) fn header<'r>(response: &'r Response<Vec<u8>>, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

pub(in crate::oauth) fn cookies(response: &Response<Vec<u8>>) -> Vec<&str> {
    response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
}

pub(in crate::oauth) fn text(response: &Response<Vec<u8>>) -> &str {
    core::str::from_utf8(response.body()).unwrap()
}

/// Reads a page as strictly as XML: every tag closed in its order, every attribute quoted and once, no character
/// that would have had to be escaped. Gives the names of the elements.
pub(in crate::oauth) fn elements(page: &str) -> Vec<String> {
    let mut rest = page.strip_prefix("<!doctype html>\n").expect("a doctype");
    let (mut open, mut seen): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains(['>', '"']) || open.last().is_some_and(|tag| tag == "style"), "text {text:?}");
        let (tag, after) = after.split_once('>').expect("a tag that ends");
        rest = after;
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed), "closed in order");
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let parts: Vec<&str> = attributes.split('"').collect();
        assert_eq!(parts.len() % 2, 1, "quotes of {tag:?}");
        let mut names: Vec<&str> = parts.iter().step_by(2).map(|name| name.trim()).collect();
        assert_eq!(names.pop(), Some(""), "{tag:?}");
        assert!(names.iter().all(|name| name.ends_with('=') && !name.starts_with("on")), "{tag:?}");
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "an attribute twice in {tag:?}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{name:?}");
        seen.push(name.to_owned());
        if !["br", "input", "meta", "wbr"].contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty() && rest == "\n", "left open: {open:?}");
    seen
}

impl Clients for Stage {
    fn register(&self, registration: &Registration) -> Result<Registered, NotRegistered> {
        NoSignIn.register(registration)
    }

    fn lookup(&self, client_id: &str) -> Result<Box<dyn Client>, UnknownClient> {
        match self.script.unknown.borrow().clone() {
            Some(unknown) => Err(unknown),
            None if client_id == self.script.profile.borrow().id => {
                Ok(Box::new(Known(Rc::clone(&self.script))))
            }
            None => NoSignIn.lookup(client_id),
        }
    }
}

impl Login for Stage {
    fn open(&self, state: &str, cookies: &[(String, String)]) -> Result<Box<dyn Flow>, NotOpened> {
        self.script.opened.borrow_mut().push((state.to_owned(), cookies.to_vec()));
        match self.script.not_opened.get() {
            Some(not_opened) => Err(not_opened),
            None => Ok(Box::new(Known(Rc::clone(&self.script)))),
        }
    }

    fn redeem(
        &self,
        client: &Proof,
        code: &str,
        verifier: Option<&str>,
        redirect_uri: Option<&str>,
    ) -> Result<Tokens, Denied> {
        NoSignIn.redeem(client, code, verifier, redirect_uri)
    }

    fn refresh(&self, client: &Proof, token: &str, scopes: Option<&[String]>) -> Result<Tokens, Denied> {
        NoSignIn.refresh(client, token, scopes)
    }

    fn revoke(&self, client: &Proof, token: &str) -> Result<(), Denied> {
        NoSignIn.revoke(client, token)
    }
}

impl Seal for Stage {
    fn seal(&self, purpose: Purpose, value: &[u8], ttl_seconds: u32) -> Option<String> {
        assert_eq!((purpose, ttl_seconds), (Purpose::Consent, 600));
        assert!(value.len() <= 8192, "{} bytes", value.len());
        let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        self.script.seals.get().then(|| format!("sealed.{digits}"))
    }

    fn open(&self, purpose: Purpose, _sealed: &str) -> Result<Vec<u8>, Broken> {
        panic!("nothing is opened here without an answer, and this is for {purpose:?}")
    }

    fn answer(&self, sealed: &str, choice: Choice) -> Result<Vec<u8>, Broken> {
        self.script.answered.borrow_mut().push(choice);
        if let Some(broken) = self.script.broken.get() {
            return Err(broken);
        }
        let digits = sealed.strip_prefix("sealed.").ok_or(Broken::Forged)?;
        let pairs = digits.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).ok());
        pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect::<Option<_>>().ok_or(Broken::Forged)
    }
}

/// The client, its flow and the session, all by one script.
struct Known(Rc<Script>);

impl Client for Known {
    fn profile(&self) -> Profile {
        self.0.profile.borrow().clone()
    }

    fn permits(&self, redirect_uri: &str) -> bool {
        self.0.permitted.borrow().iter().any(|permitted| permitted == redirect_uri)
    }

    fn begin(&self, approved: &Approved) -> Result<Box<dyn Flow>, NotBegun> {
        if let Some(not_begun) = self.0.not_begun.get() {
            return Err(not_begun);
        }
        self.0.begun.borrow_mut().push(approved.clone());
        Ok(Box::new(Self(Rc::clone(&self.0))))
    }

    fn remembered(&self, redirect_uri: &str, _cookies: &[(String, String)]) -> Option<Person> {
        assert!(self.permits(redirect_uri), "asked only about what was proved");
        self.0.remembered.borrow().clone()
    }
}

impl Flow for Known {
    fn upstream_url(&self) -> String {
        self.0.upstream.borrow().clone()
    }

    fn cookie(&self) -> (String, String) {
        self.0.flow_cookie.borrow().clone()
    }

    fn approved(&self) -> Approved {
        self.0.approved.borrow().clone()
    }

    fn client(&self) -> Profile {
        self.0.profile.borrow().clone()
    }

    fn exchange(&self, code: &str) -> Result<Box<dyn SignedIn>, SignInRefused> {
        self.0.exchanged.borrow_mut().push(code.to_owned());
        match self.0.refused.borrow().clone() {
            Some(refused) => Err(refused),
            None => Ok(Box::new(Self(Rc::clone(&self.0)))),
        }
    }

    fn abandon(&self, error: &str) {
        self.0.abandoned.borrow_mut().push(error.to_owned());
    }
}

impl SignedIn for Known {
    fn who(&self) -> Person {
        self.0.person.borrow().clone()
    }

    fn issue_code(&self) -> Option<String> {
        Some(self.0.code.borrow().clone()).filter(|code| !code.is_empty())
    }

    fn remembrance(&self) -> Option<(String, String, u32)> {
        self.0.remembrance.borrow().clone()
    }
}
