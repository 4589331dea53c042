//! Webhooks: changes of the feed, handed to whoever wants to be told. Signed, in order, at least once.
//!
//! [`Courier`] takes one step at a time: what is sent, when again, and when it is given up. Where a
//! webhook stands is in the store before and after each step, so that a restart loses nothing and
//! repeats at most the message that was under way, under the same id. A webhook that is new begins
//! with the changes to come.

mod courier;
mod keep;
mod letters;
pub mod message;
mod portion;
pub mod post;
mod standing;

use std::fmt;
use std::time::Duration;

use exogate_engine::changes::Filter;

pub use self::courier::{Courier, Step};
pub use self::keep::keep;
pub use self::letters::Resent;
pub use self::standing::{Standing, StandingState};
use message::SigningKey;
use post::Post;

/// A webhook of a source.
pub struct Webhook {
    /// Its name: what is known of it in the store hangs on it.
    pub name: String,
    /// Where it is, as it may be shown.
    pub address: String,
    /// Which changes it wants.
    pub filter: Filter,
    /// Of these mailboxes alone, by address, name or id; of all if empty.
    pub mailboxes: Vec<String>,
    /// After so many failures in a row a message is put aside.
    pub attempts: u32,
    /// After so long a time of failures, too.
    pub give_up_after: Duration,
    /// How long a change waits for its author to become known.
    pub await_author: Duration,
    /// What messages are signed with.
    pub key: SigningKey,
    /// How they are sent.
    pub post: Box<dyn Post>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("name", &self.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
