//! The statements that store objects: looked up once for all the objects of a batch.

use rusqlite::{CachedStatement, Connection};

use crate::codec::Part;
use crate::error::Fault;

/// Statements, each there once it is needed.
pub(crate) struct Statements<'c> {
    pub(crate) connection: &'c Connection,
    mark: Option<CachedStatement<'c>>,
    parts: [Option<OfPart<'c>>; Part::COUNT],
}

/// What stores an object of one part.
pub(crate) struct OfPart<'c> {
    /// What look-ups and scans need, where the part has that.
    pub(crate) identity: Option<CachedStatement<'c>>,
    pub(crate) attributes: CachedStatement<'c>,
}

impl<'c> Statements<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, mark: None, parts: Default::default() }
    }

    /// Adds a mark, unless there is one.
    pub(crate) fn mark(&mut self) -> Result<&mut CachedStatement<'c>, Fault> {
        const SQL: &str =
            "INSERT OR IGNORE INTO marks (part, source, oid, hash, first_run, seen_run, read_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)";
        Ok(match &mut self.mark {
            Some(mark) => mark,
            none => none.insert(self.connection.prepare_cached(SQL)?),
        })
    }

    /// Stores an object of a part over what was there.
    pub(crate) fn of(&mut self, part: Part) -> Result<&mut OfPart<'c>, Fault> {
        Ok(match &mut self.parts[part.index()] {
            Some(of_part) => of_part,
            none => none.insert(OfPart::new(self.connection, part)?),
        })
    }
}

impl<'c> OfPart<'c> {
    fn new(connection: &'c Connection, part: Part) -> Result<Self, Fault> {
        let identity = match part {
            Part::Users => Some(
                "INSERT OR REPLACE INTO users (oid, source, upn, display_name, mail, disabled, sid)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            ),
            Part::Mailboxes => Some(
                "INSERT OR REPLACE INTO mailboxes (oid, source, kind, display_name, primary_smtp,
                     exchange_guid, name, alias, distinguished_name, legacy_dn, upn)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            ),
            Part::Cas => None,
            Part::Groups | Part::DynamicGroups => Some(
                "INSERT OR REPLACE INTO groups (oid, source, id, kind, display_name, mail, sid)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            ),
            Part::GroupExchange => Some(
                "INSERT OR REPLACE INTO group_exchange (oid, source, exchange_guid, name, alias,
                     distinguished_name)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            ),
        };
        let table = part.attribute_table();
        let attributes = format!("INSERT OR REPLACE INTO {table} (oid, json) VALUES (?1, ?2)");
        Ok(Self {
            identity: identity.map(|sql| connection.prepare_cached(sql)).transpose()?,
            attributes: connection.prepare_cached(&attributes)?,
        })
    }
}
