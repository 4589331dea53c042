//! Listings by plain conditions: what they find, in which order, and across pages.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use exogate_model::group::GroupKind;
use exogate_model::mailbox::MailboxKind;
use exogate_store::*;

async fn stored() -> (Bench, SourceStore) {
    let bench = Bench::new();
    let source = bench.source().await;
    let mut users: Vec<_> = (1..=7).map(|n| user(&format!("u{n}"), "Sales")).collect();
    users[2].disabled = true;
    users[3].display_name = Some("Ärmel Weiß".into());
    // Two that bear one UPN: a page may end between them.
    users[5].upn = users[4].upn.clone();
    let mut room = mailbox("u1", "Room 1");
    room.kind = MailboxKind::Room;
    let mut list = group("g2", "Everybody");
    list.kind = GroupKind::DistributionList;
    let batch = Batch {
        users,
        mailboxes: vec![mailbox("m1", "O365Support"), mailbox("m2", "Sales"), room],
        groups: vec![group("g1", "Staff"), list, group("g3", "Other staff")],
        memberships: vec![member("g1", "u1"), member("g1", "u6"), member("g2", "u1")],
        grant_sets: vec![set("m1", vec![])],
        ..Batch::default()
    };
    aggregate(&source, batch).await;
    (bench, source)
}

async fn accounts(source: &SourceStore, filter: AccountFilter, limit: usize) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = source.accounts_where(filter.clone(), after, limit).await.unwrap();
        assert!(page.items.len() <= limit);
        found.extend(page.items.into_iter().map(|account| account.user.id));
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

#[tokio::test]
async fn accounts_answer_to_every_condition_on_pages_of_every_size() {
    let (_bench, source) = stored().await;
    let none = AccountFilter::default();
    let cases = [
        (none.clone(), vec!["u1", "u2", "u3", "u4", "u5", "u6", "u7"]),
        (AccountFilter { disabled: Some(true), ..none.clone() }, vec!["u3"]),
        (AccountFilter { has_mailbox: Some(true), ..none.clone() }, vec!["u1"]),
        (AccountFilter { has_mailbox: Some(false), disabled: Some(true), ..none.clone() }, vec!["u3"]),
        (AccountFilter { group: Some("G1".into()), ..none.clone() }, vec!["u1", "u6"]),
        (AccountFilter { group: Some("nowhere".into()), ..none.clone() }, vec![]),
        (AccountFilter { text: Some("ÄRMEL".into()), ..none.clone() }, vec!["u4"]),
        (AccountFilter { text: Some("mail.U7".into()), ..none.clone() }, vec!["u7"]),
        (AccountFilter { text: Some("%".into()), ..none.clone() }, vec![]),
    ];
    for (filter, wanted) in cases {
        for limit in [1, 2, 3, 100] {
            assert_eq!(accounts(&source, filter.clone(), limit).await, wanted, "{filter:?} by {limit}");
        }
    }
}

#[tokio::test]
async fn groups_and_mailboxes_answer_to_every_condition() {
    let (_bench, source) = stored().await;
    let groups = |text: Option<&str>, kinds: &[GroupKind], member: Option<&str>| {
        let filter = GroupFilter {
            text: text.map(str::to_owned),
            kinds: kinds.to_vec(),
            member: member.map(str::to_owned),
        };
        let source = source.clone();
        async move {
            let page = source.groups_where(filter, None, 10).await.unwrap();
            page.items.into_iter().map(|group| group.group.id).collect::<Vec<_>>()
        }
    };
    let all = [GroupKind::Security, GroupKind::DistributionList];
    assert_eq!(groups(None, &all, None).await, ["g2", "g3", "g1"]);
    assert_eq!(groups(None, &all[1..], None).await, ["g2"]);
    assert_eq!(groups(Some("STAFF"), &all, None).await, ["g3", "g1"]);
    assert_eq!(groups(Some("STAFF"), &all, Some("u1")).await, ["g1"]);
    assert!(groups(None, &[], None).await.is_empty());

    let mailboxes = |filter: MailboxFilter| {
        let source = source.clone();
        async move {
            let page = source.mailboxes_where(filter, None, 10).await.unwrap();
            page.items.into_iter().map(|record| record.mailbox.key).collect::<Vec<_>>()
        }
    };
    let none = MailboxFilter::default();
    assert_eq!(mailboxes(none.clone()).await, ["m1", "m2", "u1"]);
    assert_eq!(mailboxes(MailboxFilter { kind: Some(MailboxKind::Room), ..none.clone() }).await, ["u1"]);
    assert_eq!(mailboxes(MailboxFilter { text: Some("sales".into()), ..none.clone() }).await, ["m2"]);
    let first = source.mailboxes_where(none, None, 2).await.unwrap();
    let rest = source.mailboxes_where(MailboxFilter::default(), first.next, 2).await.unwrap();
    assert_eq!(rest.items.len(), 1);
    assert!(rest.next.is_none());
}
