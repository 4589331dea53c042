//! The Exchange admin API as its clients meet it: requests in, answers out, no sockets.

mod batch;
mod errors;
mod paging;
mod rbac;
mod reads;
mod tenant;
