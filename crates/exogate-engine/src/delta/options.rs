//! How differences are looked for. Every mechanism can be switched off: the result stays right,
//! only later.

use std::time::Duration;

/// How differences are looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct DeltaOptions {
    /// The directory's own deltas of users and groups. Off: users and groups are listed whole when
    /// what is known of them is older than `freshness`.
    pub directory: bool,
    /// The time of change that Exchange keeps of mailboxes and groups. Off: these are listed whole
    /// when what is known of them is older than `freshness`.
    pub change_time: bool,
    /// The audit log, by the activity feed or, where that cannot be had, by a search. Off: rights
    /// are found by reading again.
    pub activity: bool,
    /// Comparing the ids of all mailboxes, and listing what listings show of those that are
    /// governed, every `freshness`.
    pub sweep: bool,
    /// Reading the mailboxes again whose rights were read longest ago.
    pub reread: bool,
    /// How old the rights on a mailbox may become.
    pub freshness: Duration,
    /// The most mailboxes that one run reads again without a reason, as a share of Exchange's
    /// capacity as measured. In percent.
    pub reread_percent: u8,
    /// How far before the last look a look by time of change begins.
    pub overlap: Duration,
    /// How long a write may take until every reader sees it, by clocks that differ: what was read so
    /// long after a deed has seen it, and what was read sooner is read again.
    pub settling: Duration,
}

impl Default for DeltaOptions {
    fn default() -> Self {
        Self {
            directory: true,
            change_time: true,
            activity: true,
            sweep: true,
            reread: true,
            freshness: Duration::from_secs(4 * 60 * 60),
            reread_percent: 20,
            overlap: Duration::from_secs(15 * 60),
            settling: Duration::from_secs(3 * 60),
        }
    }
}
