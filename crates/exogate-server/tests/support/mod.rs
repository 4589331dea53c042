//! A simulated tenant in this process, aggregated; a gateway served on loopback; and clients with
//! tokens of a chosen scope.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may fail, and run by the real clock"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use exogate_engine::delta::DeltaOptions;
use exogate_engine::provision::{Patience, Provisioner};
use exogate_engine::view::View;
use exogate_engine::{SourceContext, Tenant};
use exogate_microsoft::TenantSettings;
use exogate_microsoft::caller::Caller;
use exogate_microsoft::cloud::{Cloud, EndpointOverrides, Endpoints};
use exogate_microsoft::signin::Credential;
use exogate_model::clock::Clock;
use exogate_model::policy::ProvisioningPolicy;
use exogate_model::schema::{AttributeRequest, Schema};
use exogate_model::source::SourceOptions;
use exogate_server::auth::certificate::CertificateRule;
use exogate_server::auth::openid::OpenIdJudge;
use exogate_server::auth::{Authenticator, token};
use exogate_server::runs::{RunEnd, RunStart};
use exogate_server::serve::listen::{self, Entrance};
use exogate_server::serve::tls::Tls;
use exogate_server::serve::{self, Front, Limits};
use exogate_server::{Gateway, Life, Meters, RunManager, Scope, Source};
use exogate_sim::{AppSpec, RegisteredApp, RunningSim, Scenario, SimOptions, TenantSource};
use exogate_store::{Journal, Store, Tokens};
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use url::Url;

/// The tenant that the engine's tests read too.
pub const CONTOSO: &str = include_str!("../../../exogate-engine/tests/fixtures/contoso.toml");
/// The source that is always there.
pub const SOURCE: &str = "contoso";

struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The machine's clock.
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(Now)
}

/// What a test may choose.
pub struct Setup {
    pub fixture: String,
    pub scenario: Scenario,
    /// The application that the gateway signs in as.
    pub app: AppSpec,
    pub options: SourceOptions,
    pub account_attributes: Vec<&'static str>,
    pub group_attributes: Vec<&'static str>,
    pub policy: fn(&Schema, &Schema) -> ProvisioningPolicy,
    /// All of the same tenant.
    pub sources: Vec<&'static str>,
    pub limits: Limits,
    /// Whether the sources are read before the first request.
    pub aggregate: bool,
    pub local: Option<Scope>,
    pub tls: Option<Tls>,
    pub certificates: Vec<CertificateRule>,
    pub open_id: Option<OpenIdJudge>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            fixture: CONTOSO.to_owned(),
            scenario: Scenario::default(),
            app: AppSpec::exogate(),
            options: SourceOptions { aggregate_all_groups: true, ..SourceOptions::default() },
            account_attributes: vec![
                "EXO_PrimarySmtpAddress",
                "EXO_EmailAddresses",
                "EXO_CustomAttribute1",
                "EXO_HiddenFromAddressListsEnabled",
            ],
            group_attributes: vec!["EXO_PrimarySmtpAddress", "EXO_HiddenFromAddressListsEnabled"],
            policy: |_, _| ProvisioningPolicy::default(),
            sources: vec![SOURCE],
            limits: Limits::default(),
            aggregate: true,
            local: None,
            tls: None,
            certificates: Vec::new(),
            open_id: None,
        }
    }
}

/// A served gateway, and everything around it.
pub struct Served {
    pub sim: RunningSim,
    pub gateway: Gateway,
    pub tokens: Tokens,
    pub addr: SocketAddr,
    app: RegisteredApp,
    serving: JoinHandle<()>,
    folder: TempDir,
}

