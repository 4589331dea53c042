//! Microsoft Graph v1.0 as directory clients use it.

pub mod json;
mod knobs;
pub mod odata;
pub mod schema;
pub mod value;

pub use knobs::{DeltaExpiry, GraphKnobs};

/// What the directory API keeps beside the directory.
#[derive(Debug, Default)]
pub struct GraphService {}
