//! The doors and, in the same process, a bare handler that gives the same bytes without any work.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Json, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
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
use exogate_server::auth::{Authenticator, token};
use exogate_server::serve::listen::{self, Entrance};
use exogate_server::serve::{self, Front, Limits};
use exogate_server::{Gateway, Life, Meters, RunManager, Scope, Source};
use exogate_store::{Journal, Store, Tokens};
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::load::FRESH;

/// The name that the simulated tenant's configuration gives its source.
pub const SOURCE: &str = "simulated";
/// What a stream from memory is made of.
const CHUNK: usize = 32 * 1024;

#[derive(clap::Args)]
pub struct Args {
    /// The store to serve.
    #[arg(long)]
    store: PathBuf,
}

struct Now;

impl Clock for Now {
    #[allow(clippy::disallowed_methods, reason = "a binary hands the machine's clock in")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Answers by path.
#[derive(Clone)]
struct Bare {
    doors: Router,
    token: String,
    copies: Arc<RwLock<HashMap<String, (HeaderValue, Bytes)>>>,
}

pub async fn run(args: &Args) -> Result<()> {
    crate::http::install_provider();
    let clock: Arc<dyn Clock> = Arc::new(Now);
    let gateway = gateway(&args.store, &clock).await?;
    let tokens = Tokens::open(args.store.with_extension("bench-tokens"), Arc::clone(&clock))?;
    let (secret, kept) = token::mint("bench", Scope::Admin, None, None);
    tokens.add(kept).await?;
    let authenticator = Authenticator::nobody().with_tokens(tokens, clock);
    let limits = Limits::default();
    let doors = serve::router(&gateway, Front { authenticator, limits, metrics_open: false });
    let token = secret.expose_secret().to_owned();
    let bare = Bare { doors: doors.clone(), token: token.clone(), copies: Arc::default() };
    let plain = Router::new()
        .route("/copy", post(copy).layer(DefaultBodyLimit::disable()))
        .route("/stream", get(stream))
        .fallback(copied)
        .with_state(bare);
    let [ours, theirs] = [TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?];
    let facts = serde_json::json!({
        "doors": format!("http://{}", ours.local_addr()?),
        "bare": format!("http://{}", theirs.local_addr()?),
        "token": token,
    });
    println!("{facts}");
    let life = gateway.life.clone();
    let entrance = |listener| Entrance { listener, tls: None, limits, patience: Duration::ZERO };
    let second = listen::serve(entrance(theirs), plain, life.clone());
    tokio::join!(listen::serve(entrance(ours), doors, life), second);
    Ok(())
}

/// Takes over what the doors answer to these paths.
async fn copy(State(bare): State<Bare>, Json(paths): Json<Vec<String>>) -> Result<(), StatusCode> {
    let mut copies = HashMap::with_capacity(paths.len());
    for path in paths {
        let request = Request::get(&path)
            .header(header::AUTHORIZATION, format!("Bearer {}", bare.token))
            .body(Body::empty())
            .map_err(|_| StatusCode::BAD_REQUEST)?;
        let Ok(response) = bare.doors.clone().oneshot(request).await;
        if response.status() != StatusCode::OK {
            return Err(StatusCode::BAD_GATEWAY);
        }
        let media = response.headers().get(header::CONTENT_TYPE).cloned().ok_or(StatusCode::BAD_GATEWAY)?;
        let body = response.into_body().collect().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
        copies.insert(path, (media, body.to_bytes()));
    }
    *bare.copies.write().unwrap_or_else(PoisonError::into_inner) = copies;
    Ok(())
}

async fn copied(State(bare): State<Bare>, uri: http::Uri) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = path.find(FRESH).map_or(path, |at| &path[..at - 1]);
    let copies = bare.copies.read().unwrap_or_else(PoisonError::into_inner);
    match copies.get(path) {
        Some((media, body)) => ([(header::CONTENT_TYPE, media.clone())], body.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[derive(Deserialize)]
struct Wanted {
    bytes: usize,
}

/// Lines from memory.
async fn stream(Query(wanted): Query<Wanted>) -> Response {
    let mut line = vec![b'x'; 1023];
    line.push(b'\n');
    let chunk = Bytes::from(line.repeat(CHUNK / line.len()));
    let chunks = std::iter::repeat_n(chunk, wanted.bytes.div_ceil(CHUNK));
    let chunks = futures::stream::iter(chunks.map(Ok::<_, std::convert::Infallible>));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(chunks)).into_response()
}

/// A gateway over a store. Its tenant is nowhere: reading needs none.
async fn gateway(path: &Path, clock: &Arc<dyn Clock>) -> Result<Gateway> {
    let life = Life::default();
    let store = Store::open(path, Arc::clone(clock))?;
    let journal = Journal::open(Journal::beside(path), Arc::clone(clock))?;
    let name = store.sources().await?.into_iter().next().context("the store holds no source")?;
    anyhow::ensure!(name == SOURCE, "the store holds {name:?} instead of {SOURCE:?}");
    let store = store.source(&name).await?;
    // As the simulated tenant's own configuration has it.
    let options = SourceOptions::default();
    let attributes = [
        "EXO_PrimarySmtpAddress",
        "EXO_EmailAddresses",
        "EXO_Alias",
        "EXO_RecipientTypeDetails",
        "EXO_HiddenFromAddressListsEnabled",
    ];
    let attributes = attributes.map(|name| AttributeRequest::Name(name.to_owned()));
    let plain = |errors: Vec<exogate_model::schema::SchemaError>| anyhow::anyhow!("{errors:?}");
    let context = Arc::new(SourceContext {
        account_schema: Schema::account(&attributes, true).map_err(plain)?,
        group_schema: Schema::group(&[]).map_err(plain)?,
        options,
    });
    let endpoints = Endpoints::new(Cloud::Public, &EndpointOverrides::default())?;
    let credential = Credential::Secret { client_id: "none".to_owned(), secret: "none".to_owned().into() };
    let settings = TenantSettings::new("none".to_owned(), endpoints, credential);
    let tenant = Tenant::new(Caller::connect(&settings, Arc::clone(clock))?, true);
    let provisioner = Provisioner::new(
        tenant.clone(),
        store.clone(),
        journal.clone(),
        Arc::clone(&context),
        Patience::default(),
    );
    let meters = Meters::default();
    let source = Source {
        name: name.clone(),
        view: View::new(store.clone(), Arc::clone(&context)),
        store,
        context,
        policy: Arc::new(ProvisioningPolicy::default()),
        tenant,
        provisioner,
        journal,
        life: life.clone(),
        meters: meters.clone(),
        delta: DeltaOptions::default(),
        webhooks: Vec::new(),
        settled: Arc::default(),
    };
    let sources = BTreeMap::from([(name, Arc::new(source))]);
    let runs = RunManager::new("bench", std::process::id(), life.clone(), Arc::clone(clock));
    Ok(Gateway { sources: Arc::new(sources), clock: Arc::clone(clock), runs, life, meters })
}
