//! What compiling a plan costs, against reading from the store the rows that it needs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use exogate_engine::provision::snapshot::references;
use exogate_engine::provision::{Rules, Snapshot, compile};
use exogate_model::clock::FixedClock;
use exogate_model::group::GroupKind;
use exogate_model::plan::Plan;
use exogate_model::policy::ProvisioningPolicy;
use exogate_model::schema::{Schema, SchemaError};
use exogate_model::source::SourceOptions;
use exogate_model::value::AttributeValue;
use exogate_store::{Found, SourceStore, Store, StoreError};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::child;
use crate::table::{self, Table, seconds};
use crate::tenant::Tenant;

/// Reads under way at once, as the compiler has them.
const AT_ONCE: usize = 8;

/// One way of doing a part of the work.
#[derive(Default)]
struct Part {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Part {
    async fn time<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let (begun, cpu) = (Instant::now(), child::cpu_of(std::process::id())?);
        let done = work.await?;
        self.wall.push(begun.elapsed().as_secs_f64());
        self.cpu.push((child::cpu_of(std::process::id())? - cpu).as_secs_f64());
        Ok(done)
    }

    fn row(&self, name: &str, table: &mut Table) {
        let (least, most) = table::range(&self.wall);
        let shown = |number: f64| seconds(Duration::from_secs_f64(number));
        table.row([
            name.to_owned(),
            shown(table::median(&self.wall)),
            shown(least),
            shown(most),
            shown(table::median(&self.cpu)),
        ]);
    }
}

/// Prints the table and gives the ratio.
pub async fn run(accounts: usize, requests: usize, rounds: usize) -> Result<f64> {
    println!("\ncompiling {requests} requests over a state of {accounts} accounts");
    println!("machine: {}\n", table::machine());
    let mut tenant = Tenant::start(&[
        "--users".to_owned(),
        accounts.to_string(),
        "--shared".to_owned(),
        (accounts / 20).max(1).to_string(),
        "--groups".to_owned(),
        (accounts / 10).max(1).to_string(),
    ])?;
    tenant.aggregate()?;
    let store = open(&tenant.folder().join("exogate.db")).await?;
    let plan = plan_of(&store, requests).await?;
    tenant.stop()?;

    let schema = |checked: Result<Schema, Vec<SchemaError>>| {
        checked.map_err(|errors| anyhow::anyhow!("no schema: {:?}", errors.first()))
    };
    let (account, group) = (schema(Schema::account(&[], true))?, schema(Schema::group(&[]))?);
    let (policy, options) = (ProvisioningPolicy::default(), SourceOptions::default());
    let rules = Rules { account_schema: &account, group_schema: &group, policy: &policy, options: &options };
    let [mut reading, mut looking, mut compiling, mut both]: [Part; 4] = Default::default();
    let mut operations = 0;
    // Once around first: nothing is measured against cold pages.
    read_rows(&store, &plan).await?;
    for _ in 0..rounds.max(1) {
        reading.time(read_rows(&store, &plan)).await?;
        let whole = async {
            let snapshot = looking.time(async { Ok(Snapshot::of(&store, &plan).await?) }).await?;
            compiling
                .time(async {
                    compile(&plan, &snapshot, rules)
                        .map_err(|errors| anyhow::anyhow!("the plan is refused: {:?}", errors.first()))
                })
                .await
        };
        operations = both.time(whole).await?.len();
    }
    let mut table = Table::new(["", "wall", "least", "most", "CPU"]);
    reading.row("read the rows", &mut table);
    looking.row("look everything up", &mut table);
    compiling.row("compile", &mut table);
    both.row("both", &mut table);
    table.print();
    let ratio = table::median(&both.wall) / table::median(&reading.wall);
    println!(
        "\n{operations} operations; look-up and compiling ÷ reading the rows: {ratio:.3}, goal at most 3"
    );
    Ok(ratio)
}

async fn open(path: &Path) -> Result<SourceStore> {
    let store = Store::open(path, Arc::new(FixedClock(Timestamp::UNIX_EPOCH)))?;
    match store.sources().await?.as_slice() {
        [name] => Ok(store.source(name).await?),
        names => bail!("the store holds {} sources", names.len()),
    }
}

/// Half of the requests give a right on a mailbox, half put somebody into a group.
async fn plan_of(store: &SourceStore, requests: usize) -> Result<Plan> {
    let (mut people, mut labels, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    let mut after = None;
    while people.len() < requests {
        let page = store.accounts(after, 1000).await?;
        let able = page.items.into_iter().filter(|account| account.mailbox.is_some());
        people.extend(able.map(|account| account.user.upn));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut after = None;
    loop {
        let page = store.entitlements(after, 1000).await?;
        labels.extend(page.items.into_iter().filter_map(|entitlement| entitlement.mailbox.label));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut after = None;
    loop {
        let page = store.groups(after, 1000).await?;
        groups.extend(page.items.into_iter().filter_map(|record| {
            let synced =
                record.group.attributes.get("onPremisesSyncEnabled") == Some(&AttributeValue::Boolean(true));
            (record.group.kind == GroupKind::Security && !synced).then_some(record.group.id)
        }));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if people.len() < requests || labels.is_empty() || groups.is_empty() {
        bail!(
            "the tenant is too small: {} people, {} labels, {} groups",
            people.len(),
            labels.len(),
            groups.len()
        );
    }
    let asked: Vec<Value> = people
        .iter()
        .take(requests)
        .enumerate()
        .map(|(number, person)| {
            let (name, value) = match number % 2 {
                0 => ("sharedMailbox", format!("{}: FullAccess", labels[number / 2 % labels.len()])),
                _ => ("groups", groups[number / 2 % groups.len()].clone()),
            };
            json!({"account": person, "attributes": [{"op": "add", "name": name, "value": value}]})
        })
        .collect();
    Ok(serde_json::from_value(json!({ "accounts": asked }))?)
}

/// Reads the rows of everything that the plan names, and does nothing with them.
async fn read_rows(store: &SourceStore, plan: &Plan) -> Result<()> {
    let named = references(plan);
    all(named.accounts, |name| async move { store.account(&name).await.map(drop) }).await?;
    all(named.mailboxes, |name| async move {
        if let Found::One(mailbox) = store.find_mailbox(&name).await? {
            store.grants_of_mailbox(&mailbox.key).await?;
        }
        Ok(())
    })
    .await?;
    all(named.groups, |name| async move {
        if let Found::One(record) = store.group(&name).await? {
            store.grants_of_principals(vec![record.group.id]).await?;
        }
        Ok(())
    })
    .await?;
    Ok(())
}

async fn all<F>(names: BTreeSet<String>, read: impl Fn(String) -> F) -> Result<(), StoreError>
where
    F: Future<Output = Result<(), StoreError>>,
{
    futures::stream::iter(names).map(read).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await.map(drop)
}
