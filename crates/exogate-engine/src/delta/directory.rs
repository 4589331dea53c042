//! The directory's own deltas: users, groups, members and owners.
//!
//! A round is applied page by page; its link is kept only when it came to its end. What a round
//! leaves out it does not tell: edges of deleted users are dropped here, and what a user that comes
//! into being (or out of the recycle bin) is a member of is asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use exogate_microsoft::graph::{DeltaQuery, GraphCall};
use exogate_microsoft::page::PageLink;
use exogate_microsoft::record::Record;
use exogate_microsoft::{ErrorKind, WireError};
use exogate_model::change::{Learnt, ObjectKind};
use exogate_model::group::{MemberKind, MembershipRole};
use exogate_store::{Batch, Coverage, Found as Stored, GroupRow, MembershipRow, UserRow, Waiting};

use super::found::{Found, Round};
use super::merge;
use super::plan::later;
use crate::aggregate::streams::{groups as all_groups, users as all_users};
use crate::aggregate::{StreamError, StreamKind, feeds};
use crate::read::attributes::Misfits;
use crate::read::groups::slice;

/// How a round ended.
pub(super) enum Followed {
    /// It came to its end.
    Done(Box<Found>),
    /// The directory does not know the link any more: everything has to be listed.
    Reset,
}

/// Pages after which a round is taken for one that runs in a circle without repeating a link.
const PAGES: u64 = 100_000;
const LEARNT: Learnt = Learnt::Directory;

