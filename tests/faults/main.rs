//! Campaigns that try to break the audit trail: each throws faults at it from outside and judges what is left by what
//! clients were answered. Each prints its figures as one line; sizes are in tests/README.md. What needs strace, logrotate, Python or
//! a mount is left out of plain runs and done by `make faults-short` and `make faults`, where it fails if it cannot be done.

mod campaign;
mod foreign;
mod full;
mod kills;
mod logrotate;
mod second;
mod stand;
mod strace;
mod syncs;
mod syscalls;
mod tamper;
