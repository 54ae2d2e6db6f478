//! What exists in the sample Gitea: people, organisations, teams, tokens, repositories and what is in them.
//! Holds data and answers questions about it; renders nothing.

use super::git::Git;

/// Full access for every tool: alice, owner of `alice/demo` and of organisation `acme`.
pub const ALICE_TOKEN: &str = "a11cea11cea11cea11cea11cea11cea11cea11ce";
/// The same scopes for bob: collaborator of `alice/demo`, member of a team of `acme`.
pub const BOB_TOKEN: &str = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0";
/// The same scopes for carol, who owns many public repositories and sees no private one.
pub const CAROL_TOKEN: &str = "ca201ca201ca201ca201ca201ca201ca201ca201";
/// The same scopes for mallory, who has no rights but on her own repositories.
pub const MALLORY_TOKEN: &str = "3a1103a1103a1103a1103a1103a1103a1103a110";
/// The bot: read and write scopes; collaborator everywhere but on `mallory/secret`.
pub const SVC_TOKEN: &str = "5bc05bc05bc05bc05bc05bc05bc05bc05bc05bc0";
/// Alice again, with read scopes only.
pub const READONLY_TOKEN: &str = "4ead4ead4ead4ead4ead4ead4ead4ead4ead4ead";
/// Alice again, with `read:repository` and nothing else.
pub const REPOSITORY_ONLY_TOKEN: &str = "4e704e704e704e704e704e704e704e704e704e70";
/// The site admin, who may act as others by the header `Sudo`: every scope.
pub const ROOT_TOKEN: &str = "4007400740074007400740074007400740074007";
/// The restricted user: read scopes.
pub const RITA_TOKEN: &str = "417a417a417a417a417a417a417a417a417a417a";
/// Alice again, with everything but `read:organization`.
pub const NO_ORGANISATION_TOKEN: &str = "0a60a60a60a60a60a60a60a60a60a60a60a60a60";

/// Rights on a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Not even its existence is known.
    None,
    /// See.
    Read,
    /// Push, triage.
    Write,
    /// Settings, and asking for others' rights.
    Admin,
    /// Theirs.
    Owner,
}

impl Mode {
    /// As the permission route names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// A person or an organisation: they share ids and names.
#[derive(Debug)]
pub struct Account {
    /// Id.
    pub id: u64,
    /// Name in URLs.
    pub login: String,
    /// Name for people; free text.
    pub full_name: String,
    /// Mail address; empty for an organisation.
    pub email: String,
    /// Password of a person; see [`password`].
    pub password: String,
    /// Whether this is an organisation.
    pub organisation: bool,
    /// Whether this is a site admin.
    pub admin: bool,
    /// Whether public is not enough: sees only what is shared with them.
    pub restricted: bool,
    /// Whether they are prohibited from signing in.
    pub disabled: bool,
    /// When it came to be.
    pub created: i64,
}

/// A personal access token.
#[derive(Debug)]
pub struct Token {
    /// Id.
    pub id: u64,
    /// The secret, 40 hex digits.
    pub secret: String,
    /// Free text.
    pub name: String,
    /// Whose.
    pub owner: u64,
    /// As Gitea normalises them.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created: i64,
}

/// The password of everybody in the sample Gitea, by login.
#[must_use]
pub fn password(login: &str) -> String {
    format!("{login}-has-a-password")
}

/// A team of an organisation.
#[derive(Debug)]
pub struct Team {
    /// Organisation.
    pub organisation: u64,
    /// Name; groups carry it in lower case.
    pub name: String,
    /// Rights it gives.
    pub mode: Mode,
    /// Who is in it.
    pub members: Vec<u64>,
    /// Units that it gives no access to.
    pub without: Vec<Unit>,
}

/// A part of a repository that a team may leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Files, commits, branches.
    Code,
    /// Issues.
    Issues,
    /// Pull requests.
    Pulls,
}

/// A label of a repository or an organisation.
#[derive(Debug, Clone)]
pub struct Label {
    /// Id, unique over all labels.
    pub id: u64,
    /// Name; may occur twice.
    pub name: String,
    /// Six hex digits.
    pub color: String,
    /// Free text.
    pub description: String,
    /// Whether it removes its siblings.
    pub exclusive: bool,
    /// Whether it is retired.
    pub archived: bool,
}

/// A milestone.
#[derive(Debug, Clone)]
pub struct Milestone {
    /// Id, unique over all milestones.
    pub id: u64,
    /// Free text; may be empty or occur twice.
    pub title: String,
    /// Free text.
    pub description: String,
    /// When it was closed.
    pub closed: Option<i64>,
    /// When it was made.
    pub created: i64,
    /// When it is due.
    pub due: Option<i64>,
}

