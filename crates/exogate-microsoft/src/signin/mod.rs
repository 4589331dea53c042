//! Signing in: from a credential to a token that is there when a call needs it.
//!
//! [`Credential`] says how, [`SignIn`] makes one request of it, [`TokenCache`] keeps one token per resource. Nothing is
//! decided by what a token contains ([`TokenHints`] are for people), and nothing here repeats a failed sign-in: the
//! caller loop does.

mod aad;
mod assertion;
mod cache;
mod credential;
mod request;
mod token;

pub use aad::AadError;
pub use cache::TokenCache;
pub use credential::{AssertionAlgorithm, Credential, EXCHANGE_MODULE_CLIENT_ID};
pub use request::{SignIn, TokenSource};
pub use token::{AccessToken, TokenHints, claims_challenge};
