//! The sign-in service, the directory API and the activity feed, asked through their handlers.

mod delta;
mod feed;
mod queries;
mod reads;
mod shapes;
mod signin;
mod support;
mod writes;
