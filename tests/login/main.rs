//! Signing in, black-box: the built program, the sample Gitea, a browser and a client.

mod admin;
mod ages;
mod allow;
mod automation;
mod connect;
mod doctor;
mod endpoints;
mod foreign;
mod grants;
mod hostile;
mod journey;
mod limits;
mod lockdown;
mod million;
mod own;
mod parallel;
mod places;
mod real;
mod refusals;
mod registry;
mod remembered;
mod renewal;
mod scene;
mod service;
mod stepup;
mod tokens;
