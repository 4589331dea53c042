//! Users: what the directory tells of them, and what it leaves out and is asked for.

use std::collections::{BTreeSet, HashMap};

use exogate_microsoft::record::Record;
use exogate_model::change::ObjectKind;
use exogate_store::{Batch, Coverage, Found as Stored, UserRow, Waiting};

use super::relations::{managed, relations_of};
use super::{Applier, Followed, LEARNT, follow};
use crate::aggregate::streams::users as all_users;
use crate::aggregate::{StreamError, StreamKind, feeds};
use crate::delta::aspects::Aspects;
use crate::delta::found::{Found, Round};
use crate::delta::merge;
use crate::delta::plan::later;
use crate::read::attributes::Misfits;

#[derive(Default)]
pub(super) struct Users {
    pub misfits: Misfits,
    pub seen: BTreeSet<String>,
    pub new: BTreeSet<String>,
    pub gone: BTreeSet<String>,
}

impl Applier for Users {
    async fn apply(&mut self, round: Round<'_>, records: Vec<Record>) -> Result<(), StreamError> {
        let (_, reader) = all_users::changes(&round.aggregation.context);
        // A page may show one user twice; the later word builds on the earlier one.
        let mut rows: HashMap<String, UserRow> = HashMap::new();
        let ids = records.iter().filter_map(Record::id).map(str::to_ascii_lowercase).collect();
        // An interrupted run wrote them, and did not come to ask for their places.
        let unannounced: BTreeSet<String> = round.store().unannounced_users(ids).await?.into_iter().collect();
        for record in records {
            let Some(id) = record.id().map(str::to_ascii_lowercase) else { continue };
            if record.is_removed() {
                self.seen.remove(&id);
                self.new.remove(&id);
                rows.remove(&id);
                self.gone.insert(id);
                continue;
            }
            let stored = match rows.get(&id) {
                Some(row) => Some(row.clone()),
                None => match round.store().account(&id).await? {
                    Stored::One(account) => Some(account.user),
                    _ => None,
                },
            };
            let row = match merge::user(record, stored.as_ref(), &reader, &mut self.misfits)? {
                Some(row) => row,
                None => match read_user(round, &id, &mut self.misfits).await? {
                    Some(row) => row,
                    None => continue,
                },
            };
            let restored = self.gone.remove(&id);
            if stored.is_none() || restored || unannounced.contains(&id) {
                self.new.insert(id.clone());
            }
            self.seen.insert(id.clone());
            rows.insert(id, row);
        }
        let users = rows.into_values().collect();
        round.write(StreamKind::UserChanges, LEARNT, Batch { users, ..Batch::default() }).await
    }
}

/// A user of whom the delta shows too little.
pub(super) async fn read_user(
    round: Round<'_>,
    id: &str,
    misfits: &mut Misfits,
) -> Result<Option<UserRow>, StreamError> {
    let (query, reader) = all_users::changes(&round.aggregation.context);
    let select: Vec<String> = query.select.iter().filter(|name| *name != "manager").cloned().collect();
    let graph = &round.aggregation.tenant.graph;
    let mut record = match round.or_stop(graph.user(id, &select)).await? {
        Ok(record) => record,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if query.select.iter().any(|name| name == "manager") {
        match round.or_stop(graph.get(&format!("users/{id}/manager"), &["id"])).await? {
            Ok(manager) => {
                if let Some(manager) = manager.id() {
                    record = record.with("manager", &serde_json::json!({ "id": manager }));
                }
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(merge::user(record, None, &reader, misfits)?)
}

/// What is different about users.
pub(in crate::delta) async fn users(round: Round<'_>, cursor: &str) -> Result<Followed, StreamError> {
    const KIND: StreamKind = StreamKind::UserChanges;
    let (query, _) = all_users::changes(&round.aggregation.context);
    let mut users = Users::default();
    let Some(cursor) = follow(round, KIND, &query, cursor, &mut users).await? else {
        return Ok(Followed::Reset);
    };
    let mut found = Found::default();
    found.advance(feeds::USERS, cursor);
    let reports = relations_of(round, KIND, &users.new, &mut found).await?;
    managed(round, &mut users, &reports).await?;
    for id in &users.seen {
        found.seen(Coverage::Users, id, LEARNT);
    }
    for id in &users.gone {
        found.gone(Coverage::Users, id, LEARNT);
        // Its mailbox follows at once or a little later.
        if round.store().mailbox(id).await?.is_some() {
            found.mailbox(id, LEARNT, Aspects::ALL);
            found.settlement.queued.push(Waiting {
                object: ObjectKind::Mailbox,
                id: id.clone(),
                parts: Aspects::ALL.to_parts(),
                reason: "its account is gone".to_owned(),
                due: later(round.now, round.options.settling),
            });
        }
    }
    users.misfits.notes().for_each(|note| round.note(KIND, note));
    Ok(Followed::Done(Box::new(found)))
}
