//! The native twin: `aegis-core` behind hyper, with the ports answered in process.
//!
//! It does for a request what the host does (identity by key digest, counters, cache, durable audit lines
//! before and after, one pooled client to Gitea) and leaves out what only the sandbox asks for. Core is
//! synchronous, so a request runs on a thread of the blocking pool. It is for measuring alone: no streams, no
//! deadlines, no drain, no recovery of its log.

mod gitea;
mod ports;
mod trail;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use aegis_core::gateway::{Answer, Gateway, Gone, Outgoing, handle};
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use crate::Result;
use ports::Visit;

/// What all requests share.
pub struct World {
    settings: HashMap<String, String>,
    prepared: HashMap<String, Vec<u8>>,
    policy_digest: String,
    keys: Vec<(String, [u8; 32])>,
    counters: Mutex<HashMap<String, (Instant, u32)>>,
    cache: ports::Entries,
    calls: Mutex<HashMap<(String, String), u64>>,
    gitea: gitea::Gitea,
    trail: trail::Trail,
    started: Instant,
}

/// Serve on a free port of loopback with the settings in the environment, until killed.
///
/// # Errors
/// A setting is missing or wrong, or the log cannot be written.
pub fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let world = Arc::new(World::from_environment(runtime.handle().clone())?);
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, peer) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let world = world.clone();
            let service = service_fn(move |request| {
                let world = world.clone();
                async move { Ok::<_, Infallible>(answer(world, request, peer.ip()).await) }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new());
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    })
}

impl World {
    fn from_environment(runtime: tokio::runtime::Handle) -> Result<Self> {
        let settings: HashMap<String, String> = std::env::vars().collect();
        let get = |name: &str| settings.get(name).ok_or(format!("{name} is not set"));
        let values: Vec<(String, String)> = settings.clone().into_iter().collect();
        let policy = aegis_policy::DEFAULT_DOCUMENT.as_bytes();
        let prepared = aegis_core::preflight::preflight(policy, &values, &aegis_core::tools::CATALOGUE);
        let prepared = prepared.map_err(|problems| format!("{problems:?}"))?;
        let keys = get("MCP_API_KEYS")?.split(',').filter_map(|entry| entry.split_once('='));
        Ok(Self {
            prepared: prepared.into_iter().collect(),
            policy_digest: hex(&Sha256::digest(policy)),
            keys: keys.map(|(name, key)| (name.to_owned(), Sha256::digest(key).into())).collect(),
            counters: Mutex::default(),
            cache: Mutex::default(),
            calls: Mutex::default(),
            gitea: gitea::Gitea::new(get("GITEA_URL")?, get("GITEA_TOKEN")?, runtime)?,
            trail: trail::Trail::create(get("AUDIT_LOG_PATH")?.as_ref())?,
            started: Instant::now(),
            settings,
        })
    }
}

async fn answer(world: Arc<World>, request: Request<Incoming>, address: IpAddr) -> Response<Full<Bytes>> {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, 1 << 20).collect().await else {
        return status(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let request_id = random_name();
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let (Ok(uri), Ok(id)) = (
        Uri::builder().scheme("http").authority(host).path_and_query(path).build(),
        HeaderValue::from_str(&request_id),
    ) else {
        return status(StatusCode::BAD_REQUEST);
    };
    parts.uri = uri;
    parts.headers.insert("x-request-id", id.clone());
    let request = Request::from_parts(parts, body.to_bytes().to_vec());
    let answered =
        tokio::task::spawn_blocking(move || through_core(&world, request, address, request_id)).await;
    let mut response = answered.unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR));
    response.headers_mut().insert("x-request-id", id);
    response
}

fn through_core(
    world: &Arc<World>,
    request: Request<Vec<u8>>,
    address: IpAddr,
    request_id: String,
) -> Response<Full<Bytes>> {
    let visit = Visit::new(world, address, request_id);
    let gateway = Gateway {
        ports: visit.ports(),
        offer: &aegis_core::offer::PRODUCT,
        version: env!("CARGO_PKG_VERSION"),
    };
    match handle(&gateway, request, &mut NoStream) {
        Answer::Whole(response) => response.map(|body| Full::new(Bytes::from(body))),
        Answer::Streamed => status(StatusCode::NOT_IMPLEMENTED),
    }
}

/// The measured calls are answered whole; one that asks for a stream gets a 501.
struct NoStream;

impl Outgoing for NoStream {
    fn begin(&mut self, _response: Response<()>) -> std::result::Result<(), Gone> {
        Err(Gone)
    }

    fn write(&mut self, _bytes: &[u8]) -> std::result::Result<(), Gone> {
        Err(Gone)
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// A random name of 128 bits, in hex, as the host makes them.
fn random_name() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    hex(&bytes)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
