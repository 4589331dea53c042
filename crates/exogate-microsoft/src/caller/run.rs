//! The loop.
pub struct Caller {}
