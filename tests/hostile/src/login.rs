//! A guest that tries to sign somebody in who never signed in, or to be somebody it is not. The path names the
//! attempt, the query says with what; the answer is what the host let it have.

use crate::bindings::aegis::gateway::audit::{self, Kind, Remark};
use crate::bindings::aegis::gateway::clients::{self, Authentication, Client, Registration};
use crate::bindings::aegis::gateway::identity;
use crate::bindings::aegis::gateway::limits::{self, Admission, Bucket};
use crate::bindings::aegis::gateway::login::{self, Approved, Flow, Presented, Proof, Session};
use crate::bindings::aegis::gateway::seal::{self, Purpose};
use crate::bindings::aegis::gateway::settings;

/// Everything that no guest may read.
const KEPT_BACK: [&str; 15] = [
    "OAUTH_STATE_SECRET",
    "OAUTH_STATE_SECRET_FILE",
    "OAUTH_KEYRING_FILE",
    "GITEA_OAUTH_CLIENT_ID",
    "GITEA_OAUTH_CLIENT_SECRET",
    "GITEA_OAUTH_CLIENT_SECRET_FILE",
    "GITEA_OAUTH_WRITE_CLIENT_SECRET",
    "OAUTH_CLIENTS_FILE",
    "DCR_STORAGE_PATH",
    "SIGNIN_ALLOW",
    "GITEA_TOKEN",
    "MCP_API_KEYS",
    "AUDIT_LOG_PATH",
    "oauth_state_secret",
    "PATH",
];

/// What the attempt came to; none where no attempt has this name.
pub fn attempt(target: &str, presented: &str) -> Option<String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let asked = Asked(query);
    Some(match path {
        "/login/register" => register(&asked),
        "/login/begin" => begin(&asked),
        "/login/begin-without-client" => begin_without_client(&asked),
        "/login/client-as-flow" => client_as_flow(&asked),
        "/login/session-from-nothing" => session_from_nothing(),
        "/login/never-at-gitea" => never_at_gitea(&asked),
        "/login/hoard" => hoard(&asked),
        "/login/abandoned" => abandoned(&asked),
        "/login/open" => told(open(&asked).map(drop)),
        "/login/twice" => twice(&asked),
        "/login/two-codes" => two_codes(&asked),
        "/login/remembered" => remembered(&asked),
        "/login/redeem" => redeem(&asked),
        "/login/refresh" => told(login::refresh(&proof(&asked), &asked.one("token"), None).map(drop)),
        "/login/revoke" => told(login::revoke(&proof(&asked), &asked.one("token"))),
        "/login/prove" => {
            told(identity::authenticate(&asked.one("value")).map(|caller| caller.claims().subject))
        }
        "/login/seal" => seal::seal(purpose(&asked), asked.one("value").as_bytes(), 60).unwrap_or_default(),
        "/login/unseal" => told(seal::open(purpose(&asked), &asked.one("value"))),
        "/login/seal-as-caller" => {
            identity::authenticate(presented).expect("a good credential");
            seal::seal(purpose(&asked), asked.one("value").as_bytes(), 60).unwrap_or_default()
        }
        "/login/unseal-as-caller" => {
            identity::authenticate(presented).expect("a good credential");
            told(seal::open(purpose(&asked), &asked.one("value")))
        }
        "/login/settings" => format!("{:?}", KEPT_BACK.map(settings::get)),
        "/login/use-up" => use_up(presented),
        "/login/admitted" => {
            identity::authenticate(presented).expect("a good credential");
            format!("{:?}", limits::admit(Bucket::Principal, 5, 600))
        }
        "/login/remarks" => remarks(),
        _ => return None,
    })
}

fn register(asked: &Asked<'_>) -> String {
    let registration = Registration {
        name: Some("hostile".to_owned()),
        redirect_uris: vec![asked.one("redirect")],
        authentication: Authentication::None,
    };
    clients::register(&registration).map(|made| made.client_id).unwrap_or_default()
}

fn begin(asked: &Asked<'_>) -> String {
    match login::begin(&client(asked), &approved(asked)) {
        Ok(flow) => {
            let (name, value) = flow.cookie();
            format!("{}\n{name}\n{value}", flow.upstream_url())
        }
        Err(not) => name(&not),
    }
}

fn begin_without_client(asked: &Asked<'_>) -> String {
    #[allow(unsafe_code, reason = "the forgery under test")]
    let client = unsafe { Client::from_handle(7) };
    told(login::begin(&client, &approved(asked)).map(drop))
}

/// A resource of one kind in the place of another.
fn client_as_flow(asked: &Asked<'_>) -> String {
    let client = client(asked);
    #[allow(unsafe_code, reason = "the forgery under test")]
    let flow = unsafe { Flow::from_handle(client.take_handle()) };
    told(flow.exchange(&asked.one("code")).map(|session| session.who().login))
}

fn session_from_nothing() -> String {
    #[allow(unsafe_code, reason = "the forgery under test")]
    let session = unsafe { Session::from_handle(1) };
    format!("GOT {:?}", session.issue_code())
}

