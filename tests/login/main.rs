//! Signing in, black-box: the built program, the sample Gitea, a browser and a client.

mod connect;
mod endpoints;
mod admin;
mod journey;
mod limits;
mod refusals;
mod hostile;
mod journey;
mod million;
mod parallel;
mod registry;
mod scene;
mod tokens;
