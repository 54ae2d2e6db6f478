//! Issues: one, the list with all its surprises, opening one, and comments.

use serde_json::{Value, json};

use super::Version;
use super::call::{Answer, Call};
use super::labels;
use super::paging::{Page, counted, linked};
use super::people::{unknown_user, user, user_unseen};
use super::time::{parse, rfc3339};
use super::world::{Comment, Issue, Mode, Pull, Repo, Unit, World};

/// `GET /repos/{owner}/{repo}/issues/{index}`.
pub(super) fn one(call: &Call, world: &World, repo: &Repo, number: &str) -> Answer {
    match numbered(repo, number) {
        Some(issue) => Answer::json(200, &render(call, world, repo, issue)),
        None => call.not_found(),
    }
}

/// What does not parse as a number becomes 0, which no issue bears.
pub(super) fn numbered<'a>(repo: &'a Repo, number: &str) -> Option<&'a Issue> {
    let number: u64 = number.parse().unwrap_or(0);
    repo.issues.iter().find(|issue| issue.number == number)
}

/// `GET /repos/{owner}/{repo}/issues`.
pub(super) fn list(call: &Call, world: &World, repo: &Repo) -> Answer {
    match filtered(call, world, repo) {
        Ok(found) => {
            let page = Page::of(call);
            let shown: Vec<Value> =
                page.cut(&found).iter().map(|issue| render(call, world, repo, issue)).collect();
            linked(Answer::json(200, &json!(shown)), call, page, found.len())
        }
        Err(refusal) => refusal,
    }
}

/// The refusal of whoever may not see what a number stands for, or of an unknown one who may see neither kind.
pub(super) fn hidden(call: &Call, world: &World, repo: &Repo, number: &str) -> Option<Answer> {
    let kinds = match numbered(repo, number) {
        Some(issue) if issue.pull.is_some() => vec![Unit::Pulls],
        Some(_) => vec![Unit::Issues],
        None => vec![Unit::Issues, Unit::Pulls],
    };
    let seen = kinds.into_iter().any(|unit| world.sees(repo, call.viewer, unit));
    (!seen).then(|| call.not_found())
}

/// The list holds the kinds that one may see; there is none where the kinds that are asked for are no such.
fn filtered<'a>(call: &Call, world: &World, repo: &'a Repo) -> Result<Vec<&'a Issue>, Answer> {
    let sees = |unit| world.sees(repo, call.viewer, unit);
    let (issues, pulls) = (sees(Unit::Issues), sees(Unit::Pulls));
    let any = match call.query("type") {
        Some("pulls") => pulls,
        Some("issues") => issues,
        _ => issues || pulls,
    };
    if !any {
        return Err(call.not_found());
    }
    let mut found: Vec<&Issue> = repo.issues.iter().collect();
    found.retain(|issue| if issue.pull.is_some() { pulls } else { issues });
    for bound in ["before", "since"] {
        if let Some(time) = time_bound(call, bound)? {
            found
                .retain(|issue| if bound == "since" { issue.updated >= time } else { issue.updated <= time });
        }
    }
    match call.query("state") {
        Some("closed") => found.retain(|issue| issue.closed.is_some()),
        Some("all") => {}
        _ => found.retain(|issue| issue.closed.is_none()),
    }
    match call.query("type") {
        Some("pulls") => found.retain(|issue| issue.pull.is_some()),
        Some("issues") => found.retain(|issue| issue.pull.is_none()),
        _ => {}
    }
    // All known labels are demanded; unknown names fall away, and with none known so does the filter.
    let names: Vec<&str> = call.query("labels").unwrap_or_default().split(',').collect();
    let wanted: Vec<u64> = repo
        .labels
        .iter()
        .filter(|label| names.contains(&label.name.as_str()))
        .map(|label| label.id)
        .collect();
    found.retain(|issue| wanted.iter().all(|id| issue.labels.contains(id)));
    // The absent parameter is one empty name: a milestone without title then filters every list.
    let milestones = wanted_milestones(call, repo);
    if !milestones.is_empty() {
        found.retain(|issue| issue.milestone.is_some_and(|id| milestones.contains(&id)));
    }
    if let Some(id) = person(call, world, "created_by")? {
        found.retain(|issue| issue.poster == id);
    }
    if let Some(id) = person(call, world, "assigned_by")? {
        found.retain(|issue| issue.assignees.contains(&id));
    }
    if let Some(id) = person(call, world, "mentioned_by")? {
        let mark = format!("@{}", world.account_by_id(id).login);
        found.retain(|issue| issue.body.contains(&mark));
    }
    if let Some(words) = call.query("q").map(|q| q.trim().to_lowercase()).filter(|q| !q.is_empty()) {
        found.retain(|issue| mentions(issue, &words));
    }
    found.sort_by_key(|issue| std::cmp::Reverse((issue.created, issue.id)));
    Ok(found)
}

