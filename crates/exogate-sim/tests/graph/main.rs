//! The sign-in service, the directory API and the activity feed, asked through their handlers.

mod reads;
mod support;
