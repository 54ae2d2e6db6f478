//! Levels of messages to the client (RFC 5424 section 6.2.1), and from which one on a client hears them.
//!
//! Modern clients say it with each request. Legacy ones say it once, by `logging/setLevel`; nothing is kept between
//! requests but in the caller's cache, so that is a wish of the caller's and not of one of its windows.

use serde_json::{Map, Value};

use super::era::{self, Era};
use super::error::Fault;
use crate::ports::{Cache, Level};

const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
const SPACE: &str = "mcp";
const KEY: &str = "log-level";
/// How long a legacy client's wish is kept, in seconds.
const KEPT_SECONDS: u32 = 86_400;

/// The protocol's names, the least first, with the level of ours that is the first to be heard.
const NAMES: [(&str, Option<Level>); 8] = [
    ("debug", Some(Level::Debug)),
    ("info", Some(Level::Info)),
    ("notice", Some(Level::Warning)),
    ("warning", Some(Level::Warning)),
    ("error", Some(Level::Error)),
    ("critical", None),
    ("alert", None),
    ("emergency", None),
];

/// Levels in their order.
pub(super) fn rank(level: Level) -> u8 {
    match level {
        Level::Debug => 0,
        Level::Info => 1,
        Level::Warning => 2,
        Level::Error => 3,
    }
}

/// The protocol's name.
pub(super) fn name(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

/// The least level that the client of a request hears. A modern one that names none hears nothing; a legacy one hears
/// what is normal.
///
/// # Errors
/// It names a level that there is not.
pub(super) fn heard(
    cache: &dyn Cache,
    era: Era,
    params: &Map<String, Value>,
) -> Result<Option<Level>, Fault> {
    match era {
        Era::Modern => match era::meta(params).and_then(|meta| meta.get(LOG_LEVEL)) {
            None => Ok(None),
            Some(named) => read(named),
        },
        Era::Legacy => {
            let kept = cache.get(SPACE, KEY).and_then(|kept| String::from_utf8(kept).ok());
            let kept = kept.and_then(|named| NAMES.iter().find(|(name, _)| *name == named));
            Ok(kept.map_or(Some(Level::Info), |(_, level)| *level))
        }
    }
}

/// Legacy `logging/setLevel`.
///
/// # Errors
/// There is no such level.
pub(super) fn set(cache: &dyn Cache, params: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    let named = params.get("level").unwrap_or(&Value::Null);
    read(named)?;
    cache.put(SPACE, KEY, named.as_str().unwrap_or_default().as_bytes(), KEPT_SECONDS);
    Ok(Map::new())
}

fn read(named: &Value) -> Result<Option<Level>, Fault> {
    let found = NAMES.iter().find(|(name, _)| named.as_str() == Some(name));
    found.map(|(_, level)| *level).ok_or_else(|| {
        let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        Fault::InvalidParams(format!("The level is one of {}.", names.join(", ")))
    })
}
