//! A Gitea of a few lines: it answers what the test wrote down and keeps what it was asked.

mod bearer;
mod caching;
mod discovery;
mod fuzz;
mod id_token;
mod login;
mod probe;
mod signer;
mod vectors;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aegis_custody::{Clock, Timestamp};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::{Application, Number, Oldest, Tokens, Upstream, UpstreamSettings};
use crate::settings::Secret;
use crate::standing::{Known, Standing};
use crate::way::Way;
use signer::Signer;

/// What Gitea calls itself; the host reaches it on another address.
const PUBLIC: &str = "https://git.example/git";
const NOW: i64 = 1_800_000_000;
const READ: &str = "openid profile read:user read:repository read:issue read:organization";
const DISCOVERY: &str = "/below/.well-known/openid-configuration";
const TOKEN: &str = "/below/login/oauth/access_token";
const KEYS: &str = "/below/login/oauth/keys";
const USERINFO: &str = "/below/login/oauth/userinfo";
const INTROSPECT: &str = "/below/login/oauth/introspect";
const VERSION: &str = "/below/api/v1/version";

/// A clock that a test moves, in seconds.
struct Hand(AtomicI64);

impl Hand {
    fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.0.load(Ordering::SeqCst) * 1_000)
    }
}

/// An answer as a test writes it.
#[derive(Clone)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Never given: the connection stays open.
    never: bool,
}

fn text(status: u16, body: &str) -> Reply {
    Reply { status, headers: Vec::new(), body: body.as_bytes().to_vec(), never: false }
}

fn ok(body: &Value) -> Reply {
    text(200, &body.to_string())
}

/// A request as it arrived.
#[derive(Clone, Debug)]
struct Seen {
    method: String,
    path: String,
    authorization: Option<String>,
    form: BTreeMap<String, String>,
}

/// Decides an answer by the request, for a path.
type Answering = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

#[derive(Default)]
struct Script {
    replies: Mutex<BTreeMap<String, Answering>>,
    seen: Mutex<Vec<Seen>>,
}

/// The way to it.
fn way(url: &str, timeout: Duration, clock: Arc<Hand>) -> Arc<Way> {
    Way::over(crate::https::client(url, timeout, None, None).unwrap(), clock)
}

/// The server, the upstream that asks it, and its clock.
struct Gitea {
    script: Arc<Script>,
    address: SocketAddr,
    clock: Arc<Hand>,
    upstream: Arc<Upstream>,
    standing: Arc<Standing>,
    key: Signer,
}

impl Gitea {
    /// One that signs with this algorithm, with the user `alice` (7), whom every endpoint knows.
    async fn new(algorithm: &'static str) -> Self {
        Self::with(Signer::new(algorithm, "key-1"), Duration::from_secs(60)).await
    }

    async fn with(key: Signer, timeout: Duration) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Script::default());
        let serving = script.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let script = serving.clone();
                tokio::spawn(async move {
                    let answer = service_fn(|request| answer(script.clone(), request));
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), answer)
                        .await
                        .ok();
                });
            }
        });
        let clock = Arc::new(Hand(AtomicI64::new(NOW)));
        let settings = UpstreamSettings {
            gitea_url: format!("{PUBLIC}/"),
            internal_url: Some(format!("http://{address}/below")),
            timeout,
            cache_ttl: Duration::from_secs(300),
            redirect_uri: "https://mcp.example/oauth/callback".to_owned(),
            oldest: Oldest { number: Number(1, 26, 2), refuse: true },
        };
        let way = way(&format!("http://{address}"), timeout, clock.clone());
        let standing = Arc::new(Standing::new(true, true));
        standing.is(Known::Good);
        let upstream = Arc::new(Upstream::new(settings, way, standing.clone(), clock.clone()));
        let gitea = Self { script, address, clock, upstream, standing, key };
        gitea.answers(DISCOVERY, ok(&document(gitea.key.algorithm)));
        gitea.answers(KEYS, ok(&json!({"keys": [gitea.key.jwk()]})));
        gitea.answers(INTROSPECT, ok(&introspection()));
        gitea.answers(
            USERINFO,
            ok(&json!({"sub": "7", "preferred_username": "alice", "groups": ["acme", "acme:dev"]})),
        );
        gitea
    }

    /// From now on this is what a path answers.
    fn answers(&self, path: &str, reply: Reply) {
        self.decides(path, move |_| reply.clone());
    }

    fn decides(&self, path: &str, with: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        self.script.replies.lock().unwrap().insert(path.to_owned(), Arc::new(with));
    }

    /// What it was asked since it was looked at last.
    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.script.seen.lock().unwrap())
    }

    /// The paths of it.
    fn asked(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.path).collect()
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    /// Claims of an ID token that is good for the application `read` and the nonce `n-1`.
    fn id_claims() -> Value {
        json!({"iss": PUBLIC, "aud": ["id-read"], "sub": "7", "iat": NOW, "exp": NOW + 3_600, "nonce": "n-1",
               "preferred_username": "alice"})
    }

    /// Claims of an access token.
    fn access_claims() -> Value {
        json!({"gnt": 3, "tt": 0, "iat": NOW, "exp": NOW + 3_600})
    }

    /// The tokens of a login.
    fn tokens(&self, id_claims: &Value, access_claims: &Value) -> Tokens {
        Tokens {
            access: secret(&self.key.token(access_claims)),
            refresh: None,
            id: Some(secret(&self.key.token(id_claims))),
            expires: Timestamp::from_unix_millis((NOW + 3_600) * 1_000),
        }
    }
}

async fn answer(
    script: Arc<Script>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let seen = Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        authorization: parts.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned()),
        form: form_urlencoded::parse(&body).into_owned().collect(),
    };
    let answering = script.replies.lock().unwrap().get(&seen.path).cloned();
    let reply = answering.map_or_else(|| text(404, "not found"), |answering| answering(&seen));
    script.seen.lock().unwrap().push(seen);
    if reply.never {
        std::future::pending::<()>().await;
    }
    let mut response = http::Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::from(reply.body)).unwrap())
}

/// The discovery document of a Gitea that signs with this algorithm.
fn document(algorithm: &str) -> Value {
    json!({
        "issuer": PUBLIC,
        "authorization_endpoint": format!("{PUBLIC}/login/oauth/authorize"),
        "token_endpoint": format!("{PUBLIC}/login/oauth/access_token"),
        "jwks_uri": format!("{PUBLIC}/login/oauth/keys"),
        "userinfo_endpoint": format!("{PUBLIC}/login/oauth/userinfo"),
        "introspection_endpoint": format!("{PUBLIC}/login/oauth/introspect"),
        "id_token_signing_alg_values_supported": [algorithm],
        "code_challenge_methods_supported": ["plain", "S256"],
    })
}

/// What introspection says about a good token of the application `read`.
fn introspection() -> Value {
    json!({"active": true, "scope": READ, "username": "alice", "iss": PUBLIC, "sub": "7", "aud": ["id-read"]})
}

fn app(name: &'static str) -> Application {
    Application { name, client_id: format!("id-{name}"), client_secret: secret(&format!("gto_{name}")) }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// A value with one member set, or taken out by null.
fn but(mut value: Value, name: &str, member: Value) -> Value {
    let members = value.as_object_mut().unwrap();
    if member.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), member);
    }
    value
}
