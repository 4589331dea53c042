//! Writing what a run reads: a batch in one transaction, and what a run's end makes of it.

pub(crate) mod batch;
pub(crate) mod external_ids;
pub(crate) mod feed;
pub(crate) mod grants;
pub(crate) mod ids;
pub(crate) mod labels;
pub(crate) mod loading;
pub(crate) mod marks;
pub(crate) mod memberships;
pub(crate) mod memory;
pub(crate) mod news;
pub(crate) mod object;
pub(crate) mod objects;
pub(crate) mod provisioned;
pub(crate) mod settle;
pub(crate) mod settle_grants;
pub(crate) mod statements;
pub(crate) mod together;
pub(crate) mod trustees;

use std::collections::HashMap;

use exogate_model::change::{Author, Learnt};
use rusqlite::Connection;

use crate::batch::{BatchOutcome, Coverage};
use crate::codec;
use crate::error::Fault;

/// What every write of a run needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) source: i64,
    pub(crate) run: i64,
    pub(crate) now: i64,
    /// Options or schema differ from the last complete run: attributes that appear or vanish say
    /// nothing about the tenant.
    pub(crate) schema_changed: bool,
    /// How what is written was learnt.
    pub(crate) learnt: Learnt,
    /// Who made it, where that is known at once.
    pub(crate) author: Author,
    /// Up to which run the changes of each part are in the feed.
    settled: HashMap<&'static str, i64>,
}

impl Context {
    pub(crate) fn new(
        connection: &Connection,
        source: i64,
        run: i64,
        schema_changed: bool,
        now: i64,
    ) -> Result<Self, Fault> {
        let facets = crate::batch::Facet::ALL.map(Coverage::Grants);
        let parts = [
            Coverage::Users,
            Coverage::Mailboxes,
            Coverage::CasAttributes,
            Coverage::Groups,
            Coverage::DynamicGroups,
            Coverage::GroupExchange,
            Coverage::Memberships,
        ];
        let names: Vec<_> = parts.into_iter().chain(facets).map(codec::coverage_name).collect();
        let mut settled = HashMap::new();
        let mut statement = connection.prepare_cached("SELECT part, run FROM settled WHERE source = ?1")?;
        let mut rows = statement.query([source])?;
        while let Some(row) = rows.next()? {
            let stored = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            if let Some(name) = names.iter().find(|name| **name == stored) {
                settled.insert(*name, row.get(1)?);
            }
        }
        Ok(Self { source, run, now, schema_changed, learnt: Learnt::Full, author: Author::Unknown, settled })
    }

    /// The same for what was learnt in another way.
    pub(crate) fn learning(&self, learnt: Learnt) -> Self {
        Self { learnt, ..self.clone() }
    }

    /// The same after this run has told of these parts whatever it saw of them: what else it settles
    /// must not be told again.
    pub(crate) fn having_settled(&self, covered: &[Coverage]) -> Self {
        let mut after = self.clone();
        for part in covered {
            if let Some(settled) = after.settled.get_mut(codec::coverage_name(*part)) {
                *settled = self.run;
            }
        }
        after
    }

    /// How it was learnt, as stored.
    pub(crate) fn learnt_json(&self) -> Result<String, Fault> {
        codec::to_json("how a change was learnt", &self.learnt)
    }

    /// Who made it, as stored.
    pub(crate) fn author_json(&self) -> Result<Option<String>, Fault> {
        if self.author.is_unknown() {
            return Ok(None);
        }
        codec::to_json("who made a change", &self.author).map(Some)
    }

    /// Whether this part was never read whole: little of it is stored, and what comes is probably new.
    pub(crate) fn is_fresh(&self, part: Coverage) -> bool {
        self.settled(part).is_none()
    }

    /// Up to which run the changes of this part are in the feed; `None` before its baseline.
    pub(crate) fn settled(&self, part: Coverage) -> Option<i64> {
        self.settled.get(codec::coverage_name(part)).copied()
    }

    /// Whether the feed knows an object of this part that was first seen by that run.
    pub(crate) fn is_announced(&self, part: Coverage, first_run: i64) -> bool {
        self.settled(part).is_some_and(|settled| first_run <= settled)
    }
}

/// What became of one thing in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Created,
    Changed,
    Unchanged,
}

impl BatchOutcome {
    pub(crate) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Created => self.created += 1,
            Outcome::Changed => self.changed += 1,
            Outcome::Unchanged => self.unchanged += 1,
        }
    }
}
