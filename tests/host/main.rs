//! Black-box tests of the host: the sandbox under attack, capacity, leaving clients, stopping, crashes, the
//! audit log in trouble, the cache of compiled guests, and every reason not to start.
//! Nothing here waits for a time to pass; it waits for what must happen.

mod audit;
mod automation;
mod cache;
mod capacity;
mod chatter;
mod command;
mod crash;
mod drain;
mod faults;
mod first_sight;
mod greedy;
mod hostile;
mod jobs;
mod leaving;
mod mailbox;
mod memory;
mod observers;
mod outbound;
mod own;
mod policy;
mod push;
mod reload;
mod rows;
mod scene;
mod signed;
mod start;
mod swap;
mod tickets;
mod tls;
mod traces;
mod trail;
mod writes;
