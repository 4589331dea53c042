//! The Management Activity API: what administrators did in Exchange, an hour or so after they did it.
//!
//! [`ActivityClient`] looks after the subscription, lists the pieces of content that became
//! available in a window of time, and reads them into [`AuditRecord`]s. Where the feed cannot be
//! had, [`search`] asks Exchange's own audit log for the same records. Which objects a record
//! touched, what was read before and what follows from a gap is not known here.

mod client;
mod failure;
mod record;
mod search;

pub use client::{ActivityClient, Content, ContentPage, Subscription};
pub use failure::{is_expired_content, is_unsubscribed};
pub use record::{AuditRecord, Read};
pub use search::search;
