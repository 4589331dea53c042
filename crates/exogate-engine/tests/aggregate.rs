//! Full aggregation of a small tenant over TLS: what is stored is what the fixture says.

mod support;

use exogate_engine::aggregate::{Outcome, StreamState};
use exogate_engine::view::ViewError;
use exogate_model::account::Account;
use exogate_model::group::{GroupKind, MemberKind};
use exogate_model::source::SourceOptions;
use exogate_model::value::AttributeValue;
use exogate_sim::Scenario;
use futures::TryStreamExt;
use support::{CONTOSO, Sim, Source, assert_same};

fn many<'a>(account: &'a Account, attribute: &str) -> Vec<&'a str> {
    match account.attributes.get(attribute) {
        Some(AttributeValue::Many(values)) => values.iter().map(String::as_str).collect(),
        None => Vec::new(),
        Some(other) => panic!("{attribute} is {other:?}"),
    }
}

fn text<'a>(account: &'a Account, attribute: &str) -> Option<&'a str> {
    match account.attributes.get(attribute) {
        Some(AttributeValue::Text(value)) => Some(value),
        _ => None,
    }
}

fn everything() -> SourceOptions {
    SourceOptions {
        aggregate_all_groups: true,
        manage_microsoft_365_groups: true,
        ..SourceOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_rights_and_groups_are_those_of_the_tenant() {
    let sim = Sim::of(CONTOSO, Scenario::default()).await;
    let source = Source::new(everything()).await;
    let aggregation = source.aggregation(&sim.tenant(true));
    let progress = aggregation.progress.clone();
    let summary = exogate_engine::aggregate::run(aggregation).await.unwrap();
    assert_eq!(summary.outcome, Outcome::Completed, "{:?} {:?}", summary.streams, summary.notes);
    assert!(progress.streams().iter().all(|stream| stream.state == StreamState::Complete));
    assert!(summary.notes.is_empty(), "{:?}", summary.notes);
    let view = source.view();

    let mark = view.account("Mark.Taylor@contoso.com").await.unwrap();
    assert_eq!(mark.name, "mark.taylor@contoso.com");
    assert!(!mark.disabled);
    assert_eq!(
        many(&mark, "sharedMailbox"),
        ["O365Support: FullAccess", "O365Support: ReadPermission", "O365Support: SendAs"]
    );
    assert_eq!(text(&mark, "EXO_PrimarySmtpAddress"), Some("Mark.Taylor@contoso.com"));
    assert_eq!(text(&mark, "EXO_CustomAttribute1"), Some("blue"));
    assert_eq!(mark.attributes.get("EXO_ImapEnabled"), Some(&AttributeValue::Boolean(false)));
    assert_eq!(text(&mark, "department"), Some("Support"));
    let ines = view.account("ines.boss@contoso.com").await.unwrap();
    assert_eq!(text(&mark, "manager").map(str::to_lowercase), Some(ines.id.to_lowercase()));
    assert_eq!(many(&mark, "groups").len(), 3, "a security group, a list and a Microsoft 365 group");
    assert!(many(&ines, "sharedMailbox").is_empty(), "an inherited right is no entitlement");

    let without = view.account("no.mailbox@contoso.com").await.unwrap();
    assert!(without.disabled);
    assert!(without.attributes.keys().all(|name| !name.starts_with("EXO_")));

    // Of two people of one name each has what is theirs; of two mailboxes of one name as well.
    let lee = view.account("lee.gu@contoso.com").await.unwrap();
    let lee2 = view.account("lee.gu2@contoso.com").await.unwrap();
    assert_eq!(
        many(&lee2, "sharedMailbox"),
        [
            "Info (info@contoso.com): ChangeOwner",
            "Info (info@contoso.com): ChangePermission",
            "Info (info@contoso.com): DeleteItem",
            "Info (info@contoso.com): ExternalAccount",
            "Info (info@contoso.com): FullAccess",
            "Info (info@contoso.com): ReadPermission",
        ]
    );
    assert!(many(&lee, "sharedMailbox").contains(&"INFO (info2@contoso.com): SendAs"));
    // A group's right is the group's alone.
    let kim = view.account("kim.akers@contoso.com").await.unwrap();
    assert_eq!(many(&kim, "sharedMailbox"), ["INFO (info2@contoso.com): SendOnBehalf"]);

    let groups: Vec<_> = view.groups().try_collect().await.unwrap();
    let kinds: Vec<_> = groups.iter().map(|group| (group.name.as_str(), group.kind)).collect();
    assert_eq!(
        kinds,
        [
            ("All staff", GroupKind::DistributionList),
            ("Everybody in Support", GroupKind::DynamicDistribution),
            ("Inner circle", GroupKind::MailEnabledSecurity),
            ("Project X", GroupKind::Microsoft365),
            ("Support team", GroupKind::MailEnabledSecurity),
            ("VPN users", GroupKind::Security),
        ]
    );
    let mut members: Vec<_> = groups[0].members.iter().map(|member| member.kind).collect();
    members.sort_unstable();
    assert_eq!(members, [MemberKind::User, MemberKind::Group, MemberKind::Contact]);
    assert_eq!(groups[0].owners.len(), 1);
    assert_eq!(groups[0].owners[0].id, ines.id);
    assert_eq!(
        groups[0].attributes.get("EXO_PrimarySmtpAddress"),
        Some(&AttributeValue::Text("allstaff@contoso.com".into()))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_in_effect_follows_nested_groups_and_denials() {
    let sim = Sim::of(CONTOSO, Scenario::default()).await;
    let source = Source::new(SourceOptions::default()).await;
    source.aggregate(&sim.tenant(true)).await;
    let view = source.view();

    let granted = view.who("O365Support", false).await.unwrap();
    let rows: Vec<_> = granted
        .rows
        .iter()
        .map(|row| (row.right.name(), row.holder.kind, row.holder.name.as_str(), row.deny, row.inherited))
        .collect();
    assert_eq!(
        rows,
        [
            ("FullAccess", "user", "Ines Boss", false, true),
            ("FullAccess", "user", "Mark Taylor", false, false),
            ("FullAccess", "user", "Nora Nested", true, false),
            ("FullAccess", "orphan", "S-1-5-21-1-2-3-4", false, false),
            ("FullAccess", "group", "Support team", false, false),
            ("ReadPermission", "user", "Mark Taylor", false, false),
            ("SendAs", "user", "Mark Taylor", false, false),
            ("SendAs", "group", "Support team", false, false),
        ]
    );
    assert!(granted.rows[3].note.is_some());

    let effective = view.who("support@contoso.com", true).await.unwrap();
    let rows: Vec<_> = effective
        .rows
        .iter()
        .map(|row| {
            let via: Vec<_> = row.via.iter().map(|group| group.name.as_str()).collect();
            (row.right.name(), row.holder.name.as_str(), via.join(" > "), row.deny)
        })
        .collect();
    let of = |right, name, via: &str, deny| (right, name, via.to_owned(), deny);
    assert_eq!(
        rows,
        [
            of("FullAccess", "Ines Boss", "", false),
            of("FullAccess", "Kim Akers", "Support team", false),
            of("FullAccess", "Mark Taylor", "", false),
            of("FullAccess", "Nora Nested", "", true),
            of("FullAccess", "S-1-5-21-1-2-3-4", "", false),
            of("ReadPermission", "Mark Taylor", "", false),
            of("SendAs", "Kim Akers", "Support team", false),
            of("SendAs", "Mark Taylor", "", false),
            of("SendAs", "Nora Nested", "Support team > Inner circle", false),
        ]
    );

    let what = view.what("nora.nested@contoso.com", true).await.unwrap();
    let rows: Vec<_> = what
        .rows
        .iter()
        .map(|row| {
            let via: Vec<_> = row.via.iter().map(|group| group.name.as_str()).collect();
            (row.label.as_str(), row.right.name(), via.join(" > "), row.deny)
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("O365Support", "FullAccess", String::new(), true),
            ("O365Support", "SendAs", "Support team > Inner circle".to_owned(), false),
        ]
    );
    assert!(view.what("nora.nested@contoso.com", false).await.unwrap().rows.iter().all(|row| row.deny));
    assert_eq!(view.what("Support team", false).await.unwrap().rows.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kinds_of_group_follow_the_options() {
    let sim = Sim::of(CONTOSO, Scenario::default()).await;
    let source = Source::new(SourceOptions::default()).await;
    source.aggregate(&sim.tenant(true)).await;
    let names: Vec<_> =
        source.view().groups().map_ok(|group| group.name).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(names, ["Inner circle", "Support team", "VPN users"]);
    let mark = source.view().account("mark.taylor@contoso.com").await.unwrap();
    assert_eq!(many(&mark, "groups").len(), 1);
    assert!(matches!(source.view().group("All staff").await, Err(ViewError::NotAggregated { .. })));
    assert!(matches!(
        source.view().account("mark.tailor@contoso.com").await,
        Err(ViewError::NotFound { .. })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn distribution_lists_need_no_exchange() {
    let sim = Sim::of(CONTOSO, Scenario::default()).await;
    let options = SourceOptions { manage_exchange_online: false, ..everything() };
    let source = Source::new(options).await;
    let summary = source.aggregate(&sim.tenant(false)).await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:?}", summary.streams);
    let view = source.view();
    let staff = view.group("allstaff@contoso.com").await.unwrap();
    assert_eq!((staff.kind, staff.members.len()), (GroupKind::DistributionList, 3));
    let names: Vec<_> = view.groups().map_ok(|group| group.name).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(names, ["All staff", "Inner circle", "Project X", "Support team", "VPN users"]);
    let mark = view.account("mark.taylor@contoso.com").await.unwrap();
    assert!(mark.attributes.keys().all(|name| !name.starts_with("EXO_") && name != "sharedMailbox"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_changes_nothing() {
    let sim = Sim::of(CONTOSO, Scenario::default()).await;
    let source = Source::new(everything()).await;
    source.aggregate(&sim.tenant(true)).await;
    let before = source.picture().await;
    let summary = source.aggregate(&sim.tenant(true)).await;
    assert_eq!(summary.outcome, Outcome::Completed);
    assert!(!summary.resumed);
    assert_eq!((summary.record.changes, summary.record.deleted), (0, 0));
    assert_same(&source.picture().await, &before, "read again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_trustees_are_shown_nobody_gets_what_is_not_theirs() {
    use exogate_sim::exchange::{ListForm, TrusteeForm};
    let rights = async |scenario: Scenario| {
        let sim = Sim::of(CONTOSO, scenario).await;
        let source = Source::new(everything()).await;
        assert_eq!(source.aggregate(&sim.tenant(true)).await.outcome, Outcome::Completed);
        let accounts: Vec<_> = source.view().accounts().try_collect().await.unwrap();
        let mut rights = std::collections::BTreeSet::new();
        for account in &accounts {
            rights.extend(many(account, "sharedMailbox").iter().map(|r| format!("{} {r}", account.name)));
        }
        rights
    };
    let truth = rights(Scenario::default()).await;
    assert!(truth.len() > 10, "{truth:?}");
    use TrusteeForm as Form;
    for (form, list, exact) in [
        (Form::Guid, ListForm::Guid, true),
        (Form::Name, ListForm::Name, true),
        (Form::DisplayName, ListForm::DisplayName, false),
        (Form::Sid, ListForm::Name, false),
        (Form::SamAccount, ListForm::Guid, false),
        (Form::Mixed, ListForm::Name, false),
    ] {
        let mut scenario = Scenario::default();
        scenario.exchange.trustee_users = form;
        scenario.exchange.recipient_lists = list;
        scenario.exchange.deny_as_text = true;
        scenario.exchange.lean = true;
        let found = rights(scenario).await;
        let invented: Vec<_> = found.difference(&truth).collect();
        assert!(invented.is_empty(), "{form:?} {list:?}: {invented:?}");
        if exact {
            assert_eq!(found, truth, "{form:?}");
        }
    }
}
