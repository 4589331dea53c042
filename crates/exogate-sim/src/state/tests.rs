//! The state's promises: names lead to objects and stay unique, lives end and begin again, and the log tells what
//! happened. What readers see when, and what holds whatever is done, have files of their own.

mod random;
mod visibility;

use std::collections::BTreeSet;
use std::time::Duration;

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

#[test]
fn rights_may_leave_the_change_time_alone() {
    let mut state = empty();
    let object = user(&mut state, "ada");
    let idx = state.edit(Face::Exchange, NOW).insert(object).unwrap();
    let at = |seconds| NOW.plus(Duration::from_secs(seconds));
    let give = |object: &mut Object| {
        let mailbox = object.recipient.as_deref_mut().and_then(|r| r.mailbox.as_deref_mut()).unwrap();
        mailbox.aces.push(Ace::allow(Trustee::Sid("S-1-5-21-1".into()), Rights::FULL_ACCESS));
    };
    state.set_rights_move_change_time(false);
    state.edit(Face::Exchange, at(10)).update(idx, give).unwrap();
    assert_eq!(state.get(idx).unwrap().changed, NOW);
    let rename = |object: &mut Object| object.display_name = "Ada".into();
    state.edit(Face::Exchange, at(20)).update(idx, rename).unwrap();
    assert_eq!(state.get(idx).unwrap().changed, at(20));
    state.set_rights_move_change_time(true);
    state.edit(Face::Exchange, at(30)).update(idx, give).unwrap();
    assert_eq!(state.get(idx).unwrap().changed, at(30));
}
