//! Cold start: from exec to the first answer, with the compiled guest in its cache and without.

use std::path::Path;

use serde_json::{Value, json};

use crate::Result;
use crate::load::{Connection, Shot};
use crate::process::Launch;

/// Starts with the compiled guest at hand, and without.
pub const WARM_STARTS: usize = 9;
pub const COLD_STARTS: usize = 2;

/// One start, in milliseconds since exec.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// It said that it listens.
    pub listening: f64,
    /// A 200 from `/health` had arrived.
    pub health: f64,
    /// The first `tools/list` had been answered.
    pub tools: f64,
}

impl Start {
    /// For `bench.json`.
    pub fn json(&self) -> Value {
        json!({"listening_ms": self.listening, "health_ms": self.health, "tools_list_ms": self.tools})
    }
}

/// Start once, with nothing in the cache if `empty` is a folder to be removed first.
///
/// # Errors
/// It does not start, or does not answer.
pub async fn start(launch: &Launch, list: &Shot, empty: Option<&Path>) -> Result<Start> {
    if let Some(folder) = empty
        && folder.exists()
    {
        std::fs::remove_dir_all(folder)?;
    }
    let server = launch.start().await?;
    let since = || server.started.elapsed().as_secs_f64() * 1e3;
    let listening = since();
    let mut connection = Connection::open(&server.address).await?;
    let health = Shot { method: "GET", target: "/health", headers: Vec::new(), body: String::new() };
    let (status, _) = connection.send(&health).await?;
    let healthy = since();
    let (listed, body) = connection.send(list).await?;
    let tools = since();
    if !status.is_success() || !listed.is_success() || !String::from_utf8_lossy(&body).contains("inputSchema")
    {
        return Err(format!("/health answered {status}, tools/list {listed}").into());
    }
    server.stop().await;
    Ok(Start { listening, health: healthy, tools })
}
