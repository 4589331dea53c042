//! Writes: users, groups, memberships, licences, deletion and restoration.

use super::call::{Answer, Call};
use super::error::GraphError;
use super::scene::Scene;

/// Answers a call that writes.
///
/// # Errors
/// The refusal that the service would give.
pub fn answer(_scene: &Scene<'_>, _call: &Call, _path: &[&str]) -> Result<Answer, GraphError> {
    Err(GraphError::method())
}
