//! Labels: list those of a repository with its organisation's, make one, change one. Nothing here puts a label on an
//! issue, and nothing changes a label of an organisation.

mod list;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::applied::{self, NOT_APPLIED};
use super::args::{Color, Flag, LabelName, Page, Repo, ShortText};
use super::kit::{Entry, Error, Hints, Key, Kind, ReadTool, Shape, WriteTool, read, tool, write};
use super::lookup::{self, Known};
use super::paging::{self, HAS_NEXT, PAGE, TOTAL};
use crate::access::{Reader, Writer};
use crate::gitea::{self, Write};
use crate::reply::Reply;

pub(super) const TOOLS: &[&dyn Entry] =
    &[read::<ListLabels>(), write::<CreateLabel>(), write::<UpdateLabel>()];

tool! {
    /// List a repository's labels, then its organisation's, which it can use too.
    "list_labels" ("List labels") => struct ListLabels {
        repo: Repo,
        page: Page,
    }
}

impl ReadTool for ListLabels {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("labels", Kind::Each(&LABEL_LINE), "The labels of this page."),
        Key::own(
            "organisation_unread",
            Kind::Flag,
            "Present and true when the organisation's labels are missing: the token lacks read:organization.",
        ),
        PAGE,
        HAS_NEXT,
        TOTAL,
    ]);
    const READS: &'static [&'static str] =
        &[lookup::REPOSITORY_LABELS, lookup::ORGANISATION_LABELS, paging::SETTINGS];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        list::list(gitea, &self.repo, self.page)
    }
}

tool! {
    /// Make a label. A name that the repository or its organisation has, in any case, is refused.
    "create_label" ("Create label") => struct CreateLabel {
        repo: Repo,
        /// Name; `kind/bug` puts it into the scope `kind`.
        name: LabelName,
        /// Hex: `#00aabb`.
        color: Color,
        /// One line.
        description: Option<ShortText>,
        /// One label of its scope per issue.
        exclusive: Option<Flag>,
    }
}

impl WriteTool for CreateLabel {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("label", Kind::Object(&LABEL), "The new label."), NOT_APPLIED]);
    const READS: &'static [&'static str] =
        &[lookup::REPOSITORY, lookup::REPOSITORY_LABELS, lookup::ORGANISATION_LABELS];
    const WRITES: &'static [&'static Write] = &[gitea::CREATE_LABEL];
    const HINTS: Hints = Hints::ADDS;

    fn call(self, writer: &Writer<'_>) -> Result<Reply, Error> {
        let exclusive = self.exclusive.map(|flag| flag.0);
        let name = self.name.0.trim();
        if exclusive == Some(true) && !has_scope(name) {
            return Err(no_scope(name));
        }
        let known = known(writer.reader(), &self.repo)?;
        known.free(&self.repo, name, None)?;

        let mut wanted = Wanted { name: Some(name), color: Some(&self.color), ..Wanted::default() };
        wanted.description = self.description.as_ref().map(|text| text.0.as_str());
        wanted.exclusive = exclusive;
        let place = vec![self.repo.owner.clone(), self.repo.repo.clone()];
        let answer = writer.send(gitea::CREATE_LABEL, place, &wanted.body())?;
        Ok(wanted.told(&answer.body))
    }
}

tool! {
    /// Rename a label or change its colour or description. Issues keep it.
    "update_label" ("Update label") => struct UpdateLabel {
        repo: Repo,
        /// Present name; not one of the organisation's.
        name: LabelName,
        /// New name.
        new_name: Option<LabelName>,
        /// Hex: `#00aabb`.
        color: Option<Color>,
        /// An empty one clears it.
        description: Option<ShortText>,
    }
}

