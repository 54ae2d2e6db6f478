//! What may leave before an outcome is on record: short comments, progress and messages, never a result, and not much
//! of them.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Number, Value};

/// Most bytes that leave early in one request.
const MAX_BYTES: usize = 64 << 10;
/// Longest comment, in bytes.
const MAX_COMMENT: usize = 40;
/// Longest event, in bytes.
const MAX_EVENT: usize = 1_024;
/// Longest progress token that is text, in bytes.
const MAX_TOKEN: usize = 256;
/// Longest words beside a progress, in bytes.
const MAX_WORDS: usize = 64;
/// Longest name of a logger and text of a message, in bytes.
const MAX_LOGGER: usize = 64;
const MAX_MESSAGE: usize = 128;
/// RFC 5424 section 6.2.1, as MCP spells them.
const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// What becomes of a piece of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It may leave.
    Now,
    /// It could, but enough has left early: it is left out.
    Never,
    /// Only when every outcome is on record.
    Later,
}

/// How much of a request has left early.
#[derive(Default)]
pub(crate) struct Early {
    bytes: AtomicUsize,
}

impl Early {
    /// What becomes of a piece while a ticket is open.
    pub(crate) fn judge(&self, piece: &[u8]) -> Leave {
        if !is_progress(piece) {
            return Leave::Later;
        }
        let fits = |bytes: usize| bytes.checked_add(piece.len()).filter(|sum| *sum <= MAX_BYTES);
        match self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            Ok(_) => Leave::Now,
            Err(_) => Leave::Never,
        }
    }
}

/// One short comment, or one notification with nothing in it but numbers and a few words.
fn is_progress(piece: &[u8]) -> bool {
    let Some(text) = str::from_utf8(piece).ok().and_then(|text| text.strip_suffix("\n\n")) else {
        return false;
    };
    if let Some(comment) = text.strip_prefix(':') {
        return comment.len() <= MAX_COMMENT && comment.bytes().all(|b| b.is_ascii_alphabetic() || b == b' ');
    }
    let Some(json) = text.strip_prefix("event: message\ndata: ") else { return false };
    json.len() <= MAX_EVENT
        && !json.contains(['\n', '\r'])
        && (is::<Progress<'_>>(json, "notifications/progress", Progress::is_short)
            || is::<Message<'_>>(json, "notifications/message", Message::is_short))
}

fn is<'a, T: serde::Deserialize<'a>>(json: &'a str, method: &str, is_short: fn(&T) -> bool) -> bool {
    serde_json::from_str::<Notification<'a, T>>(json)
        .is_ok_and(|told| told.jsonrpc == "2.0" && told.method == method && is_short(&told.params))
}

/// A notification and nothing else.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Notification<'a, T> {
    jsonrpc: &'a str,
    method: &'a str,
    params: T,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress<'a> {
    #[serde(rename = "progressToken")]
    token: Value,
    #[serde(rename = "progress")]
    _progress: Number,
    #[serde(rename = "total")]
    _total: Option<Number>,
    message: Option<Cow<'a, str>>,
}

impl Progress<'_> {
    fn is_short(&self) -> bool {
        let token =
            self.token.is_number() || self.token.as_str().is_some_and(|token| token.len() <= MAX_TOKEN);
        token && self.message.as_ref().is_none_or(|message| message.len() <= MAX_WORDS)
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<'a> {
    level: &'a str,
    logger: Option<Cow<'a, str>>,
    data: Cow<'a, str>,
}

impl Message<'_> {
    fn is_short(&self) -> bool {
        LEVELS.contains(&self.level)
            && self.logger.as_ref().is_none_or(|logger| logger.len() <= MAX_LOGGER)
            && self.data.len() <= MAX_MESSAGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRESS: &str = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1,"total":3,"message":"asking Gitea"}}"#;
    const MESSAGE: &str = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","logger":"search","data":"a \"quoted\" word"}}"#;

    fn event(json: &str) -> String {
        format!("event: message\ndata: {json}\n\n")
    }

    #[test]
    fn comments_progress_and_messages_may_leave_early() {
        let decimal = PROGRESS.replace(r#""progress":1,"total":3"#, r#""progress":0.5,"total":1.0"#);
        let bare = PROGRESS.replace(r#","total":3,"message":"asking Gitea""#, "");
        let unnamed = MESSAGE.replace(r#""logger":"search","#, "");
        for level in LEVELS {
            assert!(is_progress(event(&MESSAGE.replace("info", level)).as_bytes()), "{level}");
        }
        assert!(is_progress(b": progress follows\n\n"));
        for json in [PROGRESS, &decimal, &bare, MESSAGE, &unnamed] {
            assert!(is_progress(event(json).as_bytes()), "{json}");
        }
    }

    #[test]
    fn nothing_else_leaves_early() {
        let long = format!(": {}\n\n", "x".repeat(50));
        let smuggled = PROGRESS.replace(r#""total":3"#, r#""total":3,"result":{"content":"secret"}"#);
        let wordy = PROGRESS.replace("asking Gitea", &"x".repeat(65));
        let text = PROGRESS.replace(r#""progress":1"#, r#""progress":"secret""#);
        let two = event(PROGRESS) + &event(PROGRESS);
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"text":"\"method\":\"notifications/"}}"#;
        let object = MESSAGE.replace(r#""a \"quoted\" word""#, r#"{"text":"secret"}"#);
        let meta = MESSAGE.replace(r#""level""#, r#""_meta":{},"level""#);
        let wordy_message = MESSAGE.replace(r#"a \"quoted\" word"#, &"x".repeat(129));
        let wordy_logger = MESSAGE.replace("search", &"x".repeat(65));
        let level = MESSAGE.replace("info", "secret");
        let request = MESSAGE.replace(r#""jsonrpc":"2.0","#, r#""jsonrpc":"2.0","id":1,"#);
        let events = [smuggled, wordy, text, object, meta, wordy_message, wordy_logger, level, request];
        let events = events.iter().map(|json| event(json)).chain([event(answer), two, long]);
        for refused in events.chain([":secret: 42\n\n".to_owned()]) {
            assert!(!is_progress(refused.as_bytes()), "{refused}");
            assert_eq!(Early::default().judge(refused.as_bytes()), Leave::Later);
        }
    }

    #[test]
    fn only_so_much_of_it_leaves() {
        let (early, piece) = (Early::default(), event(MESSAGE));
        let left = (0..10_000).take_while(|_| early.judge(piece.as_bytes()) == Leave::Now).count();
        assert_eq!(left, MAX_BYTES / piece.len());
        assert_eq!(early.judge(piece.as_bytes()), Leave::Never);
        assert_eq!(early.judge(event(r#"{"result":1}"#).as_bytes()), Leave::Later);
    }
}
