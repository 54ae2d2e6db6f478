//! Black-box tests: protocol.
