//! Delayed visibility: what readers of a face still see of an object that was just written. The
//! overlay holds old snapshots only; without delays it is empty and costs nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Idx, Snapshot};
use crate::clock::Time;

/// A door to the one directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    Graph,
    Exchange,
}

impl Face {
    const BOTH: [Self; 2] = [Self::Graph, Self::Exchange];
}

/// How long writes stay unseen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delays {
    /// Graph writes to Graph readers.
    pub graph: Duration,
    /// Exchange writes to Exchange readers.
    pub exchange: Duration,
    /// Graph writes to Exchange readers (forward sync).
    pub graph_to_exchange: Duration,
    /// Exchange writes to Graph readers (back sync).
    pub exchange_to_graph: Duration,
    /// How long old states are kept beyond that, for readers that look back.
    pub keep: Duration,
}

impl Delays {
    /// The delay of a write through `from` for readers of `to`.
    #[must_use]
    pub const fn between(self, from: Face, to: Face) -> Duration {
        match (from, to) {
            (Face::Graph, Face::Graph) => self.graph,
            (Face::Exchange, Face::Exchange) => self.exchange,
            (Face::Graph, Face::Exchange) => self.graph_to_exchange,
            (Face::Exchange, Face::Graph) => self.exchange_to_graph,
        }
    }
}

#[derive(Clone, Debug)]
struct Pending {
    visible_at: Time,
    /// What the object was; `None` when it was not there yet.
    before: Option<Snapshot>,
}

#[derive(Debug, Default)]
pub(super) struct Overlay {
    pub(super) delays: Delays,
    graph: BTreeMap<Idx, Vec<Pending>>,
    exchange: BTreeMap<Idx, Vec<Pending>>,
}

impl Overlay {
    fn of(&self, face: Face) -> &BTreeMap<Idx, Vec<Pending>> {
        match face {
            Face::Graph => &self.graph,
            Face::Exchange => &self.exchange,
        }
    }

    /// Whether a write through `from` needs old snapshots at all.
    pub(super) fn delays_any(&self, from: Face) -> bool {
        !self.delays.keep.is_zero()
            || Face::BOTH.into_iter().any(|to| !self.delays.between(from, to).is_zero())
    }

    pub(super) fn remember(&mut self, idx: Idx, before: Option<&Snapshot>, from: Face, at: Time) {
        for to in Face::BOTH {
            let delay = self.delays.between(from, to);
            if delay.is_zero() && self.delays.keep.is_zero() {
                // The write is seen at once, and with it whatever was written before.
                self.of_mut(to).remove(&idx);
                continue;
            }
            let visible_at = at.plus(delay);
            self.of_mut(to).entry(idx).or_default().push(Pending { visible_at, before: before.cloned() });
        }
    }

    fn of_mut(&mut self, face: Face) -> &mut BTreeMap<Idx, Vec<Pending>> {
        match face {
            Face::Graph => &mut self.graph,
            Face::Exchange => &mut self.exchange,
        }
    }

    pub(super) fn purge(&mut self, now: Time) {
        let now = now.minus(self.delays.keep);
        for face in Face::BOTH {
            self.of_mut(face).retain(|_, pending| {
                pending.retain(|p| p.visible_at > now);
                !pending.is_empty()
            });
        }
    }

    pub(super) fn is_empty(&self, face: Face) -> bool {
        self.of(face).is_empty()
    }

    /// `Some(old)` when readers of `face` must see the old state of `idx`.
    pub(super) fn old(&self, face: Face, idx: Idx, now: Time) -> Option<Option<&Snapshot>> {
        let pending = self.of(face).get(&idx)?;
        // The pending write that becomes visible first decides: its "before" is what is seen.
        let first = pending.iter().find(|p| p.visible_at > now)?;
        Some(first.before.as_ref())
    }

    /// Every object that readers of `face` still see in an old state, ascending.
    pub(super) fn lagging(&self, face: Face, now: Time) -> impl Iterator<Item = (Idx, Option<&Snapshot>)> {
        self.of(face).keys().filter_map(move |idx| self.old(face, *idx, now).map(|old| (*idx, old)))
    }
}
