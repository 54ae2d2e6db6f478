//! The conversation: each line is a request of its own, some run side by side, answers are written as they come. It ends
//! with standard input, once everything that was asked is answered.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, Id, JoinSet};

use super::message::{Events, Message, line_of, refusal};
use super::pipes::{Line, input, output};
use crate::serve::{Server, local};

/// Requests side by side: below what one caller may have in flight, since an instance still ends after its answer left.
const AT_ONCE: usize = 6;
/// Requests that wait for their turn, beyond which no line is taken.
const MOST: usize = 64;
/// Longest answer that is taken, in bytes: what the host lets a guest say.
const MAX_ANSWER: usize = 17 << 20;
/// How long what was asked may take after a signal.
const PATIENCE: Duration = Duration::from_secs(7);

/// Answer until standard input ends, standard output cannot be written, or `stop`.
pub(super) async fn talk(server: Arc<Server>, stop: impl Future<Output = ()>) {
    let most = server.limits.body_bytes;
    let (out, mut closed) = output();
    let mut conversation = Conversation {
        server,
        out,
        turns: Arc::new(Semaphore::new(AT_ONCE)),
        tasks: JoinSet::new(),
        calls: HashMap::new(),
    };
    let mut lines = input(most);
    tokio::pin!(stop);
    let patience = loop {
        tokio::select! {
            line = lines.recv(), if conversation.tasks.len() < MOST => match line {
                Some(Line::Whole(line)) => conversation.hear(line),
                Some(Line::TooLong) => conversation.too_long(),
                None => break None,
            },
            Some(ended) = conversation.tasks.join_next_with_id() => conversation.forget(&ended),
            _ = &mut closed => return,
            () = &mut stop => break Some(PATIENCE),
        }
    };
    let Conversation { out, mut tasks, .. } = conversation;
    // Each answer has its own deadline, so this ends; after a signal it ends soon.
    let all = async { while tasks.join_next().await.is_some() {} };
    match patience {
        None => all.await,
        Some(patience) => drop(tokio::time::timeout(patience, all).await),
    }
    drop((tasks, out));
    let _ = closed.await;
}

struct Conversation {
    server: Arc<Server>,
    out: mpsc::Sender<Vec<u8>>,
    turns: Arc<Semaphore>,
    tasks: JoinSet<()>,
    /// By the id of the request, as JSON.
    calls: HashMap<String, AbortHandle>,
}

impl Conversation {
    fn hear(&mut self, line: Vec<u8>) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let message = Message::read(&line);
        if let Some(call) = message.cancels.as_ref().and_then(|id| self.calls.remove(&id.to_string())) {
            // As over HTTP, where a client closes the connection: a read is given up, a write goes on to its end.
            call.abort();
        }
        let id = message.id.as_ref().map(Value::to_string);
        let (server, out, turns) = (self.server.clone(), self.out.clone(), self.turns.clone());
        let task = self.tasks.spawn(async move {
            let Ok(_turn) = turns.acquire().await else { return };
            answer(&server, &out, &message, line).await;
        });
        if let Some(id) = id {
            self.calls.insert(id, task);
        }
    }

    fn too_long(&mut self) {
        let out = self.out.clone();
        self.server.shared.metrics.refused("body_too_large");
        tracing::info!(event = "refused", reason = "body_too_large");
        self.tasks.spawn(async move {
            let text = "The message is longer than MAX_REQUEST_BYTES.";
            let _ = out.send(refusal(&Value::Null, -32600, "body_too_large", text)).await;
        });
    }

    fn forget(&mut self, ended: &Result<(Id, ()), tokio::task::JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.calls.retain(|_, call| call.id() != id);
    }
}

/// One request, from its line to the lines that answer it.
async fn answer(server: &Arc<Server>, out: &mpsc::Sender<Vec<u8>>, message: &Message, line: Vec<u8>) {
    let id = message.id.as_ref();
    let no_answer = |reason: &str, text: &str| id.map(|id| refusal(id, -32603, reason, text));
    let mut answered = match local::answer(server, message.request(Bytes::from(line))).await {
        Ok(answered) => answered,
        Err(error) => {
            tracing::warn!(event = "no_answer", %error);
            let lost =
                no_answer("internal_error", "The request failed inside. The log on standard error has more.");
            return write(out, lost).await;
        }
    };
    let response = &mut answered.response;
    let status = response.status();
    let is_stream = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !is_stream {
        let line = match Limited::new(response.body_mut(), MAX_ANSWER).collect().await {
            Ok(body) if status == StatusCode::ACCEPTED && id.is_none() => {
                drop(body);
                None
            }
            Ok(body) => line_of(&body.to_bytes(), status.as_u16(), id),
            Err(_) => no_answer("answer_broken", "The answer broke off."),
        };
        return write(out, line).await;
    }
    let (mut events, mut is_answered) = (Events::default(), false);
    while let Some(Ok(frame)) = response.body_mut().frame().await {
        let Ok(piece) = frame.into_data() else { continue };
        for event in events.take(&piece) {
            let whole: Value = serde_json::from_slice(&event).unwrap_or_default();
            is_answered |= whole.get("id").is_some();
            write(out, line_of(&event, status.as_u16(), None)).await;
        }
    }
    if !is_answered {
        write(
            out,
            no_answer(
                "answer_broken",
                "The answer broke off. If this was a change, look whether it was made.",
            ),
        )
        .await;
    }
}

async fn write(out: &mpsc::Sender<Vec<u8>>, line: Option<Vec<u8>>) {
    if let Some(line) = line {
        // When nobody reads any more the conversation is over anyway.
        let _ = out.send(line).await;
    }
}
