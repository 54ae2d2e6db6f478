//! A program that hosts `rmcp`: what it hears, what it says when it is asked, and how it connects.

use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationCapability, FormElicitationCapability, Implementation, LoggingMessageNotificationParam,
    ProgressNotificationParam,
};
use rmcp::service::{ClientServiceExt as _, NotificationContext, RequestContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ErrorData, RoleClient};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::person::{Era, Person, setting};

pub type Running = RunningService<RoleClient, Host>;

/// What a person says when they are asked.
#[derive(Clone, Copy)]
pub enum Reply {
    /// With the box ticked, or not.
    Accept(bool),
    Decline,
}

/// What was told so far.
#[derive(Default)]
pub struct Heard {
    pub progress: Vec<(f64, Option<String>)>,
    pub logs: Vec<Value>,
    pub questions: Vec<Value>,
}

/// Keeps what it is told. Without a reply it cannot be asked anything.
#[derive(Clone, Default)]
pub struct Host {
    heard: Arc<Mutex<Heard>>,
    more: Arc<Notify>,
    reply: Option<Reply>,
}

impl Host {
    pub fn answering(reply: Reply) -> Self {
        Self { reply: Some(reply), ..Self::default() }
    }

    fn keep(&self, keep: impl FnOnce(&mut Heard)) {
        keep(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        self.more.notify_waiters();
    }

    /// Wait until something was told.
    pub async fn heard<T>(&self, wanted: impl Fn(&Heard) -> Option<T>) -> T {
        loop {
            let more = self.more.notified();
            tokio::pin!(more);
            more.as_mut().enable();
            let found = wanted(&self.heard.lock().unwrap_or_else(PoisonError::into_inner));
            match found {
                Some(found) => return found,
                None => more.await,
            }
        }
    }
}

impl ClientHandler for Host {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        if self.reply.is_some() {
            capabilities.elicitation =
                Some(ElicitationCapability::new().with_form(FormElicitationCapability::default()));
        }
        ClientConfig::new(capabilities, Implementation::new("whole-rmcp", "1.0.0"))
    }

    async fn create_elicitation(
        &self,
        asked: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let question = serde_json::to_value(&asked).expect("JSON");
        self.keep(|heard| heard.questions.push(question));
        Ok(match self.reply {
            Some(Reply::Accept(confirm)) => {
                ElicitResult::new(ElicitationAction::Accept).with_content(json!({ "confirm": confirm }))
            }
            Some(Reply::Decline) | None => ElicitResult::new(ElicitationAction::Decline),
        })
    }

    async fn on_progress(
        &self,
        report: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.keep(|heard| heard.progress.push((report.progress, report.message)));
    }

    async fn on_logging_message(
        &self,
        log: LoggingMessageNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.keep(|heard| {
            heard.logs.push(json!({ "level": log.level, "logger": log.logger, "data": log.data }));
        });
    }
}

/// A program in one era, with its key or with what a sign-in gave it.
#[derive(Clone)]
pub struct Program {
    pub era: Era,
    pub key: Option<String>,
    person: Option<Person>,
}

impl Program {
    /// Signs in where there is no key.
    pub async fn new(era: Era) -> Self {
        let key = std::env::var("AEGIS_KEY").ok();
        let person = match key {
            Some(_) => None,
            None => {
                let mut person = Person::greedy(era);
                person.start().await.end().await;
                Some(person)
            }
        };
        Self { era, key, person }
    }

    /// One connection.
    pub async fn run(&self, host: Host) -> Running {
        let config = StreamableHttpClientTransportConfig::with_uri(setting("AEGIS_URL"));
        let lifecycle = self.era.lifecycle();
        match (&self.person, &self.key) {
            (Some(person), _) => {
                let transport = StreamableHttpClientTransport::with_client(person.client().await, config);
                host.serve_with_lifecycle(transport, lifecycle).await.expect("a connection")
            }
            (None, key) => {
                let config = config.auth_header(key.as_deref().unwrap_or_default());
                let transport = StreamableHttpClientTransport::with_client(reqwest::Client::new(), config);
                host.serve_with_lifecycle(transport, lifecycle).await.expect("a connection")
            }
        }
    }
}
