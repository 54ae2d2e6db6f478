//! The world every forge starts with: the people, the organisation, the tokens and the repositories, the same each
//! time. What is in `alice/demo` stands in `plant/demo.rs`.

mod demo;
mod notes;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Version;
use super::git::{Blob, Git, Node};
use super::seeding::Seeding;
use super::time::rfc3339;
use super::world::{
    ALICE_TOKEN, Account, BOB_TOKEN, CAROL_TOKEN, Comment, Issue, Label, MALLORY_TOKEN, Milestone, Mode,
    NO_ORGANISATION_TOKEN, READONLY_TOKEN, REPOSITORY_ONLY_TOKEN, RITA_TOKEN, ROOT_TOKEN, Release, Repo,
    SVC_TOKEN, Team, Token, World, password,
};

/// 2026-11-01T12:00:00Z, when the world began.
const BEGINNING: i64 = 1_793_534_400;

const ROOT: u64 = 1;
const ALICE: u64 = 2;
const BOB: u64 = 3;
const CAROL: u64 = 4;
const MALLORY: u64 = 5;
const SVC: u64 = 6;
const ACME: u64 = 7;
const RITA: u64 = 8;

const EVERYTHING: &[&str] = &["read:organization", "write:issue", "write:repository", "read:user"];
const READING: &[&str] = &["read:organization", "read:issue", "read:repository", "read:user"];

/// Files of a commit in the making.
type Files = BTreeMap<String, Node>;

/// Builds the world: hands out ids and times.
struct Planter {
    world: World,
    seeding: Seeding,
}

/// Build the world.
pub(super) fn world(seeding: Seeding, empty_milestone: bool) -> World {
    let mut planter = Planter { world: World { clock: BEGINNING, ..World::default() }, seeding };
    planter.people();
    demo::plant(&mut planter, empty_milestone);
    planter.small_repos();
    planter.acme();
    planter.carol();
    notes::plant(&mut planter);
    super::statuses::plant(&mut planter.world);
    planter.world
}

