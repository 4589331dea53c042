//! What a user that came into being, or went, is to others: memberships, ownerships and managers, of
//! which the directory's delta says nothing.

use std::collections::{BTreeMap, BTreeSet};

use exogate_microsoft::graph::GraphCall;
use exogate_microsoft::record::Record;
use exogate_model::group::{MemberKind, MembershipRole};
use exogate_store::{Batch, MembershipRow, UserRow};

use super::LEARNT;
use super::users::{Users, read_user};
use crate::aggregate::streams::users as all_users;
use crate::aggregate::{StreamError, StreamKind};
use crate::delta::found::{Found, Round};

/// Brings the managers up to date of users whom nobody tells different: their manager went to the
/// recycle bin, or came out of it.
pub(super) async fn managed(
    round: Round<'_>,
    users: &mut Users,
    reports: &BTreeSet<String>,
) -> Result<(), StreamError> {
    const MANAGER: &str = "manager";
    let (_, reader) = all_users::changes(&round.aggregation.context);
    if !reader.properties().any(|property| property == MANAGER) {
        return Ok(());
    }
    let mut rows: BTreeMap<String, UserRow> = BTreeMap::new();
    for gone in &users.gone {
        for mut row in round.store().users_with(MANAGER, gone).await? {
            let id = row.id.to_ascii_lowercase();
            if !users.gone.contains(&id) {
                row.attributes.remove(MANAGER);
                rows.insert(id, row);
            }
        }
    }
    for id in reports.iter().filter(|id| !users.gone.contains(*id)) {
        if let Some(row) = read_user(round, id, &mut users.misfits).await? {
            rows.insert(id.clone(), row);
        }
    }
    if !rows.is_empty() {
        users.seen.extend(rows.keys().cloned());
        let users = rows.into_values().collect();
        round.write(StreamKind::UserChanges, LEARNT, Batch { users, ..Batch::default() }).await?;
    }
    Ok(())
}

/// What users that came into being are members and owners of, and whose managers they are: one that
/// comes out of the recycle bin has its places again without anybody else being told different.
/// Returns the ids of those whom they manage.
pub(super) async fn relations_of(
    round: Round<'_>,
    kind: StreamKind,
    users: &BTreeSet<String>,
    found: &mut Found,
) -> Result<BTreeSet<String>, StreamError> {
    let relations = [
        ("memberOf", Some(MembershipRole::Member)),
        ("ownedObjects", Some(MembershipRole::Owner)),
        ("directReports", None),
    ];
    let mut reports = BTreeSet::new();
    let questions: Vec<(&String, Option<MembershipRole>, GraphCall)> = users
        .iter()
        .flat_map(|id| {
            relations.map(|(relation, role)| {
                (id, role, GraphCall::get(format!("users/{id}/{relation}?$select=id&$top=999")))
            })
        })
        .collect();
    if questions.is_empty() {
        return Ok(reports);
    }
    let calls: Vec<GraphCall> = questions.iter().map(|(_, _, call)| call.clone()).collect();
    let replies = round.or_stop(round.aggregation.tenant.graph.batch(&calls)).await?;
    round.read(kind, calls.len().div_ceil(20) as u64, 0);
    let mut batch = Batch::default();
    for ((user, role, _), reply) in questions.iter().zip(replies) {
        let page = match reply.and_then(|reply| reply.page()) {
            Ok(page) => page,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error.into()),
        };
        let Some(role) = role else {
            reports.extend(page.records.iter().filter_map(Record::id).map(str::to_ascii_lowercase));
            continue;
        };
        for group in page.records.iter().filter(|record| record.kind() == Some("group")) {
            let Some(group) = group.id() else { continue };
            batch.memberships.push(MembershipRow {
                group: group.to_owned(),
                role: *role,
                member: (*user).clone(),
                member_kind: MemberKind::User,
            });
        }
    }
    found.settlement.joined.extend(batch.memberships.iter().cloned());
    round.write(kind, LEARNT, batch).await?;
    Ok(reports)
}
