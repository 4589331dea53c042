//! A later round: what changed since the last deltaLink, each object once, memberships as additions and removals.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::super::eval::type_of;
use super::super::query::Column;
use super::super::render::{push_object, push_reference};
use super::super::scene::Scene;
use super::super::schema::{Field, Type};
use super::sweep::{members, push_all, push_manager};
use super::{Page, Place, Shape};
use crate::json::push_id;
use crate::state::change::Fields;
use crate::state::{ChangeKind, Idx, Object, ObjectKind, State, View};

/// What happened to one object over the round.
#[derive(Default)]
struct Touched {
    /// Created or restored: told in full.
    whole: bool,
    fields: Vec<Fields>,
    members: BTreeSet<Idx>,
    owners: BTreeSet<Idx>,
    purged: Option<Uuid>,
    /// It came, went or came back.
    life: bool,
    /// Something that this kind of delta tells at all.
    told: bool,
}

/// Fills a page of the round.
pub(super) fn fill(scene: &Scene<'_>, state: &State, shape: &Shape, place: &Place, page: &mut Page) {
    let view = scene.view(state);
    let touched = collect(scene, state, shape, place);
    let limit = match shape.kind {
        Type::Group => scene.knobs.delta_groups_per_page,
        _ => scene.knobs.delta_users_per_page,
    }
    .max(1) as usize;
    let objects = touched.iter().filter(|(idx, touched)| concerns(&view, shape, place, **idx, touched));
    for (at, (idx, touched)) in objects.enumerate().skip(place.at as usize) {
        if page.written >= limit {
            page.next = Some((u32::try_from(at).unwrap_or(u32::MAX), 0));
            return;
        }
        if page.written > 0 {
            page.out.push(b',');
        }
        page.written += 1;
        tell(scene, &view, shape, place, *idx, touched, page);
    }
}

fn collect(scene: &Scene<'_>, state: &State, shape: &Shape, place: &Place) -> BTreeMap<Idx, Touched> {
    let groups = shape.kind == Type::Group;
    let hides = scene.knobs.delta_hides_members_deleted;
    let mut touched: BTreeMap<Idx, Touched> = BTreeMap::new();
    let entries =
        state.changes().after(place.since).iter().take_while(|change| change.sequence <= place.until);
    for change in entries {
        // The life of an object is also a change of the groups that it is in.
        let leaves = matches!(change.kind, ChangeKind::SoftDeleted);
        if groups && ((leaves && !hides) || matches!(change.kind, ChangeKind::Restored)) {
            for group in state.member_of(change.object) {
                let entry = touched.entry(*group).or_default();
                entry.members.insert(change.object);
                entry.told |= shape.members;
            }
            for group in state.owner_of(change.object) {
                let entry = touched.entry(group).or_default();
                entry.owners.insert(change.object);
                entry.told |= shape.owners;
            }
        }
        let entry = touched.entry(change.object).or_default();
        match &change.kind {
            ChangeKind::Created | ChangeKind::Restored => {
                entry.whole = true;
                entry.life = true;
                entry.told = true;
            }
            ChangeKind::Updated(fields) => {
                entry.fields.push(*fields);
                entry.told |= is_tracked(shape, fields);
            }
            ChangeKind::SoftDeleted => {
                entry.life = true;
                entry.told = true;
            }
            ChangeKind::Purged(id) => {
                entry.purged = Some(*id);
                entry.life = true;
                entry.told = true;
            }
            ChangeKind::MemberAdded(member) | ChangeKind::MemberRemoved(member) => {
                let gone = state.get(*member).is_none_or(|object| !object.is_live());
                if !(hides && gone) {
                    entry.members.insert(*member);
                    entry.told |= shape.members;
                }
            }
            ChangeKind::OwnerAdded(owner) | ChangeKind::OwnerRemoved(owner) => {
                entry.owners.insert(*owner);
                entry.told |= shape.owners;
            }
        }
    }
    touched
}

/// Whether an update touches anything of the tracked set.
fn is_tracked(shape: &Shape, fields: &Fields) -> bool {
    let column = |column: &Column| {
        column.property.is_none_or(|property| property.field != Field::Id) && is_changed(column, &[*fields])
    };
    shape.columns.iter().any(column) || (shape.manager && fields.contains("manager"))
}

/// The type of an object, also after it is gone.
fn kind_of(view: &View<'_>, idx: Idx) -> Type {
    match (view.get(idx), view.state.gone(idx)) {
        (Some(object), _) => type_of(object),
        (None, Some(gone)) => match gone.kind {
            ObjectKind::User => Type::User,
            ObjectKind::Group => Type::Group,
            ObjectKind::Contact => Type::Contact,
            ObjectKind::Principal => Type::Principal,
        },
        (None, None) => Type::User,
    }
}

