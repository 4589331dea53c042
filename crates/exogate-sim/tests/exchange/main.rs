//! The Exchange admin API as its clients meet it: requests in, answers out, no sockets.

// Helpers of tests fail by panicking, and take JSON as literals make it.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

mod batch;
mod catalogue;
mod errors;
mod fuzz;
mod paging;
mod rbac;
mod reads;
mod scripts;
mod tenant;
mod writes;