impl WriteTool for UpdateLabel {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("label", Kind::Object(&LABEL), "The label as it is now."), NOT_APPLIED]);
    const READS: &'static [&'static str] =
        &[lookup::REPOSITORY, lookup::REPOSITORY_LABELS, lookup::ORGANISATION_LABELS];
    const WRITES: &'static [&'static Write] = &[gitea::EDIT_LABEL];
    const HINTS: Hints = Hints::REPLACES;

    fn call(self, writer: &Writer<'_>) -> Result<Reply, Error> {
        let wanted = Wanted {
            name: self.new_name.as_ref().map(|name| name.0.trim()),
            color: self.color.as_ref(),
            description: self.description.as_ref().map(|text| text.0.as_str()),
            exclusive: None,
        };
        applied::some_change(
            &[wanted.name.is_some(), wanted.color.is_some(), wanted.description.is_some()],
            "`new_name`, `color` and `description`",
        )?;
        let known = known(writer.reader(), &self.repo)?;
        let label = known.own(&self.repo, &self.name.0)?;
        if let Some(name) = wanted.name {
            known.free(&self.repo, name, Some(label.id))?;
        }
        let mut body = wanted.body();
        // Gitea brings an archived label back with every change that does not say otherwise.
        put(&mut body, "is_archived", Some(label.archived.into()));
        let place = vec![self.repo.owner.clone(), self.repo.repo.clone(), label.id.to_string()];
        let answer = writer.send(gitea::EDIT_LABEL, place, &body)?;
        Ok(wanted.told(&answer.body))
    }
}

/// What a label is to be. What is not named stays as it is.
#[derive(Debug, Default)]
struct Wanted<'a> {
    name: Option<&'a str>,
    color: Option<&'a Color>,
    description: Option<&'a str>,
    exclusive: Option<bool>,
}

impl Wanted<'_> {
    fn body(&self) -> Value {
        let mut body = json!({});
        put(&mut body, "name", self.name.map(Value::from));
        put(&mut body, "color", self.color.map(|color| format!("#{}", color.0).into()));
        put(&mut body, "description", self.description.map(Value::from));
        put(&mut body, "exclusive", self.exclusive.map(Value::from));
        body
    }

    /// The label, and what of this it is not.
    fn told(&self, label: &Value) -> Reply {
        let mut not_applied = Vec::new();
        if let Some(name) = self.name {
            applied::same_text(label, "name", name, &mut not_applied);
        }
        if let Some(color) = self.color {
            let found = label.get("color").and_then(Value::as_str).unwrap_or_default();
            if !found.trim_start_matches('#').eq_ignore_ascii_case(&color.0) {
                not_applied.push(applied::missing("color", &format!("#{}", color.0), applied::NO_RIGHT));
            }
        }
        if let Some(description) = self.description {
            applied::same_text(label, "description", description, &mut not_applied);
        }
        if let Some(exclusive) = self.exclusive {
            applied::same_flag(label, "exclusive", exclusive, &mut not_applied);
        }
        Reply::new().with("label", LABEL.of(label)).with("not_applied", not_applied)
    }
}

/// All labels of a repository that can be written to.
fn known(reader: &Reader<'_>, repo: &Repo) -> Result<Known, Error> {
    let repository = reader.start(lookup::call(repo, lookup::REPOSITORY))?;
    let labels = Known::start(reader, repo)?;
    applied::writable(repository, repo)?;
    Known::read(reader, repo, labels)
}

/// Gitea takes an exclusive label without a scope, and it excludes nothing.
fn has_scope(name: &str) -> bool {
    name.rsplit_once('/').is_some_and(|(scope, rest)| !scope.is_empty() && !rest.is_empty())
}

fn no_scope(name: &str) -> Error {
    Error::Unprocessable {
        reason: "exclusive_without_scope",
        message: format!(
            "An exclusive label excludes the others of its scope, and `{name}` has none. Name it like \
             `scope/{name}`, or leave `exclusive` out."
        ),
    }
}

fn put(body: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (body.as_object_mut(), value) {
        object.insert(name.to_owned(), value);
    }
}

const LABEL_LINE: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("name", "/name", Kind::Text, "Name."),
    Key::own("scope", Kind::Text, "Whose it is: repo, or org for one of the organisation."),
    Key::pluck("color", "/color", Kind::Text, "Colour in hex, without `#`."),
    Key::pluck("description", "/description", Kind::Text, "What it is for."),
    Key::pluck("exclusive", "/exclusive", Kind::Flag, "An issue bears only one label of its scope."),
    Key::pluck("is_archived", "/is_archived", Kind::Flag, "Retired: not offered for new issues."),
]);

const LABEL: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("name", "/name", Kind::Text, "Name."),
    Key::pluck("color", "/color", Kind::Text, "Colour in hex, without `#`."),
    Key::pluck("description", "/description", Kind::Text, "What it is for."),
]);
