//! The OPATH filter language of the `-Filter` parameter.
//!
//! `parse` knows the grammar and no property; `compile` ties an expression to the filterable properties of one
//! cmdlet; `eval` compares values. None of them sees a row's storage.

mod compile;
mod eval;
mod parse;

pub use compile::{Compiled, FilterRow, compile};
pub use parse::{Comparison, Expr, Operand, Operator, ParseError, parse};
