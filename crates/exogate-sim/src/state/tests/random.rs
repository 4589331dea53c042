//! What holds whatever is done, in any order: indices agree with objects, names stay unique, a saved tenant comes back
//! the same, a damaged file is refused.

use std::collections::BTreeSet;
use std::io::BufReader;
use std::time::Duration;

use proptest::prelude::*;

use super::super::*;
use super::{NOW, check_indices, delays, empty, group, user};
use crate::clock::Time;

#[derive(Clone, Debug)]
enum Act {
    AddUser(u8),
    AddGroup(u8),
    Rename(u8, u8),
    Address(u8, u8),
    Manager(u8, u8),
    Join(u8, u8),
    Leave(u8, u8),
    Own(u8, u8),
    Disown(u8, u8),
    Delete(u8),
    Restore(u8),
    Purge(u8),
    Licence(u8, bool),
    Convert(u8),
    Disconnect(u8),
    Wait(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let n = any::<u8>;
    prop_oneof![
        3 => n().prop_map(Act::AddUser),
        2 => n().prop_map(Act::AddGroup),
        2 => (n(), n()).prop_map(|(a, b)| Act::Rename(a, b)),
        2 => (n(), n()).prop_map(|(a, b)| Act::Address(a, b)),
        1 => (n(), n()).prop_map(|(a, b)| Act::Manager(a, b)),
        4 => (n(), n()).prop_map(|(a, b)| Act::Join(a, b)),
        2 => (n(), n()).prop_map(|(a, b)| Act::Leave(a, b)),
        2 => (n(), n()).prop_map(|(a, b)| Act::Own(a, b)),
        1 => (n(), n()).prop_map(|(a, b)| Act::Disown(a, b)),
        2 => n().prop_map(Act::Delete),
        2 => n().prop_map(Act::Restore),
        1 => n().prop_map(Act::Purge),
        1 => (n(), any::<bool>()).prop_map(|(a, b)| Act::Licence(a, b)),
        1 => n().prop_map(Act::Convert),
        1 => n().prop_map(Act::Disconnect),
        2 => n().prop_map(Act::Wait),
    ]
}

fn perform(state: &mut State, now: &mut Time, act: &Act) {
    let end = state.end().0.max(1);
    let at = |n: u8| Idx(u32::from(n) % end);
    // Few names, so that conflicts happen.
    let name = |n: u8| format!("name{}", n % 12);
    let face = if now.millis() % 2 == 0 { Face::Graph } else { Face::Exchange };
    *now = now.plus(Duration::from_millis(701));
    let outcome = match act {
        Act::AddUser(n) => {
            let object = user(state, &name(*n));
            state.edit(face, *now).insert(object).map(|_| ())
        }
        Act::AddGroup(n) => {
            let object = group(state, &name(*n));
            state.edit(face, *now).insert(object).map(|_| ())
        }
        Act::Rename(a, b) => state.edit(face, *now).update(at(*a), |o| {
            o.display_name = name(*b).into();
            if let Some(user) = o.user_mut() {
                user.upn = format!("{}@contoso.com", name(*b)).into();
            }
        }),
        Act::Address(a, b) => state
            .edit(face, *now)
            .update(at(*a), |o| o.set_primary_smtp(&format!("{}@CONTOSO.com", name(*b)))),
        Act::Manager(a, b) => {
            let manager = at(*b);
            state.edit(face, *now).update(at(*a), |o| {
                if let Some(user) = o.user_mut() {
                    user.manager = Some(manager);
                }
            })
        }
        Act::Join(a, b) => state.edit(face, *now).add_member(at(*a), at(*b)),
        Act::Leave(a, b) => state.edit(face, *now).remove_member(at(*a), at(*b)),
        Act::Own(a, b) => state.edit(face, *now).add_owner(at(*a), at(*b)),
        Act::Disown(a, b) => state.edit(face, *now).remove_owner(at(*a), at(*b)),
        Act::Delete(a) => state.edit(face, *now).soft_delete(at(*a)),
        Act::Restore(a) => state.edit(face, *now).restore(at(*a)),
        Act::Purge(a) => state.edit(face, *now).purge(at(*a)),
        Act::Licence(a, yes) => state.edit(face, *now).update(at(*a), |o| {
            if let Some(user) = o.user_mut() {
                user.licences = if *yes { vec![0] } else { Vec::new() };
            }
        }),
        Act::Convert(a) => state.edit(face, *now).update(at(*a), |o| {
            if let Some(recipient) = o.recipient.as_deref_mut().filter(|r| r.mailbox.is_some()) {
                recipient.details = RecipientTypeDetails::SharedMailbox;
            }
        }),
        Act::Disconnect(a) => state.edit(face, *now).disconnect_mailbox(at(*a)),
        Act::Wait(n) => {
            *now = now.plus(Duration::from_secs(u64::from(*n)));
            state.run_due(*now);
            Ok(())
        }
    };
    // Refusals are part of the game; they must change nothing, which the indices show.
    drop(outcome);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn indices_agree_with_objects_whatever_is_done(
        acts in proptest::collection::vec(act(), 1..80),
        delayed in any::<bool>(),
    ) {
        let mut state = empty();
        if delayed {
            state.set_delays(delays());
            state.set_mailbox_delay(Duration::from_secs(20));
        }
        let mut now = NOW;
        for act in &acts {
            perform(&mut state, &mut now, act);
        }
        check_indices(&state);
        // Long afterwards every face shows the authoritative state.
        let later = now.plus(Duration::from_secs(3600));
        for face in [Face::Graph, Face::Exchange] {
            let view = state.view(face, later);
            for n in 0..state.end().0 {
                prop_assert_eq!(view.get(Idx(n)), state.get(Idx(n)));
            }
            let listed: Vec<Idx> = view.list(Class::Users, Idx::FIRST).map(|(idx, _)| idx).collect();
            let kept: Vec<Idx> = state.classes[Class::Users.slot()].iter().copied().collect();
            prop_assert_eq!(listed, kept);
        }
        // No two live objects share a name that must be unique.
        let mut upns = BTreeSet::new();
        let mut addresses = BTreeSet::new();
        for n in 0..state.end().0 {
            let Some(object) = state.get(Idx(n)).filter(|o| o.is_live()) else { continue };
            if let Some(upn) = object.upn() {
                prop_assert!(upns.insert(upn.to_lowercase()), "UPN {} twice", upn);
            }
            let own: BTreeSet<String> = object.addresses.iter().map(|a| a.to_lowercase()).collect();
            for address in own {
                prop_assert!(addresses.insert(address.clone()), "address {} twice", address);
            }
        }
    }

    #[test]
    fn a_saved_state_comes_back_the_same(acts in proptest::collection::vec(act(), 1..50)) {
        let mut state = empty();
        let mut now = NOW;
        for act in &acts {
            perform(&mut state, &mut now, act);
        }
        let mut first = Vec::new();
        state.save(&mut first).unwrap();
        let back = State::restore_saved(BufReader::new(&first[..])).unwrap();
        check_indices(&back);
        let mut second = Vec::new();
        back.save(&mut second).unwrap();
        prop_assert_eq!(first, second);
        prop_assert_eq!(back.keys.pairs(), state.keys.pairs());
        prop_assert_eq!(back.changes().last(), state.changes().last());
    }

    #[test]
    fn a_damaged_file_is_refused_and_never_panics(cut in 0_usize..4000, byte in any::<u8>()) {
        let mut state = empty();
        let object = user(&mut state, "ada");
        state.load().insert(object).unwrap();
        let mut text = Vec::new();
        state.save(&mut text).unwrap();
        let at = cut % text.len();
        text[at] = byte;
        // Whatever comes of it, it must be an answer.
        drop(State::restore_saved(&text[..]));
        drop(State::restore_saved(&text[..at]));
    }
}
