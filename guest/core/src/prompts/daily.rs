//! The product's prompts.

use serde_json::Value;

use super::{Blank, Filled, Prompt, said};
use crate::completion::Completes;

pub(super) static PROMPTS: &[&dyn Prompt] =
    &[&REVIEW_PULL_REQUEST, &TRIAGE_ISSUES, &RELEASE_NOTES, &EXPLAIN_REPOSITORY, &BUG_REPORT];

/// A prompt that is one message.
struct Asked {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    blanks: &'static [Blank],
    tools: &'static [&'static str],
    text: fn(&Filled) -> String,
}

impl Prompt for Asked {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn description(&self) -> &'static str {
        self.description
    }

    fn blanks(&self) -> &'static [Blank] {
        self.blanks
    }

    fn tools(&self) -> &'static [&'static str] {
        self.tools
    }

    fn messages(&self, filled: &Filled) -> Vec<Value> {
        vec![said(&(self.text)(filled))]
    }
}

const OWNER: Blank = Blank {
    name: "owner",
    title: "Owner",
    description: "User or organisation that owns the repository.",
    required: true,
    completes: Completes::Owner,
};
const REPO: Blank = Blank {
    name: "repo",
    title: "Repository",
    description: "Name of the repository.",
    required: true,
    completes: Completes::Repository,
};

/// A blank that may stay empty.
const fn optional(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    completes: Completes,
) -> Blank {
    Blank { name, title, description, required: false, completes }
}

/// A sentence about something that was filled in; nothing where it was not.
fn if_filled(value: &str, sentence: impl Fn(&str) -> String) -> String {
    if value.is_empty() { String::new() } else { format!(" {}", sentence(value)) }
}

fn repository(filled: &Filled) -> String {
    format!("{}/{}", filled.get("owner"), filled.get("repo"))
}

static REVIEW_PULL_REQUEST: Asked = Asked {
    name: "review_pull_request",
    title: "Review a pull request",
    description: "Reads a pull request with its changes and says what to mend before it is merged.",
    blanks: &[
        OWNER,
        REPO,
        Blank {
            name: "number",
            title: "Number",
            description: "Number of the pull request.",
            required: true,
            completes: Completes::PullRequest,
        },
        optional("focus", "Focus", "What to look at above all, such as security.", Completes::Free),
    ],
    tools: &["get_pull_request", "list_pull_request_files", "compare_refs"],
    text: |filled| {
        format!(
            "Review pull request {} of {} in Gitea.{}\n\n\
            1. get_pull_request for what it is meant to do, list_issue_comments for what was said, get_commit_status for \
            its checks.\n\
            2. list_pull_request_files for what changed; compare_refs from its base to its head for the changes. Where a \
            change cannot be judged alone, read the file around it with get_file_contents at the head commit, and look \
            for other callers with search_code.\n\
            3. Tell me, most important first: mistakes (file and line, what goes wrong, how to mend it), what is missing \
            (tests, documentation, handling of errors), questions to the author. Say what you did not read.\n\n\
            Judge what is there, not what the description claims. Do not post anything unless I ask for it.",
            filled.get("number"),
            repository(filled),
            if_filled(filled.get("focus"), |focus| format!("Look above all at: {focus}.")),
        )
    },
};

static TRIAGE_ISSUES: Asked = Asked {
    name: "triage_issues",
    title: "Triage new issues",
    description: "Goes through open issues and proposes labels, milestones and what to ask.",
    blanks: &[
        OWNER,
        REPO,
        optional("label", "Label", "Only issues with this label.", Completes::Label),
        optional("milestone", "Milestone", "The milestone that is being planned.", Completes::Milestone),
        optional("author", "Author", "Only issues by this person.", Completes::User),
    ],
    tools: &["list_issues", "get_issue", "list_labels"],
    text: |filled| {
        format!(
            "Triage the open issues of {} in Gitea.{}{}{}\n\n\
            1. list_labels and list_milestones for what can be assigned; list_issues, newest first, for what is open. \
            get_issue and list_issue_comments where the preview does not say enough.\n\
            2. Look for duplicates among open and recently closed issues.\n\
            3. Give me a table: number, what it is about in ten words, kind (bug, feature, question, duplicate of which), \
            labels and milestone that you propose, how urgent and why, and what to ask the author where something is \
            missing.\n\n\
            Use only labels and milestones that exist. Change nothing before I agree; then use add_labels and \
            update_issue, one issue at a time.",
            repository(filled),
            if_filled(filled.get("label"), |label| format!("Only those with the label {label}.")),
            if_filled(filled.get("milestone"), |title| format!("The milestone being planned is {title}.")),
            if_filled(filled.get("author"), |author| format!("Only those by {author}.")),
        )
    },
};

