//! Tokens of the front doors, in a file of their own beside the store: who holds one, what it may do,
//! until when, and when it was last used.
//!
//! Knows hashes only. Making a token and judging one is the business of the front doors.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use exogate_model::clock::Clock;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;

use crate::error::{Fault, StoreError};
use crate::layout::{lay_out, tune_durable};
use crate::{codec, connection};

/// `exot`: marks the file as one of tokens in SQLite's header.
const APPLICATION_ID: i32 = 0x6578_6f74;
const STEPS: &[&str] = &[include_str!("../../migrations/tokens/0001_tokens.sql")];
const COLUMNS: &str = "id, name, hash, scope, sources, created, expires, revoked, last_used";

/// A token to be kept.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its public part, by which it is found.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The hash of the whole.
    pub hash: Vec<u8>,
    /// What its bearer may do.
    pub scope: String,
    /// The sources it is for; none: all of them.
    pub sources: Option<Vec<String>>,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

/// A token as it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRecord {
    /// Its public part.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The hash of the whole.
    #[serde(skip)]
    pub hash: Vec<u8>,
    /// What its bearer may do.
    pub scope: String,
    /// The sources it is for; none: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<String>>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
}

/// The open file. Cheap to clone.
#[derive(Clone)]
pub struct Tokens {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    connection: Mutex<Connection>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Where the tokens of a store are.
    pub fn beside(store: &Path) -> PathBuf {
        store.with_extension("tokens")
    }

    /// Opens the file, creating it as needed.
    pub fn open(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let open = || {
            let mut connection = connection::writer(&path)?;
            lay_out(&mut connection, &path, APPLICATION_ID, STEPS)?;
            tune_durable(&connection)?;
            Ok(connection)
        };
        let connection = open().map_err(|fault| StoreError::from_fault(&path, fault))?;
        Ok(Self { inner: Arc::new(Inner { path, clock, connection: Mutex::new(connection) }) })
    }

    /// Keeps a token. Names are unique among those that are not revoked.
    pub async fn add(&self, token: NewToken) -> Result<(), StoreError> {
        self.with(move |connection, now| {
            let taken = connection
                .prepare_cached("SELECT 1 FROM tokens WHERE name = ?1 AND revoked IS NULL")?
                .exists([&token.name])?;
            if taken {
                return Err(StoreError::TokenNameTaken { name: token.name }.into());
            }
            let sources = token.sources.as_deref().map(|sources| serde_json::json!(sources).to_string());
            let expires = token.expires.map(Timestamp::as_millisecond);
            connection.execute(
                "INSERT INTO tokens (id, name, hash, scope, sources, created, expires)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (&token.id, &token.name, &token.hash, &token.scope, sources, now, expires),
            )?;
            Ok(())
        })
        .await
    }

    /// A token by its public part, revoked and expired ones too.
    pub async fn find(&self, id: &str) -> Result<Option<TokenRecord>, StoreError> {
        let id = id.to_owned();
        self.with(move |connection, _| one(connection, "id = ?1", &id)).await
    }

    /// All tokens, by name.
    pub async fn list(&self) -> Result<Vec<TokenRecord>, StoreError> {
        self.with(|connection, _| {
            let sql = format!("SELECT {COLUMNS} FROM tokens ORDER BY name, created");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            let mut tokens = Vec::new();
            while let Some(row) = rows.next()? {
                tokens.push(record(row)?);
            }
            Ok(tokens)
        })
        .await
    }

    /// Revokes a token by name or public part, and gives it as it then is; none if no token that is
    /// not revoked bears either.
    pub async fn revoke(&self, which: &str) -> Result<Option<TokenRecord>, StoreError> {
        let which = which.to_owned();
        self.with(move |connection, now| {
            let Some(token) = one(connection, "(name = ?1 OR id = ?1) AND revoked IS NULL", &which)? else {
                return Ok(None);
            };
            connection.execute("UPDATE tokens SET revoked = ?2 WHERE id = ?1", (&token.id, now))?;
            one(connection, "id = ?1", &token.id)
        })
        .await
    }

    /// Notes that these tokens were used by now.
    pub async fn used(&self, ids: Vec<String>) -> Result<(), StoreError> {
        self.with(move |connection, now| {
            let transaction = connection.unchecked_transaction()?;
            for id in &ids {
                transaction
                    .prepare_cached("UPDATE tokens SET last_used = ?2 WHERE id = ?1")?
                    .execute((id, now))?;
            }
            transaction.commit()?;
            Ok(())
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, i64) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || {
            let connection = inner.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let now = inner.clock.now().as_millisecond();
            work(&connection, now).map_err(|fault| StoreError::from_fault(&inner.path, fault))
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }
}

fn one(connection: &Connection, wanted: &str, value: &str) -> Result<Option<TokenRecord>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM tokens WHERE {wanted}");
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_row([value], |row| Ok(record(row))).optional()?;
    found.transpose()
}

fn record(row: &Row<'_>) -> Result<TokenRecord, Fault> {
    let instant = |column| -> Result<Option<Timestamp>, Fault> {
        row.get::<_, Option<i64>>(column)?.map(codec::instant).transpose()
    };
    let sources: Option<String> = row.get(4)?;
    Ok(TokenRecord {
        id: row.get(0)?,
        name: row.get(1)?,
        hash: row.get(2)?,
        scope: row.get(3)?,
        sources: sources.map(|text| codec::from_json("the sources of a token", &text)).transpose()?,
        created: codec::instant(row.get(5)?)?,
        expires: instant(6)?,
        revoked: instant(7)?,
        last_used: instant(8)?,
    })
}
