//! The state's promises: indices agree with objects whatever is done, faces see writes when they
//! are due, a saved tenant comes back the same.

use std::collections::BTreeSet;
use std::io::BufReader;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::Time;

const NOW: Time = Time::from_seconds(1_790_000_000);

fn empty() -> State {
    let mut tenant = Tenant::new("Contoso", "contoso.com", 7, NOW);
    tenant.guid_names = false;
    State::new(tenant)
}

fn user(state: &mut State, alias: &str) -> Object {
    let body = Body::User(Box::new(User {
        upn: format!("{alias}@contoso.com").into(),
        account_enabled: true,
        ..User::default()
    }));
    let mut object = state.new_object(alias, alias, body, NOW);
    object.addresses.push(format!("SMTP:{alias}@contoso.com").into());
    let recipient = state.new_recipient(alias, RecipientTypeDetails::UserMailbox, NOW);
    object.recipient = Some(Box::new(recipient));
    object
}

fn group(state: &mut State, alias: &str) -> Object {
    let body = Body::Group(Box::new(Group::new(GroupKind::Security)));
    state.new_object(alias, alias, body, NOW)
}

/// Everything that is derived, made anew from the objects, must equal what is kept.
fn check_indices(state: &State) {
    let mut live = Vec::new();
    let mut deleted = Vec::new();
    let mut listed: Vec<BTreeSet<Idx>> = vec![BTreeSet::new(); Class::COUNT];
    let mut member_of: Vec<BTreeSet<Idx>> = vec![BTreeSet::new(); state.objects.len()];
    let mut owner_of: HashMap<Idx, BTreeSet<Idx>> = HashMap::new();
    let mut reports: HashMap<Idx, BTreeSet<Idx>> = HashMap::new();
    for (at, object) in state.objects.iter().enumerate() {
        let Some(object) = object else { continue };
        let idx = Idx(u32::try_from(at).unwrap());
        let mut hashes = Vec::new();
        keys::hashes(object, &mut hashes);
        let side = if object.is_live() { &mut live } else { &mut deleted };
        side.extend(hashes.into_iter().map(|hash| (hash, idx)));
        for class in edit::classes(object) {
            listed[class.slot()].insert(idx);
        }
        if let Some(manager) = object.user().and_then(|u| u.manager) {
            reports.entry(manager).or_default().insert(idx);
        }
        if let Some(group) = object.group() {
            assert!(group.members.is_sorted());
            for member in &group.members {
                member_of[member.slot()].insert(idx);
            }
            for owner in &group.owners {
                owner_of.entry(*owner).or_default().insert(idx);
            }
        }
    }
    live.sort_unstable();
    deleted.sort_unstable();
    assert_eq!(live, state.keys.pairs());
    assert_eq!(deleted, state.deleted_keys.pairs());
    assert_eq!(listed, state.classes);
    assert_eq!(owner_of, state.owner_of);
    assert_eq!(reports, state.reports);
    for (at, groups) in member_of.iter().enumerate() {
        let kept: BTreeSet<Idx> = state.member_of(Idx(u32::try_from(at).unwrap())).iter().copied().collect();
        assert_eq!(*groups, kept);
    }
}

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

