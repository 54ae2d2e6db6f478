//! Checkpoints for others to keep, so that a log that was cut or written anew is found out: each goes to the log of this
//! process, which a container runtime keeps, and to AUDIT_ANCHOR_URL. It signs nothing, and no call waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aegis_custody::audit::{Checkpoint, Note};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Uri};
use http_body_util::Full;

use crate::audit::Latest;
use crate::https::{HttpsClient, NoClient, client, reason};
use crate::settings::Settings;
use crate::shared::{Shared, SystemRandom};
use crate::way::drawn;

/// What one attempt may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pauses between attempts grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(120));

/// How often the log of this process gets one for a log that does not grow, in milliseconds.
const SAME: u64 = 3_600_000;

/// Where checkpoints are posted.
pub(crate) struct Anchor {
    client: HttpsClient,
    uri: Uri,
}

/// How the address is doing.
#[derive(Debug, Default)]
pub(crate) struct Anchored {
    /// There is one.
    asked: AtomicBool,
    /// Lines of the last checkpoint that it has taken.
    lines: AtomicU64,
    /// The last attempt failed.
    failed: AtomicBool,
}

impl Anchored {
    /// Lines of the last checkpoint that AUDIT_ANCHOR_URL has taken; none where there is no such address.
    pub(crate) fn lines(&self) -> Option<u64> {
        self.asked.load(Ordering::Acquire).then(|| self.lines.load(Ordering::Acquire))
    }

    /// Whether it did not take the last one that it was sent.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}

impl Anchor {
    /// The one that the settings name.
    ///
    /// # Errors
    /// It cannot be asked for: no address, or nothing to trust it by.
    pub(crate) fn of(settings: &Settings) -> Result<Option<Self>, String> {
        let Some(url) = settings.audit_anchor_url() else { return Ok(None) };
        let wrong = |why: String| format!("AUDIT_ANCHOR_URL cannot be used: {why}");
        let uri = url.parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?;
        let made = client(url, PATIENCE, settings.gitea_ca_file(), None);
        let client = made.map_err(|error| match error {
            NoClient::Certificates(error) => {
                wrong(format!("the system's certificates cannot be read: {error}"))
            }
            other @ (NoClient::Authorities { .. } | NoClient::Tls(_) | NoClient::Proxy(_)) => {
                wrong(other.to_string())
            }
        })?;
        Ok(Some(Self { client, uri }))
    }

    /// Post one; what went wrong where it was not taken.
    async fn post(&self, note: &str) -> Result<(), String> {
        let request = Request::post(self.uri.clone())
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Full::from(Bytes::copy_from_slice(note.as_bytes())))
            .map_err(|error| error.to_string())?;
        match tokio::time::timeout(PATIENCE, self.client.request(request)).await {
            Ok(Ok(answer)) if answer.status().is_success() => Ok(()),
            Ok(Ok(answer)) => Err(format!("it answered {}", answer.status().as_u16())),
            Ok(Err(error)) => Err(reason(&error)),
            Err(_) => Err(format!("no answer within {} seconds", PATIENCE.as_secs())),
        }
    }
}

/// Hand on each checkpoint from now on, for as long as the log is open.
pub(crate) fn attend(shared: &Arc<Shared>, anchor: Option<Anchor>) {
    let latest = shared.trail.checkpoints();
    tokio::spawn(log(latest.clone()));
    if let Some(anchor) = anchor {
        shared.anchored.asked.store(true, Ordering::Release);
        tokio::spawn(post(latest, anchor, Arc::clone(&shared.anchored)));
    }
}

/// The last one, once there is one that was not seen; none where there will be no more.
async fn next(latest: &mut Latest) -> Option<Arc<str>> {
    loop {
        let last = latest.borrow_and_update().clone();
        if last.is_some() {
            return last;
        }
        latest.changed().await.ok()?;
    }
}

async fn log(mut latest: Latest) {
    let mut told: Option<Checkpoint> = None;
    while let Some(text) = next(&mut latest).await {
        if let Ok(Note { checkpoint, .. }) = Note::parse(&text) {
            let age = |told: &Checkpoint| checkpoint.time.unix_millis().abs_diff(told.time.unix_millis());
            if told.as_ref().is_none_or(|told| told.size != checkpoint.size || age(told) >= SAME) {
                tracing::info!(event = "audit_checkpoint", size = checkpoint.size, checkpoint = &*text);
                told = Some(checkpoint);
            }
        }
        if latest.changed().await.is_err() {
            return;
        }
    }
}

async fn post(mut latest: Latest, anchor: Anchor, anchored: Arc<Anchored>) {
    let mut pause = PAUSES.0;
    while let Some(text) = next(&mut latest).await {
        match anchor.post(&text).await {
            Ok(()) => {
                if anchored.failed.swap(false, Ordering::AcqRel) {
                    tracing::info!(
                        event = "audit_anchor_available",
                        "AUDIT_ANCHOR_URL takes checkpoints again"
                    );
                }
                pause = PAUSES.0;
                if let Ok(note) = Note::parse(&text) {
                    anchored.lines.store(note.checkpoint.size, Ordering::Release);
                }
                if latest.changed().await.is_err() {
                    return;
                }
            }
            // The next attempt has the newest, which covers this one.
            Err(error) => {
                if !anchored.failed.swap(true, Ordering::AcqRel) {
                    tracing::warn!(event = "audit_anchor_unavailable", %error, "AUDIT_ANCHOR_URL did not take a checkpoint: it is tried again, and calls go on");
                }
                tokio::time::sleep(drawn(pause, &SystemRandom)).await;
                pause = pause.saturating_mul(2).min(PAUSES.1);
            }
        }
    }
}