/// A release, or the draft of one.
#[derive(Debug, Clone)]
pub struct Release {
    /// Id, unique over all releases.
    pub id: u64,
    /// Its tag, which a draft does not make.
    pub tag: String,
    /// Branch or commit that the tag is put on.
    pub target: String,
    /// Free text.
    pub title: String,
    /// Free text.
    pub notes: String,
    /// Whether it is not published.
    pub draft: bool,
    /// Whether it is not for everyday use.
    pub prerelease: bool,
    /// Who made it.
    pub author: u64,
    /// When it was made.
    pub created: i64,
}

/// A comment on an issue.
#[derive(Debug, Clone)]
pub struct Comment {
    /// Id, unique over all comments.
    pub id: u64,
    /// Who wrote it.
    pub poster: u64,
    /// Free text.
    pub body: String,
    /// When.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
}

/// Where the head of a pull request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In the repository itself.
    Here,
    /// In the repository with this id.
    Fork(u64),
    /// In a fork that was deleted.
    Gone,
}

/// What makes an issue a pull request.
#[derive(Debug, Clone)]
pub struct Pull {
    /// When it was merged.
    pub merged: Option<i64>,
    /// Branch to merge.
    pub head: String,
    /// Where that branch is.
    pub source: Source,
    /// Its newest commit that is known here: what is left of it once the branch is gone.
    pub tip: String,
    /// Branch to merge into.
    pub base: String,
}

/// An issue or a pull request.
#[derive(Debug, Clone)]
pub struct Issue {
    /// Id, unique over all repositories.
    pub id: u64,
    /// Number in its repository.
    pub number: u64,
    /// Who opened it.
    pub poster: u64,
    /// Free text.
    pub title: String,
    /// Free text.
    pub body: String,
    /// Set for a pull request.
    pub pull: Option<Pull>,
    /// Ids of labels, of the repository or its organisation.
    pub labels: Vec<u64>,
    /// Id of the milestone.
    pub milestone: Option<u64>,
    /// Who it is assigned to.
    pub assignees: Vec<u64>,
    /// When it was closed.
    pub closed: Option<i64>,
    /// Whether only writers may comment.
    pub locked: bool,
    /// When it was opened.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// When it is due.
    pub due: Option<i64>,
    /// Comments, oldest first.
    pub comments: Vec<Comment>,
    /// How often the body was changed.
    pub content_version: u64,
    /// Numbers of the issues that must be closed before this one.
    pub blocked_by: Vec<u64>,
    /// Ids of events, such as a label: they count with the comments and have no text.
    pub events: Vec<u64>,
}

impl Issue {
    /// The ids of comments and events.
    pub fn comment_ids(&self) -> impl Iterator<Item = u64> {
        self.comments.iter().map(|comment| comment.id).chain(self.events.iter().copied())
    }
}

/// A repository.
#[derive(Debug)]
pub struct Repo {
    /// Id.
    pub id: u64,
    /// Who owns it.
    pub owner: u64,
    /// Name in URLs.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Hidden from those without rights.
    pub private: bool,
    /// Refuses most writes.
    pub archived: bool,
    /// When it was made.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// Main language; empty for none.
    pub language: &'static str,
    /// Topics.
    pub topics: Vec<&'static str>,
    /// Objects and refs.
    pub git: Git,
    /// Issues and pull requests, by number.
    pub issues: Vec<Issue>,
    /// Its own labels.
    pub labels: Vec<Label>,
    /// Milestones.
    pub milestones: Vec<Milestone>,
    /// Releases and drafts.
    pub releases: Vec<Release>,
    /// People with rights of their own.
    pub collaborators: Vec<(u64, Mode)>,
}

/// Everything.
#[derive(Debug, Default)]
pub struct World {
    /// People and organisations.
    pub accounts: Vec<Account>,
    /// Tokens.
    pub tokens: Vec<Token>,
    /// Teams; each has all repositories of its organisation.
    pub teams: Vec<Team>,
    /// Labels of organisations.
    pub org_labels: Vec<(u64, Label)>,
    /// Repositories.
    pub repos: Vec<Repo>,
    /// Old owner and name (lower case) and the id of the repository that bore them.
    pub renames: Vec<(u64, String, u64)>,
    /// What checks reported about commits.
    pub statuses: Vec<super::statuses::Report>,
    /// The world's clock, seconds since 1970. Each event moves it by one.
    pub clock: i64,
}

