//! Whose organisations there are, and what is in one. The list of repositories plays a trap: what the viewer may not
//! see is taken off each page after it was cut, and counted all the same.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::paging::{Page, linked};
use super::people::render_organisation;
use super::repos::render;
use super::world::{Account, Mode, Repo, World};

/// `GET /user/orgs`: those that the token's user is in.
pub(super) fn mine(call: &Call, world: &World) -> Answer {
    let Some(viewer) = call.viewer else { return call.refuse(401, "token is required") };
    let found: Vec<&Account> = world
        .accounts
        .iter()
        .filter(|account| account.organisation && world.is_member(account.id, viewer))
        .collect();
    let page = Page::of(call);
    let shown: Vec<Value> = page.cut(&found).iter().map(|org| render_organisation(call, org)).collect();
    linked(Answer::json(200, &json!(shown)), call, page, found.len())
}

/// `GET /orgs/{org}/repos`; a person is no organisation.
pub(super) fn repos(call: &Call, world: &World, name: &str) -> Answer {
    let Some(org) = world.account(name).filter(|account| account.organisation) else {
        return call.not_found();
    };
    let found: Vec<&Repo> = world.repos.iter().filter(|repo| repo.owner == org.id).collect();
    let page = Page::of(call);
    let shown: Vec<Value> = page
        .cut(&found)
        .iter()
        .filter(|repo| world.rights(repo, call.viewer) >= Mode::Read)
        .map(|repo| render(call, world, repo))
        .collect();
    linked(Answer::json(200, &json!(shown)), call, page, found.len())
}
