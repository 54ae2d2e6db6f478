//! A program on somebody's desk that speaks MCP through `rmcp`: what it keeps, and how it gets the person to a browser.

use std::error::Error;

use rmcp::RoleClient;
use rmcp::model::{CallToolRequestParams, ProtocolVersion};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, RunningService, ServiceError,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{
    AuthClient, AuthorizationCallback, AuthorizationManager, AuthorizationRequest, CredentialStore as _,
    InMemoryCredentialStore, OAuthClientConfig, OAuthState, StoredCredentials,
};
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError};
use serde_json::{Value, json};
use tokio::process::Command;

/// Where the browser comes back to; nothing listens there, the URL is enough.
const REDIRECT: &str = "http://127.0.0.1:43221/callback";

/// A variable of the environment that must be there.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("set {name}"))
}

/// Which handshake is spoken.
#[derive(Clone, Copy)]
pub enum Era {
    Initialize,
    Auto,
}

impl Era {
    pub fn name(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Auto => "auto",
        }
    }

    pub fn is_modern(self) -> bool {
        matches!(self, Self::Auto)
    }

    pub fn lifecycle(self) -> ClientLifecycleMode {
        match self {
            Self::Initialize => ClientLifecycleMode::Initialize,
            Self::Auto => ClientLifecycleMode::Auto {
                preferred_versions: vec![ProtocolVersion::LATEST],
                legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
            },
        }
    }
}

/// A program, with what it keeps between two runs.
#[derive(Clone)]
pub struct Person {
    era: Era,
    document: Option<String>,
    /// Ask at first for every scope that the server lists, as `rmcp` does unless told otherwise.
    is_greedy: bool,
    store: InMemoryCredentialStore,
    /// The authorize URLs that the person was sent to.
    pub visited: Vec<String>,
}

impl Person {
    pub fn new(era: Era) -> Self {
        Self {
            era,
            document: None,
            is_greedy: false,
            store: InMemoryCredentialStore::new(),
            visited: Vec::new(),
        }
    }

    /// A program that names itself by a metadata document.
    pub fn with_document(era: Era, url: String) -> Self {
        Self { document: Some(url), ..Self::new(era) }
    }

    /// A program that asks for everything at once.
    pub fn greedy(era: Era) -> Self {
        Self { is_greedy: true, ..Self::new(era) }
    }

    async fn manager(&self) -> AuthorizationManager {
        let mut manager =
            AuthorizationManager::new(setting("AEGIS_URL")).await.expect("an authorization manager");
        manager.set_credential_store(self.store.clone());
        if manager.initialize_from_store().await.expect("the kept credentials") {
            // A restored client would else be sent back to the server's own address.
            let client = OAuthClientConfig::new(self.kept().await.client_id, REDIRECT);
            manager.configure_client(client).expect("the kept client");
        }
        manager
    }

    /// What connects with what is kept.
    pub async fn client(&self) -> AuthClient<reqwest::Client> {
        AuthClient::new(reqwest::Client::new(), self.manager().await)
    }

    /// One run of the program, with what it kept. Fails with the server's challenge when it has to sign in.
    async fn connect(&self) -> Result<Connection, String> {
        let auth = self.client().await;
        let config = StreamableHttpClientTransportConfig::with_uri(setting("AEGIS_URL"));
        let transport = StreamableHttpClientTransport::with_client(auth.clone(), config);
        match ().serve_with_lifecycle(transport, self.era.lifecycle()).await {
            Ok(running) => Ok(Connection { running, auth }),
            Err(failure) => {
                Err(challenge_of(&failure).unwrap_or_else(|| panic!("no challenge: {failure:?}")))
            }
        }
    }

    /// Connect, after signing in where the server asks for it.
    pub async fn start(&mut self) -> Connection {
        let challenge = match self.connect().await {
            Ok(connection) => return connection,
            Err(challenge) => challenge,
        };
        let mut request =
            AuthorizationRequest::new(REDIRECT).with_client_name("rmcp").with_challenge(challenge);
        if !self.is_greedy {
            request = request.with_initial_scope_selection();
        }
        if let Some(url) = &self.document {
            request = request.with_client_metadata_url(url);
        }
        let mut state = OAuthState::Unauthorized(self.manager().await);
        state.start_authorization(request).await.expect("an authorization to begin");
        let url = state.get_authorization_url().await.expect("the authorize URL");
        let back = self.browse(url).await;
        state.handle_callback_url(&back).await.expect("the code to be redeemed");
        self.connect().await.unwrap_or_else(|challenge| panic!("signed in, and asked again: {challenge}"))
    }