impl World {
    /// Let a second pass and tell the time.
    pub fn tick(&mut self) -> i64 {
        self.clock += 1;
        self.clock
    }

    /// Index and account of a name, any case.
    #[must_use]
    pub fn account(&self, login: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.login.eq_ignore_ascii_case(login))
    }

    /// An account by id. Every id in the world has one.
    #[must_use]
    pub fn account_by_id(&self, id: u64) -> &Account {
        self.accounts.iter().find(|account| account.id == id).unwrap_or(&self.accounts[0])
    }

    /// Place of a repository in the list, any case.
    #[must_use]
    pub fn repo(&self, owner: u64, name: &str) -> Option<usize> {
        self.repos.iter().position(|repo| repo.owner == owner && repo.name.eq_ignore_ascii_case(name))
    }

    /// `owner/name`.
    #[must_use]
    pub fn full_name(&self, repo: &Repo) -> String {
        format!("{}/{}", self.account_by_id(repo.owner).login, repo.name)
    }

    /// Whether somebody is in any team of an organisation.
    #[must_use]
    pub fn is_member(&self, organisation: u64, person: u64) -> bool {
        self.teams.iter().any(|team| team.organisation == organisation && team.members.contains(&person))
    }

    /// What somebody may really do with code and issues. A site admin may do everything everywhere.
    #[must_use]
    pub fn rights(&self, repo: &Repo, person: Option<u64>) -> Mode {
        if person.is_some_and(|person| self.account_by_id(person).admin) {
            return Mode::Owner;
        }
        let by_team = person.map_or(Mode::None, |person| {
            let teams =
                self.teams.iter().filter(|t| t.organisation == repo.owner && t.members.contains(&person));
            teams.map(|team| team.mode).max().unwrap_or(Mode::None)
        });
        by_team.max(self.base_rights(repo, person))
    }

    /// Whether somebody may see a unit: with rights of their own, all; in teams, what one of the teams gives, also
    /// where the repository is public; otherwise all of what is public.
    #[must_use]
    pub fn sees(&self, repo: &Repo, person: Option<u64>, unit: Unit) -> bool {
        if self.rights(repo, person) < Mode::Read {
            return false;
        }
        let named = repo.collaborators.iter().any(|(id, _)| Some(*id) == person);
        if named || self.base_rights(repo, person) >= Mode::Admin {
            return true;
        }
        let mine = |team: &&Team| {
            team.organisation == repo.owner && person.is_some_and(|id| team.members.contains(&id))
        };
        let mut teams = self.teams.iter().filter(mine).peekable();
        teams.peek().is_none() || teams.any(|team| !team.without.contains(&unit))
    }

    /// What the permission route reports: a team that is not admin counts for nothing there (Gitea 1.24 and
    /// newer), so an organisation's member may hold more than this says, never less.
    #[must_use]
    pub fn base_rights(&self, repo: &Repo, person: Option<u64>) -> Mode {
        let public = if repo.private { Mode::None } else { Mode::Read };
        let Some(person) = person else { return public };
        let account = self.account_by_id(person);
        if repo.owner == person || account.admin {
            return Mode::Owner;
        }
        // To a restricted user what is public is as good as private, but in an organisation of theirs.
        let outside = account.restricted && !self.is_member(repo.owner, person);
        let public = if outside { Mode::None } else { public };
        let own =
            repo.collaborators.iter().find(|(id, _)| *id == person).map_or(Mode::None, |(_, mode)| *mode);
        let teams = self.teams.iter().filter(|t| t.organisation == repo.owner && t.members.contains(&person));
        let admin =
            teams.map(|team| team.mode).filter(|mode| *mode >= Mode::Admin).max().unwrap_or(Mode::None);
        public.max(own).max(admin)
    }

    /// Who may be assigned to issues: those who may write; being a site admin is not enough.
    #[must_use]
    pub fn assignable(&self, repo: &Repo) -> Vec<u64> {
        let named = |id: u64| repo.owner == id || repo.collaborators.iter().any(|(known, _)| *known == id);
        let people = self.accounts.iter().filter(|account| !account.organisation);
        let people = people.filter(|account| !account.admin || named(account.id));
        people.map(|account| account.id).filter(|id| self.rights(repo, Some(*id)) >= Mode::Write).collect()
    }

    /// A label by id, of the repository or of its organisation.
    #[must_use]
    pub fn label<'a>(&'a self, repo: &'a Repo, id: u64) -> Option<&'a Label> {
        let org = self.org_labels.iter().filter(|(owner, _)| *owner == repo.owner).map(|(_, label)| label);
        repo.labels.iter().chain(org).find(|label| label.id == id)
    }
}
