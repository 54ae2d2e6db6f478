//! Black-box tests: host.
