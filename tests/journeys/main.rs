//! Journeys through the built program: every tool over every wire, against the sample Gitea and, where one is
//! named, against a real Gitea. What is asserted is content, the audit trail, and what Gitea was asked.

mod audit;
mod automation;
mod canary;
mod discussions;
mod faults;
mod files;
mod gate;
mod history;
mod issues;
mod jobs;
mod lockdown;
mod long;
mod masking;
mod place;
mod planning;
mod policy;
mod pulls;
mod push;
mod real;
mod refs;
mod refusals;
mod releases;
mod repositories;
mod runner;
mod search;
mod stand;
mod traps;
mod wire;
mod writes;