fn wanted_milestones(call: &Call, repo: &Repo) -> Vec<u64> {
    let asked = call.query("milestones").unwrap_or_default();
    let known = asked.split(',').filter_map(|part| {
        let same = |title: &str| title == part || (!part.is_empty() && call.seeding.same(title, part));
        let by_title = repo.milestones.iter().find(|milestone| same(&milestone.title));
        by_title.or_else(|| repo.milestones.iter().find(|milestone| milestone.id.to_string() == part))
    });
    known.map(|milestone| milestone.id).collect()
}

fn mentions(issue: &Issue, words: &str) -> bool {
    let texts =
        [&issue.title, &issue.body].into_iter().chain(issue.comments.iter().map(|comment| &comment.body));
    texts.into_iter().any(|text| text.to_lowercase().contains(words))
}

fn time_bound(call: &Call, name: &str) -> Result<Option<i64>, Answer> {
    let Some(text) = call.query(name) else { return Ok(None) };
    match parse(text.trim()) {
        Some(time) => Ok(Some(time)),
        None => {
            Err(call.refuse(422, &format!("parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\" failed")))
        }
    }
}

fn person(call: &Call, world: &World, name: &str) -> Result<Option<u64>, Answer> {
    let Some(login) = call.query(name) else { return Ok(None) };
    match world.account(login) {
        Some(account) => Ok(Some(account.id)),
        None => Err(unknown_user(call, login, true)),
    }
}

/// An issue as shown to the one who asks.
pub(super) fn render(call: &Call, world: &World, repo: &Repo, issue: &Issue) -> Value {
    let full_name = world.full_name(repo);
    let kind = if issue.pull.is_some() { "pulls" } else { "issues" };
    let html_url = format!("{}/{full_name}/{kind}/{}", call.root, issue.number);
    let assignees: Vec<Value> =
        issue.assignees.iter().map(|id| user_unseen(call, world.account_by_id(*id))).collect();
    let milestone = repo.milestones.iter().find(|milestone| Some(milestone.id) == issue.milestone);
    let mut shown = json!({
        "id": issue.id,
        "url": call.api(&format!("/repos/{full_name}/issues/{}", issue.number)),
        "html_url": html_url,
        "number": issue.number,
        "user": user(call, world.account_by_id(issue.poster)),
        "original_author": "",
        "original_author_id": 0,
        "title": call.seeding.text(&issue.title),
        "body": call.seeding.text(&issue.body),
        "ref": "",
        "assets": [],
        "labels": labels::of(call, world, repo, &issue.labels),
        "milestone": milestone.map(|milestone| labels::milestone(call, repo, milestone)),
        "assignee": assignees.first(),
        "assignees": if assignees.is_empty() { Value::Null } else { json!(assignees) },
        "state": if issue.closed.is_some() { "closed" } else { "open" },
        "is_locked": issue.locked,
        "comments": issue.comments.len(),
        "created_at": rfc3339(issue.created),
        "updated_at": rfc3339(issue.updated),
        "closed_at": issue.closed.map(rfc3339),
        "due_date": issue.due.map(rfc3339),
        "time_estimate": 0,
        "pull_request": issue.pull.as_ref().map(|pull| json!({
            "merged": pull.merged.is_some(),
            "merged_at": pull.merged.map(rfc3339),
            "draft": issue.title.starts_with("WIP:") || issue.title.starts_with("[WIP]"),
            "html_url": html_url,
        })),
        "repository": {
            "id": repo.id,
            "name": repo.name,
            "owner": world.account_by_id(repo.owner).login,
            "full_name": full_name,
        },
        "pin_order": 0,
        "content_version": issue.content_version,
    });
    if call.version == Version::V1_27 {
        shown["projects"] = Value::Null;
    }
    shown
}

