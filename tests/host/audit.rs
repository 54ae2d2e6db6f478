//! The operator's side of the audit log: `aegis-mcp audit query`, `tail`, `report` and `measure`, and the verifier in Python, with the
//! built program over logs that a server wrote and logs that are made here line by line, hostile ones among them.

mod lines;
mod measure;
mod query;
mod report;
mod script;
mod second;
mod tail;
