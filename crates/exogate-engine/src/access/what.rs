//! On which mailboxes somebody has rights.

use std::collections::HashMap;

use exogate_model::group::MembershipRole;
use exogate_model::right::Right;
use exogate_store::{SourceStore, StoreError, StoredGrant};
use jiff::Timestamp;
use serde::Serialize;

use super::decide::{Claim, decide};
use super::walk::Walk;
use super::{Via, names_of, path};

/// One right on one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatRow {
    /// Key of the mailbox.
    pub mailbox: String,
    /// Its label in entitlements, or its display name.
    pub label: String,
    /// Its primary address.
    pub address: String,
    /// The right.
    pub right: Right,
    /// The groups it comes through, the one that holds the grant first; empty for a grant of
    /// one's own.
    pub via: Vec<Via>,
    /// Whether the right is denied.
    pub deny: bool,
    /// Whether the grant is inherited.
    pub inherited: bool,
    /// Anything else worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When the grant was last seen.
    pub read_at: Timestamp,
}

/// On which mailboxes somebody has rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct What {
    /// Object id of the user or group.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Whether rights of groups are included and denials applied.
    pub effective: bool,
    /// The rights, by mailbox and right.
    pub rows: Vec<WhatRow>,
}

/// On which mailboxes a user or group has rights: by grants of its own, or in effect.
pub async fn what(store: &SourceStore, id: &str, name: &str, effective: bool) -> Result<What, StoreError> {
    let mut holders = vec![id.to_owned()];
    let walk = if effective {
        let walk = groups(store, id).await?;
        holders.extend(walk.reached().iter().map(|step| step.id.clone()));
        Some(walk)
    } else {
        None
    };
    let mut rows = Vec::new();
    for stored in store.grants_of_principals(holders).await? {
        let holder = stored.grant.principal.id().unwrap_or_default().to_owned();
        let via = match &walk {
            Some(walk) if !holder.eq_ignore_ascii_case(id) => {
                let mut via = walk.between(&holder);
                via.push(holder);
                // The walk went up; the grant comes down.
                via.reverse();
                via
            }
            _ => Vec::new(),
        };
        let grant = &stored.grant;
        rows.push(Claim {
            key: (grant.mailbox.clone(), grant.right.clone()),
            deny: grant.deny,
            inherited: grant.inherited,
            via,
            of: stored,
        });
    }
    let rows = if effective { decide(rows) } else { rows.into_iter().map(|row| (row, false)).collect() };
    Ok(What { id: id.to_owned(), name: name.to_owned(), effective, rows: described(store, rows).await? })
}

type Decided = (Claim<(String, Right), StoredGrant>, bool);

async fn described(store: &SourceStore, rows: Vec<Decided>) -> Result<Vec<WhatRow>, StoreError> {
    let mut keys: Vec<_> = rows.iter().map(|(claim, _)| claim.key.0.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    let mailboxes = store.mailbox_refs(keys).await?;
    let names = names_of(store, rows.iter().flat_map(|(claim, _)| claim.via.iter().cloned())).await?;
    let mut rows: Vec<_> = rows
        .into_iter()
        .map(|(claim, overrules)| {
            let Claim { key: (mailbox, right), deny, inherited, via, of } = claim;
            let known = mailboxes.get(&mailbox);
            let label = known.map_or_else(
                || mailbox.clone(),
                |m| m.label.clone().unwrap_or_else(|| m.display_name.clone()),
            );
            let note = match (overrules, deny) {
                (false, _) => None,
                (true, true) => Some("denied here, allowed by another grant".to_owned()),
                (true, false) => Some("denied by another, weaker grant".to_owned()),
            };
            let address = known.map(|m| m.primary_smtp.clone()).unwrap_or_default();
            let via = path(&via, &names);
            WhatRow { mailbox, label, address, right, via, deny, inherited, note, read_at: of.read_at }
        })
        .collect();
    rows.sort_by(|a, b| order(a).cmp(&order(b)));
    Ok(rows)
}

fn order(row: &WhatRow) -> (String, &str, &Right, bool, bool) {
    (row.label.to_lowercase(), &row.mailbox, &row.right, row.deny, row.inherited)
}

/// Every group that somebody is in, directly or through others.
async fn groups(store: &SourceStore, id: &str) -> Result<Walk, StoreError> {
    let mut walk = Walk::new(id);
    loop {
        let frontier = walk.take_frontier();
        if frontier.is_empty() {
            return Ok(walk);
        }
        let mut of: HashMap<String, Vec<(String, bool)>> = HashMap::new();
        for row in store.memberships_of(frontier.clone(), MembershipRole::Member).await? {
            of.entry(row.member).or_default().push((row.group, true));
        }
        for place in &frontier {
            walk.feed(place, of.remove(place).unwrap_or_default());
        }
    }
}
