//! Which changes the next message carries: a pure function of the feed, the filter and the time.

use std::time::Duration;

use exogate_engine::changes::Filter;
use exogate_store::ChangeRecord;
use jiff::Timestamp;

/// Changes in one message.
pub(super) const TOGETHER: usize = 100;

/// The next piece of the feed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Portion {
    /// The changes to be told.
    pub wanted: Vec<ChangeRecord>,
    /// The last change that this takes care of.
    pub last: Option<i64>,
    /// Until when what comes next waits for its author to become known.
    pub held: Option<Timestamp>,
}

/// Takes the next piece off a page of the feed. `until`: where the message ends that is under way.
pub(super) fn portion(
    page: Vec<ChangeRecord>,
    filter: &Filter,
    until: Option<i64>,
    patience: Duration,
    now: Timestamp,
) -> Portion {
    let mut portion = Portion::default();
    for change in page {
        if until.is_some_and(|until| change.sequence > until) {
            break;
        }
        if until.is_none() && change.by.is_unknown() && filter.may_admit(&change) {
            let due = change.at.checked_add(patience).unwrap_or(Timestamp::MAX);
            if due > now {
                portion.held = Some(due);
                break;
            }
        }
        portion.last = Some(change.sequence);
        if filter.admits(&change) {
            portion.wanted.push(change);
        }
        if portion.wanted.len() == TOGETHER {
            break;
        }
    }
    portion
}

#[cfg(test)]
mod tests {
    use exogate_model::change::{Author, Happened, Learnt, ObjectKind};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn change(sequence: i64, known: bool) -> ChangeRecord {
        ChangeRecord {
            sequence,
            object: if sequence % 2 == 0 { ObjectKind::User } else { ObjectKind::Group },
            id: "x".into(),
            name: "x".into(),
            happened: Happened::Created,
            learnt: Learnt::Full,
            by: if known { Author::Ours { plan: "p".into(), operation: 1 } } else { Author::Unknown },
            run: uuid::Uuid::nil(),
            at: at(sequence),
        }
    }

    fn numbers(portion: &Portion) -> Vec<i64> {
        portion.wanted.iter().map(|change| change.sequence).collect()
    }

    #[test]
    fn what_nobody_wants_is_passed_over_with_what_is_told() {
        let users = Filter { objects: vec![ObjectKind::User], ..Filter::default() };
        let page: Vec<_> = (1..=5).map(|n| change(n, true)).collect();
        let next = portion(page.clone(), &users, None, Duration::ZERO, at(0));
        assert_eq!((numbers(&next), next.last), (vec![2, 4], Some(5)));
        let nothing = Filter { objects: vec![ObjectKind::Mailbox], ..Filter::default() };
        let next = portion(page, &nothing, None, Duration::ZERO, at(0));
        assert_eq!((numbers(&next), next.last), (vec![], Some(5)));
    }

    #[test]
    fn a_message_has_an_end_and_keeps_it_when_it_is_sent_again() {
        let page: Vec<_> = (1..=250).map(|n| change(n, true)).collect();
        let next = portion(page.clone(), &Filter::default(), None, Duration::ZERO, at(0));
        assert_eq!((next.wanted.len(), next.last), (TOGETHER, Some(100)));
        let again = portion(page, &Filter::default(), Some(3), Duration::ZERO, at(0));
        assert_eq!((numbers(&again), again.last), (vec![1, 2, 3], Some(3)));
    }

    #[test]
    fn a_change_waits_for_its_author_and_holds_up_what_comes_after_it() {
        let page = vec![change(1, true), change(2, false), change(3, true)];
        let minute = Duration::from_secs(60);
        let next = portion(page.clone(), &Filter::default(), None, minute, at(10));
        assert_eq!((numbers(&next), next.last, next.held), (vec![1], Some(1), Some(at(62))));
        let later = portion(page.clone(), &Filter::default(), None, minute, at(62));
        assert_eq!((numbers(&later), later.held), (vec![1, 2, 3], None));
        // One that is under way was complete when it began.
        assert_eq!(numbers(&portion(page.clone(), &Filter::default(), Some(3), minute, at(10))), [1, 2, 3]);
        let groups = Filter { objects: vec![ObjectKind::Group], ..Filter::default() };
        assert_eq!(numbers(&portion(page, &groups, None, minute, at(10))), [1, 3], "nobody wants it");
    }
}
