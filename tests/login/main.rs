//! Signing in, black-box: the built program, the sample Gitea, a browser and a client.

mod allow;
mod foreign;
mod grants;
mod journey;
mod real;
mod renewal;
mod scene;
mod service;
mod stepup;
