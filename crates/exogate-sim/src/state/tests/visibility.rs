//! When readers see what was written: every face after its delay, memberships with their group, and what was before
//! for readers that look back.

use std::time::Duration;

use super::super::*;
use super::{NOW, delays, empty, group, user};

#[test]
fn each_face_sees_a_write_when_it_is_due() {
    let mut state = empty();
    state.set_delays(delays());
    let object = user(&mut state, "ada");
    let idx = state.load().insert(object).unwrap();
    let rename = |name: &'static str| move |o: &mut Object| o.display_name = name.into();
    state.edit(Face::Exchange, NOW).update(idx, rename("first")).unwrap();
    state.edit(Face::Exchange, NOW.plus(Duration::from_secs(10))).update(idx, rename("second")).unwrap();
    let seen = |face, seconds: u64| {
        let view = state.view(face, NOW.plus(Duration::from_secs(seconds)));
        view.get(idx).unwrap().display_name.to_string()
    };
    for (face, seconds, expected) in [
        (Face::Exchange, 0, "ada"),
        (Face::Exchange, 29, "ada"),
        (Face::Exchange, 30, "first"),
        (Face::Exchange, 39, "first"),
        (Face::Exchange, 40, "second"),
        (Face::Graph, 40, "ada"),
        (Face::Graph, 45, "first"),
        (Face::Graph, 55, "second"),
    ] {
        assert_eq!(seen(face, seconds), expected, "{face:?} after {seconds} s");
    }
    assert_eq!(&*state.get(idx).unwrap().display_name, "second");
    // The face still finds the object under the name that it shows.
    let early = state.view(Face::Graph, NOW.plus(Duration::from_secs(5)));
    assert_eq!(early.by_text(KeyKind::DisplayName, "ada"), vec![idx]);
    assert!(early.by_text(KeyKind::DisplayName, "second").is_empty());
}

#[test]
fn creation_and_deletion_are_delayed_too() {
    let mut state = empty();
    state.set_delays(delays());
    let object = user(&mut state, "ada");
    let id = object.id;
    let idx = state.edit(Face::Graph, NOW).insert(object).unwrap();
    let at = |seconds| NOW.plus(Duration::from_secs(seconds));
    assert!(state.view(Face::Graph, at(2)).find(id).is_none());
    assert!(state.view(Face::Graph, at(3)).find(id).is_some());
    assert_eq!(state.view(Face::Exchange, at(59)).list(Class::Users, Idx::FIRST).count(), 0);
    assert_eq!(state.view(Face::Exchange, at(60)).list(Class::Users, Idx::FIRST).count(), 1);
    state.edit(Face::Graph, at(100)).soft_delete(idx).unwrap();
    assert_eq!(state.view(Face::Graph, at(102)).list(Class::Users, Idx::FIRST).count(), 1);
    assert_eq!(state.view(Face::Graph, at(103)).list(Class::Users, Idx::FIRST).count(), 0);
    assert_eq!(state.view(Face::Exchange, at(159)).by_identity("ada@contoso.com").len(), 1);
    assert_eq!(state.view(Face::Exchange, at(160)).by_identity("ada@contoso.com").len(), 0);
    state.edit(Face::Graph, at(200)).purge(idx).unwrap();
    assert!(state.view(Face::Graph, at(202)).find(id).is_some());
    assert!(state.view(Face::Graph, at(203)).find(id).is_none());
    assert!(state.sid(idx).is_some(), "an orphan keeps its SID");
}

#[test]
fn memberships_lag_with_their_group() {
    let mut state = empty();
    state.set_delays(delays());
    let (person, team) = (user(&mut state, "ada"), group(&mut state, "team"));
    let person = state.load().insert(person).unwrap();
    let team = state.load().insert(team).unwrap();
    state.edit(Face::Exchange, NOW).add_member(team, person).unwrap();
    let graph = |seconds| state.view(Face::Graph, NOW.plus(Duration::from_secs(seconds)));
    assert_eq!(graph(44).members(team).count(), 0);
    assert!(graph(44).member_of(person).is_empty());
    assert_eq!(graph(45).members(team).count(), 1);
    assert_eq!(graph(45).member_of(person).len(), 1);
    assert_eq!(graph(45).transitive_member_of(person), vec![team]);
}

#[test]
fn readers_that_look_back_see_what_was() {
    let mut state = empty();
    state.set_delays(Delays { keep: Duration::from_secs(60), ..Delays::default() });
    let object = user(&mut state, "ada");
    let idx = state.load().insert(object).unwrap();
    state.edit(Face::Exchange, NOW).update(idx, |o| o.display_name = "new".into()).unwrap();
    let name = |time| state.view(Face::Exchange, time).get(idx).unwrap().display_name.to_string();
    assert_eq!(name(NOW), "new");
    assert_eq!(name(NOW.minus(Duration::from_secs(1))), "ada");
}
