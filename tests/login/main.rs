//! Signing in, black-box: the built program, the sample Gitea, a browser and a client.

mod doctor;
mod journey;
mod scene;
