//! What is stored, what counts as a change, and what absence means.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use exogate_model::change::ObjectKind;
use exogate_model::group::{GroupKind, MembershipRole};
use exogate_model::mailbox::MailboxKind;
use exogate_model::right::Right;
use exogate_model::trustee::{Principal, Trustee};
use exogate_store::*;

fn support() -> Batch {
    Batch {
        users: vec![user("u1", "Sales"), user("u2", "Sales")],
        mailboxes: vec![mailbox("m1", "O365Support")],
        groups: vec![group("g1", "Staff")],
        memberships: vec![member("g1", "u1")],
        grant_sets: vec![set("m1", vec![allow(Right::FullAccess, "u1@contoso.com")])],
        grants: vec![send_as("m1", "u2@contoso.com")],
        ..Batch::default()
    }
}

#[tokio::test]
async fn the_baseline_makes_no_changes_and_the_same_again_makes_none() {
    let bench = Bench::new();
    let source = bench.source().await;
    let first = aggregate(&source, support()).await;
    assert_eq!(first.outcome, BatchOutcome { created: 7, changed: 0, unchanged: 0 });
    let state = dump(&source).await;
    let second = aggregate(&source, support()).await;
    assert_eq!(second.outcome, BatchOutcome { created: 0, changed: 0, unchanged: 7 });
    assert_eq!((second.changes, second.deleted), (0, 0));
    assert_eq!(feed(&source, 0).await, Vec::<String>::new());
    assert_eq!(dump(&source).await, state);
}

#[tokio::test]
async fn every_difference_is_one_change() {
    let bench = Bench::new();
    let source = bench.source().await;
    aggregate(&source, support()).await;
    let record = aggregate(
        &source,
        Batch {
            users: vec![user("u1", "Finance"), user("u3", "Sales")],
            mailboxes: vec![mailbox("m1", "O365 Support")],
            groups: vec![group("g1", "Staff")],
            memberships: vec![member("g1", "u3")],
            grant_sets: vec![set("m1", vec![allow(Right::FullAccess, "u3@contoso.com")])],
            grants: vec![send_as("m1", "u1@contoso.com")],
            ..Batch::default()
        },
    )
    .await;
    let changes = feed(&source, 0).await;
    assert_eq!(
        changes,
        [
            r#"user u1 {"what":"modified","attributes":[{"attribute":"department","before":"Sales","after":"Finance"}]}"#,
            r#"mailbox m1 {"what":"modified","attributes":[{"attribute":"EXO_DisplayName","before":"O365Support","after":"O365 Support"}]}"#,
            r#"user u3 {"what":"created"}"#,
            r#"mailbox m1 {"what":"revoked","right":"FullAccess","trustee":"u1@contoso.com","principal":"u1"}"#,
            r#"mailbox m1 {"what":"granted","right":"FullAccess","trustee":"u3@contoso.com","principal":"u3"}"#,
            r#"mailbox m1 {"what":"revoked","right":"SendAs","trustee":"u2@contoso.com","principal":"u2"}"#,
            r#"mailbox m1 {"what":"granted","right":"SendAs","trustee":"u1@contoso.com","principal":"u1"}"#,
            r#"group g1 {"what":"left","role":"member","member":"u1"}"#,
            r#"group g1 {"what":"joined","role":"member","member":"u3"}"#,
            r#"user u2 {"what":"deleted"}"#,
        ]
    );
    assert_eq!(record.changes, changes.len() as u64);
    assert_eq!(record.deleted, 4);
    let sequence: Vec<_> = source.changes(0, 1000).await.unwrap().iter().map(|c| c.sequence).collect();
    assert!(sequence.is_sorted());
    assert_eq!(feed(&source, sequence[7]).await.len(), 2);
}

