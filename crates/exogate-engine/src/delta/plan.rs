//! What a delta run does: a pure function of the options and of what is known.

use std::time::Duration;

use exogate_store::{Coverage, Facet};
use jiff::Timestamp;

use super::aspects::Aspects;
use super::options::DeltaOptions;
use crate::aggregate::StreamKind;

/// What is known when a run begins.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Whether the same was asked for in the last complete run.
    pub same_reading: bool,
    /// The streams that a full run of this scope reads.
    pub wanted: Vec<StreamKind>,
    /// The parts that a complete run has read.
    pub settled: Vec<Coverage>,
    /// Links and instants of the feeds.
    pub users: Option<String>,
    pub groups: Option<String>,
    pub mailboxes: Option<Timestamp>,
    pub exchange_groups: Option<Timestamp>,
    /// When the ids were last compared.
    pub swept: Option<Timestamp>,
    /// When it was last listed for the whole tenant who may send as whom; nothing where the tenant
    /// refuses that listing.
    pub send_as: Option<Timestamp>,
    /// When the feeds of users and groups last went on; with the directory off: were last listed.
    pub listed: Option<Timestamp>,
    /// The end of the last run of any kind.
    pub last: Option<Timestamp>,
    /// All mailboxes.
    pub all_mailboxes: u64,
    /// Mailboxes whose rights are governed, and those of them never read.
    pub governed: u64,
    pub never_read: u64,
    /// How many mailboxes Exchange lets us read in a second, where that was measured.
    pub mailboxes_per_second: Option<f64>,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Plan {
    /// Streams to read whole.
    pub full: Vec<StreamKind>,
    /// The links to follow.
    pub users: Option<String>,
    pub groups: Option<String>,
    /// From when on times of change are new.
    pub mailboxes: Option<Timestamp>,
    pub exchange_groups: Option<Timestamp>,
    /// Whether the audit log is asked.
    pub activity: bool,
    /// Whether ids are compared.
    pub sweep: bool,
    /// Whether that lists for the whole tenant who may send as whom.
    pub send_as: bool,
    /// How many mailboxes are read again without a reason.
    pub reread: usize,
    /// What of them: what no listing shows often enough.
    pub turn: Aspects,
}

/// Recipients on a page of a listing.
const PAGE: u64 = 1_000;

const RIGHTS: [StreamKind; 3] = [StreamKind::Mailboxes, StreamKind::SendAs, StreamKind::MailboxPermissions];
const EXCHANGE_GROUPS: [StreamKind; 3] =
    [StreamKind::DistributionGroups, StreamKind::Microsoft365Groups, StreamKind::DynamicGroups];

