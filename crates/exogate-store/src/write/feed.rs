//! Adding to the feed of changes.

use exogate_model::change::{Happened, Learnt, ObjectKind};
use rusqlite::Connection;

use super::Context;
use crate::codec;
use crate::error::Fault;

/// `learnt` of everything that a full aggregation finds.
pub(crate) fn learnt() -> Result<String, Fault> {
    codec::to_json("how a change was learnt", &Learnt::Full)
}

/// Adds one entry.
pub(crate) fn add(
    connection: &Connection,
    context: &Context,
    object: ObjectKind,
    id: &str,
    name: &str,
    happened: &Happened,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO changes (source, run, at, object, id, name, learnt, happened)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            context.source,
            context.run,
            context.now,
            codec::object_number(object),
            id,
            name,
            codec::to_json("how a change was learnt", &context.learnt)?,
            codec::to_json("a change", happened)?,
        ))?;
    if context.learnt != Learnt::Full {
        // Not of the run's making.
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE runs SET changes = changes + 1 WHERE run = ?1")?
        .execute([context.run])?;
    Ok(())
}
