//! Delta aggregation: what is different since the last run, by every means that Microsoft offers,
//! and who did it.
//!
//! Each means only names objects; every path ends in reading the object again, comparing and
//! writing, so that replays and duplicates are harmless and a doubt costs a reading, never a fact:
//!
//! - [`directory`]: the directory's deltas of users, groups, members and owners;
//! - [`change_time`]: the time of change that Exchange keeps of mailboxes and groups;
//! - [`activity`]: the audit log, which alone tells of rights, and who did it;
//! - [`reread`]: single mailboxes, for the reasons above or because their turn has come;
//! - [`sweep`]: all ids, for what came or went unnoticed.
//!
//! [`plan`] decides which of them a run uses; where one cannot be used, the streams of a full
//! aggregation stand in. A feed goes on only in the transaction that ends the run.

mod activity;
mod aspects;
mod attribute;
mod change_time;
mod directory;
mod finish;
mod found;
mod known;
mod merge;
mod named;
mod options;
mod plan;
mod report;
mod reread;
mod run;
mod status;
mod sweep;
mod touched;

pub use options::DeltaOptions;
pub use run::{Delta, run, scope_of};
pub use status::{Freshness, Status, Subscribed, status};
