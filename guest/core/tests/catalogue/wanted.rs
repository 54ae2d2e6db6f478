//! Which fields of Gitea's objects are worth returning, and which tools return them: every one, or a reason why not.

use std::collections::BTreeSet;

use crate::tools;

/// Gitea's object: its name, and the fields of it that are worth returning.
type Object = (&'static str, &'static str);

const REPOSITORY: Object = (
    "Repository",
    "\
        id full_name owner.login name description private internal fork parent.full_name \
        template mirror archived empty default_branch size language topics licenses website \
        stars_count forks_count open_issues_count open_pr_counter release_counter branch_count \
        has_issues has_pull_requests has_wiki has_releases has_actions has_code \
        permissions.admin permissions.push permissions.pull html_url clone_url created_at \
        updated_at object_format_name",
);
const COMMIT: Object = (
    "Commit",
    "\
        sha commit.message commit.author.name commit.author.email commit.author.date \
        commit.committer.name commit.committer.email commit.committer.date author.login \
        parents.sha stats.additions stats.deletions files.filename files.status \
        commit.verification.verified commit.verification.reason html_url",
);
const ISSUE: Object = (
    "Issue",
    "\
        number title state body user.login labels.name assignees.login milestone.id \
        milestone.title comments is_locked due_date created_at updated_at closed_at ref \
        pull_request.merged pull_request.merged_at pull_request.draft html_url content_version",
);
const PULL: Object = (
    "PullRequest",
    "\
        number title state body user.login labels.name assignees.login milestone.id \
        milestone.title comments is_locked due_date created_at updated_at closed_at html_url \
        content_version draft merged merged_at merged_by.login merge_commit_sha mergeable \
        merge_base base.ref base.sha base.repo.full_name head.ref head.label head.sha \
        head.repo.full_name requested_reviewers.login review_comments additions deletions \
        changed_files",
);
const COMMENT: Object = (
    "Comment",
    "\
        id user.login body created_at updated_at html_url assets.name assets.size",
);
const LABEL: Object = ("Label", "id name color description exclusive is_archived");
const MILESTONE: Object =
    ("Milestone", "id title description state open_issues closed_issues due_on closed_at");
const BRANCH: Object = (
    "Branch",
    "\
        name commit.id commit.message commit.timestamp commit.author.name protected \
        required_approvals enable_status_check status_check_contexts user_can_push \
        user_can_merge",
);
const TAG: Object = ("Tag", "name message id commit.sha commit.created");
const RELEASE: Object = (
    "Release",
    "\
        id tag_name target_commitish name body draft prerelease author.login created_at \
        published_at assets.id assets.name assets.size assets.download_count html_url",
);
const CHANGED_FILE: Object = ("ChangedFile", "filename previous_filename status additions deletions changes");
const ORGANIZATION: Object = ("Organization", "id name full_name description visibility website location");
const CONTENTS: Object = (
    "ContentsResponse",
    "\
        type path name sha size encoding content target submodule_git_url lfs_oid lfs_size \
        last_commit_sha html_url",
);

/// One tool: what it reads, what lies around our object in its answer, which fields have other names there, and which
/// do not leave.
struct Told {
    tool: &'static str,
    object: Object,
    within: &'static str,
    renamed: &'static [(&'static str, &'static str)],
    left_out: &'static [(&'static str, &'static str)],
}

const PEOPLE: [(&str, &str); 2] = [("user.login", "author"), ("labels.name", "labels")];
const IN_FULL: &str = "a list is short; the tool that reads one has it";

