//! A guest that tries every way around the host.
