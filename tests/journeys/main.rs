//! Black-box tests: journeys.
