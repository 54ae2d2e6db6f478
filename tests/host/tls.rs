//! TLS in front of the forge, with a certificate of a test's choosing; and a proxy that makes tunnels.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    Expired,
    OtherName,
}

/// TLS with a certificate of its own making, before a server that has none.
pub struct Tls {
    /// `https://127.0.0.1:PORT`
    pub url: String,
    /// The certificate.
    pub pem: String,
    listener: JoinHandle<()>,
}

impl Tls {
    pub async fn before(url: &str, flaw: Flaw) -> Self {
        let (certificate, private) = made(flaw);
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(vec![certificate.clone()], private)
            })
            .expect("a server");
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let behind = url.trim_start_matches("http://").to_owned();
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                tokio::spawn(async move {
                    let mut stream = acceptor.accept(stream).await.ok()?;
                    let mut server = TcpStream::connect(behind).await.ok()?;
                    copy_bidirectional(&mut stream, &mut server).await.ok()
                });
            }
        });
        let pem = pem(&certificate);
        Self { url: format!("https://{address}"), pem, listener }
    }

    /// `127.0.0.1:PORT`
    pub fn authority(&self) -> &str {
        self.url.trim_start_matches("https://")
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// The certificate of somebody who has nothing to do with it.
pub fn stranger() -> String {
    pem(&made(Flaw::OtherName).0)
}

fn made(flaw: Flaw) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let name = if flaw == Flaw::OtherName { "git.example" } else { "127.0.0.1" };
    let mut wanted = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    if flaw == Flaw::Expired {
        wanted.not_before = date_time_ymd(2020, 1, 1);
        wanted.not_after = date_time_ymd(2021, 1, 1);
    }
    let key = KeyPair::generate().expect("a key");
    let certificate = wanted.self_signed(&key).expect("a certificate");
    (certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let encoded = STANDARD.encode(certificate);
    let lines = encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII"));
    let lines: Vec<&str> = lines.collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// Write a file into a folder.
pub fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

/// A request for a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub line: String,
    pub account: Option<String>,
    /// The first byte that went through.
    pub first: Option<u8>,
}

/// A proxy that makes tunnels for one account, or for everybody.
pub struct Tunnels {
    /// `127.0.0.1:PORT`
    pub authority: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    listener: JoinHandle<()>,
}

impl Tunnels {
    /// `account` is what must stand in `Proxy-Authorization`.
    pub async fn open(account: Option<&'static str>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let authority = listener.local_addr().expect("its address").to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(tunnel(stream, account, seen.clone()));
            }
        });
        Self { authority, asked, listener }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

impl Drop for Tunnels {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn tunnel(mut stream: TcpStream, account: Option<&str>, asked: Arc<Mutex<Vec<Asked>>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let line = head.lines().next()?.to_owned();
    let given = head.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: ")).map(str::to_owned);
    let place = {
        let mut asked = asked.lock().expect("not poisoned");
        asked.push(Asked { line: line.clone(), account: given.clone(), first: None });
        asked.len() - 1
    };
    if account.is_some_and(|wanted| given.as_deref() != Some(wanted)) {
        let refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        return stream.write_all(refused).await.ok();
    }
    let to = line.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned();
    let mut server = TcpStream::connect(to).await.ok()?;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    let first = stream.read_u8().await.ok()?;
    asked.lock().expect("not poisoned")[place].first = Some(first);
    server.write_u8(first).await.ok()?;
    copy_bidirectional(&mut stream, &mut server).await.ok().map(drop)
}
