//! Microsoft Graph v1.0 as directory clients use it.

pub mod json;
mod knobs;
pub mod odata;
pub mod schema;
pub mod value;

pub use knobs::{DeltaExpiry, GraphKnobs};
