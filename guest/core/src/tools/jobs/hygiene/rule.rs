//! What is looked for: a name, how much it matters, and what to do about it.

/// The name and version of all rules together. It stands in the mark of issues: another one means another issue.
pub(in crate::tools::jobs) const RULES: &str = "dependency_hygiene_scan/1";

/// A rule. The order is that of reports: what matters most comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::tools::jobs) enum Rule {
    PlainHttp,
    GitWithoutRevision,
    ActionByBranch,
    FloatingImage,
    Wildcard,
    MissingLock,
    OutdatedLock,
}

impl Rule {
    #[cfg(test)]
    pub(super) const ALL: [Self; 7] = [
        Self::PlainHttp,
        Self::GitWithoutRevision,
        Self::ActionByBranch,
        Self::FloatingImage,
        Self::Wildcard,
        Self::MissingLock,
        Self::OutdatedLock,
    ];

    /// Its name in reports. It is API.
    pub(in crate::tools::jobs) const fn name(self) -> &'static str {
        match self {
            Self::PlainHttp => "plain_http_source",
            Self::GitWithoutRevision => "git_without_revision",
            Self::ActionByBranch => "action_by_branch",
            Self::FloatingImage => "floating_image_tag",
            Self::Wildcard => "wildcard_version",
            Self::MissingLock => "missing_lock_file",
            Self::OutdatedLock => "outdated_lock_file",
        }
    }

    /// `high` where somebody on the way, or whoever may push elsewhere, decides what is run here.
    pub(in crate::tools::jobs) const fn severity(self) -> &'static str {
        match self {
            Self::PlainHttp | Self::GitWithoutRevision | Self::ActionByBranch => "high",
            Self::FloatingImage | Self::Wildcard | Self::MissingLock | Self::OutdatedLock => "medium",
        }
    }

    /// What to do.
    pub(in crate::tools::jobs) const fn advice(self) -> &'static str {
        match self {
            Self::PlainHttp => "Use https: whoever is on the way can put other code in.",
            Self::GitWithoutRevision => {
                "Name a commit, or a tag of a version: a branch is what was pushed to it last."
            }
            Self::ActionByBranch => {
                "Name a commit, or a tag of a version: a branch runs what was pushed to it last."
            }
            Self::FloatingImage => "Name a version or a digest: this tag is moved to other images.",
            Self::Wildcard => {
                "Name the versions that are known to work: any other may come with the next build."
            }
            Self::MissingLock => "Commit the lock file, so that everybody builds with the same versions.",
            Self::OutdatedLock => {
                "Let the package manager write the lock file again, and commit it with the manifest."
            }
        }
    }
}
