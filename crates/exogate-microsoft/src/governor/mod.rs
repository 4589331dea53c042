//! One gate per tenant and service: when may the next call go?
//!
//! The pure [`Throttle`] decides, the async [`Governor`] lets calls wait. Neither knows what a call is.

/// Who goes first when calls wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before every read.
    Write,
    /// In the order of arrival.
    Read,
}
#[derive(Clone, Copy, Debug, Default)]
pub struct GovernorSettings {}
