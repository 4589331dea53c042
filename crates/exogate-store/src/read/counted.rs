//! How many objects selections have, counted once in each state of the store: whoever reads a listing page by
//! page is told the number with every page. Nothing is known longer than until somebody writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use exogate_model::group::GroupKind;
use tokio::sync::OnceCell;

use super::selection::{Selected, Selection, Test};
use crate::watch::State;

/// Counts of one state that are kept.
const MOST: usize = 256;

/// A count that somebody has made, is making, or is about to make.
pub(crate) type Count = Arc<OnceCell<u64>>;

/// What of a selection decides how many there are; in which order they come does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    source: i64,
    of: Selected,
    kinds: Vec<GroupKind>,
    test: Option<Test>,
}

/// The counts of one state of a store.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    kept: Mutex<Option<(State, HashMap<Asked, Count>)>>,
}

impl Counted {
    /// The count of a selection in a state that was looked up before anything was read: what is counted later is
    /// of this state, or of a younger one.
    pub(crate) fn of(&self, source: i64, selection: &Selection, state: State) -> Count {
        let Selection { of, kinds, test, order: _ } = selection.clone();
        let asked = Asked { source, of, kinds, test };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = match &mut *kept {
            Some((known, counts)) if *known == state => counts,
            other => &mut other.insert((state, HashMap::new())).1,
        };
        if counts.len() >= MOST && !counts.contains_key(&asked) {
            counts.clear();
        }
        Arc::clone(counts.entry(asked).or_default())
    }
}

#[cfg(test)]
mod tests {
    use exogate_model::clock::FixedClock;

    use super::super::selection::{Order, OrderBy};
    use super::*;
    use crate::{Column, Moment, Store};

    fn users() -> Selection {
        Selection { of: Selected::Accounts, kinds: Vec::new(), test: None, order: Order::default() }
    }

    #[tokio::test]
    async fn a_selection_is_counted_once_while_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock(jiff::Timestamp::UNIX_EPOCH));
        let store = Store::open(folder.path().join("store.db"), clock).unwrap();
        let source = store.source("a").await.unwrap();
        let add = async |oid: i64| {
            let added = store.enter(move |connection, _| {
                let sql = "INSERT INTO users (oid, source, upn, disabled) VALUES (?1, 1, 'x', 0)";
                Ok(connection.execute(sql, [oid])?)
            });
            added.await.unwrap();
        };
        add(1).await;
        assert_eq!(source.count(users()).await.unwrap(), 1);
        // Who asks again is told what was counted: a number that nobody could count shows that.
        add(2).await;
        let told = store.counted().of(source.number(), &users(), store.state().unwrap());
        told.set(77).unwrap();
        assert_eq!(source.count(users()).await.unwrap(), 77);
        let by = OrderBy::When(Moment::Changed);
        let ordered = Selection { order: Order { by, descending: true }, ..users() };
        assert_eq!(source.count(ordered).await.unwrap(), 77);
        // Another selection, another source and another state are counted.
        let other = Selection { test: Some(Test::Present(Column::Name)), ..users() };
        assert_eq!(source.count(other).await.unwrap(), 2);
        assert_eq!(store.source("b").await.unwrap().count(users()).await.unwrap(), 0);
        add(3).await;
        assert_eq!(source.count(users()).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn only_so_many_counts_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock(jiff::Timestamp::UNIX_EPOCH));
        let store = Store::open(folder.path().join("store.db"), clock).unwrap();
        store.source("a").await.unwrap();
        let state = store.state().unwrap();
        let counted = Counted::default();
        for source in 0..2 * MOST as i64 {
            counted.of(source, &users(), state);
        }
        assert!(counted.kept.lock().unwrap().as_ref().is_some_and(|(_, counts)| counts.len() <= MOST));
    }
}
