//! The interfaces of aegis:gateway by standard WASI 0.2 alone, for other wasi:http runtimes.
