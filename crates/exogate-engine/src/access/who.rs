//! Who has rights on a mailbox.

use std::collections::HashMap;

use exogate_model::grant::Grant;
use exogate_model::group::{MemberKind, MembershipRole};
use exogate_model::right::Right;
use exogate_model::trustee::Principal;
use exogate_store::{MailboxRef, SourceStore, StoreError, StoredGrant};
use jiff::Timestamp;
use serde::Serialize;

use super::decide::{Claim, decide};
use super::walk::Walk;
use super::{Holder, Via, names_of, path, remark};

/// One right of one holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhoRow {
    /// The right.
    pub right: Right,
    /// Who holds it.
    pub holder: Holder,
    /// The trustee of the grant, as the tenant renders it.
    pub trustee: String,
    /// The groups it comes through, the one that holds the grant first; empty for a grant of the
    /// holder's own.
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

/// Who has rights on one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// Key of the mailbox.
    pub mailbox: String,
    /// Its label in entitlements, or its display name.
    pub label: String,
    /// Its primary address.
    pub address: String,
    /// Whether groups are expanded and denials applied.
    pub effective: bool,
    /// The rights, by right and holder.
    pub rows: Vec<WhoRow>,
}

/// Who has rights on a mailbox: as granted, or in effect. The mailbox's own rights and those of
/// the system are left out.
pub async fn who(store: &SourceStore, mailbox: &MailboxRef, effective: bool) -> Result<Who, StoreError> {
    let mut grants = store.grants_of_mailbox(&mailbox.key).await?;
    grants.retain(|g| !matches!(g.grant.principal, Principal::OwnMailbox | Principal::System));
    let mut rows = if effective { in_effect(store, grants).await? } else { granted(store, grants).await? };
    rows.sort_by(|a, b| order(a).cmp(&order(b)));
    Ok(Who {
        mailbox: mailbox.key.clone(),
        label: mailbox.label.clone().unwrap_or_else(|| mailbox.display_name.clone()),
        address: mailbox.primary_smtp.clone(),
        effective,
        rows,
    })
}

fn order(row: &WhoRow) -> (&Right, String, &Option<String>, bool, bool, &str) {
    (&row.right, row.holder.name.to_lowercase(), &row.holder.id, row.deny, row.inherited, &row.trustee)
}

async fn granted(store: &SourceStore, grants: Vec<StoredGrant>) -> Result<Vec<WhoRow>, StoreError> {
    let ids = grants.iter().filter_map(|g| g.grant.principal.id().map(str::to_owned));
    let names = names_of(store, ids).await?;
    Ok(grants
        .into_iter()
        .map(|StoredGrant { grant, read_at, .. }| WhoRow {
            holder: Holder::of(&grant.principal, &grant.trustee, &names),
            note: remark(&grant.principal, &grant.trustee, &grant.right),
            right: grant.right,
            trustee: grant.trustee.text,
            via: Vec::new(),
            deny: grant.deny,
            inherited: grant.inherited,
            read_at,
        })
        .collect())
}

/// Who a claim is about: a user, or a trustee that is nobody in particular.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Claimant {
    User(String),
    Other(Principal, String, Option<String>),
}

async fn in_effect(store: &SourceStore, grants: Vec<StoredGrant>) -> Result<Vec<WhoRow>, StoreError> {
    let mut expanded: HashMap<String, Vec<(String, Vec<String>)>> = HashMap::new();
    let mut claims = Vec::new();
    for stored in grants {
        let Grant { right, principal, deny, inherited, trustee, .. } = &stored.grant;
        let claim = |claimant: Claimant, via: Vec<String>| Claim {
            key: (right.clone(), claimant),
            deny: *deny,
            inherited: *inherited,
            via,
            of: stored.clone(),
        };
        match principal {
            Principal::User { id } => claims.push(claim(Claimant::User(id.clone()), Vec::new())),
            Principal::Group { id } => {
                if !expanded.contains_key(id) {
                    expanded.insert(id.clone(), members(store, id).await?);
                }
                let members = expanded.get(id).map(Vec::as_slice).unwrap_or_default();
                claims.extend(
                    members.iter().map(|(user, via)| claim(Claimant::User(user.clone()), via.clone())),
                );
                if members.is_empty() {
                    let other = Claimant::Other(principal.clone(), trustee.text.clone(), None);
                    claims.push(claim(other, Vec::new()));
                }
            }
            other => {
                let other = Claimant::Other(other.clone(), trustee.text.clone(), trustee.sid.clone());
                claims.push(claim(other, Vec::new()));
            }
        }
    }
    let decided = decide(claims);
    let ids = decided.iter().flat_map(|(claim, _)| {
        let user = match &claim.key.1 {
            Claimant::User(id) => Some(id.clone()),
            Claimant::Other(principal, ..) => principal.id().map(str::to_owned),
        };
        user.into_iter().chain(claim.via.iter().cloned())
    });
    let names = names_of(store, ids).await?;
    Ok(decided
        .into_iter()
        .map(|(claim, overrules)| {
            let Claim { key: (right, claimant), deny, inherited, via, of } = claim;
            let StoredGrant { grant, read_at, .. } = of;
            let (holder, mut note) = match &claimant {
                Claimant::User(_) if via.is_empty() => {
                    (Holder::of(&grant.principal, &grant.trustee, &names), None)
                }
                Claimant::User(id) => (Holder::member(id, &names), None),
                Claimant::Other(Principal::Group { .. }, ..) => (
                    Holder::of(&grant.principal, &grant.trustee, &names),
                    Some("no user is a member, as far as it is known".to_owned()),
                ),
                Claimant::Other(principal, ..) => {
                    (Holder::of(principal, &grant.trustee, &names), remark(principal, &grant.trustee, &right))
                }
            };
            if overrules && note.is_none() {
                let sense = if deny {
                    "denied here, allowed by another grant"
                } else {
                    "denied by another, weaker grant"
                };
                note = Some(sense.to_owned());
            }
            let trustee = grant.trustee.text;
            WhoRow { right, holder, trustee, via: path(&via, &names), deny, inherited, note, read_at }
        })
        .collect())
}

/// The users in a group, each with the groups from this one down to the one it is a member of.
async fn members(store: &SourceStore, group: &str) -> Result<Vec<(String, Vec<String>)>, StoreError> {
    let mut walk = Walk::new(group);
    loop {
        let frontier = walk.take_frontier();
        if frontier.is_empty() {
            break;
        }
        let mut of: HashMap<String, Vec<(String, bool)>> = HashMap::new();
        for row in store.members_of(frontier.clone(), MembershipRole::Member).await? {
            match row.member_kind {
                MemberKind::User => of.entry(row.group).or_default().push((row.member, false)),
                MemberKind::Group => of.entry(row.group).or_default().push((row.member, true)),
                _ => {}
            }
        }
        for place in &frontier {
            walk.feed(place, of.remove(place).unwrap_or_default());
        }
    }
    Ok(walk
        .reached()
        .iter()
        .filter(|step| !step.is_group)
        .map(|step| {
            let mut via = vec![group.to_owned()];
            via.extend(walk.between(&step.id));
            (step.id.clone(), via)
        })
        .collect())
}
