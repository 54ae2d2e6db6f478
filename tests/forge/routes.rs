//! Which request is which route, what scope it needs, and which repository it means. The order of refusals is
//! Gitea's: no such route, scope, renamed, invisible, then the handler's own.

use hyper::Method;

use super::auth::{Category, refused_scope};
use super::call::{Answer, Call};
use super::oauth::{self, apps};
use super::world::{Mode, Repo, Unit, World};
use super::{
    archives, changes, commits, contents, diffs, issues, label_writes, labels, orgs, people, pulls, refs,
    releases, repos, statuses, trees,
};

use Category::{Issue, Organization, Repository, User};

/// A route that is built here.
enum Route<'a> {
    Version,
    Settings,
    Myself,
    Token,
    Search,
    MyRepos,
    Account(&'a str),
    Organisation(&'a str),
    Applications(Option<&'a str>),
    NewToken(&'a str),
    OrganisationLabels(&'a str),
    MyOrganisations,
    OrganisationRepos(&'a str),
    InRepo { owner: &'a str, name: &'a str, part: Part<'a> },
}

/// A route below `/repos/{owner}/{repo}`.
enum Part<'a> {
    Itself,
    Commits,
    Tree(&'a str),
    ContentsExt(String),
    Contents(String),
    SeveralContents,
    Assignees,
    Permission(&'a str),
    Branches,
    Branch(String),
    MakeBranch,
    Tags,
    Tag(String),
    Commit(&'a str),
    Compare(String),
    Status(String),
    Issues,
    OpenIssue,
    Issue(&'a str),
    Comments(&'a str),
    Comment(&'a str),
    AddLabels(&'a str),
    EditIssue(&'a str),
    Assign(&'a str),
    IssueLabels(&'a str),
    RemoveLabel(&'a str, &'a str),
    OneComment(&'a str),
    EditComment(&'a str),
    Labels,
    Milestones,
    Milestone(&'a str),
    MakeLabel,
    EditLabel(&'a str),
    MakeMilestone,
    Releases,
    LatestRelease,
    ReleaseByTag(&'a str),
    Release(&'a str),
    MakeRelease,
    EditRelease(&'a str),
    Pulls,
    OpenPull,
    Pull(&'a str),
    PullFiles(&'a str),
    PullCommits(&'a str),
    Languages,
    Topics,
    Archive(&'a str),
}

/// Answer a request; none where no route is built for it.
pub(super) fn answer(call: &Call, world: &mut World, state: &mut oauth::State) -> Option<Answer> {
    let route = parse(call)?;
    if let Some(refusal) = refused_scope(call, scopes(&route)) {
        return Some(refusal);
    }
    Some(match route {
        Route::Applications(id) => return apps::applications(call, state, id),
        Route::NewToken(login) => apps::new_token(call, world, login),
        Route::Version => people::version(call),
        Route::Settings => people::settings(),
        Route::Myself => people::myself(call, world),
        Route::Token => people::token(call, world),
        Route::Search => repos::search(call, world),
        Route::MyRepos => repos::mine(call, world),
        Route::Account(login) => people::account(call, world, login),
        Route::Organisation(name) => people::organisation(call, world, name),
        Route::OrganisationLabels(name) => labels::of_organisation(call, world, name),
        Route::MyOrganisations => orgs::mine(call, world),
        Route::OrganisationRepos(name) => orgs::repos(call, world, name),
        Route::InRepo { owner, name, part } => match place(call, world, owner, name) {
            Ok(at) => in_repo(call, world, at, &part),
            Err(refusal) => refusal,
        },
    })
}

fn parse(call: &Call) -> Option<Route<'_>> {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    let read = call.method == Method::GET;
    Some(match segments.as_slice() {
        ["version"] if read => Route::Version,
        ["settings", "api"] if read => Route::Settings,
        ["user"] if read => Route::Myself,
        ["token"] if read => Route::Token,
        ["repos", "search"] if read => Route::Search,
        ["user", "repos"] if read => Route::MyRepos,
        ["user", "applications", "oauth2"] => Route::Applications(None),
        ["user", "applications", "oauth2", id] => Route::Applications(Some(id)),
        ["users", login, "tokens"] if call.method == Method::POST => Route::NewToken(login),
        ["users", login] if read => Route::Account(login),
        ["orgs", name] if read => Route::Organisation(name),
        ["orgs", name, "labels"] if read => Route::OrganisationLabels(name),
        ["user", "orgs"] if read => Route::MyOrganisations,
        ["orgs", name, "repos"] if read => Route::OrganisationRepos(name),
        ["repos", owner, name, rest @ ..] => Route::InRepo { owner, name, part: part(&call.method, rest)? },
        _ => return None,
    })
}

fn part<'a>(method: &Method, rest: &[&'a str]) -> Option<Part<'a>> {
    if method == Method::POST {
        return match rest {
            ["issues"] => Some(Part::OpenIssue),
            ["pulls"] => Some(Part::OpenPull),
            ["branches"] => Some(Part::MakeBranch),
            ["issues", number, "comments"] => Some(Part::Comment(number)),
            ["issues", number, "labels"] => Some(Part::AddLabels(number)),
            ["labels"] => Some(Part::MakeLabel),
            ["milestones"] => Some(Part::MakeMilestone),
            ["releases"] => Some(Part::MakeRelease),
            ["issues", number, "assignees"] => Some(Part::Assign(number)),
            _ => None,
        };
    }
    if method == Method::PATCH {
        return match rest {
            ["labels", id] => Some(Part::EditLabel(id)),
            ["releases", id] => Some(Part::EditRelease(id)),
            ["issues", "comments", id] => Some(Part::EditComment(id)),
            ["issues", number] => Some(Part::EditIssue(number)),
            _ => None,
        };
    }
    if method == Method::DELETE {
        return match rest {
            ["issues", number, "labels", id] => Some(Part::RemoveLabel(number, id)),
            _ => None,
        };
    }
    if method != Method::GET {
        return None;
    }
    Some(match rest {
        [] => Part::Itself,
        ["commits"] => Part::Commits,
        ["git", "trees", sha] => Part::Tree(sha),
        ["contents-ext", path @ ..] => Part::ContentsExt(path.join("/")),
        ["contents", path @ ..] => Part::Contents(path.join("/")),
        ["file-contents"] => Part::SeveralContents,
        ["assignees"] => Part::Assignees,
        ["collaborators", login, "permission"] => Part::Permission(login),
        ["git", "commits", sha] => Part::Commit(sha),
        ["compare", range @ ..] => Part::Compare(range.join("/")),
        ["commits", name @ .., "status"] => Part::Status(name.join("/")),
        ["tags"] => Part::Tags,
        ["tags", name @ ..] => Part::Tag(name.join("/")),
        ["branches"] => Part::Branches,
        ["branches", name @ ..] => Part::Branch(name.join("/")),
        ["issues"] => Part::Issues,
        // `pinned` is a route of its own in Gitea.
        ["issues", number] if *number != "pinned" => Part::Issue(number),
        ["issues", "comments", id] => Part::OneComment(id),
        ["issues", number, "comments"] => Part::Comments(number),
        ["issues", number, "labels"] => Part::IssueLabels(number),
        ["labels"] => Part::Labels,
        ["milestones"] => Part::Milestones,
        ["milestones", id] => Part::Milestone(id),
        ["releases"] => Part::Releases,
        ["releases", "latest"] => Part::LatestRelease,
        ["releases", "tags", tag] => Part::ReleaseByTag(tag),
        ["releases", id] => Part::Release(id),
        ["pulls"] => Part::Pulls,
        ["pulls", number] if number.bytes().all(|byte| byte.is_ascii_digit()) => Part::Pull(number),
        ["pulls", number, "files"] => Part::PullFiles(number),
        ["pulls", number, "commits"] => Part::PullCommits(number),
        ["archive", name] => Part::Archive(name),
        ["languages"] => Part::Languages,
        ["topics"] => Part::Topics,
        _ => return None,
    })
}

fn scopes(route: &Route<'_>) -> &'static [Category] {
    match route {
        Route::Version | Route::Settings | Route::Token => &[],
        Route::Myself | Route::Account(_) | Route::Applications(_) | Route::NewToken(_) => &[User],
        Route::MyRepos => &[User, Repository],
        Route::Search => &[Repository],
        Route::Organisation(_) | Route::OrganisationLabels(_) | Route::OrganisationRepos(_) => {
            &[Organization]
        }
        Route::MyOrganisations => &[User, Organization],
        Route::InRepo { part, .. } => match part {
            Part::Issues
            | Part::OpenIssue
            | Part::Issue(_)
            | Part::Comments(_)
            | Part::Comment(_)
            | Part::AddLabels(_)
            | Part::EditIssue(_)
            | Part::Assign(_)
            | Part::IssueLabels(_)
            | Part::RemoveLabel(..)
            | Part::OneComment(_)
            | Part::EditComment(_)
            | Part::Labels
            | Part::Milestones
            | Part::Milestone(_)
            | Part::MakeLabel
            | Part::EditLabel(_)
            | Part::MakeMilestone => &[Issue],
            Part::Itself
            | Part::Commits
            | Part::Tree(_)
            | Part::ContentsExt(_)
            | Part::Contents(_)
            | Part::SeveralContents
            | Part::Assignees
            | Part::Permission(_)
            | Part::Branches
            | Part::Branch(_)
            | Part::Releases
            | Part::LatestRelease
            | Part::ReleaseByTag(_)
            | Part::Release(_)
            | Part::MakeRelease
            | Part::EditRelease(_)
            | Part::Pulls
            | Part::OpenPull
            | Part::Pull(_)
            | Part::PullFiles(_)
            | Part::PullCommits(_)
            | Part::Languages
            | Part::Archive(_)
            | Part::Topics
            | Part::MakeBranch
            | Part::Tags
            | Part::Tag(_)
            | Part::Commit(_)
            | Part::Compare(_)
            | Part::Status(_) => &[Repository],
        },
    }
}

/// The repository's place in the world, or the redirect after a rename, or 404: absent and invisible alike.
fn place(call: &Call, world: &World, owner: &str, name: &str) -> Result<usize, Answer> {
    let Some(account) = world.account(owner) else { return Err(call.not_found()) };
    let Some(at) = world.repo(account.id, name) else {
        let old = name.to_lowercase();
        let renamed = world.renames.iter().find(|(id, was, _)| *id == account.id && *was == old);
        let Some(repo) = renamed.and_then(|(_, _, now)| world.repos.iter().find(|repo| repo.id == *now))
        else {
            return Err(call.not_found());
        };
        // The redirect comes before any look at rights.
        let from = format!("/repos/{owner}/{name}");
        let to = format!("/repos/{}", world.full_name(repo));
        return Err(Answer::moved(call.target.replacen(&from, &to, 1), &call.method));
    };
    if world.rights(&world.repos[at], call.viewer) < Mode::Read {
        return Err(call.not_found());
    }
    let public_only = call.scopes.iter().flatten().any(|scope| scope == "public-only");
    if public_only && world.repos[at].private {
        return Err(call.refuse(403, "token scope is limited to public repos"));
    }
    Ok(at)
}

/// The refusal where the repository may be seen and this unit of it not.
fn withheld(call: &Call, world: &World, repo: &Repo, part: &Part<'_>) -> Option<Answer> {
    let sees = |unit| world.sees(repo, call.viewer, unit);
    match part {
        Part::Commits
        | Part::Tree(_)
        | Part::ContentsExt(_)
        | Part::Contents(_)
        | Part::SeveralContents
        | Part::Branches
        | Part::Branch(_)
        | Part::MakeBranch
        | Part::Commit(_)
        | Part::Compare(_)
        | Part::Status(_)
        | Part::Tags
        | Part::Tag(_)
        | Part::Languages
        | Part::Archive(_)
        | Part::Pulls
        | Part::OpenPull
        | Part::Pull(_)
        | Part::PullFiles(_)
        | Part::PullCommits(_) => (!sees(Unit::Code)).then(|| {
            let message = "user should have specific read permission or be a repo admin or a site admin";
            call.refuse(403, message)
        }),
        Part::OpenIssue => (!sees(Unit::Issues)).then(|| call.not_found()),
        Part::Issue(number)
        | Part::Comments(number)
        | Part::Comment(number)
        | Part::AddLabels(number)
        | Part::IssueLabels(number)
        | Part::EditIssue(number)
        | Part::Assign(number)
        | Part::RemoveLabel(number, _) => issues::hidden(call, world, repo, number),
        // The list and single comments refuse by themselves; labels and milestones are for whoever may see any unit.
        Part::Issues
        | Part::OneComment(_)
        | Part::EditComment(_)
        | Part::MakeLabel
        | Part::EditLabel(_)
        | Part::MakeMilestone
        | Part::Releases
        | Part::LatestRelease
        | Part::ReleaseByTag(_)
        | Part::Release(_)
        | Part::MakeRelease
        | Part::EditRelease(_)
        | Part::Topics
        | Part::Labels
        | Part::Milestones
        | Part::Milestone(_)
        | Part::Itself
        | Part::Assignees
        | Part::Permission(_) => None,
    }
}

fn in_repo(call: &Call, world: &mut World, at: usize, part: &Part<'_>) -> Answer {
    if let Some(refusal) = withheld(call, world, &world.repos[at], part) {
        return refusal;
    }
    match part {
        Part::OpenIssue => return issues::open(call, world, at),
        Part::Comment(number) => return issues::comment(call, world, at, number),
        Part::AddLabels(number) => return labels::add(call, world, at, number),
        Part::MakeLabel => return label_writes::create_label(call, world, at),
        Part::EditLabel(id) => return label_writes::edit_label(call, world, at, id),
        Part::MakeMilestone => return label_writes::create_milestone(call, world, at),
        Part::MakeRelease => return releases::create(call, world, at),
        Part::EditRelease(id) => return releases::edit(call, world, at, id),
        Part::EditIssue(number) => return changes::edit(call, world, at, number),
        Part::Assign(number) => return changes::assign(call, world, at, number),
        Part::RemoveLabel(number, id) => return labels::remove(call, world, at, number, id),
        Part::EditComment(id) => return changes::edit_comment(call, world, at, id),
        Part::OpenPull => return pulls::open(call, world, at),
        Part::MakeBranch => return refs::make_branch(call, world, at),
        _ => {}
    }
    let repo: &Repo = &world.repos[at];
    match part {
        Part::Commits => commits::list(call, world, repo),
        Part::Tree(sha) => trees::tree(call, world, repo, sha),
        Part::ContentsExt(path) => contents::extended(call, world, repo, path),
        Part::Contents(path) => contents::plain(call, world, repo, path),
        Part::SeveralContents => contents::several(call, world, repo),
        Part::Assignees => repos::assignees(call, world, repo),
        Part::Permission(login) => repos::permission(call, world, repo, login),
        Part::Commit(sha) => diffs::commit(call, world, repo, sha),
        Part::Compare(range) => diffs::compare(call, world, repo, range),
        Part::Status(name) => statuses::combined(call, world, repo, name),
        Part::Tags => refs::tags(call, world, repo),
        Part::Tag(name) => refs::tag(call, world, repo, name),
        Part::Branches => commits::branches(call, world, repo),
        Part::Branch(name) => commits::branch(call, world, repo, name),
        Part::Issues => issues::list(call, world, repo),
        Part::Issue(number) => issues::one(call, world, repo, number),
        Part::Comments(number) => issues::comments(call, world, repo, number),
        Part::IssueLabels(number) => labels::borne(call, world, repo, number),
        Part::OneComment(id) => changes::one_comment(call, world, repo, id),
        Part::Labels => labels::list(call, world, repo),
        Part::Milestones => labels::milestones(call, repo),
        Part::Milestone(id) => labels::one_milestone(call, repo, id),
        Part::Releases => releases::list(call, world, repo),
        Part::LatestRelease => releases::latest(call, world, repo),
        Part::ReleaseByTag(tag) => releases::by_tag(call, world, repo, tag),
        Part::Release(id) => releases::one(call, world, repo, id),
        Part::Itself
        | Part::OpenIssue
        | Part::Comment(_)
        | Part::AddLabels(_)
        | Part::MakeLabel
        | Part::EditLabel(_)
        | Part::MakeMilestone
        | Part::MakeRelease
        | Part::EditRelease(_)
        | Part::EditIssue(_)
        | Part::Assign(_)
        | Part::RemoveLabel(..)
        | Part::EditComment(_)
        | Part::OpenPull
        | Part::MakeBranch => repos::one(call, world, repo),
        // Gitea has no pull requests where there is no branch, and says so as if they were turned off.
        Part::Pulls if repo.git.branches.is_empty() => call.not_found(),
        Part::Pulls => pulls::list(call, world, repo),
        Part::Pull(number) => pulls::one(call, world, repo, number),
        Part::PullFiles(number) => pulls::files(call, world, repo, number),
        Part::PullCommits(number) => pulls::commits(call, world, repo, number),
        Part::Languages => repos::languages(repo),
        Part::Archive(name) => archives::archive(call, repo, name),
        Part::Topics => repos::topics(call, repo),
    }
}
