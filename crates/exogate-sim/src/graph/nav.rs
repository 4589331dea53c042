//! Relations between objects: which ones a navigation leads to.

use crate::state::{Idx, Object, View};

/// The objects behind a navigation of `object`, in a stable order.
#[must_use]
pub fn related<'s>(view: &View<'s>, idx: Idx, object: &Object, navigation: &str) -> Vec<(Idx, &'s Object)> {
    let live = |places: Vec<Idx>| -> Vec<(Idx, &'s Object)> {
        places.into_iter().filter_map(|place| view.live(place).map(|object| (place, object))).collect()
    };
    let visible = |(_, object): &(Idx, &'s Object)| {
        // Dynamic distribution groups are unknown to the directory.
        object.group().is_none_or(|group| group.kind != crate::state::GroupKind::DynamicDistribution)
    };
    let mut found: Vec<(Idx, &'s Object)> = match navigation {
        "members" => view.members(idx).collect(),
        "owners" => view.owners(idx).collect(),
        "transitiveMembers" => live(view.transitive_members(idx)),
        "memberOf" => view.member_of(idx),
        "transitiveMemberOf" => live(view.transitive_member_of(idx)),
        "ownedObjects" => live(view.state.owner_of(idx).collect()),
        "directReports" => live(view.state.direct_reports(idx).collect()),
        "manager" => live(object.user().and_then(|user| user.manager).into_iter().collect()),
        _ => Vec::new(),
    };
    found.retain(visible);
    found
}
