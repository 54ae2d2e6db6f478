//! Signing in, black-box: the built program, the sample Gitea, a browser and a client.

mod admin;
mod connect;
mod doctor;
mod endpoints;
mod hostile;
mod journey;
mod limits;
mod million;
mod parallel;
mod refusals;
mod registry;
mod scene;
mod tokens;
