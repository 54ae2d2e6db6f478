//! The document and the code say the same.