/// `GET /repos/{owner}/{repo}/issues/{index}/comments`: all of them, whatever page is asked for.
pub(super) fn comments(call: &Call, world: &World, repo: &Repo, number: &str) -> Answer {
    let (since, before) = match (time_bound(call, "since"), time_bound(call, "before")) {
        (Ok(since), Ok(before)) => (since, before),
        (Err(refusal), _) | (_, Err(refusal)) => return refusal,
    };
    let Some(issue) = numbered(repo, number) else { return call.refuse(500, "") };
    let shown: Vec<Value> = issue
        .comments
        .iter()
        .filter(|comment| since.is_none_or(|time| comment.created >= time))
        .filter(|comment| before.is_none_or(|time| comment.created <= time))
        .map(|comment| render_comment(call, world, repo, issue, comment))
        .collect();
    let total = shown.len();
    counted(Answer::json(200, &json!(shown)), total)
}

pub(super) fn render_comment(
    call: &Call,
    world: &World,
    repo: &Repo,
    issue: &Issue,
    comment: &Comment,
) -> Value {
    let kind = if issue.pull.is_some() { "pulls" } else { "issues" };
    let url = format!("{}/{}/{kind}/{}", call.root, world.full_name(repo), issue.number);
    json!({
        "id": comment.id,
        "html_url": format!("{url}#issuecomment-{}", comment.id),
        "pull_request_url": if issue.pull.is_some() { url.as_str() } else { "" },
        "issue_url": if issue.pull.is_some() { "" } else { url.as_str() },
        "user": user(call, world.account_by_id(comment.poster)),
        "original_author": "",
        "original_author_id": 0,
        "body": call.seeding.text(&comment.body),
        "assets": [],
        "created_at": rfc3339(comment.created),
        "updated_at": rfc3339(comment.updated),
    })
}

/// The fields of a JSON body, or Gitea's refusal. `required` names the field that must not be empty, if any.
pub(super) fn fields(call: &Call, required: Option<&str>) -> Result<Value, Answer> {
    if !call.body_is_json {
        return Err(call.refuse(422, "[]: Unsupported Content-Type"));
    }
    let Ok(body @ Value::Object(_)) = serde_json::from_slice::<Value>(&call.body) else {
        return Err(call.refuse(422, "[]: invalid JSON"));
    };
    let texts = ["title", "body", "ref", "due_date"];
    if let Some(name) = texts.iter().find(|name| !matches!(body[**name], Value::Null | Value::String(_))) {
        return Err(call
            .refuse(422, &format!("[]: json: cannot unmarshal into Go struct field {name} of type string")));
    }
    if let Some(required) = required.filter(|name| body[*name].as_str().is_none_or(str::is_empty)) {
        let name: String =
            required.chars().take(1).flat_map(char::to_uppercase).chain(required.chars().skip(1)).collect();
        return Err(call.refuse(422, &format!("[{name}]: Required")));
    }
    Ok(body)
}

/// Ids in a JSON array; none where something else is in it.
fn ids(value: &Value) -> Option<Vec<u64>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(all) => all.iter().map(Value::as_u64).collect(),
        _ => None,
    }
}

