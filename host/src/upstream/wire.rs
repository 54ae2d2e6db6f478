//! Requests to Gitea's OAuth2 endpoints: bounded in time and bytes, no redirect followed.
//!
//! It decides nothing about the answers but their size and that they are no redirect. What it read is wiped when
//! it goes, since it may hold tokens.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, LOCATION, USER_AGENT};
use http::{HeaderValue, Method};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use zeroize::{Zeroize as _, Zeroizing};

use aegis_custody::provider::Answer;

use super::Application;
use super::error::UpstreamError;
use super::fault::Fault;
use crate::https;
use crate::settings::Secret;
use crate::way::{LEFT_ALONE, Lost, Way};

/// The most bytes of an answer.
pub(super) const MOST: usize = 64 * 1024;

/// The way and how long a whole request may take.
pub(super) struct Wire {
    way: Arc<Way>,
    timeout: Duration,
}

/// Who asks.
#[derive(Clone, Copy)]
pub(super) enum As<'a> {
    Nobody,
    /// One of our applications, by HTTP Basic (RFC 6749 section 2.3.1; Gitea's ids and secrets need no encoding).
    Application(&'a Application),
    /// The holder of an access token (RFC 6750 section 2.1).
    Bearer(&'a Secret),
}

impl Wire {
    pub(super) fn new(way: Arc<Way>, timeout: Duration) -> Self {
        Self { way, timeout }
    }

    /// GET. `what` is what errors call the endpoint.
    pub(super) async fn get(
        &self,
        what: &'static str,
        url: &str,
        who: As<'_>,
    ) -> Result<Answer, UpstreamError> {
        self.send(what, Method::GET, url, who, None).await
    }

    /// POST of a form.
    pub(super) async fn post(
        &self,
        what: &'static str,
        url: &str,
        who: As<'_>,
        form: &[(&str, &str)],
    ) -> Result<Answer, UpstreamError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.send(what, Method::POST, url, who, Some(body)).await
    }

    async fn send(
        &self,
        what: &'static str,
        method: Method,
        url: &str,
        who: As<'_>,
        form: Option<String>,
    ) -> Result<Answer, UpstreamError> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(url)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("aegis-mcp/", env!("CARGO_PKG_VERSION")));
        if let Some(credential) = credential(who)? {
            request = request.header(AUTHORIZATION, credential);
        }
        if form.is_some() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let request = request
            .body(Full::from(Bytes::from(form.unwrap_or_default())))
            .map_err(|_| UpstreamError::Unreachable("the address cannot be used".to_owned()))?;
        let whole = async {
            let response = self.way.send(request).await.map_err(|lost| match lost {
                Lost::Failed(error) => UpstreamError::Unreachable(https::reason(&error)),
                Lost::LeftAlone => UpstreamError::Unreachable(LEFT_ALONE.to_owned()),
            })?;
            read(what, response).await
        };
        tokio::time::timeout(self.timeout, whole).await.unwrap_or(Err(UpstreamError::TimedOut))
    }
}

/// The header value; none for nobody, an error for what cannot stand in a header.
fn credential(who: As<'_>) -> Result<Option<HeaderValue>, UpstreamError> {
    let text = match who {
        As::Nobody => return Ok(None),
        As::Bearer(token) => Zeroizing::new(format!("Bearer {}", token.expose())),
        As::Application(app) => {
            let pair = Zeroizing::new(format!("{}:{}", app.client_id, app.client_secret.expose()));
            Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
        }
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| match who {
        As::Application(app) => UpstreamError::ClientRejected(app.name),
        As::Bearer(_) | As::Nobody => UpstreamError::AccessToken(Fault::Malformed),
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

async fn read(what: &'static str, response: http::Response<Incoming>) -> Result<Answer, UpstreamError> {
    let (parts, mut body) = response.into_parts();
    let header = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if parts.status.is_redirection() {
        // Where Gitea sends the holder of a token who has to choose a new password first.
        let to_password = header(LOCATION).is_some_and(|to| to.ends_with("/user/settings/change_password"));
        return Err(if to_password { UpstreamError::UserBlocked } else { UpstreamError::Redirected(what) });
    }
    let announced = header(CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MOST) {
        return Err(UpstreamError::TooLarge(what));
    }
    // Room for all of it at once: growing would leave copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(announced.unwrap_or(MOST)));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| UpstreamError::Unreachable(error.to_string()))?;
        if let Ok(data) = frame.into_data() {
            if data.len() > MOST - bytes.len() {
                return Err(UpstreamError::TooLarge(what));
            }
            bytes.extend_from_slice(&data);
            if let Ok(mut data) = data.try_into_mut() {
                data.as_mut().zeroize();
            }
        }
    }
    Ok(Answer { status: parts.status.as_u16(), date: header(DATE).map(str::to_owned), body: bytes })
}
