//! Signing in: from a credential to a token that is there when a call needs it.
//!
//! [`Credential`] says how; the request grammar of each lives in its own file; [`TokenCache`] keeps one token per
//! resource. Nothing is decided by what a token contains ([`TokenHints`] are for people), and nothing here repeats a
//! failed sign-in: the caller loop does.

mod aad;
mod credential;

pub use aad::AadError;
pub use credential::{AssertionAlgorithm, Credential, EXCHANGE_MODULE_CLIENT_ID};
