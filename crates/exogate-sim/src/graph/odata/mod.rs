//! OData as the directory API understands it: `$filter`, `$search` and the other query options.
//! Grammar only; which property may be used how is decided in [`crate::graph::rules`].

pub mod filter;
pub mod lexer;
pub mod options;
pub mod search;