    /// Get the person to approve more, on a connection that was refused for want of a scope.
    pub async fn widen(&mut self, connection: &Connection, scope: &str) {
        let manager = connection.auth.auth_manager.lock().await;
        let url = manager.request_scope_upgrade(scope).await.expect("an upgrade of the scopes");
        let back = AuthorizationCallback::from_redirect_url(&self.browse(url).await).expect("a callback");
        let issuer = back.issuer.as_deref();
        let redeemed =
            manager.exchange_code_for_token_with_issuer(&back.code, &back.csrf_token, issuer).await;
        redeemed.expect("the code to be redeemed");
    }

    async fn browse(&mut self, url: String) -> String {
        let mut command = Command::new(setting("AEGIS_NODE"));
        let out = command.arg(setting("AEGIS_SIGN_IN")).arg(&url).output().await.expect("a browser");
        self.visited.push(url);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("a URL").trim().to_owned()
    }

    /// What is kept.
    pub async fn kept(&self) -> StoredCredentials {
        self.store.load().await.expect("the store").expect("credentials in it")
    }

    /// What is kept of one field of the token answer.
    pub async fn token(&self, name: &str) -> String {
        let answer = serde_json::to_value(self.kept().await.token_response).expect("a token answer");
        answer[name].as_str().unwrap_or_default().to_owned()
    }

    /// Keep other tokens than the server gave.
    pub async fn spoil(&self, changes: &[(&str, &str)]) {
        let mut kept = self.kept().await;
        let mut answer = serde_json::to_value(&kept.token_response).expect("a token answer");
        for (name, value) in changes {
            answer[*name] = json!(value);
        }
        kept.token_response = Some(serde_json::from_value(answer).expect("a token answer"));
        self.store.save(kept).await.expect("the store");
    }
}

/// One run of the program.
pub struct Connection {
    running: RunningService<RoleClient, ()>,
    auth: AuthClient<reqwest::Client>,
}

impl Connection {
    /// Call a tool; both forms of its answer must say the same.
    pub async fn call(&self, tool: &'static str, arguments: Value) -> Result<Value, ServiceError> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let result =
            self.running.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await?;
        assert_ne!(result.is_error, Some(true), "{tool} failed: {:?}", result.content);
        let structured = result.structured_content.expect("structured content");
        let text = result.content.iter().find_map(|block| block.as_text()).expect("a text block");
        assert_eq!(
            serde_json::from_str::<Value>(&text.text).expect("JSON"),
            structured,
            "both forms say the same"
        );
        Ok(structured)
    }

    pub async fn end(self) {
        self.running.cancel().await.expect("a quiet end");
    }
}

/// The scope that a call was refused for.
pub fn wanted_scope(refusal: &ServiceError) -> String {
    let ServiceError::TransportSend(failure) = refusal else {
        panic!("not refused by the server: {refusal:?}")
    };
    match transport_error(failure.error.as_ref()) {
        Some(StreamableHttpError::InsufficientScope(refusal)) => {
            refusal.get_required_scope().unwrap_or_else(|| panic!("no scope named: {refusal}")).to_owned()
        }
        other => panic!("not refused for want of a scope: {other:?}"),
    }
}

fn transport_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a StreamableHttpError<reqwest::Error>> {
    std::iter::successors(Some(error), |error| (*error).source()).find_map(|error| error.downcast_ref())
}

/// The `WWW-Authenticate` that a connection failed with.
fn challenge_of(failure: &ClientInitializeError) -> Option<String> {
    match failure {
        ClientInitializeError::TransportError { error, .. } => {
            transport_error(error.error.as_ref())?.auth_challenge().map(str::to_owned)
        }
        ClientInitializeError::LegacyFallbackFailed { discover, .. } => challenge_of(discover),
        _ => None,
    }
}