/// A flow that just began, exchanged with whatever code there is, again and again.
fn never_at_gitea(asked: &Asked<'_>) -> String {
    let flow = login::begin(&client(asked), &approved(asked)).expect("begun");
    let tries: Vec<String> = (0..3).map(|_| exchange(&flow, asked)).collect();
    tries.join("\n")
}

/// Flows without end, all of them kept.
fn hoard(asked: &Asked<'_>) -> String {
    let (client, approved) = (client(asked), approved(asked));
    let mut flows = Vec::new();
    while flows.len() < 1 << 20 {
        flows.push(login::begin(&client, &approved).expect("begun"));
    }
    format!("HOARDED {}", flows.len())
}

/// A flow that was given up is given up.
fn abandoned(asked: &Asked<'_>) -> String {
    let flow = open(asked).expect("opened");
    flow.abandon("access_denied");
    exchange(&flow, asked)
}

/// One flow traded twice, and the same state opened again.
fn twice(asked: &Asked<'_>) -> String {
    let flow = open(asked).expect("opened");
    let tries = [exchange(&flow, asked), exchange(&flow, asked), told(open(asked).map(drop))];
    tries.join("\n")
}

fn two_codes(asked: &Asked<'_>) -> String {
    let flow = open(asked).expect("opened");
    let session = flow.exchange(&asked.one("code")).expect("signed in");
    format!("{:?}\n{:?}", session.issue_code(), session.issue_code())
}

fn remembered(asked: &Asked<'_>) -> String {
    let cookies = vec![(asked.one("cookie"), asked.one("value"))];
    let found = login::remembered(&client(asked), &asked.one("redirect"), &cookies);
    format!("{:?}", found.map(|person| person.login))
}

fn redeem(asked: &Asked<'_>) -> String {
    let (verifier, redirect) = (asked.one("verifier"), asked.one("redirect"));
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    let tokens = login::redeem(
        &proof(asked),
        &asked.one("code"),
        given(&verifier).as_deref(),
        given(&redirect).as_deref(),
    );
    told(tokens.map(|tokens| tokens.access_token))
}

/// Count the proved caller until it is refused.
fn use_up(presented: &str) -> String {
    identity::authenticate(presented).expect("a good credential");
    let refused =
        (0..100).find(|_| matches!(limits::admit(Bucket::Principal, 5, 600), Admission::Refused(_)));
    format!("{refused:?}")
}

/// More remarks than anybody would read, each of a kind of its own.
fn remarks() -> String {
    for number in 0..10_000 {
        audit::note(&Remark {
            kind: Kind::SecurityEvent,
            reason: format!("made_up_{number}"),
            tool: None,
            owner: None,
            repo: None,
            paths: Vec::new(),
            detail: vec![("principal".to_owned(), "gitea-1".to_owned())],
        });
    }
    "said".to_owned()
}

fn client(asked: &Asked<'_>) -> Client {
    clients::lookup(&asked.one("client")).expect("the test names a client")
}

fn approved(asked: &Asked<'_>) -> Approved {
    Approved {
        redirect_uri: asked.one("redirect"),
        code_challenge: asked.one("challenge"),
        write: asked.one("write") == "true",
        state: None,
    }
}

fn open(asked: &Asked<'_>) -> Result<Flow, login::NotOpened> {
    login::open(&asked.one("state"), &[(asked.one("cookie"), asked.one("value"))])
}

fn exchange(flow: &Flow, asked: &Asked<'_>) -> String {
    match flow.exchange(&asked.one("code")) {
        Ok(session) => format!("Ok({})", session.who().login),
        Err(refused) => format!("Err({})", name(&refused.reason)),
    }
}

fn proof(asked: &Asked<'_>) -> Proof {
    Proof { client_id: asked.one("client"), secret: None, method: Presented::Nothing }
}

fn purpose(asked: &Asked<'_>) -> Purpose {
    match asked.one("purpose").as_str() {
        "consent" => Purpose::Consent,
        "cursor" => Purpose::Cursor,
        _ => Purpose::Confirmation,
    }
}

fn told<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, E>) -> String {
    match result {
        Ok(good) => format!("Ok({good:?})"),
        Err(refused) => format!("Err({})", name(&refused)),
    }
}

/// The name of a refusal, in whichever form the bindings print it.
fn name(refusal: &impl std::fmt::Debug) -> String {
    let text = format!("{refusal:?}");
    let name = text.split("name: \"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
    name.unwrap_or_else(|| text.rsplit("::").next().unwrap_or_default().to_ascii_lowercase())
}

/// The query of a request.
pub struct Asked<'a>(pub &'a str);

impl Asked<'_> {
    /// One value, decoded; empty where there is none.
    pub fn one(&self, name: &str) -> String {
        let found = self.0.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let mut out = Vec::new();
        let mut bytes = found.unwrap_or_default().bytes();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                let digits = [bytes.next().unwrap_or(b'0'), bytes.next().unwrap_or(b'0')];
                let digits = std::str::from_utf8(&digits).unwrap_or_default();
                out.push(u8::from_str_radix(digits, 16).unwrap_or(b'?'));
            } else {
                out.push(byte);
            }
        }
        String::from_utf8(out).unwrap_or_default()
    }
}
