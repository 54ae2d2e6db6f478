//! Signing in, black-box: the built program, the sample Gitea, a browser and a client.

mod endpoints;
mod journey;
mod limits;
mod refusals;
mod scene;
mod tokens;