/// `POST /repos/{owner}/{repo}/issues`.
pub(super) fn open(call: &Call, world: &mut World, at: usize) -> Answer {
    let Some(viewer) = call.viewer else { return call.refuse(401, "token is required") };
    let full_name = world.full_name(&world.repos[at]);
    if world.repos[at].archived {
        return call.refuse(423, &format!("{full_name} is archived"));
    }
    let body = match fields(call, Some("title")) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Some(mut labels) = ids(&body["labels"]) else {
        return call
            .refuse(422, "[]: json: cannot unmarshal string into Go struct field labels of type int64");
    };
    let milestone = match &body["milestone"] {
        Value::Null => 0,
        value => match value.as_u64() {
            Some(id) => id,
            None => {
                return call
                    .refuse(422, "[]: json: cannot unmarshal into Go struct field milestone of type int64");
            }
        },
    };
    let due = body["due_date"].as_str().and_then(parse);
    let repo = &world.repos[at];
    let writes = world.rights(repo, Some(viewer)) >= Mode::Write;
    let mut assignees = Vec::new();
    // Whoever may not write has all of this dropped without a word.
    for login in
        body["assignees"].as_array().into_iter().flatten().filter_map(Value::as_str).filter(|_| writes)
    {
        let Some(account) = world.account(login) else {
            return call.refuse(422, &format!("Assignee does not exist: [name: {login}]"));
        };
        if !world.assignable(repo).contains(&account.id) {
            return call.refuse(422, &format!("user is not allowed to be assigned [name: {login}]"));
        }
        assignees.push(account.id);
    }
    labels.retain(|id| writes && world.label(repo, *id).is_some());
    let milestone =
        Some(milestone).filter(|id| writes && repo.milestones.iter().any(|known| known.id == *id));
    let closes = body["closed"].as_bool().unwrap_or(false);
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let title: String = text("title").chars().take(255).collect();
    let number = repo.issues.iter().map(|issue| issue.number).max().unwrap_or(0) + 1;
    let id = world.repos.iter().flat_map(|repo| &repo.issues).map(|issue| issue.id).max().unwrap_or(0) + 1;
    let now = world.tick();
    let issue = Issue {
        id,
        number,
        poster: viewer,
        title,
        body: text("body"),
        pull: None,
        labels,
        milestone,
        assignees,
        closed: closes.then_some(now),
        locked: false,
        created: now,
        updated: now,
        due: due.filter(|_| writes),
        comments: Vec::new(),
        content_version: 0,
        blocked_by: Vec::new(),
        events: Vec::new(),
    };
    world.repos[at].issues.push(issue.clone());
    Answer::json(201, &render(call, world, &world.repos[at], &issue))
}

/// A new issue, or a pull request where one is given, with nothing but its texts.
pub(super) fn add(
    world: &mut World,
    at: usize,
    poster: u64,
    title: String,
    body: String,
    pull: Option<Pull>,
) -> Issue {
    let number = world.repos[at].issues.iter().map(|issue| issue.number).max().unwrap_or(0) + 1;
    let id = world.repos.iter().flat_map(|repo| &repo.issues).map(|issue| issue.id).max().unwrap_or(0) + 1;
    let now = world.tick();
    let issue = Issue {
        id,
        number,
        poster,
        title,
        body,
        pull,
        labels: Vec::new(),
        milestone: None,
        assignees: Vec::new(),
        closed: None,
        locked: false,
        created: now,
        updated: now,
        due: None,
        comments: Vec::new(),
        content_version: 0,
        blocked_by: Vec::new(),
        events: Vec::new(),
    };
    world.repos[at].issues.push(issue.clone());
    issue
}

/// `POST /repos/{owner}/{repo}/issues/{index}/comments`: an unknown number is a server error, as in Gitea.
pub(super) fn comment(call: &Call, world: &mut World, at: usize, number: &str) -> Answer {
    let Some(viewer) = call.viewer else { return call.refuse(401, "token is required") };
    if world.repos[at].archived {
        let full_name = world.full_name(&world.repos[at]);
        return call.refuse(423, &format!("{full_name} is archived"));
    }
    let body = match fields(call, Some("body")) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Some(issue) = numbered(&world.repos[at], number) else { return call.refuse(500, "") };
    let number = issue.number;
    if issue.locked && world.rights(&world.repos[at], Some(viewer)) < Mode::Write {
        return call.refuse(403, "issue is locked");
    }
    let issues = world.repos.iter().flat_map(|repo| &repo.issues);
    let id = issues.flat_map(Issue::comment_ids).max().unwrap_or(0) + 1;
    let created = world.tick();
    let text = body["body"].as_str().unwrap_or_default().to_owned();
    let comment = Comment { id, poster: viewer, body: text, created, updated: created };
    if let Some(issue) = world.repos[at].issues.iter_mut().find(|issue| issue.number == number) {
        issue.comments.push(comment.clone());
        issue.updated = created;
    }
    let repo = &world.repos[at];
    match numbered(repo, &number.to_string()) {
        Some(issue) => Answer::json(201, &render_comment(call, world, repo, issue, &comment)),
        None => call.refuse(500, ""),
    }
}
