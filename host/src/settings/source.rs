//! Where the text of a setting comes from: the environment, then the env file, then the default.
//!
//! This is the only place of the program that reads the environment.

use super::{Problem, Setting, env_file, problem::nearest, secret::MASK};
use std::{env, ffi::OsString, fs, io, path::Path};
use zeroize::Zeroizing;

/// The variables and files around the program.
pub(crate) trait Environment {
    /// The value of a variable.
    fn variable(&self, name: &str) -> Option<OsString>;
    /// A whole file.
    ///
    /// # Errors
    /// As `std::fs::read`.
    fn file(&self, path: &Path) -> io::Result<Vec<u8>>;
}

/// The real environment of this process.
pub(crate) struct Process;

impl Environment for Process {
    fn variable(&self, name: &str) -> Option<OsString> {
        env::var_os(name)
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nobody set it.
    Default,
    /// A variable of the environment.
    Environment,
    /// A line of the env file.
    EnvFile,
    /// The file that `NAME_FILE` names.
    SecretFile,
}

impl Source {
    /// One word for people and programs.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Environment => "environment",
            Self::EnvFile => "env-file",
            Self::SecretFile => "secret-file",
        }
    }
}

/// One setting as it is in force.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its line in the table.
    pub(crate) setting: &'static Setting,
    /// The text in force, `***` for a secret that is set; empty where nothing is.
    pub(crate) shown: String,
    /// Where it came from.
    pub(crate) source: Source,
}

/// Reads settings one after the other and keeps what is wrong with them.
pub(super) struct Reading<'a> {
    environment: &'a dyn Environment,
    file: Vec<env_file::Entry>,
    pub(super) problems: Vec<Problem>,
    pub(super) rows: Vec<Row>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(environment: &'a dyn Environment) -> Self {
        Self { environment, file: Vec::new(), problems: Vec::new(), rows: Vec::new() }
    }

    /// Takes in the env file. A name that is no setting is a problem: it is a typing mistake that would
    /// otherwise quietly leave a default in force. Names of `others` are somebody else's to read.
    pub(super) fn env_file(&mut self, path: &Path, table: &[&Setting], others: &[&str]) {
        let shown = path.display();
        let text = match self.text_of(path) {
            Ok(text) => text,
            Err(error) => {
                self.problems.push(Problem::new(shown.to_string(), format!("cannot be read: {error}")));
                return;
            }
        };
        let (entries, errors) = env_file::parse(&text);
        self.problems.extend(
            errors.into_iter().map(|(line, error)| Problem::new(format!("{shown} line {line}"), error)),
        );
        let mut names: Vec<String> = table.iter().map(|setting| setting.name.to_owned()).collect();
        names.extend(
            table.iter().filter(|setting| setting.secret).map(|setting| format!("{}_FILE", setting.name)),
        );
        names.extend(others.iter().map(|&name| name.to_owned()));
        for entry in &entries {
            if names.contains(&entry.name) {
                continue;
            }
            let hint = if let Some(near) = nearest(&entry.name, names.iter().map(String::as_str)) {
                format!("is not a setting; did you mean {near}?")
            } else {
                "is not a setting; `aegis-mcp docs configuration` lists them all".to_owned()
            };
            self.problems.push(Problem::new(&entry.name, format!("({shown} line {}) {hint}", entry.line)));
        }
        self.file = entries;
    }

    /// A setting that always has a value; `None` after a problem, as in the two others.
    pub(super) fn one<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match self.perhaps(setting, parse)? {
            Some(value) => Some(value),
            None => {
                let also = if setting.secret { format!(" or {}_FILE", setting.name) } else { String::new() };
                self.problems
                    .push(Problem::new(setting.name, format!("is required: set {}{also}", setting.name)));
                None
            }
        }
    }

    /// A list.
    pub(super) fn all<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl Fn(&str) -> Result<Vec<T>, String>,
    ) -> Option<Vec<T>> {
        self.perhaps(setting, parse).map(Option::unwrap_or_default)
    }

    /// A setting that may stay unset.
    pub(super) fn perhaps<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        let found = self.find(setting).map_err(|problem| self.problems.push(problem)).ok()?;
        let (text, source) =
            found.unwrap_or_else(|| (Zeroizing::new(setting.default.to_owned()), Source::Default));
        let shown = if setting.secret && !text.is_empty() { MASK.to_owned() } else { text.to_string() };
        self.rows.push(Row { setting, shown, source });
        if text.is_empty() {
            return Some(None);
        }
        match parse(&text) {
            Ok(value) => Some(Some(value)),
            Err(error) if setting.secret => {
                self.problems.push(Problem::new(setting.name, error));
                None
            }
            Err(error) => {
                self.problems.push(Problem::of_value(setting.name, &text, error));
                None
            }
        }
    }

    fn find(&self, setting: &Setting) -> Result<Option<(Zeroizing<String>, Source)>, Problem> {
        let direct = self.variable(setting.name)?;
        if !setting.secret {
            return Ok(direct);
        }
        let name = format!("{}_FILE", setting.name);
        let Some((path, _)) = self.variable(&name)? else { return Ok(direct) };
        if direct.is_some() {
            return Err(Problem::new(setting.name, format!("and {name} are both set; keep one")));
        }
        // The path is not repeated: a secret put into the wrong variable would end up in the log.
        let text = self.text_of(Path::new(path.as_str()));
        let text = text.map_err(|error| {
            Problem::new(name.as_str(), format!("names a file that cannot be read: {error}"))
        })?;
        let text = Zeroizing::new(text.trim().to_owned());
        if text.is_empty() {
            return Err(Problem::new(name, "names a file that is empty"));
        }
        Ok(Some((text, Source::SecretFile)))
    }

    /// A variable that is set to something, in the environment or else in the env file.
    fn variable(&self, name: &str) -> Result<Option<(Zeroizing<String>, Source)>, Problem> {
        if let Some(value) = self.environment.variable(name) {
            let value = value.into_string().map_err(|_| Problem::new(name, "must be UTF-8 text"))?;
            let value = Zeroizing::new(value);
            if !value.trim().is_empty() {
                return Ok(Some((Zeroizing::new(value.trim().to_owned()), Source::Environment)));
            }
        }
        let entry = self.file.iter().find(|entry| entry.name == name && !entry.value.trim().is_empty());
        Ok(entry.map(|entry| (Zeroizing::new(entry.value.trim().to_owned()), Source::EnvFile)))
    }

    fn text_of(&self, path: &Path) -> Result<Zeroizing<String>, String> {
        let bytes = self.environment.file(path).map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            "it is not UTF-8 text".to_owned()
        })?;
        Ok(Zeroizing::new(text))
    }
}
