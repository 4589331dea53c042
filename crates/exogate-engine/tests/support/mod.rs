//! A simulated tenant in this process, an engine that reads it, and what it stored as plain text.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may fail, and run by the real clock"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use exogate_engine::aggregate::{self, Aggregation, Progress, RunSummary, Scope};
use exogate_engine::view::View;
use exogate_engine::{SourceContext, Tenant};
use exogate_microsoft::TenantSettings;
use exogate_microsoft::caller::Caller;
use exogate_microsoft::cloud::{Cloud, EndpointOverrides, Endpoints};
use exogate_microsoft::signin::Credential;
use exogate_model::clock::Clock;
use exogate_model::schema::{AttributeRequest, Schema};
use exogate_model::source::SourceOptions;
use exogate_sim::{AppSpec, RegisteredApp, RunningSim, Scenario, SimOptions, Sizes, TenantSource, TraceSink};
use exogate_store::{Holder, SourceStore, Store};
use futures::TryStreamExt;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use url::Url;

pub const CONTOSO: &str = include_str!("../fixtures/contoso.toml");

pub struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A simulated tenant with one registered application.
pub struct Sim {
    pub running: RunningSim,
    app: RegisteredApp,
    _folder: TempDir,
}

impl Sim {
    /// The tenant of a fixture.
    pub async fn of(fixture: &str, scenario: Scenario) -> Self {
        Self::with_app(fixture, scenario, AppSpec::exogate()).await
    }

    pub async fn with_app(fixture: &str, scenario: Scenario, app: AppSpec) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("tenant.toml");
        std::fs::write(&path, fixture).unwrap();
        Self::start(TenantSource::Fixture(path), scenario, app, folder).await
    }

    /// A generated tenant.
    pub async fn generated(sizes: Sizes, scenario: Scenario) -> Self {
        let folder = TempDir::new().unwrap();
        Self::start(TenantSource::Generated(sizes), scenario, AppSpec::exogate(), folder).await
    }

    async fn start(tenant: TenantSource, scenario: Scenario, app: AppSpec, folder: TempDir) -> Self {
        let options = SimOptions { tenant, scenario, trace: TraceSink::Memory, ..SimOptions::loopback() };
        let running = exogate_sim::start(options).await.unwrap();
        let app = running.register_app(app.with_generated_secret()).unwrap();
        Self { running, app, _folder: folder }
    }

    /// The application that signs in.
    pub fn client_id(&self) -> uuid::Uuid {
        self.app.client_id
    }

    /// A client of the tenant, impatient as tests are.
    pub fn tenant(&self, exchange: bool) -> Tenant {
        self.tenant_by(exchange, Arc::new(Now))
    }

    /// The same by another clock.
    pub fn tenant_by(&self, exchange: bool, clock: Arc<dyn Clock>) -> Tenant {
        Tenant::new(Caller::connect(&self.settings(), clock).unwrap(), exchange)
    }

    /// How the tenant is reached.
    pub fn settings(&self) -> TenantSettings {
        let here = format!("https://localhost:{}/", self.running.addr().port());
        let secret = self.app.secret.as_deref().unwrap();
        let mut settings =
            settings(&here, &self.app.tenant_id.to_string(), self.app.client_id.to_string(), secret);
        settings.ca_pem = Some(self.running.ca_pem().as_bytes().to_vec());
        settings
    }
}

/// How a tenant is reached by a client that is impatient, as tests are.
pub fn settings(here: &str, tenant: &str, client_id: String, secret: &str) -> TenantSettings {
    let here = Url::parse(here).unwrap();
    let overrides = EndpointOverrides {
        login: Some(here.clone()),
        graph: Some(here.clone()),
        exchange: Some(here.clone()),
        activity: Some(here),
        ..EndpointOverrides::default()
    };
    let endpoints = Endpoints::new(Cloud::Public, &overrides).unwrap();
    let credential = Credential::Secret { client_id, secret: secret.to_owned().into() };
    let mut settings = TenantSettings::new(tenant, endpoints, credential);
    settings.retry.backoff = Duration::from_millis(20);
    settings.retry.backoff_cap = Duration::from_millis(200);
    settings.retry.budget = Duration::from_secs(20);
    settings
}

