//! Who can do what on which mailbox: as granted, and in effect through nested groups.
//!
//! Reads the store, never the tenant. Rights of a group belong to the group; only an effective
//! answer carries them to its members, with the way they take. Owners of a group are not members.

pub mod decide;
pub mod walk;
mod what;
mod who;

use exogate_model::right::Right;
use exogate_model::trustee::{Principal, Trustee};
use exogate_store::{ObjectName, SourceStore, StoreError};
use serde::Serialize;
use std::collections::HashMap;

pub use what::{What, WhatRow, what};
pub use who::{Who, WhoRow, who};

/// A group on the way from a grant to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Via {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Somebody or something that holds a right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// `user`, `group`, `orphan`, `ambiguous` or `unknown`.
    pub kind: &'static str,
    /// Object id of a user or group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it is called: display name, or the trustee as rendered.
    pub name: String,
    /// UPN of a user, mail address of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl Holder {
    fn of(principal: &Principal, trustee: &Trustee, names: &HashMap<String, ObjectName>) -> Self {
        let id = principal.id().map(str::to_owned);
        let known = id.as_ref().and_then(|id| names.get(id));
        Self {
            kind: principal.kind(),
            name: match known {
                Some(known) => known.display_name.clone(),
                None if trustee.text.is_empty() => "(no name)".to_owned(),
                None => trustee.text.clone(),
            },
            address: known.and_then(|n| n.address.clone()),
            id,
        }
    }

    /// A member of a group; one that is not stored has no name but its id.
    fn member(id: &str, names: &HashMap<String, ObjectName>) -> Self {
        let known = names.get(id);
        Self {
            kind: "user",
            id: Some(id.to_owned()),
            name: known.map_or_else(|| id.to_owned(), |n| n.display_name.clone()),
            address: known.and_then(|n| n.address.clone()),
        }
    }
}

/// What a reader should know about a grant, if anything.
fn remark(principal: &Principal, trustee: &Trustee, right: &Right) -> Option<String> {
    match principal {
        Principal::Orphan => Some("nobody bears this identifier any more".to_owned()),
        Principal::Ambiguous { candidates } if candidates.len() > 1 => Some(format!(
            "{} principals bear this name ({}); attributed to none of them",
            candidates.len(),
            candidates.join(", ")
        )),
        Principal::Ambiguous { .. } => {
            Some("a role group of Exchange bears this name too; attributed to neither".to_owned())
        }
        Principal::Unknown if trustee.text.contains('\\') => {
            Some("perhaps a deleted account that can still be restored".to_owned())
        }
        Principal::Unknown => Some("nobody known bears this name".to_owned()),
        _ if !right.is_known() => Some("not a right that exogate knows".to_owned()),
        _ => None,
    }
}

/// What these ids are called.
async fn names_of(
    store: &SourceStore,
    ids: impl IntoIterator<Item = String>,
) -> Result<HashMap<String, ObjectName>, StoreError> {
    let mut ids: Vec<String> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    store.names(ids).await
}

fn path(via: &[String], names: &HashMap<String, ObjectName>) -> Vec<Via> {
    via.iter()
        .map(|id| Via {
            id: id.clone(),
            name: names.get(id).map_or_else(|| id.clone(), |n| n.display_name.clone()),
        })
        .collect()
}
