//! Who has an unfinished operation: one open journal in one process.
//!
//! Tells the living from the dead, so that what a killed process left is taken up and what a living
//! one is about is left alone. A process of this system is looked at; one of another system shows
//! signs of life in the file as long as it has something unfinished.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use uuid::Uuid;

use crate::error::Fault;
use crate::lease;

/// How often a sign of life is shown.
pub(super) const BEAT: Duration = Duration::from_secs(5);
/// How long one counts, in milliseconds.
const LASTS: i64 = 60_000;

/// The journals open in this process.
static OPEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// One open journal, as long as it lives.
#[derive(Debug)]
pub(super) struct Owner {
    name: String,
}

impl Owner {
    pub(super) fn new() -> Self {
        let process = lease::this_process().unwrap_or_default();
        let name = format!("{process}|{}", Uuid::new_v4());
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        Self { name }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// Whether the owner is certainly gone, by its last sign of life.
pub(super) fn is_gone(owner: &str, beat: Option<i64>, now: i64) -> bool {
    if OPEN.lock().unwrap_or_else(PoisonError::into_inner).contains(owner) {
        return false;
    }
    let process = owner.split('|').next().unwrap_or_default();
    if !process.is_empty() && lease::this_process().as_deref() == Some(process) {
        return true;
    }
    if lease::is_of_this_system(process) {
        return lease::is_known_dead(process);
    }
    // Of another system, or of one that tells nothing of its processes. A sign far in the future was
    // shown by a clock that has been set back since.
    beat.is_none_or(|beat| now.abs_diff(beat) > LASTS.unsigned_abs())
}

/// Shows a sign of life.
pub(super) fn beat(connection: &Connection, owner: &str, now: i64) -> Result<(), Fault> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO owners (owner, beat) VALUES (?1, ?2)")?
        .execute((owner, now))?;
    Ok(())
}

/// Shows a sign of life if the owner has something unfinished; of who has nothing, nobody asks.
pub(super) fn beat_if_busy(connection: &Connection, owner: &str, now: i64) -> Result<(), Fault> {
    let busy =
        connection.prepare_cached("SELECT 1 FROM unfinished WHERE owner = ?1 LIMIT 1")?.exists([owner])?;
    if busy { beat(connection, owner, now) } else { Ok(()) }
}

/// Forgets the signs of life of those who have nothing unfinished.
pub(super) fn forget_idle(connection: &Connection) -> Result<(), Fault> {
    connection.execute("DELETE FROM owners WHERE owner NOT IN (SELECT owner FROM unfinished)", [])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_another_system_is_judged_by_its_signs_of_life() {
        let elsewhere = "other-boot pid:[1] 4242 1|a";
        assert!(is_gone(elsewhere, None, 0));
        assert!(!is_gone(elsewhere, Some(0), LASTS));
        assert!(is_gone(elsewhere, Some(0), LASTS + 1));
        assert!(is_gone(elsewhere, Some(2 * LASTS), 0));
    }

    #[test]
    fn one_of_this_process_lives_as_long_as_it_is_open() {
        let owner = Owner::new();
        let name = owner.name().to_owned();
        assert!(!is_gone(&name, None, 0));
        drop(owner);
        assert!(is_gone(&name, Some(0), 0));
    }
}
