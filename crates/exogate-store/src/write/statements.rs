//! The statements that store objects: looked up once for all the objects of a batch.

use rusqlite::{CachedStatement, Connection, Params};

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
    pub(crate) identity: Option<Identity<'c>>,
    pub(crate) attributes: CachedStatement<'c>,
}

/// What stores the row that identifies an object.
pub(crate) struct Identity<'c> {
    statement: CachedStatement<'c>,
    /// It tells the place of the row.
    is_placed: bool,
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
                "INSERT INTO users (oid, source, upn, display_name, mail, disabled, sid)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            ),
            Part::Mailboxes => Some(
                "INSERT INTO mailboxes (oid, source, kind, display_name, primary_smtp,
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
        // A row keeps its place whatever becomes of it: the attributes are found by that.
        let over = match part {
            Part::Users => {
                " ON CONFLICT (oid) DO UPDATE SET source = excluded.source, upn = excluded.upn,
                     display_name = excluded.display_name, mail = excluded.mail, disabled = excluded.disabled,
                     sid = excluded.sid
                 RETURNING place"
            }
            Part::Mailboxes => {
                " ON CONFLICT (oid) DO UPDATE SET source = excluded.source, kind = excluded.kind,
                     display_name = excluded.display_name, primary_smtp = excluded.primary_smtp,
                     exchange_guid = excluded.exchange_guid, name = excluded.name, alias = excluded.alias,
                     distinguished_name = excluded.distinguished_name, legacy_dn = excluded.legacy_dn,
                     upn = excluded.upn
                 RETURNING place"
            }
            Part::Cas | Part::Groups | Part::DynamicGroups | Part::GroupExchange => "",
        };
        let is_placed = part.is_placed();
        let identity = identity
            .map(|sql| {
                let statement = connection.prepare_cached(&format!("{sql}{over}"))?;
                Ok::<_, Fault>(Identity { statement, is_placed })
            })
            .transpose()?;
        let (table, column) = (part.attribute_table(), if is_placed { "place" } else { "oid" });
        let attributes = format!("INSERT OR REPLACE INTO {table} ({column}, json) VALUES (?1, ?2)");
        Ok(Self { identity, attributes: connection.prepare_cached(&attributes)? })
    }
}

impl Identity<'_> {
    /// Stores the row of an object; gives the key under which its attributes are stored.
    pub(crate) fn put(&mut self, oid: i64, values: impl Params) -> Result<i64, Fault> {
        if !self.is_placed {
            self.statement.execute(values)?;
            return Ok(oid);
        }
        let mut rows = self.statement.query(values)?;
        let place = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?.get(0)?;
        // It is over when it says so.
        while rows.next()?.is_some() {}
        Ok(place)
    }
}
