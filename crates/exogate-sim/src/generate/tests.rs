//! The generator: the same every time, of the sizes asked for, and with everything in it that a
//! client must cope with.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::state::{Class, DirSync, GroupKind, RecipientTypeDetails, Rights, Trustee, UserType};

const NOW: Time = Time::from_seconds(1_790_000_000);

fn saved(state: &State) -> Vec<u8> {
    let mut out = Vec::new();
    state.save(&mut out).unwrap();
    out
}

#[test]
fn the_same_seed_gives_the_same_tenant() {
    let sizes = Sizes { users: 120, ..Sizes::default() };
    let first = saved(&tenant(&sizes, NOW).unwrap());
    assert!(first == saved(&tenant(&sizes, NOW).unwrap()), "two runs differ");
    let other = saved(&tenant(&Sizes { seed: 2, ..sizes }, NOW).unwrap());
    assert!(first != other, "the seed makes no difference");
}

#[test]
fn mark_taylor_holds_exactly_three_rights() {
    for seed in [1, 2, 3] {
        let state = tenant(&Sizes { seed, ..Sizes::default() }, NOW).unwrap();
        let mark = state.find_upn("mark.taylor@contoso.com").unwrap();
        assert_eq!(&*state.get(mark).unwrap().display_name, "Mark Taylor");
        let mut held = Vec::new();
        for n in 0..state.end().0 {
            let Some(recipient) = state.get(Idx(n)).and_then(|o| o.recipient.as_deref()) else {
                continue;
            };
            let aces = recipient.mailbox.iter().flat_map(|m| &m.aces).chain(&recipient.send_as);
            for ace in aces.filter(|a| a.trustee == Trustee::Object(mark) && !a.deny) {
                for right in ace.rights.names() {
                    held.push(format!("{}: {right}", state.get(Idx(n)).unwrap().display_name));
                }
            }
            assert!(!recipient.send_on_behalf.contains(&mark));
        }
        held.sort();
        assert_eq!(held, ["O365Support: FullAccess", "O365Support: ReadPermission", "O365Support: SendAs"]);
    }
}

#[test]
fn sizes_are_kept() {
    let sizes = Sizes { users: 800, shared: 90, groups: 200, memberships: Some(3000), ..Sizes::default() };
    let state = tenant(&sizes, NOW).unwrap();
    let shared = Class::Recipients(RecipientTypeDetails::SharedMailbox);
    assert_eq!(state.count(shared), 90);
    let mailless = sizes.shared + sizes.rooms + 2;
    let users = state.count(Class::Users) + state.count(Class::DeletedUsers);
    assert_eq!(users as u32, sizes.users + mailless);
    let groups = state.count(Class::Groups)
        + state.count(Class::Recipients(RecipientTypeDetails::DynamicDistributionGroup));
    assert_eq!(groups as u32, sizes.groups + 1);
    let memberships: usize =
        (0..state.end().0).filter_map(|n| state.get(Idx(n))?.group().map(|g| g.members.len())).sum();
    assert!((2900..3300).contains(&memberships), "{memberships}");
}

