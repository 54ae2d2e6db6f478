//! Organisations: which the user is in, and the repositories of one of them.
//!
//! Both lists are about the person whose access is used, never about a repository, so nothing here can be asked
//! with the rights that a service account has on repositories.

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::args::{Organisation, Page};
use super::kit::{Entry, Error, Key, Kind, ReadTool, Shape, read, tool};
use super::paging::{self, HAS_NEXT, HIDDEN, PAGE, TOTAL};
use super::repositories::{REPOSITORY_LINE, lines, listed};
use crate::access::Reader;
use crate::gitea::Call;
use crate::reply::Reply;

pub(super) const TOOLS: &[&dyn Entry] = &[read::<ListOrganizations>(), read::<ListOrgRepositories>()];

/// Of whoever asks. `/orgs` would be every organisation of the instance.
const MINE: &str = "/user/orgs";
const REPOSITORIES: &str = "/orgs/{org}/repos";

tool! {
    /// List organisations that the user belongs to.
    "list_organizations" ("List organizations") => struct ListOrganizations {
        page: Page,
    }
}

impl ReadTool for ListOrganizations {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("organizations", Kind::Each(&ORGANISATION), "The organisations of this page."),
        PAGE,
        HAS_NEXT,
        TOTAL,
        HIDDEN,
    ]);
    const READS: &'static [&'static str] = &[MINE, paging::SETTINGS];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let mut found = paging::rows(gitea, self.page, || Call::to(MINE))?;
        let name = |row: &Value| row.get("name").and_then(Value::as_str).map(str::to_owned);
        if !found.rows.iter().all(|row| name(row).is_some_and(|name| gitea.owner_listed(&name))) {
            found.keep(|row| name(row).is_some_and(|name| gitea.owner_listed(&name)));
        }
        let reply = Reply::new().with("organizations", ORGANISATION.each(&found.rows));
        Ok(found.told(reply))
    }
}

tool! {
    /// List an organisation's repositories that the user may see. A page may be empty though has_next is true:
    /// go on then.
    "list_org_repositories" ("List organization repositories") => struct ListOrgRepositories {
        /// Name of the organisation.
        org: Organisation,
        page: Page,
    }
}

impl ReadTool for ListOrgRepositories {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("repositories", Kind::Each(&REPOSITORY_LINE), "The repositories of this page."),
        PAGE,
        HAS_NEXT,
        HIDDEN,
    ]);
    const READS: &'static [&'static str] = &[REPOSITORIES, paging::SETTINGS];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let missing = || {
            format!(
                "There is no organisation {}, or Gitea does not show it to this user. list_organizations shows \
                 theirs; the repositories of a person are in list_repositories.",
                self.org.0
            )
        };
        let mut found = paging::rows(gitea, self.page, || Call::to(REPOSITORIES).segment(&self.org.0))
            .map_err(|error| Error::or_not_found(error, missing))?;
        found.keep(|row| listed(gitea, row));
        let reply = Reply::new().with("repositories", lines(gitea, &found.rows));
        // Gitea takes what this user may not see off the pages but counts it: the total would give it away.
        Ok(found.without_total().told(reply))
    }
}

const ORGANISATION: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("name", "/name", Kind::Text, "Its name; the owner of its repositories."),
    Key::pluck("full_name", "/full_name", Kind::Text, "Its name for people."),
    Key::pluck("description", "/description", Kind::Text, "What it is for."),
    Key::pluck("visibility", "/visibility", Kind::Text, "public, limited (signed-in users) or private."),
    Key::pluck("website", "/website", Kind::Text, "Its website."),
    Key::pluck("location", "/location", Kind::Text, "Where it is."),
]);
