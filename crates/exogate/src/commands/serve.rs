//! `exogate serve`: all front doors of all sources, until it is told to stop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use exogate_engine::provision::{Patience, Provisioner};
use exogate_engine::view::View;
use exogate_server::auth::Authenticator;
use exogate_server::auth::keys::HttpKeys;
use exogate_server::auth::openid::OpenIdJudge;
use exogate_server::serve::listen::{self, Entrance};
use exogate_server::serve::tls::Tls;
use exogate_server::serve::{self, Front, schedule};
use exogate_server::traces::{self, Exporter, TraceLayer, TraceSettings};
use exogate_server::webhook;
use exogate_server::{Gateway, Life, Meters, RunManager, Source};
use exogate_store::{Store, Tokens};
use http::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret;

use super::{App, change, token};
use crate::config::Config;
use crate::config::server::{OpenId, Server, must_not_listen};
use crate::connect;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::logging;

/// Serve all front doors until told to stop.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Listens where [server] of the configuration says, on http://127.0.0.1:8080 by default. Every caller shows a token, made
with `exogate token create`. SIGTERM or Ctrl-C stops it in good order: runs stop at their checkpoints, changes under
way come to their end.

Examples:
  exogate token create --name me --scope admin
  exogate serve
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8080/api/v1/sources")]
pub struct Args {
    /// Where to listen, instead of where the configuration says.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// After the service stopped, answers still under way have this long to leave.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// After that, the last traces have this long to leave.
const LAST_TRACES: Duration = Duration::from_secs(3);
/// Between two attempts to settle what an interrupted process left.
const SETTLE_AGAIN: Duration = Duration::from_secs(30);

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let config = app.config()?;
    let mut server = config.server.clone();
    server.listen = args.listen.unwrap_or(server.listen);
    if let Some(why) = must_not_listen(server.listen, &server) {
        return Err(Failure::usage(format!("{} {why}", server.listen))
            .hint("or listen on loopback: exogate serve --listen 127.0.0.1:8080"));
    }
    let tls = server.tls.clone().map(Tls::open).transpose();
    let tls = tls.map_err(|error| Failure::new(Exit::Usage, error).context("server.tls"))?;
    let (layer, exporter) = traces(&server, app)?.unzip();
    logging::start_service(&app.global, app.console.stderr_styled(), layer);
    app.block_on(async {
        let life = Life::default();
        let store = connect::store(&config, &app.environment)?;
        let gateway = gateway(&config, &store, &life, app).await?;
        let exporting = exporter.map(|exporter| exporter.start(gateway.meters.clone()));
        let tokens = token::open(&config, app)?;
        let no_token = tokens.list().await.map_err(connect::from_store)?.iter().all(|t| t.revoked.is_some());
        let nobody =
            no_token && server.local.is_none() && server.open_id.is_none() && server.certificates.is_empty();
        let front = Front {
            authenticator: authenticator(&server, tokens, app)?,
            limits: server.limits,
            metrics_open: server.metrics_open,
        };
        let listener = listen::bind(server.listen).map_err(|error| {
            Failure::new(Exit::Failed, error).context(format!("cannot listen on {}", server.listen))
        })?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let origin = format!("{scheme}://{}", listener.local_addr()?);
        let router = serve::router(&gateway, front);
        let patience = server.stop_within.saturating_add(LAST_ANSWERS);
        let entrance = Entrance { listener, tls, limits: server.limits, patience };
        let serving = tokio::spawn(listen::serve(entrance, router, life.clone()));
        for source in gateway.sources.values() {
            tokio::spawn(settle(Arc::clone(source)));
        }
        let schedules = config.sources.iter().map(|one| (one.name.clone(), one.schedule.clone())).collect();
        schedule::keep(&gateway, schedules);
        webhook::keep(&gateway);
        let stop = app.interrupts.gracefully("stopping (Ctrl-C again stops at once)");
        tell(&origin, &gateway, nobody, app)?;
        stop.cancelled().await;
        leave(&life, &server).await;
        let _ = serving.await;
        if let Some(exporting) = exporting
            && tokio::time::timeout(LAST_TRACES, exporting.finish()).await.is_err()
        {
            tracing::warn!("the last traces are lost: their collector does not answer");
        }
        store.flush().await.map_err(connect::from_store)?;
        Ok(Exit::Done)
    })
}

/// What notes traces and what delivers them, where the configuration says where to.
fn traces(server: &Server, app: &App) -> Result<Option<(TraceLayer, Exporter)>, Failure> {
    let Some(configured) = &server.traces else { return Ok(None) };
    let wrong = |error: anyhow::Error| Failure::new(Exit::Usage, error).context("server.traces");
    let mut headers = HeaderMap::new();
    if let Some((name, secret)) = &configured.credential {
        let secret = secret.fetch(&app.environment).map_err(|error| wrong(error.into()))?;
        let mut value = HeaderValue::from_str(secret.expose_secret())
            .map_err(|_| wrong(anyhow::anyhow!("the credential holds what no header can hold")))?;
        value.set_sensitive(true);
        headers.insert(name.clone(), value);
    }
    let authorities = configured.ca_file.as_deref().map(std::fs::read).transpose();
    let settings = TraceSettings {
        endpoint: configured.endpoint.to_string(),
        headers,
        authorities: authorities.map_err(|error| wrong(error.into()))?,
        sample_percent: configured.sample_percent,
        service: configured.service_name.clone(),
        host: app.environment.host.clone(),
        process: app.environment.process,
    };
    let clock = Arc::clone(&app.environment.clock);
    Ok(Some(traces::new(settings, clock).map_err(|error| wrong(error.into()))?))
}