#[test]
fn everything_a_client_must_cope_with_is_there() {
    let state = tenant(&Sizes::default(), NOW).unwrap();
    let objects: Vec<_> = (0..state.end().0).filter_map(|n| state.get(Idx(n))).collect();
    let any = |what: &str, found: bool| assert!(found, "no {what}");
    let aces: Vec<_> = objects.iter().filter_map(|o| o.mailbox()).flat_map(|m| &m.aces).collect();
    any("orphaned SID", aces.iter().any(|a| matches!(a.trustee, Trustee::Sid(_))));
    any("deny entry", aces.iter().any(|a| a.deny && !a.inherited));
    any("inherited entry", aces.iter().any(|a| a.inherited));
    any("joined rights", aces.iter().any(|a| a.rights == (Rights::FULL_ACCESS | Rights::READ_PERMISSION)));
    any("second SELF row", objects.iter().filter_map(|o| o.mailbox()).any(|m| m.self_twice));
    let trustee_group = |a: &&&crate::state::Ace| match a.trustee {
        Trustee::Object(idx) => state
            .get(idx)
            .is_some_and(|o| o.group().is_some_and(|g| g.kind == GroupKind::MailEnabledSecurity)),
        _ => false,
    };
    any("group as trustee", aces.iter().find(trustee_group).is_some());
    any("guest", objects.iter().any(|o| o.user().is_some_and(|u| u.user_type == UserType::Guest)));
    any("synchronised object", objects.iter().any(|o| o.sync == DirSync::Synced));
    any("soft-deleted user", state.count(Class::DeletedUsers) > 0);
    any("soft-deleted group", state.count(Class::DeletedGroups) > 0);
    any(
        "mixed case",
        objects.iter().any(|o| o.primary_smtp().is_some_and(|a| a.chars().any(char::is_uppercase))),
    );
    any("GUID as name", objects.iter().any(|o| o.recipient.is_some() && o.name() == o.id.to_string()));
    any("name as name", objects.iter().any(|o| o.recipient.is_some() && o.name() == &*o.display_name));
    any(
        "user without mailbox",
        objects
            .iter()
            .any(|o| o.user().is_some_and(|u| u.user_type == UserType::Member) && o.recipient.is_none()),
    );
    any(
        "contact as member",
        state.view(crate::state::Face::Graph, NOW).list(Class::Groups, Idx::FIRST).any(|(_, o)| {
            o.group().is_some_and(|g| {
                g.members.iter().any(|m| state.get(*m).is_some_and(|o| o.contact().is_some()))
            })
        }),
    );
    let mut shared_names: HashMap<&str, u32> = HashMap::new();
    for object in objects.iter().filter(|o| o.details() == Some(RecipientTypeDetails::SharedMailbox)) {
        *shared_names.entry(&object.display_name).or_default() += 1;
    }
    any("two shared mailboxes of one name", shared_names.values().any(|n| *n > 1));
    for kind in [
        GroupKind::Security,
        GroupKind::MailEnabledSecurity,
        GroupKind::Distribution,
        GroupKind::Microsoft365,
        GroupKind::DynamicDistribution,
    ] {
        any(&format!("{kind:?}"), objects.iter().any(|o| o.group().is_some_and(|g| g.kind == kind)));
    }
    any("dynamic membership", objects.iter().any(|o| o.group().is_some_and(|g| g.rule.is_some())));
    let nested_cycle = (0..state.end().0).map(Idx).any(|a| {
        state.get(a).and_then(|o| o.group()).is_some_and(|g| {
            g.members.iter().any(|b| state.get(*b).and_then(|o| o.group()).is_some_and(|g| g.has_member(a)))
        })
    });
    any("cycle of groups", nested_cycle);
    let view = state.view(crate::state::Face::Graph, NOW);
    for n in 0..state.end().0 {
        // A cycle must not hang anybody.
        drop(view.transitive_members(Idx(n)));
    }
}

#[test]
fn every_mailbox_address_is_one_of_a_kind() {
    let state = tenant(&Sizes { users: 3000, ..Sizes::default() }, NOW).unwrap();
    let mut seen = HashSet::new();
    for n in 0..state.end().0 {
        let Some(object) = state.get(Idx(n)).filter(|o| o.recipient.is_some()) else { continue };
        assert_eq!(object.addresses.iter().filter(|a| a.starts_with("SMTP:")).count(), 1);
        for address in &object.addresses {
            assert!(seen.insert(address.to_lowercase()), "{address}");
        }
    }
}

#[test]
fn tiny_and_odd_sizes_work() {
    for (users, shared, groups) in [(0, 0, 0), (1, 1, 1), (3, 0, 25), (2, 5, 0)] {
        let sizes = Sizes { users, shared, groups, rooms: 0, contacts: 0, ..Sizes::default() };
        assert!(tenant(&sizes, NOW).is_ok(), "{users} {shared} {groups}");
    }
    assert!(matches!(
        tenant(&Sizes { domain: "nodots".to_owned(), ..Sizes::default() }, NOW),
        Err(GenerateError::Domain(_))
    ));
}
