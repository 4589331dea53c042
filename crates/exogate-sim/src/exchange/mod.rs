//! The Exchange Online admin API.

pub mod knobs;

pub use knobs::*;

/// What the Exchange face keeps beside the directory.
#[derive(Debug, Default)]
pub struct ExchangeService {}
