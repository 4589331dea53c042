//! Groups of every kind and their members.

use crate::state::{Class, Idx, Object, RecipientTypeDetails};

use super::listing::{Narrow, by_identity, emit, list, start};
use crate::exchange::bind::Bound;
use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{
    Accepts, is_distribution_group, is_dynamic_group, is_group, is_recipient, is_unified_group,
};
use crate::exchange::opath::{Compiled, compile};
use crate::exchange::reader::Reader;
use crate::exchange::rows::RecipientRow;
use crate::exchange::schema::RowClass;

const DISTRIBUTION: [RecipientTypeDetails; 3] = [
    RecipientTypeDetails::MailUniversalDistributionGroup,
    RecipientTypeDetails::MailUniversalSecurityGroup,
    RecipientTypeDetails::RoomList,
];

fn show(bound: &Bound, page: &mut Page) {
    for (name, value) in bound.iter() {
        if name.starts_with("Include") && *value == crate::exchange::bind::Arg::Bool(true) {
            page.show(name);
        }
    }
}

/// Groups of some kinds, perhaps those that a recipient manages only.
fn managed(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
    class: RowClass,
    kinds: &[RecipientTypeDetails],
    accepts: Accepts,
) -> Result<(), ExchangeError> {
    show(bound, page);
    let Some(manager) = bound.text("ManagedBy") else {
        return list(reader, bound, page, class, kinds, accepts);
    };
    let (manager, _) = reader.lookup(manager, is_recipient)?;
    let narrow = Narrow::new(bound)?;
    let owned = reader
        .view
        .recipients(kinds, start(page, &narrow))
        .filter(|(_, object)| object.group().is_some_and(|group| group.owners.contains(&manager)));
    emit(page, &narrow, class, owned.map(|(idx, object)| RecipientRow::new(reader, class, idx, object)));
    Ok(())
}

pub(super) fn distribution_groups(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    managed(reader, bound, page, RowClass::DistributionGroup, &DISTRIBUTION, is_distribution_group)
}

pub(super) fn dynamic_groups(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let kinds = [RecipientTypeDetails::DynamicDistributionGroup];
    managed(reader, bound, page, RowClass::DynamicDistributionGroup, &kinds, is_dynamic_group)
}

pub(super) fn unified_groups(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    show(bound, page);
    let class = RowClass::UnifiedGroup;
    if bound.switch("IncludeSoftDeletedGroups") && bound.text("Identity").is_none() {
        let narrow = Narrow::new(bound)?;
        let from = start(page, &narrow);
        let row = |(idx, object)| RecipientRow::new(reader, class, idx, object);
        let live = reader.view.recipients(&[RecipientTypeDetails::GroupMailbox], from).map(row);
        let deleted = reader
            .view
            .list(Class::DeletedGroups, from)
            .filter(|(_, object)| is_unified_group(object))
            .map(row);
        emit(page, &narrow, class, super::listing::merged(live, deleted));
        return Ok(());
    }
    list(reader, bound, page, class, &[RecipientTypeDetails::GroupMailbox], is_unified_group)
}

pub(super) fn groups(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    let narrow = Narrow::new(bound)?;
    let row = |(idx, object)| RecipientRow::new(reader, RowClass::Group, idx, object);
    match by_identity(reader, bound, is_group)? {
        Some(found) => emit(page, &narrow, RowClass::Group, found.into_iter().map(row)),
        None => emit(
            page,
            &narrow,
            RowClass::Group,
            reader.view.list(Class::Groups, start(page, &narrow)).map(row),
        ),
    }
    Ok(())
}

fn one<'a>(reader: &Reader<'a>, bound: &Bound, accepts: Accepts) -> Result<(Idx, &'a Object), ExchangeError> {
    let Some(identity) = bound.text("Identity").filter(|text| !text.trim().is_empty()) else {
        return Err(ExchangeError::new(Condition::NullParameter, ["Identity"]));
    };
    reader.target(identity, accepts)
}

fn emit_members<'a>(
    reader: &'a Reader<'a>,
    page: &mut Page,
    members: impl Iterator<Item = (Idx, &'a Object)>,
) {
    let class = RowClass::Recipient;
    for (idx, object) in members {
        let row = RecipientRow::new(reader, class, idx, object);
        if !page.push(class, idx.0, 0, &row) {
            return;
        }
    }
}

pub(super) fn distribution_group_members(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let (group, _) = one(reader, bound, is_distribution_group)?;
    let from = Idx(page.from().at);
    emit_members(reader, page, reader.view.members(group).filter(|(idx, _)| *idx >= from));
    Ok(())
}

pub(super) fn unified_group_links(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let (group, object) = one(reader, bound, is_unified_group)?;
    let from = Idx(page.from().at);
    match bound.text("LinkType") {
        Some("Owners") => {
            let mut owners: Vec<_> = reader.view.owners(group).filter(|(idx, _)| *idx >= from).collect();
            owners.sort_by_key(|(idx, _)| *idx);
            emit_members(reader, page, owners.into_iter());
        }
        Some("Subscribers") => {
            let held = object.extra().and_then(|extra| extra.exchange.get("Subscribers"));
            let ids: Vec<&str> = held
                .and_then(crate::state::AttrValue::as_list)
                .map_or(Vec::new(), |list| list.iter().map(|text| &**text).collect());
            let subscribed = reader
                .view
                .members(group)
                .filter(|(idx, member)| *idx >= from && ids.contains(&member.id.to_string().as_str()));
            emit_members(reader, page, subscribed);
        }
        Some("Members") => {
            emit_members(reader, page, reader.view.members(group).filter(|(idx, _)| *idx >= from));
        }
        _ => {}
    }
    Ok(())
}

/// The recipients that a dynamic group's filter lets through.
pub(in crate::exchange) fn dynamic_filter(object: &Object) -> Option<Compiled> {
    let text = object.group()?.recipient_filter.as_deref()?;
    compile(text, "Get-Recipient").ok()
}

pub(super) fn dynamic_group_members(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let (_, object) = one(reader, bound, is_dynamic_group)?;
    let Some(filter) = dynamic_filter(object) else { return Ok(()) };
    let kinds: Vec<_> = RecipientTypeDetails::ALL
        .into_iter()
        .filter(|kind| {
            !matches!(
                kind,
                RecipientTypeDetails::DynamicDistributionGroup | RecipientTypeDetails::DiscoveryMailbox
            )
        })
        .collect();
    let from = Idx(page.from().at);
    let members = reader.view.recipients(&kinds, from).filter(|(idx, object)| {
        filter.matches(&RecipientRow::new(reader, RowClass::Recipient, *idx, object))
    });
    emit_members(reader, page, members);
    Ok(())
}