fn concerns(view: &View<'_>, shape: &Shape, place: &Place, idx: Idx, touched: &Touched) -> bool {
    if !touched.told {
        return false;
    }
    let object = view.get(idx);
    if kind_of(view, idx) != shape.kind {
        return false;
    }
    // What happens to an object in the bin is nobody's business.
    if !touched.life && object.is_none_or(|object| !object.is_live()) {
        return false;
    }
    if object
        .and_then(Object::group)
        .is_some_and(|group| group.kind == crate::state::GroupKind::DynamicDistribution)
    {
        return false;
    }
    let Some(id) = object.map(|object| object.id).or(touched.purged) else { return false };
    place.tracked.ids.as_ref().is_none_or(|ids| ids.contains(&id))
}

fn tell(
    scene: &Scene<'_>,
    view: &View<'_>,
    shape: &Shape,
    place: &Place,
    idx: Idx,
    touched: &Touched,
    page: &mut Page,
) {
    let Some(object) = view.live(idx) else {
        let reason = if view.get(idx).is_some() { "changed" } else { "deleted" };
        let id = view.get(idx).map(|object| object.id).or(touched.purged).unwrap_or_default();
        page.out.extend_from_slice(b"{\"id\":");
        push_id(&mut page.out, id);
        page.out.extend_from_slice(format!(",\"@removed\":{{\"reason\":\"{reason}\"}}}}").as_bytes());
        return;
    };
    let source = scene.source(view.state);
    if place.tracked.minimal && !touched.whole {
        let changed: Vec<Column> =
            shape.columns.iter().filter(|column| is_changed(column, &touched.fields)).cloned().collect();
        push_object(&mut page.out, &source, object, &changed);
    } else {
        push_object(&mut page.out, &source, object, &shape.columns);
    }
    page.out.pop();
    if shape.manager && (touched.whole || touched.fields.iter().any(|fields| fields.contains("manager"))) {
        push_manager(&mut page.out, view, object);
    }
    if shape.owners && (touched.whole || !touched.owners.is_empty()) {
        page.out.extend_from_slice(b",\"owners@delta\":[");
        let owns = |other: Idx| object.group().is_some_and(|group| group.owners.contains(&other));
        if touched.whole {
            push_all(&mut page.out, view.owners(idx));
            push_left(&mut page.out, view, &touched.owners, owns);
        } else {
            push_edges(&mut page.out, view, &touched.owners, owns);
        }
        page.out.push(b']');
    }
    if shape.members && (touched.whole || !touched.members.is_empty()) {
        page.out.extend_from_slice(b",\"members@delta\":[");
        let has = |other: Idx| object.group().is_some_and(|group| group.has_member(other));
        if touched.whole {
            push_all(&mut page.out, members(view, idx));
            push_left(&mut page.out, view, &touched.members, has);
        } else {
            push_edges(&mut page.out, view, &touched.members, has);
        }
        page.out.push(b']');
    }
    page.out.push(b'}');
}

fn is_changed(column: &Column, fields: &[Fields]) -> bool {
    let Some(property) = column.property else { return true };
    property.field == Field::Id
        || fields.iter().any(|fields| {
            fields.contains(property.name)
                || (matches!(
                    property.field,
                    Field::Stored | Field::Directory(_) | Field::ExtensionAttributes
                ) && (fields.contains("other") || fields.contains("exchange")))
        })
}

/// Behind those who are there: those who left in the same round.
fn push_left(out: &mut Vec<u8>, view: &View<'_>, edges: &BTreeSet<Idx>, holds: impl Fn(Idx) -> bool) {
    let left: BTreeSet<Idx> =
        edges.iter().copied().filter(|edge| !(holds(*edge) && view.live(*edge).is_some())).collect();
    if !left.is_empty() && out.last() != Some(&b'[') {
        out.push(b',');
    }
    push_edges(out, view, &left, holds);
}

fn push_edges(out: &mut Vec<u8>, view: &View<'_>, edges: &BTreeSet<Idx>, holds: impl Fn(Idx) -> bool) {
    let mut first = true;
    for edge in edges {
        let id = match view.get(*edge) {
            Some(object) => object.id,
            None => match view.state.gone(*edge) {
                Some(gone) => gone.id,
                None => continue,
            },
        };
        if !first {
            out.push(b',');
        }
        first = false;
        push_reference(out, kind_of(view, *edge), id);
        if !(holds(*edge) && view.live(*edge).is_some()) {
            out.extend_from_slice(b",\"@removed\":{\"reason\":\"deleted\"}");
        }
        out.push(b'}');
    }
}
