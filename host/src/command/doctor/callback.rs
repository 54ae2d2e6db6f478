//! Where the browser comes back to at the end of `doctor --login`: a loopback listener that takes one answer, or the
//! address that somebody pastes because their browser is on another machine.

use std::convert::Infallible;
use std::io::{BufRead as _, IsTerminal as _};
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// The path of the redirect URI.
const PATH: &str = "/callback";
/// The longest pasted line that is looked at, in bytes.
const LINE_MAX: usize = 8 << 10;

/// What the authorization endpoint sent back (RFC 6749 section 4.1.2).
pub(super) enum Arrived {
    /// A code, from this issuer (RFC 9207).
    Code { code: Zeroizing<String>, issuer: Option<String> },
    /// An error and what was said about it.
    Refused { error: String, text: String },
}

/// The listener and the redirect URI that leads to it.
pub(super) struct Callback {
    listener: TcpListener,
    pub(super) redirect_uri: String,
}

impl Callback {
    /// On a free port of the loopback interface.
    ///
    /// # Errors
    /// The machine gives none.
    pub(super) async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, redirect_uri: format!("http://127.0.0.1:{port}{PATH}") })
    }

    /// Waits for the answer to the request with this state. Anything else that comes by is turned away.
    pub(super) async fn wait(self, state: &str) -> Arrived {
        let (sender, mut arrived) = mpsc::channel::<Arrived>(1);
        let served = serve(&self.listener, state, sender.clone());
        let mut pasted = pasted(&self.redirect_uri, state);
        let typed = async {
            match &mut pasted {
                Some(pasted) => pasted.recv().await,
                None => None,
            }
        };
        tokio::select! {
            Some(found) = arrived.recv() => found,
            Some(found) = typed => found,
            never = served => match never {},
        }
    }
}

/// Take connections until dropped.
async fn serve(listener: &TcpListener, state: &str, sender: mpsc::Sender<Arrived>) -> Infallible {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (state, sender) = (Zeroizing::new(state.to_owned()), sender.clone());
        tokio::spawn(async move {
            let found = Mutex::new(None);
            let service = service_fn(|request: Request<Incoming>| {
                let response = answer(&request, &state, &found);
                async move { Ok::<_, Infallible>(response) }
            });
            // A connection that breaks is no answer, and there may be a better one.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            // Told only now: the doctor may end as soon as it knows, and the person's browser has its page by then.
            if let Some(arrived) = found.into_inner().unwrap_or_else(PoisonError::into_inner) {
                // Of two answers the first counts.
                let _ = sender.try_send(arrived);
            }
        });
    }
}

fn answer(request: &Request<Incoming>, state: &str, found: &Mutex<Option<Arrived>>) -> Response<Full<Bytes>> {
    let arrived = (request.uri().path() == PATH)
        .then(|| request.uri().query().and_then(|query| read(query, state)))
        .flatten();
    let (status, text) = match arrived {
        Some(arrived) => {
            *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(arrived);
            (StatusCode::OK, "The doctor has what it needs. Close this window and look at the terminal.\n")
        }
        None => (StatusCode::BAD_REQUEST, "This is not the answer that the doctor waits for.\n"),
    };
    let mut response = Response::new(Full::from(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Addresses that somebody types. Only at a terminal: nobody types into a pipe.
fn pasted(redirect_uri: &str, state: &str) -> Option<mpsc::Receiver<Arrived>> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    let (sender, receiver) = mpsc::channel(1);
    let (prefix, state) = (format!("{redirect_uri}?"), Zeroizing::new(state.to_owned()));
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let query = line.trim().strip_prefix(&prefix).filter(|query| query.len() <= LINE_MAX);
            if let Some(arrived) = query.and_then(|query| read(query, &state)) {
                let _ = sender.blocking_send(arrived);
                return;
            }
            super::super::complain(
                "That is not the address that the doctor waits for; paste the whole of it.",
            );
        }
    });
    Some(receiver)
}

/// The answer in a query; none where it is for another request, incomplete or says anything twice.
fn read(query: &str, state: &str) -> Option<Arrived> {
    let query = query.split('#').next().unwrap_or_default();
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let one = |name: &str| {
        let mut values = pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value.to_string()),
            _ => None,
        }
    };
    let ours: bool = Zeroizing::new(one("state")?).as_bytes().ct_eq(state.as_bytes()).into();
    if !ours {
        return None;
    }
    if let Some(error) = one("error") {
        return Some(Arrived::Refused { error, text: one("error_description").unwrap_or_default() });
    }
    Some(Arrived::Code { code: Zeroizing::new(one("code")?), issuer: one("iss") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_for_this_request_is_taken() {
        let Some(Arrived::Code { code, issuer }) =
            read("code=abc%2Bd&state=ours&iss=https%3A%2F%2Fx#frag", "ours")
        else {
            panic!("no code");
        };
        assert_eq!((code.as_str(), issuer.as_deref()), ("abc+d", Some("https://x")));
    }

    #[test]
    fn an_error_is_told() {
        let Some(Arrived::Refused { error, text }) =
            read("error=access_denied&error_description=No&state=ours", "ours")
        else {
            panic!("no error");
        };
        assert_eq!((error.as_str(), text.as_str()), ("access_denied", "No"));
    }

    #[test]
    fn anything_else_is_not_taken() {
        for query in [
            "",
            "code=a",
            "code=a&state=other",
            "state=ours",
            "code=a&code=b&state=ours",
            "code=a&state=ours&state=ours",
        ] {
            assert!(read(query, "ours").is_none(), "{query}");
        }
    }
}
