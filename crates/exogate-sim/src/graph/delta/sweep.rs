//! The first sweep: the whole current state, large groups in slices over several pages.

use super::super::eval::type_of;
use super::super::render::{push_object, push_reference};
use super::super::scene::Scene;
use super::super::schema::Type;
use super::{Page, Place, Shape};
use crate::json::push_id;
use crate::state::{Class, GroupKind, Idx, Object, State, View};

/// Fills a page of the sweep.
pub(super) fn fill(scene: &Scene<'_>, state: &State, shape: &Shape, place: &Place, page: &mut Page) {
    let view = scene.view(state);
    let class = match shape.kind {
        Type::User => Class::Users,
        Type::Group => Class::Groups,
        Type::Contact => Class::Contacts,
        Type::Principal => Class::Principals,
    };
    let limit = match shape.kind {
        Type::Group => scene.knobs.delta_groups_per_page,
        _ => scene.knobs.delta_users_per_page,
    }
    .max(1) as usize;
    if scene.knobs.delta_sweep_tells_removed && place.page == 1 {
        push_removed(&view, shape.kind, page);
    }
    let told_removed = page.written;
    let source = scene.source(state);
    let slice = scene.knobs.delta_members_per_slice.max(1) as usize;
    let mut room = slice;
    let mut told = place.members as usize;
    for (idx, object) in view.list(class, Idx(place.at)) {
        if place.tracked.ids.as_ref().is_some_and(|ids| !ids.contains(&object.id)) {
            continue;
        }
        if page.written - told_removed >= limit || room == 0 {
            page.next = Some((idx.0, u32::try_from(told).unwrap_or(u32::MAX)));
            return;
        }
        if page.written > 0 {
            page.out.push(b',');
        }
        page.written += 1;
        if told == 0 {
            push_object(&mut page.out, &source, object, &shape.columns);
            // Reopened for the relations.
            page.out.pop();
            if shape.owners {
                page.out.extend_from_slice(b",\"owners@delta\":[");
                push_all(&mut page.out, view.owners(idx));
                page.out.push(b']');
            }
            if shape.manager {
                push_manager(&mut page.out, &view, object);
            }
        } else {
            page.out.extend_from_slice(b"{\"id\":");
            push_id(&mut page.out, object.id);
        }
        if shape.members {
            let total = member_count(&view, idx, object);
            if total > told || told > 0 {
                let take = (total - told.min(total)).min(room);
                page.out.extend_from_slice(b",\"members@delta\":[");
                push_all(&mut page.out, members(&view, idx).skip(told).take(take));
                page.out.push(b']');
                room -= take;
                if told + take < total {
                    page.out.push(b'}');
                    page.next = Some((idx.0, u32::try_from(told + take).unwrap_or(u32::MAX)));
                    return;
                }
            }
        }
        page.out.push(b'}');
        told = 0;
    }
}

/// What is in the recycle bin.
fn push_removed(view: &View<'_>, kind: Type, page: &mut Page) {
    let class = match kind {
        Type::User => Class::DeletedUsers,
        Type::Group => Class::DeletedGroups,
        Type::Contact | Type::Principal => return,
    };
    for (_, object) in view.list(class, Idx(0)) {
        if page.written > 0 {
            page.out.push(b',');
        }
        page.written += 1;
        page.out.extend_from_slice(b"{\"id\":");
        push_id(&mut page.out, object.id);
        page.out.extend_from_slice(b",\"@removed\":{\"reason\":\"changed\"}}");
    }
}

/// The members that the directory knows.
pub(super) fn members<'s>(view: &View<'s>, group: Idx) -> impl Iterator<Item = (Idx, &'s Object)> + use<'s> {
    view.members(group)
        .filter(|(_, object)| object.group().is_none_or(|group| group.kind != GroupKind::DynamicDistribution))
}

fn member_count(view: &View<'_>, idx: Idx, object: &Object) -> usize {
    match object.group() {
        Some(group) if group.members.is_empty() => 0,
        _ => members(view, idx).count(),
    }
}

/// References, comma-separated.
pub(super) fn push_all<'s>(out: &mut Vec<u8>, objects: impl Iterator<Item = (Idx, &'s Object)>) {
    for (at, (_, object)) in objects.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_reference(out, type_of(object), object.id);
        out.push(b'}');
    }
}

/// `,"manager@delta":[…]`
pub(super) fn push_manager(out: &mut Vec<u8>, view: &View<'_>, object: &Object) {
    let manager = object
        .user()
        .and_then(|user| user.manager)
        .and_then(|idx| view.live(idx).map(|object| (idx, object)));
    out.extend_from_slice(b",\"manager@delta\":[");
    push_all(out, manager.into_iter());
    out.push(b']');
}