/// Follows a link to the end of its round.
async fn follow(
    round: Round<'_>,
    kind: StreamKind,
    query: &DeltaQuery,
    cursor: &str,
    applier: &mut impl Applier,
) -> Result<Option<String>, StreamError> {
    round.begin(kind);
    // A link that cannot be read was written by another version.
    let Ok(link) = serde_json::from_str::<PageLink>(cursor) else { return Ok(None) };
    let graph = &round.aggregation.tenant.graph;
    let mut at = link;
    for _ in 0..PAGES {
        let page = match round.or_stop(graph.delta_page(query, Some(&at))).await? {
            Ok(page) => page,
            Err(error) if is_reset(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        round.read(kind, 1, page.records.len() as u64);
        applier.apply(round, page.records).await?;
        match (page.next, page.delta) {
            (Some(next), _) => at = next,
            (None, Some(delta)) => return Ok(serde_json::to_string(&delta).ok()),
            (None, None) => return Ok(None),
        }
    }
    Err(StreamError::NeverEnds { times: 1 })
}

/// Whether everything has to be listed: the link is too old, was reset by the service, or leads to
/// another host than the configuration names now.
fn is_reset(error: &WireError) -> bool {
    matches!(error.kind, ErrorKind::DeltaReset { .. } | ErrorKind::PageExpired | ErrorKind::WrongHost)
}

trait Applier {
    async fn apply(&mut self, round: Round<'_>, records: Vec<Record>) -> Result<(), StreamError>;
}

#[derive(Default)]
struct Users {
    misfits: Misfits,
    seen: BTreeSet<String>,
    new: BTreeSet<String>,
    gone: BTreeSet<String>,
}

impl Applier for Users {
    async fn apply(&mut self, round: Round<'_>, records: Vec<Record>) -> Result<(), StreamError> {
        let (_, reader) = all_users::changes(&round.aggregation.context);
        // A page may show one user twice; the later word builds on the earlier one.
        let mut rows: HashMap<String, UserRow> = HashMap::new();
        for record in records {
            let Some(id) = record.id().map(str::to_ascii_lowercase) else { continue };
            if record.removed().is_some() {
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
            if stored.is_none() || restored {
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
async fn read_user(
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
                    record.set("manager", serde_json::json!({ "id": manager }));
                }
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(merge::user(record, None, &reader, misfits)?)
}

/// What is different about users.
pub(super) async fn users(round: Round<'_>, cursor: &str) -> Result<Followed, StreamError> {
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
            found.mailbox(id, LEARNT);
            found.settlement.queued.push(Waiting {
                object: ObjectKind::Mailbox,
                id: id.clone(),
                reason: "its account is gone".to_owned(),
                due: later(round.now, round.options.settling),
            });
        }
    }
    users.misfits.notes().for_each(|note| round.note(KIND, note));
    Ok(Followed::Done(Box::new(found)))
}

/// Brings the managers up to date of users whom nobody tells different: their manager went to the
/// recycle bin, or came out of it.
async fn managed(round: Round<'_>, users: &mut Users, reports: &BTreeSet<String>) -> Result<(), StreamError> {
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
async fn relations_of(
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

/// A place in a group: group, role, member.
type Place = (String, MembershipRole, String);

#[derive(Default)]
struct Groups {
    misfits: Misfits,
    seen: BTreeSet<String>,
    gone: BTreeSet<String>,
    /// The last word on each place: what the member is, or that it left.
    places: BTreeMap<Place, Option<MemberKind>>,
}

impl Applier for Groups {
    async fn apply(&mut self, round: Round<'_>, records: Vec<Record>) -> Result<(), StreamError> {
        let (_, reader) = all_groups::question(&round.aggregation.context);
        let mut batch = Batch::default();
        let mut rows: HashMap<String, GroupRow> = HashMap::new();
        for record in records {
            let Some(id) = record.id().map(str::to_ascii_lowercase) else { continue };
            let Some(slice) = slice(&record, &reader, &mut self.misfits)? else {
                self.seen.remove(&id);
                self.gone.insert(id);
                continue;
            };
            self.gone.remove(&id);
            let stored = match rows.get(&id) {
                Some(row) => Some(row.clone()),
                None => round.store().stored_group(&id).await?,
            };
            let row = merge::group(&record, slice.group, stored.as_ref(), &reader, &mut self.misfits);
            let row = match (row, &stored) {
                (None, None) => read_group(round, &id, &mut self.misfits).await?,
                (row, _) => row,
            };
            if let Some(row) = row {
                rows.insert(id.clone(), row);
            }
            self.seen.insert(id.clone());
            self.take_places(&id, &record);
        }
        batch.groups = rows.into_values().collect();
        round.write(StreamKind::GroupChanges, LEARNT, batch).await
    }
}

impl Groups {
    fn take_places(&mut self, group: &str, record: &Record) {
        for (property, role) in
            [("members@delta", MembershipRole::Member), ("owners@delta", MembershipRole::Owner)]
        {
            for member in record.children(property) {
                let Some(id) = member.id() else { continue };
                let there = member.removed().is_none().then(|| crate::read::groups::member_kind(&member));
                self.places.insert((group.to_owned(), role, id.to_ascii_lowercase()), there);
            }
        }
    }
}

/// A group of which the delta shows only members, and the store nothing.
async fn read_group(
    round: Round<'_>,
    id: &str,
    misfits: &mut Misfits,
) -> Result<Option<GroupRow>, StreamError> {
    let (query, reader) = all_groups::question(&round.aggregation.context);
    let select: Vec<String> =
        query.select.iter().filter(|name| !["members", "owners"].contains(&name.as_str())).cloned().collect();
    match round.or_stop(round.aggregation.tenant.graph.group(id, &select)).await? {
        Ok(record) => Ok(slice(&record, &reader, misfits)?.and_then(|slice| slice.group)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What is different about groups, members and owners.
pub(super) async fn groups(round: Round<'_>, cursor: &str) -> Result<Followed, StreamError> {
    const KIND: StreamKind = StreamKind::GroupChanges;
    /// Places written at once.
    const TOGETHER: usize = 5_000;
    let (query, _) = all_groups::question(&round.aggregation.context);
    let mut groups = Groups::default();
    let Some(cursor) = follow(round, KIND, &query, cursor, &mut groups).await? else {
        return Ok(Followed::Reset);
    };
    let mut found = Found::default();
    found.advance(feeds::GROUPS, cursor);
    for id in &groups.seen {
        found.seen(Coverage::Groups, id, LEARNT);
    }
    for id in &groups.gone {
        found.gone(Coverage::Groups, id, LEARNT);
    }
    for ((group, role, member), kind) in groups.places {
        if groups.gone.contains(&group) {
            continue;
        }
        let member_kind = kind.unwrap_or(MemberKind::Other);
        let row = MembershipRow { group, role, member, member_kind };
        match kind {
            Some(_) => found.settlement.joined.push(row),
            None => found.settlement.left.push(row),
        }
    }
    for some in found.settlement.joined.chunks(TOGETHER) {
        round.write(KIND, LEARNT, Batch { memberships: some.to_vec(), ..Batch::default() }).await?;
    }
    groups.misfits.notes().for_each(|note| round.note(KIND, note));
    Ok(Followed::Done(Box::new(found)))
}