/// Decides.
pub(super) fn plan(known: &Known, options: &DeltaOptions, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let wants = |kind: StreamKind| known.wanted.contains(&kind);
    let is_stale = |at: Option<Timestamp>| at.is_none_or(|at| earlier(now, options.freshness) >= at);
    let unread = |kind: StreamKind| {
        !known.same_reading || parts(kind).iter().any(|part| !known.settled.contains(part))
    };

    if wants(StreamKind::Users) {
        match &known.users {
            Some(link) if options.directory && !unread(StreamKind::Users) => plan.users = Some(link.clone()),
            _ if options.directory || unread(StreamKind::Users) || is_stale(known.listed) => {
                plan.full.push(StreamKind::Users);
            }
            _ => {}
        }
    }
    if wants(StreamKind::Groups) {
        match &known.groups {
            Some(link) if options.directory && !unread(StreamKind::Groups) => {
                plan.groups = Some(link.clone());
            }
            _ if options.directory || unread(StreamKind::Groups) || is_stale(known.listed) => {
                plan.full.push(StreamKind::Groups);
            }
            _ => {}
        }
    }
    let whole = |kinds: &[StreamKind]| kinds.iter().copied().filter(|kind| wants(*kind)).collect::<Vec<_>>();
    if wants(StreamKind::Mailboxes) {
        let never =
            RIGHTS.into_iter().chain([StreamKind::CasMailboxes]).any(|kind| wants(kind) && unread(kind));
        match known.mailboxes {
            _ if never => plan.full.extend(whole(&[
                StreamKind::Mailboxes,
                StreamKind::CasMailboxes,
                StreamKind::SendAs,
                StreamKind::MailboxPermissions,
            ])),
            Some(since) if options.change_time => plan.mailboxes = Some(earlier(since, options.overlap)),
            _ if options.change_time || is_stale(known.swept) => {
                plan.full.extend(whole(&[StreamKind::Mailboxes, StreamKind::CasMailboxes]));
            }
            _ => {}
        }
    }
    let mailboxes_whole = plan.full.contains(&StreamKind::Mailboxes);
    let rights =
        wants(StreamKind::MailboxPermissions) && !plan.full.contains(&StreamKind::MailboxPermissions);
    plan.sweep = options.sweep && wants(StreamKind::Mailboxes) && !mailboxes_whole && is_stale(known.swept);
    if EXCHANGE_GROUPS.into_iter().any(wants) {
        let never = EXCHANGE_GROUPS.into_iter().any(|kind| wants(kind) && unread(kind));
        match known.exchange_groups {
            Some(since) if options.change_time && !never && !plan.sweep => {
                plan.exchange_groups = Some(earlier(since, options.overlap));
            }
            // A sweep finds groups that are gone, and that takes the whole list.
            _ if never || plan.sweep || options.change_time || is_stale(known.swept) => {
                plan.full.extend(whole(&EXCHANGE_GROUPS));
            }
            _ => {}
        }
    }
    plan.activity = options.activity && rights;
    // Where few mailboxes of a large tenant are governed, asking each of them is the shorter way.
    let listing = options.sweep
        && rights
        && wants(StreamKind::SendAs)
        && known.governed > known.all_mailboxes / PAGE
        && known.send_as.is_some();
    plan.send_as = plan.sweep && listing;
    if options.reread && rights {
        plan.reread = reread(known, options, now);
        let shown = options.sweep || !options.change_time;
        let send_as = !(listing && (plan.send_as || !is_stale(known.send_as)));
        plan.turn = Aspects { mailbox: !shown, cas: !shown, permissions: true, send_as };
    }
    plan.full.sort_unstable();
    plan
}

/// As many as keep every mailbox younger than the target, if each run does so; no more than the
/// share of Exchange's capacity since the last run.
fn reread(known: &Known, options: &DeltaOptions, now: Timestamp) -> usize {
    let elapsed = known.last.map_or(options.freshness, |last| since(last, now));
    let share = elapsed.as_secs_f64() / options.freshness.as_secs_f64().max(1.0);
    let needed = (known.governed as f64 * share.clamp(0.0, 1.0)).ceil() as u64;
    let needed = needed.max(known.never_read);
    let allowed = known.mailboxes_per_second.map_or(u64::MAX, |rate| {
        let percent = f64::from(options.reread_percent) / 100.0;
        (rate * elapsed.as_secs_f64() * percent).floor().max(1.0) as u64
    });
    usize::try_from(needed.min(allowed)).unwrap_or(usize::MAX)
}

/// The parts that a stream speaks for; distribution lists speak for what Exchange adds to groups.
fn parts(kind: StreamKind) -> Vec<Coverage> {
    match kind {
        StreamKind::Users => vec![Coverage::Users],
        StreamKind::Groups => vec![Coverage::Groups, Coverage::Memberships],
        StreamKind::Mailboxes => vec![Coverage::Mailboxes, Coverage::Grants(Facet::SendOnBehalf)],
        StreamKind::CasMailboxes => vec![Coverage::CasAttributes],
        StreamKind::DistributionGroups | StreamKind::Microsoft365Groups => vec![Coverage::GroupExchange],
        StreamKind::DynamicGroups => vec![Coverage::DynamicGroups, Coverage::GroupExchange],
        StreamKind::SendAs => vec![Coverage::Grants(Facet::SendAs)],
        StreamKind::MailboxPermissions => vec![Coverage::Grants(Facet::MailboxPermission)],
        _ => Vec::new(),
    }
}

/// An instant some time before.
pub(super) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(at.as_millisecond().saturating_sub(by)).unwrap_or(Timestamp::MIN)
}

/// An instant some time after.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(at.as_millisecond().saturating_add(by)).unwrap_or(Timestamp::MAX)
}

