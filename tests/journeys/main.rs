//! Journeys through the built program: every tool over every wire, against the sample Gitea and, where one is
//! named, against a real Gitea. What is asserted is content, the audit trail, and what Gitea was asked.

mod audit;
mod canary;
mod faults;
mod files;
mod gate;
mod issues;
mod masking;
mod place;
mod policy;
mod real;
mod refs;
mod repositories;
mod runner;
mod stand;
mod traps;
mod wire;
mod writes;
