//! What plans compile to, and what they are refused for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use exogate_model::account::Attributes;
use exogate_model::group::{GroupKind, MemberKind};
use exogate_model::mailbox::MailboxKind;
use exogate_model::operation::Party;
use exogate_model::plan::{Plan, PlanScalar, PlanValue};
use exogate_model::policy::{PolicyAttribute, PolicyKind, PolicyRequest, ProvisioningPolicy};
use exogate_model::right::Right;
use exogate_model::schema::{AttributeRequest, Schema};
use exogate_model::source::SourceOptions;
use exogate_model::trustee::Trustee;
use exogate_model::value::AttributeValue;

use crate::provision::call::call;
use crate::provision::snapshot::{AccountState, GroupState, Held, Lookup, MailboxState, Snapshot};

use super::{Rules, compile};

fn party(id: &str, kind: MemberKind, address: &str) -> Party {
    Party { id: id.into(), kind, name: id.into(), address: address.into(), known_as: vec![], sid: None }
}

fn found<T>(value: T) -> Lookup<T> {
    Lookup::Found(Arc::new(value))
}

fn account(id: &str, synced: bool) -> AccountState {
    AccountState {
        party: party(id, MemberKind::User, &format!("{id}@x")),
        has_mailbox: id != "bare",
        has_mail: id != "bare",
        synced,
        attributes: Attributes::from([("EXO_CustomAttribute1".into(), AttributeValue::Text("old".into()))]),
        held: if id == "kim" { vec![("m1".into(), Right::SendAs)] } else { vec![] },
        groups: if id == "kim" { vec!["list".into()] } else { vec![] },
    }
}

fn group(id: &str, kind: GroupKind) -> GroupState {
    GroupState {
        party: party(id, MemberKind::Group, &format!("{id}@x")),
        kind,
        synced: id == "synced",
        attributes: Attributes::new(),
        members: BTreeSet::from(["kim".to_owned()]),
        owners: BTreeSet::from(["boss".to_owned()]),
        held: vec![],
    }
}

fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::default();
    for id in ["kim", "lee", "bare"] {
        snapshot.accounts.insert(id.into(), found(account(id, false)));
        snapshot.parties.insert(id.into(), found(party(id, MemberKind::User, &format!("{id}@x"))));
    }
    snapshot.parties.insert("boss".into(), found(party("boss", MemberKind::User, "boss@x")));
    snapshot.accounts.insert("hybrid".into(), found(account("hybrid", true)));
    snapshot.accounts.insert("kimm".into(), Lookup::Missing { nearest: Some("kim".into()) });
    let held = Held {
        mailbox: "m1".into(),
        right: Right::SendAs,
        trustee: Trustee { text: "kim@x".into(), sid: None },
        holder: Some("kim".into()),
    };
    let mailbox = |key: &str, label: Option<&str>, held: Vec<Held>| MailboxState {
        key: key.into(),
        label: label.map(Into::into),
        kind: if label.is_some() { MailboxKind::Shared } else { MailboxKind::User },
        address: format!("{key}@x"),
        held,
    };
    snapshot.mailboxes.insert("M1".into(), found(mailbox("m1", Some("M1"), vec![held.clone()])));
    snapshot.mailboxes.insert("m1".into(), found(mailbox("m1", Some("M1"), vec![held])));
    snapshot.mailboxes.insert("M2".into(), found(mailbox("m2", Some("M2"), vec![])));
    snapshot.mailboxes.insert("own".into(), found(mailbox("own", None, vec![])));
    snapshot.mailboxes.insert("twin".into(), Lookup::Ambiguous { candidates: vec!["a".into(), "b".into()] });
    for (id, kind) in [
        ("guard", GroupKind::MailEnabledSecurity),
        ("list", GroupKind::DistributionList),
        ("plain", GroupKind::Security),
        ("team", GroupKind::Microsoft365),
        ("dynamic", GroupKind::DynamicDistribution),
        ("synced", GroupKind::DistributionList),
    ] {
        snapshot.groups.insert(id.into(), found(group(id, kind)));
    }
    snapshot
}

