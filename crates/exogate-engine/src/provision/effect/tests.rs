//! Doing, then undoing, is doing nothing: whatever was there before.

use exogate_model::account::Attributes;
use exogate_model::group::{MemberKind, MembershipRole};
use exogate_model::operation::{Action, Edit, Image, Party, ValueChange};
use exogate_model::right::Right;
use exogate_model::value::{AttributeType, AttributeValue};
use proptest::prelude::*;

use super::*;

fn party(id: &str) -> Party {
    Party {
        id: id.into(),
        kind: MemberKind::User,
        name: id.into(),
        address: id.into(),
        known_as: vec![],
        sid: None,
    }
}

fn parties(ids: &[String]) -> Vec<Party> {
    ids.iter().map(|id| party(id)).collect()
}

/// What a tenant makes of an action: the plainest reading of what it says.
fn done(action: &Action, image: &Image) -> Image {
    let mut image = image.clone();
    match (action, &mut image) {
        (Action::GrantRights { rights, .. }, Image::Rights { held }) => held.extend(rights.iter().cloned()),
        (Action::RevokeRights { rights, .. }, Image::Rights { held }) => held.retain(|r| !rights.contains(r)),
        (Action::GrantSendAs { .. }, Image::Rights { held }) => held.push(Right::SendAs),
        (Action::RevokeSendAs { .. }, Image::Rights { held }) => held.retain(|r| *r != Right::SendAs),
        (
            Action::ChangeSendOnBehalf { add, remove } | Action::ChangeOwners { add, remove },
            Image::Parties { present, .. },
        ) => {
            present.extend(add.iter().map(|p| p.id.clone()));
            present.retain(|id| !remove.iter().any(|p| p.id == *id));
        }
        (Action::AddMember { who, .. }, Image::Parties { present, .. }) => present.push(who.id.clone()),
        (Action::RemoveMember { who, .. }, Image::Parties { present, .. }) => {
            present.retain(|id| *id != who.id);
        }
        (Action::SetAttributes { edits, .. }, Image::Attributes { values }) => {
            for edit in edits {
                let value = match &edit.change {
                    ValueChange::Set(value) => Some(value.clone()),
                    ValueChange::Clear => None,
                    ValueChange::AddRemove { add, remove } => {
                        let mut list = match values.get(&edit.attribute) {
                            Some(AttributeValue::Many(list)) => list.clone(),
                            _ => vec![],
                        };
                        list.extend(add.iter().filter(|v| !list.contains(v)).cloned().collect::<Vec<_>>());
                        list.retain(|v| !remove.contains(v));
                        list.sort();
                        (!list.is_empty()).then_some(AttributeValue::Many(list))
                    }
                };
                match value {
                    Some(value) => values.insert(edit.attribute.clone(), value),
                    None => values.remove(&edit.attribute),
                };
            }
        }
        other => panic!("{other:?}"),
    }
    match &mut image {
        Image::Rights { held } => {
            held.sort();
            held.dedup();
        }
        Image::Parties { present, .. } => {
            present.sort();
            present.dedup();
        }
        _ => {}
    }
    image
}

fn rights() -> impl Strategy<Value = Vec<Right>> {
    proptest::sample::subsequence(
        vec![Right::ChangeOwner, Right::DeleteItem, Right::FullAccess, Right::ReadPermission],
        0..=4,
    )
}

fn ids() -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(vec!["a".to_owned(), "b".into(), "c".into(), "d".into()], 0..=4)
}

fn edit(attribute: &str, change: ValueChange, multi_valued: bool) -> Edit {
    Edit {
        attribute: attribute.into(),
        parameter: attribute.into(),
        property: attribute.into(),
        read_by: Some("Get-Mailbox".into()),
        kind: AttributeType::String,
        multi_valued,
        add_remove: true,
        change,
    }
}

