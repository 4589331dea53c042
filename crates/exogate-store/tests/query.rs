//! Selections: tests, orders, windows, and when an object last changed.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use exogate_model::group::GroupKind;
use exogate_model::right::Right;
use exogate_store::*;
use jiff::Timestamp;

fn accounts(test: Option<Test>) -> Selection {
    Selection { of: Selected::Accounts, kinds: vec![GroupKind::Security], test, order: Order::default() }
}

fn text(column: Column, comparison: Comparison, value: &str) -> Test {
    Test::Text(column, comparison, value.into())
}

async fn names(source: &SourceStore, selection: Selection, window: Window) -> Vec<String> {
    let keys = source.keys(selection, window).await.unwrap();
    let all = source.accounts_of(keys).await.unwrap();
    all.into_iter().map(|dated| dated.record.user.id).collect()
}

async fn found(source: &SourceStore, test: Test) -> Vec<String> {
    let selection = accounts(Some(test));
    let names = names(source, selection.clone(), Window::All).await;
    assert_eq!(source.count(selection).await.unwrap(), names.len() as u64);
    names
}

fn everything() -> Batch {
    Batch {
        users: vec![
            user("a", "Sales"),
            UserRow { disabled: true, ..user("b", "Sales") },
            UserRow { mail: None, display_name: None, ..user("c", "Sales") },
        ],
        mailboxes: vec![mailbox("a", "Box")],
        groups: vec![group("g1", "Alpha"), group("g2", "beta")],
        memberships: vec![member("g1", "a"), member("g1", "b"), member("g2", "b")],
        ..Batch::default()
    }
}

#[tokio::test]
async fn tests_are_made_by_the_store() {
    let bench = Bench::new();
    let source = bench.source().await;
    aggregate(&source, everything()).await;
    source.set_external_id("a", Some("HR-1".into())).await.unwrap();

    use Comparison::*;
    let cases: Vec<(Test, &[&str])> = vec![
        (text(Column::Name, Equal, "B@CONTOSO.com"), &["b"]),
        (text(Column::Id, Equal, "A"), &["a"]),
        (text(Column::Name, Begins, "C@"), &["c"]),
        (text(Column::Name, Ends, "CONTOSO.COM"), &["a", "b", "c"]),
        (text(Column::Name, Ends, "and far longer than any name@contoso.com"), &[]),
        (text(Column::DisplayName, Contains, "ser B"), &["b"]),
        (text(Column::Name, Greater, "a@contoso.com"), &["b", "c"]),
        (text(Column::Name, LessOrEqual, "b@CONTOSO.COM"), &["a", "b"]),
        // The mailbox's own address counts before the mail attribute.
        (text(Column::Address, Equal, "a@contoso.com"), &["a"]),
        (text(Column::Address, Equal, "mail.a@contoso.com"), &[]),
        (text(Column::Address, Equal, "mail.b@contoso.com"), &["b"]),
        (Test::Present(Column::Address), &["a", "b"]),
        (Test::Not(Box::new(text(Column::DisplayName, Equal, "user a"))), &["b", "c"]),
        (Test::Disabled(true), &["b"]),
        (Test::Member("g1".into()), &["a", "b"]),
        (text(Column::ExternalId, Equal, "HR-1"), &["a"]),
        (text(Column::ExternalId, Equal, "hr-1"), &[]),
        (Test::All(vec![Test::Disabled(false), Test::Member("g1".into())]), &["a"]),
        (
            Test::Any(vec![text(Column::Id, Equal, "c"), text(Column::Name, Equal, "a@contoso.com")]),
            &["a", "c"],
        ),
        (Test::All(vec![]), &["a", "b", "c"]),
        (Test::Any(vec![]), &[]),
        (text(Column::Name, Contains, "%"), &[]),
        (text(Column::Name, Equal, "' OR 1=1 --"), &[]),
    ];
    for (test, wanted) in cases {
        assert_eq!(found(&source, test.clone()).await, wanted, "{test:?}");
    }
}

