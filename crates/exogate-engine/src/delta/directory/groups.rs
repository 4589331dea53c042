//! Groups, their members and their owners.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use exogate_microsoft::record::Record;
use exogate_model::group::{MemberKind, MembershipRole};
use exogate_store::{Batch, Coverage, GroupRow, MembershipRow};

use super::{Applier, Followed, LEARNT, follow};
use crate::aggregate::streams::groups as all_groups;
use crate::aggregate::{StreamError, StreamKind, feeds};
use crate::delta::found::{Found, Round};
use crate::delta::merge;
use crate::read::attributes::Misfits;
use crate::read::groups::slice;

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
                let there = (!member.is_removed()).then(|| crate::read::groups::member_kind(&member));
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
pub(in crate::delta) async fn groups(round: Round<'_>, cursor: &str) -> Result<Followed, StreamError> {
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