const TOLD: &[Told] = &[
    Told {
        tool: "get_repository_info",
        object: REPOSITORY,
        within: "repository.",
        renamed: &[("owner.login", "owner")],
        left_out: &[("it may name a repository that the caller may not see", "parent.full_name")],
    },
    Told {
        tool: "list_repositories",
        object: REPOSITORY,
        within: "repositories[].",
        renamed: &[],
        left_out: &[
            ("it may name a repository that the caller may not see", "parent.full_name"),
            ("in full_name", "owner.login name"),
            (
                IN_FULL,
                "\
        id internal template mirror empty size topics licenses website stars_count forks_count \
        open_pr_counter release_counter branch_count has_issues has_pull_requests has_wiki \
        has_releases has_actions has_code permissions.admin permissions.push permissions.pull \
        clone_url created_at object_format_name",
            ),
        ],
    },
    Told {
        tool: "list_commits",
        object: COMMIT,
        within: "commits[].",
        renamed: COMMIT_NAMES,
        left_out: &[(
            "not asked for: each row would cost Gitea a diff and a look at its signature",
            "\
        stats.additions stats.deletions files.filename files.status commit.verification.verified \
        commit.verification.reason",
        )],
    },
    Told {
        tool: "get_commit_diff",
        object: COMMIT,
        within: "commit.",
        renamed: COMMIT_NAMES,
        left_out: &[(
            "the files of the diff have it, one by one",
            "stats.additions stats.deletions files.filename files.status",
        )],
    },
    Told {
        tool: "list_pull_request_commits",
        object: COMMIT,
        within: "commits[].",
        renamed: &[
            ("commit.message", "message"),
            ("commit.author.name", "author"),
            ("commit.author.date", "date"),
            ("author.login", "login"),
            ("stats.additions", "additions"),
            ("stats.deletions", "deletions"),
        ],
        left_out: &[
            (
                "get_commit_diff has it",
                "\
        commit.author.email commit.committer.name commit.committer.email commit.committer.date \
        parents.sha commit.verification.verified commit.verification.reason html_url",
            ),
            ("list_pull_request_files has it", "files.filename files.status"),
        ],
    },
    Told {
        tool: "get_issue",
        object: ISSUE,
        within: "issue.",
        renamed: &[PEOPLE[0], PEOPLE[1], ("assignees.login", "assignees")],
        left_out: &[],
    },
    Told {
        tool: "list_issues",
        object: ISSUE,
        within: "issues[].",
        renamed: &[
            PEOPLE[0],
            PEOPLE[1],
            ("assignees.login", "assignees"),
            ("milestone.id", "milestone_id"),
            ("milestone.title", "milestone"),
        ],
        left_out: &[(
            "pull requests are not in this list",
            "pull_request.merged pull_request.merged_at pull_request.draft",
        )],
    },
    Told {
        tool: "get_pull_request",
        object: PULL,
        within: "pull_request.",
        renamed: &[
            PEOPLE[0],
            PEOPLE[1],
            ("assignees.login", "assignees"),
            ("merged_by.login", "merged_by"),
            ("base.repo.full_name", "base.repository"),
            ("head.repo.full_name", "head.repository"),
            ("requested_reviewers.login", "requested_reviewers"),
        ],
        left_out: &[],
    },
    Told {
        tool: "list_pull_requests",
        object: PULL,
        within: "pull_requests[].",
        renamed: &[
            PEOPLE[0],
            PEOPLE[1],
            ("assignees.login", "assignees"),
            ("base.ref", "base"),
            ("head.ref", "head"),
            ("head.repo.full_name", "head_repository"),
        ],
        left_out: &[
            (
                IN_FULL,
                "\
        body milestone.id milestone.title is_locked due_date closed_at content_version merged_at \
        merged_by.login merge_commit_sha mergeable merge_base base.sha head.label head.sha \
        requested_reviewers.login review_comments",
            ),
            ("it is the repository that was asked for", "base.repo.full_name"),
            ("null in lists of some versions", "additions deletions changed_files"),
        ],
    },
    Told {
        tool: "list_issue_comments",
        object: COMMENT,
        within: "comments[].",
        renamed: &[PEOPLE[0], ("assets.name", "assets[].name"), ("assets.size", "assets[].size")],
        left_out: &[],
    },
    Told { tool: "list_labels", object: LABEL, within: "labels[].", renamed: &[], left_out: &[] },
    Told { tool: "list_milestones", object: MILESTONE, within: "milestones[].", renamed: &[], left_out: &[] },
    Told {
        tool: "get_branch",
        object: BRANCH,
        within: "branch.",
        renamed: &[
            ("commit.id", "commit"),
            ("commit.message", "message"),
            ("commit.timestamp", "committed_at"),
            ("commit.author.name", "author"),
        ],
        left_out: &[],
    },
    Told {
        tool: "list_branches",
        object: BRANCH,
        within: "branches[].",
        renamed: &[("commit.id", "commit"), ("commit.timestamp", "committed_at")],
        left_out: &[(
            IN_FULL,
            "\
        commit.message commit.author.name required_approvals enable_status_check \
        status_check_contexts user_can_push user_can_merge",
        )],
    },
    Told {
        tool: "list_tags",
        object: TAG,
        within: "tags[].",
        renamed: &[("commit.sha", "commit"), ("commit.created", "created_at")],
        left_out: &[],
    },
    Told {
        tool: "get_release",
        object: RELEASE,
        within: "release.",
        renamed: RELEASE_NAMES,
        left_out: &[("always the same as created_at", "published_at")],
    },
    Told {
        tool: "get_latest_release",
        object: RELEASE,
        within: "release.",
        renamed: RELEASE_NAMES,
        left_out: &[("always the same as created_at", "published_at")],
    },
    Told {
        tool: "list_releases",
        object: RELEASE,
        within: "releases[].",
        renamed: RELEASE_NAMES,
        left_out: &[
            ("always the same as created_at", "published_at"),
            (
                IN_FULL,
                "\
        target_commitish body assets.id assets.name assets.size assets.download_count",
            ),
        ],
    },
    Told {
        tool: "list_pull_request_files",
        object: CHANGED_FILE,
        within: "files[].",
        renamed: &[("filename", "path"), ("previous_filename", "previous_path")],
        left_out: &[("the sum of the two", "changes")],
    },
    Told {
        tool: "list_organizations",
        object: ORGANIZATION,
        within: "organizations[].",
        renamed: &[],
        left_out: &[],
    },
    Told {
        tool: "get_file_contents",
        object: CONTENTS,
        within: "",
        renamed: &[],
        left_out: &[("the end of the path", "name"), ("content is told as text", "encoding")],
    },
];