/// How long ago something was; no time at all for what is still to come.
pub(super) fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(now.as_millisecond() - then.as_millisecond()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    fn known() -> Known {
        use StreamKind::*;
        let wanted = vec![Users, Groups, Mailboxes, DistributionGroups, SendAs, MailboxPermissions];
        Known {
            same_reading: true,
            settled: wanted.iter().flat_map(|kind| parts(*kind)).collect(),
            wanted,
            users: Some("u".into()),
            groups: Some("g".into()),
            mailboxes: Some(at(-1)),
            exchange_groups: Some(at(-1)),
            swept: Some(at(-1)),
            send_as: Some(at(-1)),
            listed: Some(at(-1)),
            last: Some(at(-1)),
            all_mailboxes: 10_000,
            governed: 400,
            never_read: 0,
            mailboxes_per_second: None,
        }
    }

    #[test]
    fn with_everything_known_only_differences_are_read() {
        let options = DeltaOptions::default();
        let plan = plan(&known(), &options, at(0));
        assert_eq!(plan.full, []);
        assert_eq!((plan.users.as_deref(), plan.groups.as_deref()), (Some("u"), Some("g")));
        assert_eq!(plan.mailboxes, Some(earlier(at(-1), options.overlap)));
        assert!(plan.activity && !plan.sweep);
        // One of four hours: a quarter of all.
        assert_eq!(plan.reread, 100);
        assert_eq!(plan.turn, Aspects::touched_by("Add-MailboxPermission"));
    }

    #[test]
    fn who_may_send_as_whom_is_listed_where_that_is_shorter_and_allowed() {
        let options = DeltaOptions::default();
        let swept = plan(&known(), &options, at(4));
        assert!(swept.sweep && swept.send_as && !swept.turn.send_as);
        for known in [
            Known { all_mailboxes: 1_000_000, ..known() },
            Known { send_as: None, ..known() },
            Known { wanted: vec![StreamKind::Mailboxes, StreamKind::MailboxPermissions], ..known() },
        ] {
            let singly = plan(&known, &options, at(4));
            assert!(singly.sweep && !singly.send_as && singly.turn.send_as, "{known:?}");
        }
        let old = Known { send_as: Some(at(-5)), ..known() };
        assert!(plan(&old, &options, at(0)).turn.send_as);
        let off = DeltaOptions { sweep: false, ..options };
        assert_eq!(plan(&known(), &off, at(4)).turn, Aspects::ALL);
    }

    #[test]
    fn what_was_never_read_or_is_asked_for_differently_is_read_whole() {
        use StreamKind::*;
        let options = DeltaOptions::default();
        let changed = Known { same_reading: false, ..known() };
        assert_eq!(
            plan(&changed, &options, at(0)).full,
            [Users, Groups, Mailboxes, DistributionGroups, SendAs, MailboxPermissions]
        );
        let no_link = Known { users: None, ..known() };
        assert_eq!(plan(&no_link, &options, at(0)).full, [Users]);
        let mut rights = known();
        rights.settled.retain(|part| *part != Coverage::Grants(Facet::SendAs));
        let full = plan(&rights, &options, at(0));
        assert_eq!(full.full, [Mailboxes, SendAs, MailboxPermissions]);
        assert!(!full.activity && full.reread == 0);
    }

    #[test]
    fn a_mechanism_that_is_off_is_made_up_for_when_its_facts_are_old() {
        use StreamKind::*;
        let off = DeltaOptions { directory: false, change_time: false, ..DeltaOptions::default() };
        assert_eq!(plan(&known(), &off, at(0)).full, []);
        let all = plan(&known(), &off, at(4)).full;
        assert_eq!(all, [Users, Groups, Mailboxes, DistributionGroups]);
        let swept = plan(&known(), &DeltaOptions::default(), at(4));
        assert!(swept.sweep);
        assert_eq!(swept.full, [DistributionGroups]);
    }

    #[test]
    fn rereading_keeps_to_its_share() {
        let options = DeltaOptions::default();
        let slow = Known { mailboxes_per_second: Some(0.05), ..known() };
        // An hour at a twentieth a second, a fifth of that.
        assert_eq!(plan(&slow, &options, at(0)).reread, 36);
        assert_eq!(plan(&Known { last: None, ..known() }, &options, at(0)).reread, 400);
        let off = DeltaOptions { reread: false, ..options };
        assert_eq!(plan(&known(), &off, at(0)).reread, 0);
    }
}
