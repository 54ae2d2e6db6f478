//! A visitor against real sockets and real certificates.

use aegis_custody::Clock as _;
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::shared::SystemClock;

/// A server for `localhost` with a certificate of these names and this last year, and a visitor that trusts it or not.
async fn tls(names: &[&str], last_year: i32, trusted: bool) -> (Visitor, String) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut described = rcgen::CertificateParams::new(names).unwrap();
    described.not_after = rcgen::date_time_ymd(last_year, 1, 1);
    let certificate = described.self_signed(&key).unwrap();
    let mut roots = RootCertStore::empty();
    if trusted {
        roots.add(certificate.der().clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 4096];
            let count = stream.read(&mut head).await.unwrap_or_default();
            assert!(head[..count].ends_with(b"\r\n\r\n"), "one small request");
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    (
        Visitor { tls: Ok(Arc::new(client)), proxy: None, limit: Duration::from_secs(10), stranger: HOSTED },
        format!("https://localhost:{port}/"),
    )
}

#[tokio::test]
async fn a_good_certificate_tells_until_when() {
    let (visitor, url) = tls(&["localhost"], 2099, true).await;
    let answer = visitor.get(&url, &[]).await.unwrap();
    assert_eq!(answer.status, 204);
    let validity = answer.validity.unwrap();
    assert_eq!(validity.until.to_string(), "2099-01-01T00:00:00.000Z");
    assert!(validity.until > SystemClock.now() && validity.from < SystemClock.now());
}

#[tokio::test]
async fn each_bad_certificate_is_told_with_what_to_do() {
    for (names, last_year, trusted, words) in [
        (&["other.example"][..], 2099, true, "certificate for this name"),
        (&["localhost"], 2020, true, "renew the certificate"),
        (&["localhost"], 2099, false, "the whole chain"),
    ] {
        let (visitor, url) = tls(names, last_year, trusted).await;
        let trouble = visitor.get(&url, &[]).await.unwrap_err();
        assert!(matches!(&trouble, Trouble::Tls(host, ..) if host == "localhost"), "{trouble}");
        assert!(trouble.to_string().contains(words) && !trouble.is_absence(), "{trouble}");
    }
}

#[tokio::test]
async fn plain_http_where_tls_is_expected_is_told() {
    let (visitor, url) = tls(&["localhost"], 2099, true).await;
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let trouble = visitor.get(&format!("https://localhost:{port}/"), &[]).await.unwrap_err();
    assert!(trouble.to_string().contains("serves TLS on this port"), "{trouble}");
    let trouble = visitor.get(&url.replacen("https:", "http:", 1), &[]).await.unwrap_err();
    assert!(matches!(trouble, Trouble::Http(..)), "{trouble}");
}

#[test]
fn every_kind_of_bad_certificate_has_its_own_advice() {
    let all = ["NotValidForName", "Expired", "UnknownIssuer", "HandshakeFailure"].map(advice);
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

#[tokio::test]
async fn a_closed_port_is_absence_and_a_wrong_name_is_not() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let visitor = Visitor::new(Duration::from_secs(5));
    let trouble = visitor.get(&format!("http://127.0.0.1:{port}/"), &[]).await.unwrap_err();
    assert!(trouble.is_absence(), "{trouble}");
    let trouble = visitor.get("no address", &[]).await.unwrap_err();
    assert!(!trouble.is_absence(), "{trouble}");
}

#[test]
fn an_answer_is_read_as_json_or_as_the_last_event_of_a_stream() {
    let of = |body: &'static str| Answer {
        status: 200,
        headers: HeaderMap::new(),
        body: Bytes::from_static(body.as_bytes()),
        validity: None,
    };
    assert_eq!(of("{\"a\":1}").json()["a"], 1);
    assert_eq!(of("event: message\ndata: {\"a\":0}\n\ndata: {\"a\":2}\n\n").json()["a"], 2);
    assert!(of("<html>").json().is_null());
}