/// Options and schema of a source.
pub fn context(options: SourceOptions) -> Arc<SourceContext> {
    let requests = |names: &[&str]| {
        names.iter().map(|name| AttributeRequest::Name((*name).to_owned())).collect::<Vec<_>>()
    };
    let exchange = options.manage_exchange_online;
    let account: &[&str] =
        if exchange { &["EXO_PrimarySmtpAddress", "EXO_CustomAttribute1", "EXO_ImapEnabled"] } else { &[] };
    let group: &[&str] = if exchange { &["EXO_PrimarySmtpAddress"] } else { &[] };
    Arc::new(SourceContext {
        account_schema: Schema::account(&requests(account), exchange).unwrap(),
        group_schema: Schema::group(&requests(group)).unwrap(),
        options,
    })
}

/// A source in a store of its own.
pub struct Source {
    pub store: SourceStore,
    whole: Store,
    pub context: Arc<SourceContext>,
    path: PathBuf,
    _folder: TempDir,
}

impl Source {
    pub async fn new(options: SourceOptions) -> Self {
        Self::by(options, Arc::new(Now)).await
    }

    /// A source by another clock.
    pub async fn by(options: SourceOptions, clock: Arc<dyn Clock>) -> Self {
        Self::open(TempDir::new().unwrap(), context(options), clock).await
    }

    /// A source in the store of a folder; what is there is kept.
    pub async fn open(folder: TempDir, context: Arc<SourceContext>, clock: Arc<dyn Clock>) -> Self {
        let path = folder.path().join("store.db");
        let whole = Store::open(&path, clock).unwrap();
        let store = whole.source("contoso").await.unwrap();
        Self { store, whole, context, path, _folder: folder }
    }

    /// Copies what is on the disk into another folder: what a process finds that starts after this one
    /// was killed.
    pub fn copy_to(&self, folder: &TempDir) {
        for name in ["store.db", "store.db-wal"] {
            let from = self.path.with_file_name(name);
            if from.exists() {
                std::fs::copy(from, folder.path().join(name)).unwrap();
            }
        }
    }

    /// Waits until everything handed to the store is done.
    pub async fn flush(&self) {
        self.whole.flush().await.unwrap();
    }

    /// Waits until what a run was writing when it was dropped is written, and it has given up its lease.
    pub async fn let_go(&self) {
        let given_up = async {
            while self.store.runs(1).await.unwrap().iter().any(|run| run.alive) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), given_up).await.expect("a lease is given up");
    }

    pub fn aggregation(&self, tenant: &Tenant) -> Aggregation {
        Aggregation {
            tenant: tenant.clone(),
            store: self.store.clone(),
            context: Arc::clone(&self.context),
            scope: Scope::All,
            holder: Holder { who: "tester".into(), host: "here".into(), pid: std::process::id() },
            fresh_for: aggregate::FRESH_FOR,
            progress: Arc::new(Progress::new()),
            cancel: CancellationToken::new(),
            allow_deletions: false,
        }
    }

    /// Reads everything.
    pub async fn aggregate(&self, tenant: &Tenant) -> RunSummary {
        aggregate::run(self.aggregation(tenant)).await.unwrap()
    }

    pub fn view(&self) -> View {
        View::new(self.store.clone(), Arc::clone(&self.context))
    }

    /// All that governance sees, as text that can be compared and read.
    pub async fn picture(&self) -> String {
        let view = self.view();
        let mut lines = Vec::new();
        // When the simulated tenant made an object is its own business.
        const MADE: &str = "createdDateTime";
        for mut account in view.accounts().try_collect::<Vec<_>>().await.unwrap() {
            account.attributes.remove(MADE);
            lines.push(serde_json::to_string(&account).unwrap());
        }
        for mut group in view.groups().try_collect::<Vec<_>>().await.unwrap() {
            group.attributes.remove(MADE);
            lines.push(serde_json::to_string(&group).unwrap());
        }
        for entitlement in view.entitlements().try_collect::<Vec<_>>().await.unwrap() {
            if entitlement.right == exogate_model::right::Right::FullAccess {
                for effective in [false, true] {
                    let who = view.who(&entitlement.address, effective).await.unwrap();
                    for row in who.rows {
                        lines.push(format!(
                            "{} {effective} {} {} {:?} {} {} {:?}",
                            who.label, row.right, row.holder.name, row.via, row.deny, row.inherited, row.note
                        ));
                    }
                }
            }
            lines.push(serde_json::to_string(&entitlement).unwrap());
        }
        lines.join("\n")
    }
}

/// Fails with the lines that differ.
#[track_caller]
pub fn assert_same(found: &str, wanted: &str, what: &str) {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    let (found, wanted) = (lines(found), lines(wanted));
    let extra: Vec<_> = found.difference(&wanted).collect();
    let missing: Vec<_> = wanted.difference(&found).collect();
    assert!(extra.is_empty() && missing.is_empty(), "{what}\nextra: {extra:#?}\nmissing: {missing:#?}");
}
