//! What the store tests and what is tested in memory agree: for any filter, the objects that the
//! store's part and the rest let through are those that the whole filter lets through.

use std::sync::Arc;
use std::time::Duration;

use exogate_engine::SourceContext;
use exogate_engine::view::View;
use exogate_model::clock::Clock;
use exogate_model::group::{GroupKind, MemberKind, MembershipRole};
use exogate_model::mailbox::MailboxKind;
use exogate_model::schema::Schema;
use exogate_model::source::SourceOptions;
use exogate_store::{
    Batch, Coverage, Finish, GroupRow, Holder, MailboxRow, MembershipRow, Order, RunRequest, RunState,
    Selected, Selection, SourceStore, Store, Test, UserRow, Window,
};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::filter::{self, push};
use super::resource::{self, Resource};
use super::schema::{Attribute, Kind, ResourceKind, ResourceType};

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_780_000_000).unwrap()
    }
}

const NAMES: [&str; 12] =
    ["Anna", "anna", "ANNA B", "Bo", "Émile", "émile", "Zoë", "Kelvin K", "", "a'b\"c", "%_", "ab"];

async fn filled(folder: &std::path::Path) -> SourceStore {
    let store = Store::open(folder.join("state.db"), Arc::new(Fixed)).unwrap();
    let source = store.source("contoso").await.unwrap();
    let mut batch = Batch { stream: "all".into(), ..Batch::default() };
    for (number, name) in NAMES.iter().enumerate() {
        let id = format!("id{number}");
        let upn = format!("{}{number}@contoso.com", name.replace(' ', "."));
        batch.users.push(UserRow {
            id: id.clone(),
            upn: upn.clone(),
            display_name: (number % 4 != 3).then(|| (*name).to_owned()),
            mail: (number % 3 != 0).then(|| format!("M{upn}")),
            disabled: number % 2 == 0,
            ..UserRow::default()
        });
        if number % 5 == 0 {
            batch.mailboxes.push(MailboxRow {
                key: id.clone(),
                kind: MailboxKind::User,
                display_name: (*name).to_owned(),
                primary_smtp: format!("Box{number}@contoso.com"),
                exchange_guid: None,
                name: None,
                alias: None,
                distinguished_name: None,
                legacy_dn: None,
                upn: None,
                attributes: Default::default(),
            });
        }
        batch.memberships.push(MembershipRow {
            group: if number % 2 == 0 { "shown".into() } else { "hidden".into() },
            role: MembershipRole::Member,
            member: id,
            member_kind: MemberKind::User,
        });
    }
    for (id, kind) in [("shown", GroupKind::Security), ("hidden", GroupKind::DistributionList)] {
        batch.groups.push(GroupRow {
            id: id.into(),
            kind,
            display_name: id.into(),
            mail: None,
            sid: None,
            attributes: Default::default(),
        });
    }
    let run = source
        .begin_or_resume(RunRequest {
            scope: "all".into(),
            fingerprint: "1".into(),
            holder: Holder { who: "t".into(), host: "t".into(), pid: 1 },
            fresh_for: Duration::from_secs(60),
        })
        .await
        .unwrap();
    run.write(batch).await.unwrap();
    let covered = vec![Coverage::Users, Coverage::Groups, Coverage::Mailboxes, Coverage::Memberships];
    let (streams, notes) = (Vec::new(), Vec::new());
    run.finish(Finish {
        state: RunState::Completed,
        covered,
        delete_unseen: true,
        streams,
        notes,
        cursors: Vec::new(),
    })
    .await
    .unwrap();
    source.set_external_id("id1", Some("X-1".into())).await.unwrap();
    source.set_external_id("id2", Some("é".into())).await.unwrap();
    source
}

fn users() -> ResourceType {
    let text = |name: &str| Attribute::text(name, "");
    let list = |name: &str, sub: Vec<Attribute>| Attribute::complex(name, "", sub).many();
    super::tests::resource_type(vec![
        text("userName"),
        text("displayName"),
        Attribute::new("active", Kind::Boolean, ""),
        list("emails", vec![text("value"), text("type"), Attribute::new("primary", Kind::Boolean, "")]),
        list("groups", vec![text("value").exact(), text("type")]),
        text("title"),
    ])
}

fn any_filter() -> impl Strategy<Value = String> {
    let attribute = proptest::sample::select(vec![
        "userName",
        "displayName",
        "emails.value",
        "emails",
        "id",
        "externalId",
        "title",
        "groups.value",
    ]);
    let op = proptest::sample::select(vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
    let value = proptest::sample::select(vec![
        "anna",
        "ANNA",
        "a",
        "k",
        "émile",
        "É",
        "@contoso.com",
        "box0@CONTOSO.com",
        "id1",
        "ID1",
        "X-1",
        "x-1",
        "é",
        "shown",
        "Shown",
        "hidden",
        "%",
        "'",
        "zz",
        "Manna1@contoso.com",
        "",
    ]);
    let compared = (attribute.clone(), op, value)
        .prop_map(|(attribute, op, value)| format!("{attribute} {op} {}", serde_json::Value::from(value)));
    let leaf = prop_oneof![
        6 => compared,
        1 => attribute.prop_map(|attribute| format!("{attribute} pr")),
        1 => any::<bool>().prop_map(|flag| format!("active eq {flag}")),
        1 => Just("emails[type eq \"work\" and value co \"BOX\"]".to_owned()),
        1 => proptest::sample::select(vec!["gt", "ge", "lt", "le", "eq", "ne"])
            .prop_map(|op| format!("meta.lastModified {op} \"2026-05-28T20:26:40Z\"")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) or ({b})")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

#[test]
fn the_store_and_memory_agree() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let source = runtime.block_on(filled(folder.path()));
    let context = Arc::new(SourceContext {
        options: SourceOptions::default(),
        account_schema: Schema::account(&[], true).unwrap(),
        group_schema: Schema::group(&[]).unwrap(),
    });
    let (view, of) = (View::new(source.clone(), context), users());
    let found = |test: Option<Test>| -> Vec<Resource> {
        let kinds = vec![GroupKind::Security];
        let selection = Selection { of: Selected::Accounts, kinds, test, order: Order::default() };
        runtime.block_on(async {
            let count = source.count(selection.clone()).await.unwrap();
            let keys = source.keys(selection, Window::All).await.unwrap();
            assert_eq!(keys.len() as u64, count);
            let all = source.accounts_of(keys).await.unwrap();
            all.into_iter().map(|one| resource::user(one, &view, &of, "")).collect()
        })
    };
    let all = found(None);
    assert_eq!(all.len(), NAMES.len());
    let mut runner = TestRunner::new(Config { cases: 400, ..Config::default() });
    runner
        .run(&any_filter(), |text| {
            let expr = filter::compile(&text, &of, None).unwrap();
            let ids = |resources: &[Resource]| -> Vec<String> {
                resources.iter().map(|one| resource::id_of(one).to_owned()).collect()
            };
            let wanted: Vec<Resource> =
                all.iter().filter(|one| filter::matches(&expr, one)).cloned().collect();
            let pushed = push(&expr, ResourceKind::User);
            let mut got = found(pushed.test);
            got.retain(|one| pushed.rest.as_ref().is_none_or(|rest| filter::matches(rest, one)));
            prop_assert_eq!(ids(&got), ids(&wanted), "{}", text);
            Ok(())
        })
        .unwrap();
}
