//! How much of everything.

/// Resources on a page where nothing is asked for.
pub const PAGE: usize = 100;
/// Resources on a page at most.
pub const PAGE_MAX: usize = 1000;
/// Bytes of a request's body.
pub const BODY: usize = 4 * 1024 * 1024;
/// Bytes of answers that are remembered, for each source.
pub const REMEMBERED: usize = 32 * 1024 * 1024;
/// Bytes of an answer that is remembered.
pub const REMEMBERED_ANSWER: usize = 64 * 1024;
/// Operations in a bulk request.
pub const BULK_OPERATIONS: usize = 1000;
/// Operations in a patch.
pub const PATCH_OPERATIONS: usize = 1000;
/// Bytes of a filter.
pub const FILTER: usize = 16 * 1024;
/// Objects looked at at once by a walk over all of them.
pub const WALK: usize = 200;