static RELEASE_NOTES: Asked = Asked {
    name: "write_release_notes",
    title: "Write release notes",
    description: "Turns what changed between two refs into notes for users.",
    blanks: &[
        OWNER,
        REPO,
        Blank {
            name: "from",
            title: "From",
            description: "Tag, branch or commit of the release before.",
            required: true,
            completes: Completes::Ref,
        },
        Blank {
            name: "to",
            title: "To",
            description: "Tag, branch or commit of this release.",
            required: true,
            completes: Completes::Ref,
        },
    ],
    tools: &["compare_refs"],
    text: |filled| {
        format!(
            "Write release notes for {} in Gitea: what changed from {} to {}.\n\n\
            1. compare_refs for the commits and files between them, page by page; get_commit_diff where a message does \
            not say what a change means for users.\n\
            2. Follow the numbers of issues and pull requests in commit messages with get_issue and get_pull_request.\n\
            3. Write for somebody who upgrades: first what they have to do (changes that break something, settings, \
            migrations), then what is new, what was mended, and what matters only to developers. One line each, with the \
            number of its pull request or issue. Leave out what users cannot notice.\n\n\
            Take nothing from a title that the change itself does not show. Publish nothing: show me the text.",
            repository(filled),
            filled.get("from"),
            filled.get("to"),
        )
    },
};

static EXPLAIN_REPOSITORY: Asked = Asked {
    name: "explain_repository",
    title: "Explain a repository",
    description: "A tour of a code base for somebody who is new to it.",
    blanks: &[OWNER, REPO, optional("question", "Question", "What you want to understand.", Completes::Free)],
    tools: &["get_file_tree", "get_file_contents"],
    text: |filled| {
        format!(
            "Explain the repository {} in Gitea to somebody who will work on it.{}\n\n\
            1. get_repository_info, get_repo_languages and the readme for what it is; get_file_tree for how it is laid \
            out.\n\
            2. Read the files by which it starts and those that most others use; search_code finds them.\n\
            3. Tell me: what it does and for whom, its parts and how they talk to each other, the way of one typical \
            request or run through the code with file names, how it is built and tested, and where I would begin to \
            change something.\n\n\
            Name the files that you have read for each claim, and say what you only guess.",
            repository(filled),
            if_filled(filled.get("question"), |question| format!("Above all: {question}")),
        )
    },
};

static BUG_REPORT: Asked = Asked {
    name: "prepare_bug_report",
    title: "Prepare a bug report",
    description: "Turns what you saw into an issue that maintainers can act on, after a look for duplicates.",
    blanks: &[
        OWNER,
        REPO,
        Blank {
            name: "summary",
            title: "What happens",
            description: "What you did, what you saw and what you expected.",
            required: true,
            completes: Completes::Free,
        },
    ],
    tools: &["list_issues"],
    text: |filled| {
        format!(
            "Prepare a bug report for {} in Gitea. What I saw:\n\n{}\n\n\
            1. list_issues, open and closed, for one that tells of the same: if there is one, show it to me instead.\n\
            2. search_code and get_file_contents for the place in the code that it comes from, where you can find it; \
            get_latest_release for the version to name.\n\
            3. Write the issue: a title that says what goes wrong, steps to see it again, what happens, what should \
            happen, version and surroundings, what you found in the code. Ask me for what you do not know instead of \
            making it up. Leave out passwords, tokens and names of machines.\n\n\
            Show it to me first; create_issue only when I say so.",
            repository(filled),
            filled.get("summary"),
        )
    },
};
