//! Access.
pub mod walk;
