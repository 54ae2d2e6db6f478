//! Headers that every answer wears, and those for pages of an allowed origin.
//!
//! What an answer wears already is left as it is: pages for people have a policy of their own, and public
//! metadata may be kept for a while. Nothing else may be kept by a cache, and no page is ever given somebody's
//! cookies or stored credentials: CORS stays without `Access-Control-Allow-Credentials`.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY,
    HeaderName, HeaderValue, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, Response, StatusCode};

use crate::mcp::stream::{Gone, Outgoing};

const ALWAYS: [(HeaderName, &str); 7] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (REFERRER_POLICY, "no-referrer"),
    (VARY, "Origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// What a page may send: what MCP clients need, nothing else.
const REQUEST_HEADERS: &str = "Accept, Authorization, Content-Type, Last-Event-ID, MCP-Protocol-Version, Mcp-Method, \
                               Mcp-Name, Mcp-Session-Id, X-MCP-Readonly, X-MCP-Tools, X-MCP-Toolsets, X-Request-ID";

/// What a page may read besides the body.
const RESPONSE_HEADERS: &str = "Retry-After, WWW-Authenticate, X-Request-ID";

/// The headers for the answers to one request.
#[derive(Debug, Default)]
pub(super) struct Dress {
    origin: Option<HeaderValue>,
}

impl Dress {
    /// Lets pages of this origin read the answer. The origin was checked before.
    pub(super) fn allow(&mut self, origin: Option<HeaderValue>) {
        self.origin = origin;
    }

    /// Lets every page read the answer: it is public, and the same for everybody.
    pub(super) fn allow_all(&mut self) {
        self.origin = Some(HeaderValue::from_static("*"));
    }

    /// Puts the headers on an answer.
    pub(super) fn put_on<B>(&self, mut response: Response<B>) -> Response<B> {
        self.adorn(response.headers_mut());
        response
    }

    /// The answer to `OPTIONS`.
    pub(super) fn preflight(&self, methods: &'static str) -> Response<Vec<u8>> {
        let mut response = Response::new(Vec::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(ALLOW, HeaderValue::from_static(methods));
        if self.origin.is_some() {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
        }
        response
    }

    fn adorn(&self, headers: &mut HeaderMap) {
        for (name, value) in ALWAYS {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        if let Some(origin) = &self.origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
        }
    }
}

/// The way out for streamed answers, which wear the same headers.
pub(super) struct Dressed<'a> {
    pub(super) dress: &'a Dress,
    pub(super) out: &'a mut dyn Outgoing,
}

impl Outgoing for Dressed<'_> {
    fn begin(&mut self, head: Response<()>) -> Result<(), Gone> {
        self.out.begin(self.dress.put_on(head))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.out.write(bytes)
    }

    fn stays(&self) -> bool {
        self.out.stays()
    }
}