#[tokio::test]
async fn absence_means_nothing_where_a_stream_was_cut_short() {
    let bench = Bench::new();
    let source = bench.source().await;
    aggregate(&source, support()).await;
    let state = dump(&source).await;
    let run = begin(&source).await;
    run.write(Batch { stream: "users".into(), users: vec![user("u1", "Sales")], ..Batch::default() })
        .await
        .unwrap();
    let covered = vec![Coverage::Groups];
    let finish = Finish { state: RunState::Incomplete, covered: Vec::new(), ..complete() };
    assert_eq!(
        run.would_delete(&[Coverage::Users, Coverage::Groups]).await.unwrap(),
        [
            Forecast { part: Coverage::Users, known: 2, unseen: 1 },
            Forecast { part: Coverage::Groups, known: 1, unseen: 1 }
        ]
    );
    let record = run.finish(finish).await.unwrap();
    assert_eq!((record.state, record.deleted, record.changes), (RunState::Incomplete, 0, 0));
    assert_eq!(dump(&source).await, state);

    // Only the covered part, and only if deletion is asked for.
    let run = begin(&source).await;
    run.finish(Finish { covered: covered.clone(), delete_unseen: false, ..complete() }).await.unwrap();
    assert_eq!(dump(&source).await, state);
    let run = begin(&source).await;
    run.finish(Finish { covered, ..complete() }).await.unwrap();
    let counts = source.counts().await.unwrap();
    assert_eq!((counts.users, counts.groups, counts.mailboxes, counts.grants), (2, 0, 1, 2));
    assert_eq!(
        feed(&source, 0).await,
        [r#"group g1 {"what":"left","role":"member","member":"u1"}"#, r#"group g1 {"what":"deleted"}"#,]
    );
}

#[tokio::test]
async fn what_an_incomplete_run_found_is_announced_once_by_the_next_complete_one() {
    let bench = Bench::new();
    let source = bench.source().await;
    aggregate(&source, support()).await;
    let run = begin(&source).await;
    let mut found = support();
    found.users.push(user("u9", "Sales"));
    found.grants.push(send_as("m1", "u9@contoso.com"));
    run.write(found.clone()).await.unwrap();
    run.finish(Finish { state: RunState::Incomplete, covered: Vec::new(), ..complete() }).await.unwrap();
    assert_eq!(feed(&source, 0).await, Vec::<String>::new());
    // Too old to be resumed: another run.
    bench.clock.forward(7200);
    aggregate(&source, found.clone()).await;
    aggregate(&source, found).await;
    assert_eq!(
        feed(&source, 0).await,
        [
            r#"user u9 {"what":"created"}"#,
            r#"mailbox m1 {"what":"granted","right":"SendAs","trustee":"u9@contoso.com","principal":"u9"}"#,
        ]
    );
}

/// Whoever read the state after a run that did not come to its end has seen what that run saw.
#[tokio::test]
async fn what_only_an_incomplete_run_saw_is_told_with_what_became_of_it() {
    let bench = Bench::new();
    let source = bench.source().await;
    aggregate(&source, support()).await;
    let run = begin(&source).await;
    let mut found = support();
    found.users.push(user("u9", "Sales"));
    found.groups.push(group("g9", "Passing"));
    found.memberships.push(member("g1", "u9"));
    found.grant_sets = vec![set("m1", vec![allow(Right::FullAccess, "u9@contoso.com")])];
    run.write(found).await.unwrap();
    run.resolve(vec![(trustee("u9@contoso.com"), Principal::User { id: "u9".into() })]).await.unwrap();
    run.finish(Finish { state: RunState::Incomplete, covered: Vec::new(), ..complete() }).await.unwrap();
    assert_eq!(feed(&source, 0).await, Vec::<String>::new());
    bench.clock.forward(7200);
    aggregate(&source, support()).await;
    aggregate(&source, support()).await;
    assert_eq!(
        feed(&source, 0).await,
        [
            r#"mailbox m1 {"what":"revoked","right":"FullAccess","trustee":"u1@contoso.com","principal":"u1"}"#,
            r#"user u9 {"what":"created"}"#,
            r#"group g9 {"what":"created"}"#,
            r#"mailbox m1 {"what":"granted","right":"FullAccess","trustee":"u9@contoso.com","principal":"u9"}"#,
            r#"mailbox m1 {"what":"revoked","right":"FullAccess","trustee":"u9@contoso.com","principal":"u9"}"#,
            r#"mailbox m1 {"what":"granted","right":"FullAccess","trustee":"u1@contoso.com","principal":"u1"}"#,
            r#"group g1 {"what":"joined","role":"member","member":"u9"}"#,
            r#"group g1 {"what":"left","role":"member","member":"u9"}"#,
            r#"user u9 {"what":"deleted"}"#,
            r#"group g9 {"what":"deleted"}"#,
        ]
    );
}

#[tokio::test]
async fn a_trustee_rendered_anew_neither_wins_nor_loses_a_right() {
    let bench = Bench::new();
    let source = bench.source().await;
    let with_sid = |text: &str| {
        (Right::FullAccess, Trustee { text: text.into(), sid: Some("S-1-5-21-7".into()) }, false, false)
    };
    let mut batch = support();
    batch.grant_sets = vec![set("m1", vec![with_sid("u1@contoso.com")])];
    aggregate(&source, batch.clone()).await;
    batch.grant_sets = vec![set("m1", vec![with_sid("U1@CONTOSO.COM")])];
    let record = aggregate(&source, batch.clone()).await;
    assert_eq!(record.changes, 0);
    // The same identifier, but nobody bears it any more: the person has lost the right.
    batch.grant_sets = vec![set("m1", vec![with_sid("S-1-5-21-7")])];
    let record = aggregate(&source, batch).await;
    assert_eq!(record.changes, 1);
    let grants = source.grants_of_mailbox("m1").await.unwrap();
    assert_eq!(grants.iter().filter(|g| g.facet == Facet::MailboxPermission).count(), 1);
}

#[tokio::test]
async fn a_name_that_comes_to_stand_for_somebody_else_moves_the_right() {
    let bench = Bench::new();
    let source = bench.source().await;
    let mut batch = support();
    batch.grants = vec![send_as("m1", "Kim")];
    for id in ["u1", "u1", "u2"] {
        let run = begin(&source).await;
        run.write(batch.clone()).await.unwrap();
        run.resolve(vec![(trustee("Kim"), Principal::User { id: id.into() })]).await.unwrap();
        run.finish(complete()).await.unwrap();
    }
    assert_eq!(
        feed(&source, 0).await,
        [
            r#"mailbox m1 {"what":"revoked","right":"SendAs","trustee":"Kim","principal":"u1"}"#,
            r#"mailbox m1 {"what":"granted","right":"SendAs","trustee":"Kim","principal":"u2"}"#,
        ]
    );
    assert_eq!(source.grants_of_principals(vec!["u1".into()]).await.unwrap(), []);
    assert_eq!(source.grants_of_principals(vec!["u2".into()]).await.unwrap().len(), 1);
}

/// Read twice before either answer was stored: the later one says what is there.
#[tokio::test]
async fn of_two_readings_of_one_mailbox_in_a_batch_the_later_one_counts() {
    for was_read_before in [false, true] {
        let bench = Bench::new();
        let source = bench.source().await;
        if was_read_before {
            aggregate(&source, support()).await;
            bench.clock.forward(7200);
        }
        let both = ["u1@contoso.com", "u3@contoso.com"].map(|text| allow(Right::FullAccess, text));
        let mut batch = support();
        batch.grant_sets = vec![
            set("m1", both.to_vec()),
            set("m2", vec![allow(Right::FullAccess, "u2@contoso.com")]),
            set("m1", vec![allow(Right::FullAccess, "u3@contoso.com")]),
        ];
        aggregate(&source, batch).await;
        let mut there = Vec::new();
        for mailbox in ["m1", "m2"] {
            for stored in source.grants_of_mailbox(mailbox).await.unwrap() {
                if stored.facet == Facet::MailboxPermission {
                    there.push(format!("{mailbox} {}", stored.grant.trustee.text));
                }
            }
        }
        assert_eq!(there, ["m1 u3@contoso.com", "m2 u2@contoso.com"], "read before: {was_read_before}");
    }
}

#[tokio::test]
async fn inherited_and_system_grants_are_kept_and_are_no_news() {
    let bench = Bench::new();
    let source = bench.source().await;
    aggregate(&source, support()).await;
    let mut batch = support();
    batch.grant_sets[0].grants.extend([
        (Right::FullAccess, trustee("u2@contoso.com"), true, true),
        (Right::FullAccess, trustee("Domain Admins"), false, true),
        (Right::Other("Brew".into()), trustee("u2@contoso.com"), false, false),
    ]);
    let record = aggregate(&source, batch).await;
    assert_eq!(record.changes, 0);
    assert_eq!(source.grants_of_mailbox("m1").await.unwrap().len(), 5);
    assert_eq!(source.holders("m1", &Right::FullAccess).await.unwrap(), 1);
}

#[tokio::test]
async fn attributes_that_a_new_schema_asks_for_are_no_news() {
    let bench = Bench::new();
    let source = bench.source().await;
    aggregate(&source, support()).await;
    let run = source
        .begin_or_resume(RunRequest { fingerprint: "options 2".into(), ..request("all") })
        .await
        .unwrap();
    let mut batch = support();
    batch.users = vec![user("u1", "Finance"), user("u2", "Sales")];
    for user in &mut batch.users {
        user.attributes.extend(attributes(&[("city", "Bern")]));
    }
    run.write(batch).await.unwrap();
    run.finish(complete()).await.unwrap();
    let changes = feed(&source, 0).await;
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert!(changes[0].contains("department") && !changes[0].contains("city"));
}

#[tokio::test]
async fn attributes_of_other_streams_belong_to_their_object() {
    let bench = Bench::new();
    let source = bench.source().await;
    let mut batch = support();
    batch.cas = vec![("M1".into(), attributes(&[("EXO_ImapEnabled", "true")]))];
    batch.group_exchange = vec![GroupExchangeRow {
        id: "g1".into(),
        attributes: attributes(&[("EXO_Alias", "staff")]),
        ..GroupExchangeRow::default()
    }];
    aggregate(&source, batch.clone()).await;
    let record = source.mailbox("m1").await.unwrap().unwrap();
    assert_eq!(record.cas, Some(attributes(&[("EXO_ImapEnabled", "true")])));
    batch.cas = vec![("m1".into(), attributes(&[("EXO_ImapEnabled", "false")]))];
    batch.group_exchange.clear();
    aggregate(&source, batch.clone()).await;
    // The mailbox goes, and its client access attributes with it, without a word of their own.
    batch.cas.clear();
    batch.mailboxes.clear();
    batch.grant_sets.clear();
    batch.grants.clear();
    aggregate(&source, batch).await;
    assert_eq!(
        feed(&source, 0).await,
        [
            r#"mailbox m1 {"what":"modified","attributes":[{"attribute":"EXO_ImapEnabled","before":"true","after":"false"}]}"#,
            r#"group g1 {"what":"modified","attributes":[{"attribute":"EXO_Alias","before":"staff"}]}"#,
            r#"mailbox m1 {"what":"revoked","right":"FullAccess","trustee":"u1@contoso.com","principal":"u1"}"#,
            r#"mailbox m1 {"what":"revoked","right":"SendAs","trustee":"u2@contoso.com","principal":"u2"}"#,
            r#"mailbox m1 {"what":"deleted"}"#,
        ]
    );
    assert!(source.mailbox("m1").await.unwrap().is_none());
}

#[tokio::test]
async fn dynamic_groups_are_settled_by_their_own_stream() {
    let bench = Bench::new();
    let source = bench.source().await;
    let mut batch = support();
    batch.groups.push(GroupRow { kind: GroupKind::DynamicDistribution, ..group("d1", "Everybody") });
    aggregate(&source, batch.clone()).await;
    batch.groups.clear();
    let run = begin(&source).await;
    run.write(batch).await.unwrap();
    let covered = ALL.into_iter().filter(|part| *part != Coverage::DynamicGroups).collect();
    run.finish(Finish { covered, ..complete() }).await.unwrap();
    let left: Vec<_> = source.groups(None, 10).await.unwrap().items.into_iter().map(|g| g.group.id).collect();
    assert_eq!(left, ["d1"]);
}

#[tokio::test]
async fn labels_are_unique_follow_renames_and_are_remembered() {
    let bench = Bench::new();
    let source = bench.source().await;
    let labels = async |source: &SourceStore| -> Vec<String> {
        let page = source.entitlements(None, 10).await.unwrap();
        page.items.into_iter().filter_map(|item| item.mailbox.label).collect()
    };
    let boxes = |names: &[(&str, &str)]| Batch {
        mailboxes: names.iter().map(|(key, name)| mailbox(key, name)).collect(),
        ..Batch::default()
    };
    aggregate(&source, boxes(&[("m1", "Info"), ("m2", "INFO"), ("m3", "Äpfel")])).await;
    assert_eq!(labels(&source).await, ["Info (m1@contoso.com)", "INFO (m2@contoso.com)", "Äpfel"]);
    aggregate(&source, boxes(&[("m1", "Info"), ("m2", "Desk"), ("m3", "Äpfel")])).await;
    assert_eq!(labels(&source).await, ["Desk", "Info", "Äpfel"]);
    let former = source.labelled("info (M2@contoso.com)").await.unwrap();
    assert_eq!(
        former,
        [LabelMatch { mailbox: "m2".into(), label: "INFO (m2@contoso.com)".into(), current: false }]
    );
    let found = source.find_mailbox("äpfel").await.unwrap();
    assert!(matches!(found, Found::One(mailbox) if mailbox.key == "m3"));
    let found = source.find_mailbox("INFO (m2@contoso.com)").await.unwrap();
    assert!(matches!(found, Found::One(mailbox) if mailbox.key == "m2"));
    // Given back its old name, it bears its old label again, and only that.
    aggregate(&source, boxes(&[("m1", "Info"), ("m2", "INFO"), ("m3", "Äpfel")])).await;
    assert!(source.labelled("INFO (m2@contoso.com)").await.unwrap()[0].current);
    assert!(!source.labelled("Desk").await.unwrap()[0].current);
    // No longer governed: no label of today.
    let run = begin(&source).await;
    run.write(boxes(&[("m1", "Info"), ("m2", "INFO"), ("m3", "Äpfel")])).await.unwrap();
    assert_eq!(run.relabel(&[MailboxKind::Room]).await.unwrap(), 3);
    assert_eq!(source.counts().await.unwrap().labelled_mailboxes, 0);
}

#[tokio::test]
async fn a_denial_comes_and_goes_in_the_feed_as_a_denial() {
    let bench = Bench::new();
    let source = bench.source().await;
    let batch = |grants| Batch {
        users: vec![user("u1", "Sales")],
        mailboxes: vec![mailbox("m1", "Desk")],
        grant_sets: vec![set("m1", grants)],
        ..Batch::default()
    };
    let allowed = allow(Right::FullAccess, "u1@contoso.com");
    let denied = (Right::FullAccess, trustee("u1@contoso.com"), true, false);
    let inherited = (Right::FullAccess, trustee("u1@contoso.com"), true, true);
    let told = |what: &str, deny: &str| {
        format!(
            r#"mailbox m1 {{"what":"{what}","right":"FullAccess","trustee":"u1@contoso.com","principal":"u1"{deny}}}"#
        )
    };
    aggregate(&source, batch(vec![allowed.clone()])).await;
    aggregate(&source, batch(vec![allowed.clone(), denied.clone(), inherited])).await;
    assert_eq!(feed(&source, 0).await, [told("granted", r#","deny":true"#)]);
    aggregate(&source, batch(vec![denied])).await;
    aggregate(&source, batch(vec![allowed])).await;
    assert_eq!(
        feed(&source, 1).await,
        [told("revoked", ""), told("granted", ""), told("revoked", r#","deny":true"#)]
    );
}

#[tokio::test]
async fn listings_are_in_stable_order_whatever_the_order_of_writing() {
    let bench = Bench::new();
    let source = bench.source().await;
    let mut users: Vec<_> = ["c", "a", "B", "d", "e"].iter().map(|id| user(id, "Sales")).collect();
    // Twice the same UPN: ordered by id, and no page boundary loses one.
    users
        .extend(["x2", "x1", "x3"].map(|id| UserRow { upn: "same@contoso.com".into(), ..user(id, "Sales") }));
    let groups = ["g3", "g1", "g2"].map(|id| group(id, "Same")).to_vec();
    aggregate(&source, Batch { users, groups, ..Batch::default() }).await;
    for limit in 1..=9 {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let page = source.accounts(after, limit).await.unwrap();
            ids.extend(page.items.into_iter().map(|account| account.user.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(ids, ["a", "b", "c", "d", "e", "x1", "x2", "x3"], "{limit}");
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let page = source.groups(after, limit).await.unwrap();
            ids.extend(page.items.into_iter().map(|group| group.group.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(ids, ["g1", "g2", "g3"], "{limit}");
    }
}

#[tokio::test]
async fn look_ups_take_what_people_have_at_hand() {
    let bench = Bench::new();
    let source = bench.source().await;
    let mut batch = support();
    batch.mailboxes.push(mailbox("m2", "Two"));
    batch.mailboxes.push(MailboxRow { name: Some("name-m2".into()), ..mailbox("m3", "Three") });
    batch.mailboxes.push(MailboxRow { kind: MailboxKind::User, ..mailbox("u1", "User u1") });
    batch.mailboxes[3].primary_smtp = "first.user@contoso.com".into();
    aggregate(&source, batch).await;
    for who in ["U1", "u1@CONTOSO.com", "Mail.U1@contoso.com", "first.user@contoso.com"] {
        let found = source.account(who).await.unwrap();
        assert!(matches!(found, Found::One(account) if account.user.id == "u1"), "{who}");
    }
    let found = source.account("u1@contso.com").await.unwrap();
    assert!(matches!(found, Found::Nothing { nearest: Some(name) } if name == "u1@contoso.com"));
    for text in ["M1", "m1@Contoso.com", "o365support", "GUID-m1", "alias-m1", "name-m1"] {
        let found = source.find_mailbox(text).await.unwrap();
        assert!(matches!(found, Found::One(mailbox) if mailbox.key == "m1"), "{text}");
    }
    let found = source.find_mailbox("name-m2").await.unwrap();
    assert!(matches!(found, Found::Many(boxes) if boxes.len() == 2 && boxes[0].key == "m2"));
    let found = source.find_mailbox("O365Suport").await.unwrap();
    assert_eq!(found, Found::Nothing { nearest: Some("O365Support".into()) });
    let found = source.group("staff").await.unwrap();
    assert!(matches!(found, Found::One(group) if group.group.id == "g1" && group.members.len() == 1));
    let members = source.members_of(vec!["g1".into()], MembershipRole::Member).await.unwrap();
    assert_eq!(members, [member("g1", "u1")]);
    assert_eq!(source.memberships_of(vec!["u1".into()], MembershipRole::Member).await.unwrap(), members);
    assert_eq!(source.memberships_of(vec!["u1".into()], MembershipRole::Owner).await.unwrap(), []);
    let names = source.names(vec!["u1".into(), "g1".into(), "m1".into(), "nobody".into()]).await.unwrap();
    assert_eq!(names.len(), 3);
    assert_eq!(names["u1"].kind, ObjectKind::User);
    assert_eq!(names["m1"].address.as_deref(), Some("m1@contoso.com"));
}

#[tokio::test]
async fn one_scan_finds_everybody_by_every_key() {
    let bench = Bench::new();
    let source = bench.source().await;
    let run = begin(&source).await;
    run.write(support()).await.unwrap();
    let wanted =
        ["U1@contoso.com", "s-1-5-21-1-u2", "CN=m1,OU=contoso", "staff", "O365support", "m1", "nobody", ""];
    let found = run.principal_index(wanted.map(Into::into).to_vec()).await.unwrap();
    let short: Vec<_> = found.iter().map(|c| (c.key.as_str(), c.by, c.kind, c.id.as_str())).collect();
    assert_eq!(
        short,
        [
            ("CN=m1,OU=contoso", MatchedBy::DistinguishedName, CandidateKind::Mailbox, "m1"),
            ("O365support", MatchedBy::DisplayName, CandidateKind::Mailbox, "m1"),
            ("U1@contoso.com", MatchedBy::Upn, CandidateKind::User, "u1"),
            ("m1", MatchedBy::Id, CandidateKind::Mailbox, "m1"),
            ("s-1-5-21-1-u2", MatchedBy::Sid, CandidateKind::User, "u2"),
            ("staff", MatchedBy::DisplayName, CandidateKind::Group, "g1"),
        ]
    );
}

#[tokio::test]
async fn sources_do_not_see_each_other() {
    let bench = Bench::new();
    let store = bench.open();
    let contoso = store.source("contoso").await.unwrap();
    let fabrikam = store.source("fabrikam").await.unwrap();
    aggregate(&contoso, support()).await;
    aggregate(&fabrikam, Batch { users: vec![user("u1", "Legal")], ..Batch::default() }).await;
    aggregate(&fabrikam, Batch::default()).await;
    assert_eq!(contoso.counts().await.unwrap().users, 2);
    assert_eq!(feed(&contoso, 0).await.len(), 0);
    assert_eq!(feed(&fabrikam, 0).await, [r#"user u1 {"what":"deleted"}"#]);
    assert_eq!(store.sources().await.unwrap(), ["contoso", "fabrikam"]);
}