/// The calls of a plan, or everything it is refused for.
fn compiled(snapshot: &Snapshot, plan: &str) -> Result<Vec<String>, String> {
    let plan: Plan = serde_json::from_str(plan).unwrap();
    let names =
        |names: &[&str]| names.iter().map(|n| AttributeRequest::Name((*n).into())).collect::<Vec<_>>();
    let account = Schema::account(
        &names(&["EXO_CustomAttribute1", "EXO_EmailAddresses", "EXO_ImapEnabled", "EXO_Guid", "EXO_Alias"]),
        true,
    )
    .unwrap();
    let group =
        Schema::group(&names(&["EXO_MemberJoinRestriction", "EXO_MailTip", "EXO_CustomAttribute1"])).unwrap();
    let attribute = |name: &str, required: bool, default: PlanValue| PolicyAttribute {
        name: name.into(),
        kind: None,
        multi_valued: None,
        required,
        default,
        review_required: name == "EXO_EmailAddresses",
    };
    let request = PolicyRequest::from([
        (
            PolicyKind::Account,
            ["EXO_CustomAttribute1", "EXO_EmailAddresses", "EXO_ImapEnabled"]
                .map(|name| attribute(name, false, PlanValue::None))
                .to_vec(),
        ),
        (
            PolicyKind::DistributionList,
            vec![
                attribute("EXO_MailTip", true, PlanValue::None),
                attribute(
                    "EXO_MemberJoinRestriction",
                    false,
                    PlanValue::One(PlanScalar::Text("Closed".into())),
                ),
            ],
        ),
    ]);
    let policy = ProvisioningPolicy::check(&request, &account, &group).unwrap();
    let options = SourceOptions::default();
    let rules = Rules { account_schema: &account, group_schema: &group, policy: &policy, options: &options };
    match compile(&plan, snapshot, rules) {
        Ok(operations) => Ok(operations
            .iter()
            .map(|o| {
                let marks = [(o.already, " (already)"), (o.review, " (review)")];
                let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
                let text = call(&o.target, &o.action, true).shown();
                format!(
                    "{}{marks}",
                    text.replace(" -Confirm:$false", "").replace(" -InheritanceType All", "")
                )
            })
            .collect()),
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

fn of_account(who: &str, operations: &str) -> String {
    format!(r#"{{"accounts":[{{"account":"{who}","attributes":[{operations}]}}]}}"#)
}

fn of_group(name: &str, more: &str, operations: &str) -> String {
    format!(r#"{{"groups":[{{"group":"{name}"{more},"attributes":[{operations}]}}]}}"#)
}

#[test]
fn rights_become_one_call_for_each_place_that_keeps_them() {
    let add = |values: &str| format!(r#"{{"op":"add","name":"sharedMailbox","value":[{values}]}}"#);
    let table = [
        (
            of_account(
                "lee",
                &add(r#""M1: FullAccess","M1: readpermission","M1: SendAs","M2: SendOnBehalf""#),
            ),
            vec![
                "Add-MailboxPermission -Identity 'm1' -User 'lee@x' -AccessRights FullAccess,ReadPermission",
                "Add-RecipientPermission -Identity 'm1' -Trustee 'lee@x' -AccessRights SendAs",
                "Set-Mailbox -Identity 'm2' -GrantSendOnBehalfTo @{Add='lee@x'}",
            ],
        ),
        (
            of_account("kim", &add(r#""M1: SendAs""#)),
            vec!["Add-RecipientPermission -Identity 'm1' -Trustee 'kim@x' -AccessRights SendAs (already)"],
        ),
        (
            of_account(
                "lee",
                r#"{"op":"add","name":"sharedMailbox","value":"M1: FullAccess","auto_mapping":false}"#,
            ),
            vec![
                "Add-MailboxPermission -Identity 'm1' -User 'lee@x' -AccessRights FullAccess -AutoMapping:$false",
            ],
        ),
        (
            of_account("kim", r#"{"name":"sharedMailbox","value":["M2: FullAccess"]}"#),
            vec![
                "Remove-RecipientPermission -Identity 'm1' -Trustee 'kim@x' -AccessRights SendAs",
                "Add-MailboxPermission -Identity 'm2' -User 'kim@x' -AccessRights FullAccess",
            ],
        ),
        (
            of_group("guard", "", &add(r#""M1: FullAccess""#)),
            vec!["Add-MailboxPermission -Identity 'm1' -User 'guard@x' -AccessRights FullAccess"],
        ),
    ];
    for (plan, wanted) in table {
        assert_eq!(compiled(&snapshot(), &plan).unwrap(), wanted, "{plan}");
    }
}

#[test]
fn attributes_become_one_call_for_each_cmdlet() {
    let plan = of_account(
        "kim",
        r#"{"name":"EXO_CustomAttribute1","value":"new"},{"name":"EXO_ImapEnabled","value":"false"},
           {"op":"add","name":"EXO_EmailAddresses","value":"smtp:a@x"},
           {"op":"remove","name":"exo_emailaddresses","value":["smtp:b@x"]}"#,
    );
    assert_eq!(
        compiled(&snapshot(), &plan).unwrap(),
        [
            "Set-CASMailbox -Identity kim -ImapEnabled:$false",
            "Set-Mailbox -Identity kim -CustomAttribute1 new -EmailAddresses @{Add='smtp:a@x';Remove='smtp:b@x'} (review)"
        ]
    );
    let plan = of_account("kim", r#"{"name":"EXO_CustomAttribute1","value":"old"}"#);
    assert_eq!(
        compiled(&snapshot(), &plan).unwrap(),
        ["Set-Mailbox -Identity kim -CustomAttribute1 old (already)"]
    );
    let plan = of_account("kim", r#"{"name":"EXO_CustomAttribute1"}"#);
    assert_eq!(compiled(&snapshot(), &plan).unwrap(), ["Set-Mailbox -Identity kim -CustomAttribute1 $null"]);
}

#[test]
fn groups_are_made_in_order_and_changed_where_they_are_mastered() {
    let plan = of_group(
        "Sales & Co",
        r#","operation":"create","kind":"distributionList""#,
        r#"{"op":"add","name":"owners","value":"boss"},{"op":"add","name":"members","value":["kim"]},
           {"name":"EXO_MailTip","value":"hi"}"#,
    );
    assert_eq!(
        compiled(&snapshot(), &plan).unwrap(),
        [
            "New-DistributionGroup -Name 'Sales & Co' -DisplayName 'Sales & Co' -Alias 'Sales&Co' -Type Distribution -ManagedBy 'boss@x' -Members 'kim@x' -MemberJoinRestriction Closed",
            "Set-DistributionGroup -Identity 'Sales & Co' -MailTip hi -BypassSecurityGroupManagerCheck:$true",
        ]
    );
    let plan = r#"{"accounts":[{"account":"lee","attributes":[{"op":"add","name":"groups","value":["list","plain"]}]}],
        "groups":[{"group":"list","attributes":[{"op":"add","name":"owners","value":"kim"},{"op":"remove","name":"owners","value":"boss"}]},
                  {"group":"team","attributes":[{"op":"remove","name":"members","value":"kim"},{"name":"description","value":"x"}]},
                  {"group":"guard","operation":"delete"}]}"#;
    assert_eq!(
        compiled(&snapshot(), plan).unwrap(),
        [
            "Remove-DistributionGroup -Identity guard -BypassSecurityGroupManagerCheck:$true",
            "PATCH /groups/team {\"description\":\"x\"}",
            "DELETE /groups/team/members/kim/$ref",
            "Add-DistributionGroupMember -Identity list -Member 'lee@x' -BypassSecurityGroupManagerCheck:$true",
            "Set-DistributionGroup -Identity list -ManagedBy @{Add='kim@x';Remove='boss@x'} -BypassSecurityGroupManagerCheck:$true",
            "POST /groups/plain/members/$ref {directoryObjects/lee}",
        ]
    );
}

#[test]
fn what_an_earlier_run_made_is_completed_and_not_refused() {
    let plan = of_group(
        "list",
        r#","operation":"create","kind":"distributionList""#,
        r#"{"op":"add","name":"owners","value":"boss"},{"op":"add","name":"members","value":["lee"]},
           {"name":"EXO_MailTip","value":"hi"},{"name":"EXO_Alias","value":"x"}"#,
    );
    assert!(compiled(&snapshot(), &plan).unwrap_err().contains("exists already"));
    let mut snapshot = snapshot();
    snapshot.earlier.made = HashMap::from([("list".to_owned(), "list".to_owned())]);
    let calls = compiled(&snapshot, &plan).unwrap();
    assert_eq!(calls.len(), 3, "{calls:#?}");
    assert!(calls.iter().all(|call| !call.starts_with("New-")));
}

#[test]
fn every_reason_is_told_at_once_and_names_what_was_meant() {
    let rights = |who: &str, value: &str| {
        of_account(who, &format!(r#"{{"op":"add","name":"sharedMailbox","value":"{value}"}}"#))
    };
    let set = |who: &str, operation: &str| of_account(who, operation);
    let table = [
        (rights("kimm", "M1: SendAs"), "account \"kimm\" is not known; did you mean \"kim\"?"),
        (rights("kim", "twin: SendAs"), "ambiguous; it may be a, b"),
        (rights("kim", "own: SendAs"), "rights on user mailboxes such as \"own@x\" are not governed"),
        (rights("kim", "M1: SendAll"), "there is no right \"SendAll\""),
        (rights("kim", "M1"), "is not an entitlement"),
        (rights("bare", "M1: SendAs"), "neither a mailbox nor a mail address"),
        (
            of_group("plain", "", r#"{"op":"add","name":"sharedMailbox","value":"M1: SendAs"}"#),
            "not mail-enabled",
        ),
        (
            of_group("list", "", r#"{"op":"add","name":"sharedMailbox","value":"M1: SendAs"}"#),
            "no security principal",
        ),
        (
            of_group("team", "", r#"{"op":"add","name":"sharedMailbox","value":"M1: SendAs"}"#),
            "no security principal",
        ),
        (
            set("kim", r#"{"name":"EXO_CustomAttribut1","value":"x"}"#),
            "did you mean \"EXO_CustomAttribute1\"?",
        ),
        (set("kim", r#"{"name":"EXO_Guid","value":"x"}"#), "EXO_Guid is read-only"),
        (
            set("kim", r#"{"name":"EXO_Alias","value":"x"}"#),
            "policy does not name EXO_Alias; add it under policy.account",
        ),
        (set("kim", r#"{"name":"displayName","value":"x"}"#), "options.manage_users is false"),
        (set("kim", r#"{"name":"EXO_ImapEnabled","value":"perhaps"}"#), "expected boolean"),
        (set("kim", r#"{"name":"EXO_ImapEnabled"}"#), "expected boolean"),
        (set("kim", r#"{"name":"EXO_CustomAttribute1","value":["a","b"]}"#), "expected a single value"),
        (set("kim", r#"{"op":"add","name":"EXO_CustomAttribute1","value":"a"}"#), "holds one value"),
        (set("kim", r#"{"op":"add","name":"EXO_EmailAddresses"}"#), "no value to add or remove"),
        (set("bare", r#"{"name":"EXO_CustomAttribute1","value":"a"}"#), "bare has no mailbox"),
        (
            set("hybrid", r#"{"name":"EXO_CustomAttribute1","value":"a"}"#),
            "synchronised from the on-premises directory",
        ),
        (of_group("synced", "", r#"{"op":"add","name":"members","value":"kim"}"#), "synchronised"),
        (of_group("dynamic", "", r#"{"op":"add","name":"members","value":"kim"}"#), "follow from its filter"),
        (
            of_group("team", "", r#"{"op":"remove","name":"owners","value":"boss"}"#),
            "would have no owner left",
        ),
        (of_group("list", "", r#"{"name":"owners","value":[]}"#), "would have no owner left"),
        (of_group("n", r#","operation":"create""#, ""), "the kind of the new group is missing"),
        (of_group("n", r#","operation":"create","kind":"mailEnabledSecurity""#, ""), "needs an owner"),
        (
            of_group(
                "n",
                r#","operation":"create","kind":"distributionList""#,
                r#"{"op":"add","name":"owners","value":"boss"}"#,
            ),
            "requires EXO_MailTip",
        ),
        (
            set(
                "kim",
                r#"{"op":"add","name":"sharedMailbox","value":"M1: SendAs"},{"op":"remove","name":"sharedMailbox","value":"M1: SendAs"}"#,
            ),
            "both given and taken",
        ),
        (
            set(
                "kim",
                r#"{"name":"EXO_CustomAttribute1","value":"a"},{"name":"EXO_CustomAttribute1","value":"b"}"#,
            ),
            "two different things",
        ),
    ];
    for (plan, why) in &table {
        let errors = compiled(&snapshot(), plan).unwrap_err();
        assert!(errors.contains(why), "{plan}\n{errors}\nlacks: {why}");
    }
    let all = r#"{"accounts":[{"account":"kimm","attributes":[]},{"account":"kim","attributes":[
        {"name":"EXO_Guid","value":"x"},{"op":"add","name":"sharedMailbox","value":"M1: SendAll"}]}]}"#;
    assert_eq!(compiled(&snapshot(), all).unwrap_err().lines().count(), 3);
}

#[test]
fn rights_of_a_synchronised_account_are_the_clouds_own() {
    let plan = of_account(
        "hybrid",
        r#"{"op":"add","name":"sharedMailbox","value":"M1: FullAccess"},{"name":"EXO_ImapEnabled","value":true}"#,
    );
    assert_eq!(compiled(&snapshot(), &plan).unwrap().len(), 2);
}