const COMMIT_NAMES: &[(&str, &str)] = &[
    ("commit.message", "message"),
    ("commit.author.name", "author.name"),
    ("commit.author.email", "author.email"),
    ("commit.author.date", "author.date"),
    ("commit.committer.name", "committer.name"),
    ("commit.committer.email", "committer.email"),
    ("commit.committer.date", "committer.date"),
    ("author.login", "author_login"),
    ("parents.sha", "parents"),
    ("commit.verification.verified", "verified"),
    ("commit.verification.reason", "verification_reason"),
];
const RELEASE_NAMES: &[(&str, &str)] = &[
    ("author.login", "author"),
    ("assets.id", "assets[].id"),
    ("assets.name", "assets[].name"),
    ("assets.size", "assets[].size"),
    ("assets.download_count", "assets[].download_count"),
];

#[test]
fn every_field_of_gitea_that_is_worth_returning_is_returned_or_left_out_for_a_reason() {
    let mut missing = Vec::new();
    for Told { tool, object: (object, fields), within, renamed, left_out } in TOLD {
        let (entry, _) = tools().find(|(entry, _)| entry.name() == *tool).expect("the tool exists");
        let told: BTreeSet<String> = entry.answer().explained().into_iter().map(|row| row.name).collect();
        let kept_back: BTreeSet<&str> =
            left_out.iter().flat_map(|(_, fields)| fields.split_whitespace()).collect();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        for field in &fields {
            let ours = renamed.iter().find(|(gitea, _)| gitea == field).map_or(*field, |(_, ours)| ours);
            let is_told = told.contains(&format!("{within}{ours}"));
            if is_told == kept_back.contains(field) {
                let what = if is_told { "tells what it is said to leave out" } else { "does not tell" };
                missing.push(format!("{tool} {what}: {field} of {object}"));
            }
        }
        for field in kept_back.iter().copied().chain(renamed.iter().map(|(gitea, _)| *gitea)) {
            let known = fields.contains(&field);
            // A table of names may serve several objects' tools; a field that is left out must exist.
            assert!(known || !kept_back.contains(field), "{tool}: {object} has no {field}");
        }
    }
    assert_eq!(missing, [] as [String; 0]);
}

#[test]
fn every_tool_that_reads_one_of_these_objects_is_in_the_table() {
    // These answer with something else: lists of names, counts, texts and lines, or another tool's rows.
    let others = [
        "compare_refs",
        "get_commit_status",
        "get_file_tree",
        "get_repo_languages",
        "list_org_repositories",
        "list_repo_topics",
        "search_code",
    ];
    let listed: BTreeSet<&str> = TOLD.iter().map(|told| told.tool).chain(others).collect();
    let reads: BTreeSet<&str> = tools()
        .filter(|(entry, _)| entry.class() == aegis_core::ports::Class::Read)
        .map(|(entry, _)| entry.name())
        .collect();
    assert_eq!(listed, reads);
}