fn delays() -> Delays {
    let seconds = Duration::from_secs;
    Delays {
        graph: seconds(3),
        exchange: seconds(30),
        graph_to_exchange: seconds(60),
        exchange_to_graph: seconds(45),
        keep: Duration::ZERO,
    }
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

#[test]
fn identities_are_found_by_everything_that_exchange_takes() {
    let mut state = empty();
    let mut object = user(&mut state, "Ada.Holm");
    object.display_name = "Holm, Ada".into();
    object.recipient.as_mut().unwrap().name = "Holm, Ada".into();
    object.addresses.push("smtp:ada@contoso.onmicrosoft.com".into());
    let recipient = object.recipient.clone().unwrap();
    let (id, rid) = (object.id, object.rid);
    let idx = state.load().insert(object).unwrap();
    let dn = state.tenant.distinguished_name("Holm, Ada");
    assert!(dn.starts_with("CN=Holm\\, Ada,OU="));
    for identity in [
        id.to_string(),
        id.to_string().to_uppercase(),
        recipient.guid.to_string(),
        recipient.mailbox.unwrap().exchange_guid.to_string(),
        "ADA.HOLM".to_owned(),
        "ada.holm@CONTOSO.com".to_owned(),
        "smtp:ada@contoso.onmicrosoft.com".to_owned(),
        "Holm, Ada".to_owned(),
        dn,
        tenant::legacy_dn(recipient.guid, "Ada.Holm"),
        state.tenant.sid(rid),
        format!("{}/Holm, Ada", state.tenant.organizational_unit()),
        "contoso.onmicrosoft.com\\Holm, Ada".to_owned(),
        "EURPR01A001\\Ada.Holm".to_owned(),
    ] {
        assert_eq!(state.by_identity(false, &identity), vec![idx], "{identity}");
    }
    for identity in ["", " ", "nobody", "CN=", "/o=x", "S-1-5-21-1", "é", "CN=é"] {
        assert!(state.by_identity(false, identity).is_empty(), "{identity}");
    }
}

#[test]
fn unique_keys_are_refused_with_their_holder() {
    let mut state = empty();
    let first = user(&mut state, "ada");
    let holder = first.id;
    state.load().insert(first).unwrap();
    let mut second = user(&mut state, "bo");
    second.addresses.push("smtp:ADA@contoso.com".into());
    let refused = state.edit(Face::Graph, NOW).insert(second).unwrap_err();
    assert_eq!(
        refused,
        StateError::Taken { kind: KeyKind::Address, value: "ADA@contoso.com".to_owned(), holder }
    );
    check_indices(&state);
}

#[test]
fn deletion_frees_names_and_restoration_needs_them_back() {
    let mut state = empty();
    let first = user(&mut state, "ada");
    let first = state.load().insert(first).unwrap();
    state.edit(Face::Graph, NOW).soft_delete(first).unwrap();
    assert!(state.get(first).unwrap().upn().unwrap().ends_with("ada@contoso.com"));
    assert_ne!(state.get(first).unwrap().upn(), Some("ada@contoso.com"));
    let second = user(&mut state, "ada");
    let second = state.edit(Face::Graph, NOW).insert(second).unwrap();
    assert!(state.edit(Face::Graph, NOW).restore(first).is_err());
    state.edit(Face::Graph, NOW).purge(second).unwrap();
    state.edit(Face::Graph, NOW).restore(first).unwrap();
    assert_eq!(state.find_upn("ada@contoso.com"), Some(first));
    assert_eq!(state.get(first).unwrap().upn(), Some("ada@contoso.com"));
}

#[test]
fn a_licence_brings_a_mailbox_and_its_loss_takes_it_away() {
    let mut state = empty();
    state.set_mailbox_delay(Duration::from_secs(120));
    let body = Body::User(Box::new(User { upn: "bo@contoso.com".into(), ..User::default() }));
    let object = state.new_object("Bo", "bo", body, NOW);
    let idx = state.edit(Face::Graph, NOW).insert(object).unwrap();
    let licence =
        |licences: Vec<u16>| move |o: &mut Object| o.user_mut().unwrap().licences = licences.clone();
    let at = |seconds| NOW.plus(Duration::from_secs(seconds));
    state.edit(Face::Graph, at(10)).update(idx, licence(vec![0])).unwrap();
    state.run_due(at(129));
    assert!(state.get(idx).unwrap().mailbox().is_none());
    state.run_due(at(130));
    let made = state.get(idx).unwrap();
    assert_eq!(made.details(), Some(RecipientTypeDetails::UserMailbox));
    assert_eq!(made.primary_smtp(), Some("bo@contoso.com"));
    let guid = made.mailbox().unwrap().exchange_guid;
    state.edit(Face::Graph, at(200)).update(idx, licence(Vec::new())).unwrap();
    state.run_due(at(320));
    assert!(state.get(idx).unwrap().mailbox().is_none());
    assert_eq!(state.count(Class::SoftDeletedMailboxes), 1);
    state.edit(Face::Graph, at(400)).update(idx, licence(vec![1])).unwrap();
    state.run_due(at(520));
    assert_eq!(state.get(idx).unwrap().mailbox().unwrap().exchange_guid, guid);
    check_indices(&state);
}

#[test]
fn the_change_log_tells_what_happened() {
    let mut state = empty();
    let (person, team) = (user(&mut state, "ada"), group(&mut state, "team"));
    let person = state.edit(Face::Graph, NOW).insert(person).unwrap();
    let team = state.edit(Face::Graph, NOW).insert(team).unwrap();
    let mark = state.changes().last();
    let mut edit = state.edit(Face::Graph, NOW);
    edit.add_member(team, person).unwrap();
    edit.update(person, |o| o.user_mut().unwrap().department = Some("Sales".into())).unwrap();
    edit.update(person, |_| ()).unwrap();
    edit.soft_delete(person).unwrap();
    edit.purge(person).unwrap();
    let kinds: Vec<ChangeKind> = state.changes().after(mark).iter().map(|c| c.kind.clone()).collect();
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    assert_eq!(kinds[0], ChangeKind::MemberAdded(person));
    let ChangeKind::Updated(fields) = kinds[1] else { panic!("{kinds:?}") };
    assert_eq!(fields.names().collect::<Vec<_>>(), vec!["department"]);
    assert_eq!(kinds[2], ChangeKind::SoftDeleted);
    assert_eq!(kinds[3], ChangeKind::MemberRemoved(person));
    assert!(matches!(kinds[4], ChangeKind::Purged(_)));
    assert!(state.changes().reaches(mark) && !state.changes().reaches(999));
}

#[test]
fn rights_print_in_the_order_of_the_flags() {
    let set = Rights::READ_PERMISSION | Rights::EXTERNAL_ACCOUNT | Rights::FULL_ACCESS;
    assert_eq!(set.to_string(), "FullAccess, ExternalAccount, ReadPermission");
    assert_eq!(Rights::named("sendas"), Some(Rights::SEND_AS));
    assert_eq!(Rights::named("Everything"), None);
}

#[test]
fn the_recycle_bin_is_emptied_after_thirty_days() {
    const DAY: u64 = 86_400;
    let at = |days: u64| NOW.plus(Duration::from_secs(days * DAY));
    let mut state = empty();
    let (ada, bob) = (user(&mut state, "ada"), user(&mut state, "bob"));
    let ada = state.edit(Face::Graph, NOW).insert(ada).unwrap();
    let bob = state.edit(Face::Graph, NOW).insert(bob).unwrap();
    state.edit(Face::Graph, NOW).soft_delete(ada).unwrap();
    state.edit(Face::Graph, NOW).soft_delete(bob).unwrap();
    state.edit(Face::Graph, at(10)).restore(bob).unwrap();
    state.edit(Face::Graph, at(20)).soft_delete(bob).unwrap();
    state.run_due(at(29));
    assert!(state.get(ada).is_some());
    state.run_due(at(30));
    assert!(state.get(ada).is_none() && state.sid(ada).is_some());
    assert!(state.get(bob).is_some(), "deleted anew on day 20");
    state.run_due(at(50));
    assert!(state.get(bob).is_none());
}