fn authenticator(server: &Server, tokens: Tokens, app: &App) -> Result<Authenticator, Failure> {
    let clock = || Arc::clone(&app.environment.clock);
    let mut authenticator =
        Authenticator::nobody().with_tokens(tokens, clock()).with_certificates(server.certificates.clone());
    if let Some(scope) = server.local {
        authenticator = authenticator.with_local(scope);
    }
    if let Some(OpenId { settings, keys, ca_file }) = &server.open_id {
        let wrong = |error: anyhow::Error| Failure::new(Exit::Usage, error).context("server.openid");
        let authorities = ca_file.as_deref().map(std::fs::read).transpose();
        let authorities = authorities.map_err(|error| wrong(error.into()))?;
        let keys = HttpKeys::new(&settings.issuer, keys.as_deref(), authorities.as_deref());
        let keys = Arc::new(keys.map_err(|error| wrong(error.into()))?);
        authenticator = authenticator.with_open_id(OpenIdJudge::new(settings.clone(), keys, clock()));
    }
    Ok(authenticator)
}

/// Settles what an interrupted process left, as soon as the tenant can be read. A change that comes before waits for
/// the same.
async fn settle(source: Arc<Source>) {
    while let Err(error) = source.settle().await {
        tracing::warn!(source = source.name, %error, "what an earlier process left cannot be settled yet");
        tokio::select! {
            () = tokio::time::sleep(SETTLE_AGAIN) => {}
            () = source.life.stopping.cancelled() => return,
        }
    }
}

/// Stops in good order: nothing new, runs to their checkpoints, changes to their end or, late, to that of the
/// operation they are at.
async fn leave(life: &Life, server: &Server) {
    life.stopping.cancel();
    let most = server.stop_within.mul_f32(0.8);
    if tokio::time::timeout(most, life.tasks.idle()).await.is_ok() {
        return;
    }
    life.leaving.cancel();
    let rest = server.stop_within.saturating_sub(most);
    if tokio::time::timeout(rest, life.tasks.idle()).await.is_err() {
        tracing::warn!(open = life.tasks.count(), "work is cut off; it is settled at the next start");
    }
}

async fn gateway(config: &Config, store: &Store, life: &Life, app: &App) -> Result<Gateway, Failure> {
    let journal = change::journal(app, config)?;
    let meters = Meters::default();
    let mut sources = BTreeMap::new();
    for source in &config.sources {
        let tenant = connect::tenant(source, &app.environment)?;
        let context = Arc::new(connect::context(source));
        let kept = store.source(&source.name).await.map_err(connect::from_store)?;
        let served = Source {
            name: source.name.clone(),
            view: View::new(kept.clone(), Arc::clone(&context)),
            provisioner: Provisioner::new(
                tenant.clone(),
                kept.clone(),
                journal.clone(),
                Arc::clone(&context),
                Patience::default(),
            ),
            store: kept,
            context,
            policy: Arc::new(source.policy.clone()),
            delta: source.delta.clone(),
            webhooks: connect::webhooks(source, &app.environment)?,
            tenant,
            journal: journal.clone(),
            life: life.clone(),
            meters: meters.clone(),
            settled: Arc::default(),
        };
        sources.insert(source.name.clone(), Arc::new(served));
    }
    let clock = Arc::clone(&app.environment.clock);
    let runs =
        RunManager::new(&app.environment.host, app.environment.process, life.clone(), Arc::clone(&clock));
    Ok(Gateway { sources: Arc::new(sources), clock, runs, life: life.clone(), meters })
}

fn tell(origin: &str, gateway: &Gateway, nobody: bool, app: &App) -> Result<(), Failure> {
    let names: Vec<&str> = gateway.sources.keys().map(String::as_str).collect();
    if app.global.json {
        let mut stdout = app.console.stdout();
        let value = serde_json::json!({ "listening": origin, "sources": names });
        crate::output::json_line(&value, &mut stdout)?;
        return Ok(std::io::Write::flush(&mut stdout)?);
    }
    let mut text = format!("exogate serves {} at {origin}\n", names.join(", "));
    for mount in serve::MOUNTS {
        text.push_str(&format!("  {origin}{mount}\n"));
    }
    if nobody {
        text.push_str(
            "\nNobody can come in yet. Make a token, from another terminal:\n  exogate token create --name me --scope admin\n",
        );
    }
    text.push_str("Ctrl-C stops it.");
    Ok(app.console.print(&text)?)
}