#[tokio::test]
async fn windows_and_orders() {
    let bench = Bench::new();
    let source = bench.source().await;
    aggregate(&source, everything()).await;

    let from = |skip, limit| Window::From { skip, limit };
    assert_eq!(names(&source, accounts(None), from(1, 1)).await, ["b"]);
    assert_eq!(names(&source, accounts(None), from(3, 10)).await, Vec::<String>::new());
    let by_name = |descending| Selection {
        order: Order { by: OrderBy::Text(Column::DisplayName), descending },
        ..accounts(None)
    };
    assert_eq!(names(&source, by_name(false), Window::All).await, ["a", "b", "c"]);
    assert_eq!(names(&source, by_name(true), Window::All).await, ["c", "b", "a"]);

    let first = names(&source, accounts(None), Window::After { cursor: None, limit: 2 }).await;
    assert_eq!(first, ["a", "b"]);
    let cursor = Some(Cursor::behind("b@contoso.com", "b"));
    assert_eq!(names(&source, accounts(None), Window::After { cursor, limit: 2 }).await, ["c"]);

    let groups = |test| Selection { of: Selected::Groups, ..accounts(test) };
    assert_eq!(source.count(groups(None)).await.unwrap(), 2);
    let of_b = source.keys(groups(Some(Test::Member("B".into()))), Window::All).await.unwrap();
    let whole = source.groups_of(of_b.clone(), Parties::Read).await.unwrap();
    let bare = source.groups_of(of_b, Parties::LeftOut).await.unwrap();
    let ids = |groups: &[Dated<GroupRecord>]| -> Vec<String> {
        groups.iter().map(|dated| dated.record.group.id.clone()).collect()
    };
    assert_eq!((ids(&whole), ids(&bare)), (vec!["g1".into(), "g2".into()], vec!["g1".into(), "g2".into()]));
    for (whole, bare) in whole.iter().zip(&bare) {
        assert!(!whole.record.members.is_empty() && bare.record.members.is_empty());
        assert_eq!(whole.parties, bare.parties);
    }
    let no_kinds = Selection { kinds: vec![], ..groups(None) };
    assert_eq!(source.count(no_kinds).await.unwrap(), 0);
}

#[tokio::test]
async fn what_one_statement_reads_is_what_its_keys_lead_to() {
    let bench = Bench::new();
    let source = bench.source().await;
    let mut all = everything();
    // Two bear one name for a while, whatever its case.
    all.users.push(UserRow { upn: "A@contoso.com".into(), ..user("d", "Sales") });
    let sets = vec![set("a", vec![allow(Right::FullAccess, "b@contoso.com")])];
    aggregate(&source, Batch { grant_sets: sets, ..all }).await;
    source.set_external_id("b", Some("HR-2".into())).await.unwrap();

    let from = |skip, limit| Window::From { skip, limit };
    for (column, value, found) in [
        (Column::Id, "a", 1),
        (Column::Id, "B", 1),
        (Column::Id, "nobody", 0),
        // A group is no account.
        (Column::Id, "g1", 0),
        (Column::Name, "a@CONTOSO.com", 2),
        (Column::Name, "b@contoso.com", 1),
        (Column::Name, "", 0),
    ] {
        let test = text(column, Comparison::Equal, value);
        for (window, most) in
            [(Window::All, 9), (from(0, 9), 9), (from(0, 1), 1), (from(0, 0), 0), (from(1, 9), 9)]
        {
            for descending in [false, true] {
                let order = Order { descending, ..Order::default() };
                let selection = Selection { order, ..accounts(Some(test.clone())) };
                let keys = source.keys(selection.clone(), window.clone()).await.unwrap();
                let skipped = usize::from(window == from(1, 9));
                assert_eq!(keys.len(), usize::min(found, most).saturating_sub(skipped), "{value} {window:?}");
                let wanted = (source.accounts_of(keys.clone()).await.unwrap(), keys.len());
                assert_eq!(source.accounts_in(selection, window.clone()).await.unwrap(), wanted);
            }
        }
    }
    let Found::One(one) = source.account("B").await.unwrap() else { panic!("it is there") };
    assert_eq!((one.user.id.as_str(), one.groups.len()), ("b", 2));
}

async fn changed(source: &SourceStore, id: &str) -> Timestamp {
    let keys =
        source.keys(accounts(Some(text(Column::Id, Comparison::Equal, id))), Window::All).await.unwrap();
    source.accounts_of(keys).await.unwrap()[0].changed
}

#[tokio::test]
async fn an_object_is_dated_by_whatever_changes_about_it() {
    let bench = Bench::new();
    let source = bench.source().await;
    let boxed = || Batch { mailboxes: vec![mailbox("m", "Box")], ..everything() };
    aggregate(&source, boxed()).await;
    let baseline = changed(&source, "a").await;

    bench.clock.forward(60);
    aggregate(&source, boxed()).await;
    assert_eq!(changed(&source, "a").await, baseline, "reading it again changes nothing");

    bench.clock.forward(60);
    let mut next = boxed();
    next.users[0] = user("a", "Marketing");
    next.memberships.retain(|row| row.member != "b" || row.group != "g2");
    next.grant_sets = vec![set("m", vec![allow(Right::FullAccess, "c@contoso.com")])];
    aggregate(&source, next).await;
    let second = changed(&source, "a").await;
    assert!(second > baseline, "an attribute");
    assert!(changed(&source, "b").await > baseline, "a membership");
    assert!(changed(&source, "c").await > baseline, "a right");

    let since = |at| accounts(Some(Test::When(Moment::Changed, Comparison::Greater, at)));
    assert_eq!(source.count(since(baseline)).await.unwrap(), 3);
    assert_eq!(source.count(since(second)).await.unwrap(), 0);

    bench.clock.forward(60);
    source.set_external_id("b", Some("x".into())).await.unwrap();
    assert_eq!(source.count(since(second)).await.unwrap(), 1);
    bench.clock.forward(60);
    let third = changed(&source, "b").await;
    source.set_external_id("b", None).await.unwrap();
    assert!(changed(&source, "b").await > third);
}
