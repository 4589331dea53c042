//! The sign-in service, the directory API and the activity feed, asked through their handlers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail where it stands")]

mod delta;
mod feed;
mod principals;
mod queries;
mod reads;
mod robust;
mod shapes;
mod signin;
mod support;
mod writes;
