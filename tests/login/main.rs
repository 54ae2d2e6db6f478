//! Signing in, black-box: the built program, the sample Gitea, a browser and a client.

mod hostile;
mod journey;
mod million;
mod parallel;
mod registry;
mod scene;
