//! Durable state of exogate on SQLite: objects, memberships, grants, labels, runs with their
//! checkpoints, and the feed of changes.
//!
//! One writer thread owns the only writing connection; a small pool of connections reads. Every
//! function that touches the file is async and leaves the runtime's threads alone.
//!
//! Deliberately absent: any knowledge of how a tenant is read, of HTTP, of configuration files,
//! and of how trustees are resolved (the engine decides that and hands the result in).

mod batch;
mod codec;
mod connection;
mod delta;
mod error;
mod journal;
mod layout;
mod lease;
mod migrate;
mod read;
mod rendered;
mod rows;
mod run;
mod source;
mod store;
mod tidying;
mod tokens;
mod watch;
mod write;
mod writer;

pub use batch::{Batch, BatchOutcome, Checkpoint, Coverage, Facet, GrantRow, GrantSet};
pub use delta::{
    Ages, AuditNote, Backlog, DeadLetter, FeedCursor, MailboxReads, Named, Settlement, Waiting, WebhookState,
};
pub use error::StoreError;
pub use journal::{Acceptance, Journal, JournalRecord, NewEntry, Verified};
pub use read::selection::{
    Column, Comparison, Dated, Key, Moment, Order, OrderBy, Parties, Selected, Selection, Test, Window,
};
pub use rendered::Rendered;
pub use rows::{
    AccountFilter, AccountRecord, ChangeRecord, Counts, Cursor, EntitlementRecord, Feed, FeedPosition, Found,
    GroupExchangeRow, GroupFilter, GroupRecord, GroupRef, GroupRow, HeldGrant, LabelMatch, MailboxFilter,
    MailboxRecord, MailboxRef, MailboxRow, MembershipRow, NamedMailbox, ObjectName, Page, StoredGrant,
    UserRow,
};
pub use run::{
    Candidate, CandidateKind, Finish, Forecast, Holder, MatchedBy, RunHandle, RunRecord, RunRequest,
    RunState, StreamResult, Submitted,
};
pub use source::SourceStore;
pub use store::Store;
pub use tokens::{NewToken, TokenRecord, Tokens};
pub use watch::State;
pub use write::provisioned::{AttributesOf, Provisioned};
