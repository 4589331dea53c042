//! Who has an unfinished operation: one open journal in one process.
//!
//! Tells the living from the dead, so that what a killed process left is taken up and what a living
//! one is about is left alone.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::lease;

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

/// Whether the owner is certainly gone. One of another machine is not judged.
pub(super) fn is_gone(owner: &str) -> bool {
    let process = owner.split('|').next().unwrap_or_default();
    if lease::this_process().as_deref().unwrap_or_default() == process {
        return !OPEN.lock().unwrap_or_else(PoisonError::into_inner).contains(owner);
    }
    lease::is_known_dead(process)
}
