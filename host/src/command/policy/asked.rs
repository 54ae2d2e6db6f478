//! The guest that answers, and the documents that it is asked about.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::super::{EnvFile, in_force};
use crate::admin::load_only;
use crate::aside::{self, Aside};
use crate::component::bindings::aegis::gateway::types::Problem;
use crate::settings::Settings;

/// The settings that these commands use: where things are, and what else than the policy a call passes.
const USED: [&str; 9] = [
    "POLICY_FILE_PATH",
    "GUEST_PATH",
    "GUEST_CACHE_DIR",
    "AUDIT_LOG_PATH",
    "WRITE_MODE",
    "WRITE_REPOSITORY_WHITELIST",
    "WRITE_ALLOW_ALL_TOKEN_REPOS",
    "TOOLSETS",
    "TOOLS_DENY",
];

/// Why there is no answer, in lines for a person.
pub(super) struct NoAnswer(pub(super) Vec<String>);

impl NoAnswer {
    pub(super) fn of(line: impl Into<String>) -> Self {
        Self(vec![line.into()])
    }

    /// With a file's own name where the guest, who does not know it, has another.
    pub(super) fn renamed(self, from: &str, to: &str) -> Self {
        let named = |line: String| match line.strip_prefix(from) {
            Some(rest) if rest.starts_with(':') => format!("{to}{rest}"),
            Some(_) | None => line,
        };
        Self(self.0.into_iter().map(named).collect())
    }
}

/// Why there is no document.
pub(super) enum Unread {
    /// The file of this name is longer than anything that a server reads as a policy.
    TooLong(String),
    /// It cannot be read.
    No(NoAnswer),
}

impl From<Unread> for NoAnswer {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLong(name) => Self::of(format!("{name} cannot be read: it is larger than 1 MiB")),
            Unread::No(no) => no,
        }
    }
}

/// A policy document.
pub(super) struct Document {
    /// Its file, or what it is.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// The guest, ready to be asked.
pub(super) struct Guest {
    runtime: Runtime,
    aside: Aside,
    settings: Settings,
    /// The settings that it may read.
    pub(super) values: Vec<(String, String)>,
}

/// The content of a file.
///
/// # Errors
/// It cannot be read, or is larger than a policy may be.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Unread> {
    crate::policy::read(Some(path)).map_err(|error| {
        if error.kind() == ErrorKind::FileTooLarge {
            Unread::TooLong(path.display().to_string())
        } else {
            Unread::No(NoAnswer::of(format!("{} cannot be read: {error}", path.display())))
        }
    })
}

impl Guest {
    /// The component that a server with these settings would run.
    ///
    /// # Errors
    /// The settings are wrong, or it cannot be run here.
    pub(super) fn load(env: &EnvFile) -> Result<Self, NoAnswer> {
        let settings = load_only(env.env_file.as_deref(), &USED)
            .map_err(|problems| NoAnswer(problems.iter().map(ToString::to_string).collect()))?;
        let failed = |error: String| NoAnswer::of(error);
        let linked = aside::load(&settings).map_err(|error| {
            failed(format!("{error}; GUEST_PATH names the component, which comes with the program"))
        })?;
        let values = in_force::guest_values(&settings, "");
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| failed(error.to_string()))?;
        let within = runtime.enter();
        let aside =
            Aside::new(Arc::new(linked), &settings, &values).map_err(|error| failed(error.to_string()))?;
        drop(within);
        Ok(Self { runtime, aside, settings, values })
    }

    /// The document at a path, or the one of the settings.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn document(&self, path: Option<PathBuf>) -> Result<Document, Unread> {
        if let Some(path) = path {
            return Ok(Document { name: path.display().to_string(), bytes: read(&path)? });
        }
        let (name, bytes) = in_force::policy(&self.settings).map_err(|error| match error.too_long() {
            Some(path) => Unread::TooLong(path),
            None => Unread::No(NoAnswer::of(error.to_string())),
        })?;
        Ok(Document { name, bytes })
    }

    /// The mistakes in a document, as the start would tell them.
    ///
    /// # Errors
    /// The guest could not run.
    pub(super) fn problems(&self, document: &Document) -> Result<Vec<Problem>, NoAnswer> {
        let asked = self.aside.preflight(&document.bytes, &self.values);
        let answer = self.runtime.block_on(asked).map_err(|error| NoAnswer::of(error.to_string()))?;
        let problems = answer.err().unwrap_or_default();
        Ok(problems.into_iter().filter(|problem| problem.source == "policy").collect())
    }

    /// The text of a document without mistakes.
    ///
    /// # Errors
    /// It has mistakes: each with its place.
    pub(super) fn text<'d>(&self, document: &'d Document) -> Result<&'d str, NoAnswer> {
        let problems = self.problems(document)?;
        if problems.is_empty()
            && let Ok(text) = str::from_utf8(&document.bytes)
        {
            return Ok(text);
        }
        Err(NoAnswer(problems.iter().map(|problem| problem.told(&document.name)).collect()))
    }

    /// Have a question answered.
    ///
    /// # Errors
    /// The guest could not run, or refuses the question.
    pub(super) fn ask(&self, command: &Value) -> Result<Value, NoAnswer> {
        let answer = self.runtime.block_on(self.aside.operator(&command.to_string()));
        let answer = answer.map_err(|error| NoAnswer::of(error.to_string()))?;
        let answer: Value = serde_json::from_str(&answer)
            .map_err(|_| NoAnswer::of("the component answers in a form that this program does not know"))?;
        let Some(error) = answer.get("error").and_then(Value::as_str) else { return Ok(answer) };
        let problems = answer.get("problems").and_then(Value::as_array);
        let lines: Vec<String> =
            problems.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        Err(if lines.is_empty() { NoAnswer::of(error) } else { NoAnswer(lines) })
    }
}
