//! The control API under `/_sim/`: what a tester turns while the tenant runs. It is served on a
//! listener of its own, in plain HTTP, and off by default.

mod admin;
mod answer;
pub mod apps;
mod routes;

pub use routes::handle;

#[cfg(test)]
mod tests;
