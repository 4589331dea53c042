//! The activity feed of the Office 365 Management APIs.

mod knobs;

pub use knobs::ActivityKnobs;