impl Planter {
    fn people(&mut self) {
        let people = [
            (ROOT, "root", "Root"),
            (ALICE, "alice", "Alice"),
            (BOB, "bob", "Bob"),
            (CAROL, "carol", "Carol"),
            (MALLORY, "mallory", "Mallory"),
            (SVC, "svc", "Svc"),
            (ACME, "acme", "Acme Inc"),
            (RITA, "rita", "Rita"),
        ];
        for (id, login, full_name) in people {
            let organisation = id == ACME;
            let email = if organisation { String::new() } else { format!("{login}@example.test") };
            // Who came later must not move the times of what was here before.
            let created = if id == RITA { self.world.clock } else { self.world.tick() };
            let (login, full_name) = (login.to_owned(), full_name.to_owned());
            let (password, admin, restricted) = (password(&login), id == ROOT, id == RITA);
            let disabled = false;
            self.world.accounts.push(Account {
                id,
                login,
                full_name,
                email,
                password,
                organisation,
                admin,
                restricted,
                disabled,
                created,
            });
        }
        let tokens: [(&'static str, &'static str, u64, &'static [&'static str]); 10] = [
            (ALICE_TOKEN, "everything", ALICE, EVERYTHING),
            (BOB_TOKEN, "everything", BOB, EVERYTHING),
            (CAROL_TOKEN, "everything", CAROL, EVERYTHING),
            (MALLORY_TOKEN, "everything", MALLORY, EVERYTHING),
            (SVC_TOKEN, "service", SVC, EVERYTHING),
            (READONLY_TOKEN, "reading", ALICE, READING),
            (REPOSITORY_ONLY_TOKEN, "code", ALICE, &["read:repository"]),
            (NO_ORGANISATION_TOKEN, "issues", ALICE, &["write:issue", "write:repository", "read:user"]),
            (ROOT_TOKEN, "administration", ROOT, &["all"]),
            (RITA_TOKEN, "reading", RITA, READING),
        ];
        for (at, (secret, name, owner, scopes)) in (1..).zip(tokens) {
            let created = if matches!(owner, ROOT | RITA) { self.world.clock } else { self.world.tick() };
            let (secret, name) = (secret.to_owned(), name.to_owned());
            let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
            self.world.tokens.push(Token { id: at, secret, name, owner, scopes, created });
        }
        let team = |name: &str, mode, member| Team {
            organisation: ACME,
            name: name.to_owned(),
            mode,
            members: vec![member],
            without: Vec::new(),
        };
        self.world.teams = vec![team("Owners", Mode::Owner, ALICE), team("Dev", Mode::Write, BOB)];
        let org_wide = self.label("org-wide", "123456", "for every repository");
        let security = self.label("security", "ee0000", "");
        self.world.org_labels = vec![(ACME, org_wide), (ACME, security)];
    }

    /// A new, empty repository with the bot as admin; gives its place.
    fn repo(&mut self, owner: u64, name: &str, private: bool) -> usize {
        let created = self.world.tick();
        let id = self.world.repos.len() as u64 + 1;
        let login = self.world.account_by_id(owner).login.clone();
        self.world.repos.push(Repo {
            id,
            owner,
            name: name.to_owned(),
            description: format!("{name} of {login}"),
            private,
            archived: false,
            created,
            updated: created,
            language: "",
            topics: Vec::new(),
            git: Git::default(),
            issues: Vec::new(),
            labels: Vec::new(),
            milestones: Vec::new(),
            releases: Vec::new(),
            collaborators: vec![(SVC, Mode::Admin)],
        });
        self.world.repos.len() - 1
    }

    fn label(&self, name: &str, color: &str, description: &str) -> Label {
        let in_repos = self.world.repos.iter().flat_map(|repo| &repo.labels);
        let all = in_repos.chain(self.world.org_labels.iter().map(|(_, label)| label));
        // Ids from 101 are the organisation's, so that the first repository's labels start at 1.
        let base = if self.world.repos.is_empty() { 100 } else { 0 };
        let last = all.map(|label| label.id).filter(|id| (*id > 100) == (base == 100)).max().unwrap_or(base);
        let id = if name == "security" { 102 } else { last + 1 };
        Label {
            id,
            name: name.to_owned(),
            color: color.to_owned(),
            description: description.to_owned(),
            exclusive: name.contains('/'),
            archived: false,
        }
    }

    fn add_label(&mut self, at: usize, name: &str, color: &str, description: &str) -> u64 {
        let label = self.label(name, color, description);
        let id = label.id;
        self.world.repos[at].labels.push(label);
        id
    }

    fn add_milestone(&mut self, at: usize, title: &str, due: Option<i64>, closed: bool) -> u64 {
        let id = self.world.repos.iter().map(|repo| repo.milestones.len() as u64).sum::<u64>() + 1;
        let created = self.world.tick();
        let milestone = Milestone {
            id,
            title: title.to_owned(),
            description: String::new(),
            closed: closed.then_some(created + 1),
            created,
            due,
        };
        self.world.repos[at].milestones.push(milestone);
        id
    }

    /// Add a release of a tag, or where it is a draft, of one that is yet to come. The clock stands still: who came
    /// later must not move the times of what was here before.
    fn add_release(&mut self, at: usize, tag: &str, title: &str, draft: bool) {
        let id = self.world.repos.iter().map(|repo| repo.releases.len() as u64).sum::<u64>() + 1;
        let (tag, title, author) = (tag.to_owned(), title.to_owned(), self.world.repos[at].owner);
        let (target, notes, created) = ("main".to_owned(), format!("Notes of {title}\n"), self.world.clock);
        let release = Release { id, tag, target, title, notes, draft, prerelease: false, author, created };
        self.world.repos[at].releases.push(release);
    }

    /// Open an issue; gives its place in the repository.
    fn add_issue(&mut self, at: usize, poster: u64, title: &str, body: &str) -> usize {
        let id = self.world.repos.iter().map(|repo| repo.issues.len() as u64).sum::<u64>() + 1;
        let number = self.world.repos[at].issues.len() as u64 + 1;
        let now = self.world.tick();
        self.world.repos[at].issues.push(Issue {
            id,
            number,
            poster,
            title: title.to_owned(),
            body: body.to_owned(),
            pull: None,
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
        });
        self.world.repos[at].issues.len() - 1
    }

    fn add_comment(&mut self, at: usize, issue: usize, poster: u64, body: &str) {
        let issues = self.world.repos.iter().flat_map(|repo| &repo.issues);
        let id = issues.map(|issue| issue.comments.len() as u64).sum::<u64>() + 1;
        let created = self.world.tick();
        let issue = &mut self.world.repos[at].issues[issue];
        issue.comments.push(Comment { id, poster, body: body.to_owned(), created, updated: created });
        issue.updated = created;
    }

    /// A text file, seeded when the switch is on.
    fn text(&self, content: &str) -> Node {
        Node::File(Blob::new(self.seeding.file(content).into_bytes()))
    }

    fn commit(&mut self, at: usize, branch: &str, files: &Files, author: u64, message: &str) {
        let time = self.world.tick();
        let account = self.world.account_by_id(author);
        let author = (account.full_name.clone(), account.email.clone());
        let repo = &mut self.world.repos[at];
        repo.git.commit(branch, files, (&author.0, &author.1), message, time);
        repo.updated = time;
    }

    fn readme(&mut self, at: usize, author: u64) {
        let name = self.world.repos[at].name.clone();
        let files = Files::from([("README.md".to_owned(), self.text(&format!("# {name}\n")))]);
        self.commit(at, "main", &files, author, "Initial commit");
    }

    fn small_repos(&mut self) {
        let renamed = self.repo(ALICE, "new-name", false);
        self.readme(renamed, ALICE);
        let id = self.world.repos[renamed].id;
        self.world.renames.push((ALICE, "old-name".to_owned(), id));
        self.repo(ALICE, "empty", false);
        self.repo(BOB, "empty", false);
        let archived = self.repo(ALICE, "archived", false);
        self.readme(archived, ALICE);
        self.add_label(archived, "bug", "ff00a0", "");
        self.add_issue(archived, BOB, "Left open", "Nobody will close this.");
        self.world.repos[archived].archived = true;
        let private = self.repo(ALICE, "private", true);
        self.readme(private, ALICE);
        self.add_issue(private, ALICE, "Private plan", "Not for strangers.");
        let secret = self.repo(MALLORY, "secret", true);
        self.world.repos[secret].collaborators.clear();
        self.readme(secret, MALLORY);
        let notes = self.repo(MALLORY, "notes", false);
        self.world.repos[notes].collaborators = vec![(SVC, Mode::Write)];
        self.readme(notes, MALLORY);
    }

    fn acme(&mut self) {
        let vault = self.repo(ACME, "vault", true);
        let files = Files::from([
            ("README.md".to_owned(), self.text("# vault\n")),
            ("plans/merger.md".to_owned(), self.text("The other company does not know yet.\n")),
        ]);
        self.commit(vault, "main", &files, ALICE, "Initial commit");
        self.add_issue(vault, BOB, "Rotate the keys", "Before the audit.");
        let site = self.repo(ACME, "site", false);
        self.world.repos[site].topics = vec!["docs", "website"];
        let mut files = Files::new();
        for page in 1..=65 {
            files.insert(
                format!("pages/{:02}.md", (page - 1) % 20 + 1),
                self.text(&format!("# Page, edition {page}\n")),
            );
            self.commit(site, "main", &files, BOB, &format!("Edit page {page}"));
        }
        let head = self.world.repos[site].git.branches[0].1.clone();
        for number in 1..=40 {
            self.world.repos[site].git.branches.push((format!("edition/{number:02}"), head.clone()));
        }
        // Two labels of one name, which Gitea accepts: a filter on the name demands both.
        let first = self.add_label(site, "bug", "ff0000", "");
        self.add_label(site, "bug", "00ff00", "the other one");
        self.add_milestone(site, "Relaunch", None, false);
        self.add_milestone(site, "Launch", Some(BEGINNING - 86_400), true);
        for number in 1..=3 {
            let issue = self.add_issue(site, BOB, &format!("Typo {number}"), "On the front page.");
            self.world.repos[site].issues[issue].labels = vec![first];
        }
        self.world.repos[site].issues[0].labels.push(101);
    }

    fn carol(&mut self) {
        for number in 1..=64 {
            let at = self.repo(CAROL, &format!("repo-{number:02}"), false);
            self.readme(at, CAROL);
        }
        let wide = self.repo(CAROL, "wide", false);
        let files = (0..1105).map(|n| {
            (format!("data/{:02}/{n:04}.txt", n / 100), Node::File(Blob::new(format!("{n}\n").into_bytes())))
        });
        let files = files.collect();
        self.commit(wide, "main", &files, CAROL, "Many files");
    }
}

/// The world for people to read.
pub(super) fn tour(world: &World, url: &str, version: Version) -> Value {
    let login = |id: u64| world.account_by_id(id).login.clone();
    let kind = |organisation: bool| if organisation { "organisation" } else { "person" };
    json!({
        "url": url,
        "version": version.number(),
        "now": rfc3339(world.clock),
        "accounts": world.accounts.iter()
            .map(|a| match a.organisation {
                true => json!({ "login": a.login, "kind": kind(true) }),
                false => json!({ "login": a.login, "kind": kind(false), "password": a.password }),
            })
            .collect::<Value>(),
        "tokens": world.tokens.iter()
            .map(|t| json!({ "user": login(t.owner), "token": t.secret, "name": t.name, "scopes": t.scopes }))
            .collect::<Value>(),
        "repositories": world.repos.iter()
            .map(|r| json!({
                "full_name": world.full_name(r), "private": r.private, "archived": r.archived,
                "branches": r.git.branches.len(), "issues": r.issues.len(),
            }))
            .collect::<Value>(),
    })
}
