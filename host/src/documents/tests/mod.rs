//! Documents over TLS from a server of our own, under a name that only our resolver knows.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aegis_custody::{Clock, Timestamp};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::network::{Later, Network};
use super::{Document, Documents, Failure, Rules};

mod addresses;
mod content;
mod kept;
mod refused;
mod urls;

const HOST: &str = "docs.test";
const PUBLIC: &str = "93.184.216.34";

/// A clock that tests set, in milliseconds.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.0.load(Ordering::Acquire))
    }
}

/// A network in which every address leads to the test's server.
struct Wire {
    addresses: Mutex<Vec<IpAddr>>,
    server: SocketAddr,
    connected: Mutex<Vec<SocketAddr>>,
}

impl Network for Wire {
    fn resolve<'a>(&'a self, _host: &'a str) -> Later<'a, Vec<IpAddr>> {
        let addresses = self.addresses.lock().unwrap().clone();
        Box::pin(async move { Ok(addresses) })
    }

    fn connect(&self, to: SocketAddr) -> Later<'_, TcpStream> {
        self.connected.lock().unwrap().push(to);
        Box::pin(TcpStream::connect(self.server))
    }
}

#[derive(Default)]
struct Pages {
    /// Raw answers by path; no answer at all for other paths.
    answers: Mutex<BTreeMap<String, Vec<u8>>>,
    requests: Mutex<Vec<String>>,
}

/// A server, a way to it, and the documents under test.
struct Scene {
    documents: Arc<Documents>,
    pages: Arc<Pages>,
    wire: Arc<Wire>,
    clock: Arc<Hand>,
}

impl Scene {
    async fn new() -> Self {
        Self::with(Rules {
            hosts: vec![HOST.to_owned(), "claude.ai".to_owned()],
            allow_private: false,
            limit: Duration::from_secs(60),
        })
        .await
    }

    async fn with(rules: Rules) -> Self {
        Self::named(rules, &[HOST, "claude.ai"]).await
    }

    /// A server whose certificate holds these names.
    async fn named(rules: Rules, names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certified = rcgen::generate_simple_self_signed(names).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certified.cert.der().clone()).unwrap();
        let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        let pages = Arc::new(Pages::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), Arc::clone(&pages)));
        let wire = Arc::new(Wire {
            addresses: Mutex::new(vec![PUBLIC.parse().unwrap()]),
            server,
            connected: Mutex::default(),
        });
        let clock = Arc::new(Hand(AtomicI64::new(1_780_000_000_000)));
        let documents = Documents::with(rules, clock.clone(), wire.clone(), roots).unwrap();
        Self { documents: Arc::new(documents), pages, wire, clock }
    }

    /// Answer a path with a status, a content type and a body.
    fn page(&self, path: &str, status: u16, kind: &str, body: &str) {
        let length = body.len();
        let text =
            format!("HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}");
        self.raw(path, &text);
    }

    fn raw(&self, path: &str, answer: &str) {
        self.pages.answers.lock().unwrap().insert(path.to_owned(), answer.as_bytes().to_vec());
    }

    /// Answer a path with a good document.
    fn good(&self, path: &str) {
        self.page(path, 200, "application/json", &good(path));
    }

    async fn fetch(&self, path: &str) -> Result<Arc<Document>, Failure> {
        self.documents.fetch(&url(path)).await
    }

    async fn failure(&self, path: &str) -> Failure {
        self.fetch(path).await.unwrap_err()
    }

    fn requests(&self) -> usize {
        self.pages.requests.lock().unwrap().len()
    }

    fn forward(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1_000, Ordering::AcqRel);
    }
}

fn url(path: &str) -> String {
    format!("https://{HOST}{path}")
}

fn good(path: &str) -> String {
    let id = url(path);
    format!(
        r#"{{"client_id":"{id}","client_name":"One","redirect_uris":["https://one.test/cb"],"x":{{"y":[1]}}}}"#
    )
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, pages: Arc<Pages>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, pages) = (tls.clone(), Arc::clone(&pages));
        tokio::spawn(async move {
            let Ok(mut stream) = tls.accept(stream).await else { return };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { return };
                head.push(byte);
            }
            let head = String::from_utf8(head).unwrap();
            let path = head.split(' ').nth(1).unwrap().to_owned();
            pages.requests.lock().unwrap().push(head);
            let answer = pages.answers.lock().unwrap().get(&path).cloned();
            match answer {
                Some(answer) => {
                    let _ = stream.write_all(&answer).await;
                    if path == "/drip" {
                        std::future::pending::<()>().await;
                    }
                    let _ = stream.shutdown().await;
                }
                None => std::future::pending().await,
            }
        });
    }
}