fn scenario() -> impl Strategy<Value = (Action, Image)> {
    let trustee = || party("kim");
    let held = |held: Vec<Right>| Image::Rights { held };
    let present = |present: Vec<String>| Image::Parties { present, others: 1 };
    let list = |values: Vec<String>| (!values.is_empty()).then_some(AttributeValue::Many(values));
    prop_oneof![
        (rights(), rights()).prop_map(move |(rights, h)| {
            (Action::GrantRights { trustee: trustee(), rights, auto_mapping: None }, held(h))
        }),
        (rights(), rights())
            .prop_map(move |(rights, h)| (Action::RevokeRights { trustee: trustee(), rights }, held(h))),
        any::<(bool, bool)>().prop_map(move |(give, has)| {
            let action = match give {
                true => Action::GrantSendAs { trustee: trustee() },
                false => Action::RevokeSendAs { trustee: trustee() },
            };
            (action, held(if has { vec![Right::SendAs] } else { vec![] }))
        }),
        (ids(), ids(), ids(), any::<bool>()).prop_map(move |(add, remove, p, owners)| {
            let remove: Vec<String> = remove.into_iter().filter(|id| !add.contains(id)).collect();
            let (add, remove) = (parties(&add), parties(&remove));
            let action = match owners {
                true => Action::ChangeOwners { add, remove },
                false => Action::ChangeSendOnBehalf { add, remove },
            };
            (action, present(p))
        }),
        any::<(bool, bool)>().prop_map(move |(add, there)| {
            let (role, who) = (MembershipRole::Member, party("kim"));
            let action = match add {
                true => Action::AddMember { role, who },
                false => Action::RemoveMember { role, who },
            };
            (action, present(if there { vec!["kim".into()] } else { vec![] }))
        }),
        (ids(), ids(), ids(), proptest::option::of("[ab]"), proptest::option::of("[ab]")).prop_map(
            move |(add, remove, before, old, new)| {
                let remove: Vec<String> = remove.into_iter().filter(|id| !add.contains(id)).collect();
                let mut values = Attributes::new();
                values.extend(list(before).map(|value| ("many".to_owned(), value)));
                values.extend(old.map(|text| ("one".to_owned(), AttributeValue::Text(text))));
                let one = new.map_or(ValueChange::Clear, |text| ValueChange::Set(AttributeValue::Text(text)));
                let edits =
                    vec![edit("many", ValueChange::AddRemove { add, remove }, true), edit("one", one, false)];
                (
                    Action::SetAttributes { cmdlet: Some("Set-Mailbox".into()), edits },
                    Image::Attributes { values },
                )
            }
        ),
    ]
}

proptest! {
    #[test]
    fn undoing_what_was_done_gives_what_was((action, before) in scenario()) {
        let after = done(&action, &before);
        prop_assert!(is_so(&action, &after));
        let mut back = after.clone();
        for action in inverse(&action, &before).unwrap() {
            back = done(&action, &back);
        }
        prop_assert_eq!(back, before);
    }

    #[test]
    fn leaving_out_what_is_so_comes_to_the_same((action, before) in scenario()) {
        let narrow = narrowed(&action, &before);
        prop_assert_eq!(done(&narrow, &before), done(&action, &before));
        if is_so(&action, &before) {
            prop_assert_eq!(done(&narrow, &before), before);
        }
    }
}

#[test]
fn one_fact_in_two_forms_is_the_same() {
    let text = |text: &str| AttributeValue::Text(text.into());
    let many = |values: &[&str]| AttributeValue::Many(values.iter().map(|v| (*v).to_owned()).collect());
    let table = [
        (text("50GB"), text("50 GB (53,687,091,200 bytes)"), true),
        (text("50GB"), text("49 GB (52,613,349,376 bytes)"), false),
        (text("Sales"), text("sales"), false),
        (many(&["smtp:a@x", "SMTP:b@x"]), many(&["SMTP:B@x", "smtp:a@x"]), true),
        (many(&["SMTP:a@x"]), many(&["smtp:a@x"]), false),
        (many(&["Kim"]), many(&["kim"]), true),
        (AttributeValue::Boolean(true), text("true"), false),
    ];
    for (a, b, same) in table {
        assert_eq!(same_value(&a, &b), same, "{a:?} {b:?}");
    }
}

#[test]
fn a_list_that_can_only_be_replaced_is_replaced() {
    let mut change =
        edit("many", ValueChange::AddRemove { add: vec!["c".into()], remove: vec!["A".into()] }, true);
    change.add_remove = false;
    let action = Action::SetAttributes { cmdlet: Some("Set-Mailbox".into()), edits: vec![change] };
    let values = Attributes::from([("many".to_owned(), AttributeValue::Many(vec!["a".into(), "b".into()]))]);
    let Action::SetAttributes { edits, .. } = narrowed(&action, &Image::Attributes { values }) else {
        panic!()
    };
    let wanted = ValueChange::Set(AttributeValue::Many(vec!["b".into(), "c".into()]));
    assert_eq!(edits[0].change, wanted);
}