impl Served {
    /// The usual one.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        let folder = TempDir::new().unwrap();
        let fixture = folder.path().join("tenant.toml");
        std::fs::write(&fixture, &setup.fixture).unwrap();
        let options = SimOptions {
            tenant: TenantSource::Fixture(fixture),
            scenario: setup.scenario.clone(),
            ..SimOptions::loopback()
        };
        let sim = exogate_sim::start(options).await.unwrap();
        let app = sim.register_app(setup.app.clone().with_generated_secret()).unwrap();
        let gateway = gateway(&setup, &sim, &app, &folder).await;
        if setup.aggregate {
            for source in gateway.sources.values() {
                let run = gateway.runs.start(source, RunStart::full("test")).await.unwrap();
                let end = run.ended().await;
                assert_eq!(end.name(), "completed", "{end:?}");
            }
        }
        let tokens = Tokens::open(folder.path().join("store.tokens"), clock()).unwrap();
        let mut authenticator = Authenticator::nobody()
            .with_tokens(tokens.clone(), clock())
            .with_certificates(setup.certificates);
        if let Some(scope) = setup.local {
            authenticator = authenticator.with_local(scope);
        }
        if let Some(judge) = setup.open_id {
            authenticator = authenticator.with_open_id(judge);
        }
        let front = Front { authenticator, limits: setup.limits, metrics_open: false };
        let listener = listen::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let addr = listener.local_addr().unwrap();
        let router = serve::router(&gateway, front);
        let life = gateway.life.clone();
        let patience = Duration::from_secs(10);
        let entrance = Entrance { listener, tls: setup.tls, limits: setup.limits, patience };
        let serving = tokio::spawn(listen::serve(entrance, router, life));
        Self { sim, gateway, tokens, addr, app, serving, folder }
    }

    pub fn source(&self) -> &Arc<Source> {
        &self.gateway.sources[SOURCE]
    }

    /// Where a path is, such as `/scim/v2/Users`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Where its state is kept.
    pub fn store_path(&self) -> std::path::PathBuf {
        self.folder.path().join("store.db")
    }

    /// A new token of that scope for all sources.
    pub async fn token(&self, scope: Scope) -> String {
        self.token_for(scope, None).await
    }

    /// A new token of that scope for some sources.
    pub async fn token_for(&self, scope: Scope, sources: Option<&[&str]>) -> String {
        let sources = sources.map(|sources| sources.iter().map(|s| (*s).to_owned()).collect());
        let name = format!("{}-{}", scope.name(), uuid::Uuid::new_v4());
        let (secret, kept) = token::mint(&name, scope, sources, None);
        self.tokens.add(kept).await.unwrap();
        secret.expose_secret().to_owned()
    }

    /// A client that shows a new token of that scope.
    pub async fn client(&self, scope: Scope) -> reqwest::Client {
        client_with(Some(&self.token(scope).await))
    }

    /// Reads the tenant again.
    pub async fn aggregate(&self) -> RunEnd {
        let start = RunStart { fresh: true, ..RunStart::full("test") };
        self.gateway.runs.start(self.source(), start).await.unwrap().ended().await
    }

    /// Stops it in good order.
    pub async fn stop(self) {
        self.gateway.life.stopping.cancel();
        self.serving.await.unwrap();
        self.gateway.life.tasks.idle().await;
        self.sim.shutdown().await;
    }
}

/// A client that shows this token, or none.
pub fn client_with(token: Option<&str>) -> reqwest::Client {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    }
    reqwest::Client::builder().default_headers(headers).no_proxy().build().unwrap()
}

async fn gateway(setup: &Setup, sim: &RunningSim, app: &RegisteredApp, folder: &TempDir) -> Gateway {
    let life = Life::default();
    let path = folder.path().join("store.db");
    let store = Store::open(&path, clock()).unwrap();
    let journal = Journal::open(Journal::beside(&path), clock()).unwrap();
    let context = context(setup);
    let policy = Arc::new((setup.policy)(&context.account_schema, &context.group_schema));
    let tenant = tenant(sim, app, setup.options.manage_exchange_online);
    let patience = Patience {
        first: Duration::from_millis(10),
        longest: Duration::from_millis(200),
        deadline: Duration::from_secs(20),
    };
    let meters = Meters::default();
    let mut sources = BTreeMap::new();
    for name in &setup.sources {
        let store = store.source(name).await.unwrap();
        let source = Source {
            name: (*name).to_owned(),
            view: View::new(store.clone(), Arc::clone(&context)),
            provisioner: Provisioner::new(
                tenant.clone(),
                store.clone(),
                journal.clone(),
                Arc::clone(&context),
                patience,
            ),
            store,
            context: Arc::clone(&context),
            policy: Arc::clone(&policy),
            delta: DeltaOptions::default(),
            webhooks: Vec::new(),
            tenant: tenant.clone(),
            journal: journal.clone(),
            life: life.clone(),
            meters: meters.clone(),
            settled: Arc::default(),
        };
        sources.insert((*name).to_owned(), Arc::new(source));
    }
    let runs = RunManager::new("here", std::process::id(), life.clone(), clock());
    Gateway { sources: Arc::new(sources), clock: clock(), runs, life, meters }
}

fn context(setup: &Setup) -> Arc<SourceContext> {
    let requests = |names: &[&str]| {
        names.iter().map(|name| AttributeRequest::Name((*name).to_owned())).collect::<Vec<_>>()
    };
    let exchange = setup.options.manage_exchange_online;
    Arc::new(SourceContext {
        account_schema: Schema::account(&requests(&setup.account_attributes), exchange).unwrap(),
        group_schema: Schema::group(&requests(&setup.group_attributes)).unwrap(),
        options: setup.options.clone(),
    })
}

/// A client of the tenant, impatient as tests are.
fn tenant(sim: &RunningSim, app: &RegisteredApp, exchange: bool) -> Tenant {
    let here = Url::parse(&format!("https://localhost:{}/", sim.addr().port())).unwrap();
    let overrides = EndpointOverrides {
        login: Some(here.clone()),
        graph: Some(here.clone()),
        exchange: Some(here),
        ..EndpointOverrides::default()
    };
    let endpoints = Endpoints::new(Cloud::Public, &overrides).unwrap();
    let credential = Credential::Secret {
        client_id: app.client_id.to_string(),
        secret: app.secret.clone().unwrap().into(),
    };
    let mut settings = TenantSettings::new(app.tenant_id.to_string(), endpoints, credential);
    settings.ca_pem = Some(sim.ca_pem().as_bytes().to_vec());
    settings.retry.backoff = Duration::from_millis(20);
    settings.retry.backoff_cap = Duration::from_millis(200);
    settings.retry.budget = Duration::from_secs(20);
    Tenant::new(Caller::connect(&settings, clock()).unwrap(), exchange)
}
