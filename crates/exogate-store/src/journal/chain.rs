//! The chain: what an entry's hash covers, and the proof that nothing was altered.

use rusqlite::Connection;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::Fault;

/// A hash of the chain.
pub(super) type Hash = [u8; 32];

/// What stands before the first entry.
pub(super) const GENESIS: Hash = [0; 32];

/// What the hash of an entry covers, beside the entry before.
pub(super) struct Covered<'a> {
    pub(super) sequence: i64,
    pub(super) at: i64,
    pub(super) source: &'a str,
    pub(super) plan: &'a str,
    pub(super) operation: Option<u32>,
    pub(super) key: Option<&'a str>,
    pub(super) record: &'a str,
}

impl Covered<'_> {
    pub(super) fn hash(&self, previous: &[u8]) -> Hash {
        let mut hash = Sha256::new();
        hash.update(previous);
        hash.update(self.sequence.to_le_bytes());
        hash.update(self.at.to_le_bytes());
        // Absent and zero differ, and no text can run into the next one.
        hash.update(self.operation.map_or(-1, i64::from).to_le_bytes());
        for text in [Some(self.source), Some(self.plan), self.key, Some(self.record)] {
            hash.update(text.map_or(0, |text| text.len() as u64 + 1).to_le_bytes());
            hash.update(text.unwrap_or_default());
        }
        hash.finalize().into()
    }
}

/// What a check of the whole chain came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// How many entries are there.
    pub entries: u64,
    /// The hash of the last sound entry: note it, and a later check can prove that nothing was cut off.
    pub head: String,
    /// The first entry that is not as it was written, and what is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<(i64, String)>,
}

pub(super) fn verify(connection: &Connection, head: Option<&str>) -> Result<Verified, Fault> {
    let mut statement = connection.prepare(
        "SELECT sequence, at, source, plan, operation, key, record, hash FROM entries ORDER BY sequence",
    )?;
    let mut rows = statement.query([])?;
    let mut previous = GENESIS;
    let mut entries = 0;
    let mut seen = head.is_none_or(|head| head.eq_ignore_ascii_case(&hex(&GENESIS)));
    let mut broken = None;
    while let Some(row) = rows.next()? {
        entries += 1;
        let (source, plan): (String, String) = (row.get(2)?, row.get(3)?);
        let (key, record): (Option<String>, String) = (row.get(5)?, row.get(6)?);
        let covered = Covered {
            sequence: row.get(0)?,
            at: row.get(1)?,
            source: &source,
            plan: &plan,
            operation: row.get(4)?,
            key: key.as_deref(),
            record: &record,
        };
        if broken.is_some() {
            continue;
        }
        if covered.sequence != entries {
            broken = Some((covered.sequence, format!("entry {entries} is missing")));
            continue;
        }
        let hash: Vec<u8> = row.get(7)?;
        if covered.hash(&previous).as_slice() != hash {
            broken = Some((covered.sequence, "the entry was altered".to_owned()));
            continue;
        }
        previous.copy_from_slice(&hash);
        seen = seen || head.is_some_and(|head| head.eq_ignore_ascii_case(&hex(&previous)));
    }
    if broken.is_none() && !seen {
        let why = "the hash that was noted is not in the chain: entries at the end were cut off or replaced";
        broken = Some((entries + 1, why.to_owned()));
    }
    Ok(Verified { entries: entries.unsigned_abs(), head: hex(&previous), broken })
}

pub(super) fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
