//! One batch, one transaction: the rows of a stream and its checkpoint.

use exogate_model::change::Learnt;
use rusqlite::{Connection, OptionalExtension};

use super::marks::Marks;
use super::memory::Memory;
use super::news::News;
use super::object::{Object, Prepared};
use super::statements::Statements;
use super::{Context, Outcome, grants, memberships, objects};
use crate::batch::{Batch, BatchOutcome, Checkpoint, Coverage, GrantRow, GrantSet};
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::rows::MembershipRow;
use crate::run::RunState;

/// A batch with everything computed that does not need the store.
pub(crate) struct PreparedBatch {
    stream: String,
    checkpoint: Option<Checkpoint>,
    learnt: Learnt,
    objects: Vec<Prepared>,
    memberships: Vec<MembershipRow>,
    grant_sets: Vec<GrantSet>,
    grants: Vec<GrantRow>,
}

impl PreparedBatch {
    pub(crate) fn new(batch: Batch) -> Result<Self, Fault> {
        let apart = (batch.users.into_iter().map(Object::User))
            .chain(batch.mailboxes.into_iter().map(Object::Mailbox))
            .chain(batch.cas.into_iter().map(|(key, attributes)| Object::Cas(key, attributes)))
            .chain(batch.groups.into_iter().map(Object::Group))
            .chain(batch.group_exchange.into_iter().map(Object::GroupExchange))
            .map(Object::prepare);
        let users = batch.rendered_users.into_iter().map(|(user, json)| (Object::User(user), json));
        let mailboxes = batch.rendered_mailboxes.into_iter();
        let mailboxes = mailboxes.map(|(mailbox, json)| (Object::Mailbox(mailbox), json));
        let rendered = users.chain(mailboxes).map(|(object, json)| Ok(object.prepare_as(json.into_json())));
        let objects = apart.chain(rendered).collect::<Result<_, Fault>>()?;
        Ok(Self {
            stream: batch.stream,
            checkpoint: batch.checkpoint,
            learnt: batch.learnt,
            objects,
            memberships: batch.memberships,
            grant_sets: batch.grant_sets,
            grants: batch.grants,
        })
    }

    /// About how much the store grows by it, if all of it is new.
    pub(crate) fn bytes(&self) -> usize {
        /// What a row takes beside its attributes, with its entries in indices.
        const OBJECT: usize = 400;
        const LINK: usize = 60;
        let links = self.memberships.len() + self.grants.len();
        let links = links + self.grant_sets.iter().map(|set| set.grants.len() + 1).sum::<usize>();
        let objects: usize = self.objects.iter().map(|object| object.json.len() + OBJECT).sum();
        objects + links * LINK
    }

    /// Stores it.
    pub(crate) fn put(
        &self,
        connection: &Connection,
        memory: &mut Memory,
        context: &Context,
    ) -> Result<BatchOutcome, Fault> {
        let context = &context.learning(self.learnt);
        let mut outcome = BatchOutcome::default();
        memory.admit(connection, context.run)?;
        // Not after the last batch, which its stream waits for.
        memory.make_due(connection)?;
        let mut statements = Statements::new(connection);
        let mut marks = Marks::default();
        let mut news = News::default();
        for object in &self.objects {
            let part = object.object.part();
            let fresh = context.is_fresh(part.coverage());
            let known = memory.intern(connection, context.source, &object.id, fresh)?;
            memory.expect(connection, part, known.0)?;
            if memory.is_loading() {
                marks.add(part, known.0, object.hash);
                if !news.add(known.0, object) {
                    objects::created(&mut statements, context, object, known.0)?;
                }
                outcome.count(Outcome::Created);
            } else {
                marks.put(connection, context)?;
                news.put(connection, context.source)?;
                outcome.count(objects::put_of(&mut statements, context, object, known)?);
            }
        }
        marks.put(connection, context)?;
        news.put(connection, context.source)?;
        memberships::put(connection, memory, context, &self.memberships, &mut outcome)?;
        let mut sets = Vec::with_capacity(self.grant_sets.len());
        for set in &self.grant_sets {
            let fresh = context.is_fresh(Coverage::Grants(set.facet));
            sets.push((memory.intern(connection, context.source, &set.mailbox, fresh)?.0, set));
        }
        grants::put_sets(connection, memory, context, &sets, &mut outcome)?;
        grants::put_rows(connection, memory, context, &self.grants, &mut outcome)?;
        if let Some(checkpoint) = &self.checkpoint {
            set_checkpoint(connection, context.run, &self.stream, checkpoint)?;
            // The last page of groups may bring members alone.
            let members = (!self.memberships.is_empty()).then_some(Part::Groups);
            let part = self.objects.last().map(|last| last.object.part()).or(members);
            if let (true, Some(part)) = (checkpoint.done, part) {
                memory.complete(part);
            }
        }
        connection
            .prepare_cached(
                "UPDATE runs SET created = created + ?2, changed = changed + ?3, unchanged = unchanged + ?4
                 WHERE run = ?1",
            )?
            .execute((
                context.run,
                outcome.created as i64,
                outcome.changed as i64,
                outcome.unchanged as i64,
            ))?;
        Ok(outcome)
    }
}

fn set_checkpoint(
    connection: &Connection,
    run: i64,
    stream: &str,
    checkpoint: &Checkpoint,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO checkpoints (run, stream, done, cursor, pages, objects, notes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            run,
            stream,
            checkpoint.done,
            &checkpoint.cursor,
            checkpoint.pages as i64,
            checkpoint.objects as i64,
            codec::to_json("the notes of a stream", &checkpoint.notes)?,
        ))?;
    Ok(())
}

/// How far a stream has come.
pub(crate) fn checkpoint(
    connection: &Connection,
    run: i64,
    stream: &str,
) -> Result<Option<Checkpoint>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT done, cursor, pages, objects, notes FROM checkpoints WHERE run = ?1 AND stream = ?2",
    )?;
    let mut rows = statement.query((run, stream))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Checkpoint {
        done: row.get(0)?,
        cursor: row.get(1)?,
        pages: row.get::<_, i64>(2)?.unsigned_abs(),
        objects: row.get::<_, i64>(3)?.unsigned_abs(),
        notes: codec::from_json("the notes of a stream", &row.get::<_, String>(4)?)?,
    }))
}

/// The cursor that a stream ended with in the newest completed run that read it.
pub(crate) fn last_cursor(
    connection: &Connection,
    source: i64,
    stream: &str,
) -> Result<Option<String>, Fault> {
    let cursor: Option<Option<String>> = connection
        .prepare_cached(
            "SELECT c.cursor FROM checkpoints c JOIN runs r ON r.run = c.run
             WHERE r.source = ?1 AND r.state = ?2 AND c.stream = ?3 AND c.done
             ORDER BY c.run DESC LIMIT 1",
        )?
        .query_row((source, RunState::Completed.name(), stream), |row| row.get(0))
        .optional()?;
    Ok(cursor.flatten())
}
