//! The activity feed of the Office 365 Management APIs.

mod knobs;

pub use knobs::ActivityKnobs;

/// What the activity feed keeps beside the audit log.
#[derive(Debug, Default)]
pub struct ActivityService {}
