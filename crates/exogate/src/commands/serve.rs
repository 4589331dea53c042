//! `exogate serve`: all front doors of all sources, until it is told to stop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use exogate_engine::provision::{Patience, Provisioner};
use exogate_engine::view::View;
use exogate_server::auth::Authenticator;
use exogate_server::serve::{self, Front, listen};
use exogate_server::{Gateway, Life, Meters, RunManager, Source};
use exogate_store::Store;
use tokio::net::TcpListener;

use super::{App, change, token};
use crate::config::Config;
use crate::config::server::Server;
use crate::connect;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

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

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let config = app.config()?;
    let mut server = config.server.clone();
    server.listen = args.listen.unwrap_or(server.listen);
    if !server.listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "{} is reached from other machines, which needs TLS",
            server.listen
        ))
        .hint("listen on loopback: exogate serve --listen 127.0.0.1:8080"));
    }
    app.block_on(async {
        let life = Life::default();
        let store = connect::store(&config, &app.environment)?;
        let gateway = gateway(&config, &store, &life, app).await?;
        let tokens = token::open(&config, app)?;
        let no_token = tokens.list().await.map_err(connect::from_store)?.iter().all(|t| t.revoked.is_some());
        let mut authenticator =
            Authenticator::nobody().with_tokens(tokens, Arc::clone(&app.environment.clock));
        if let Some(scope) = server.local {
            authenticator = authenticator.with_local(scope);
        }
        let listener = TcpListener::bind(server.listen).await.map_err(|error| {
            Failure::new(Exit::Failed, error).context(format!("cannot listen on {}", server.listen))
        })?;
        let address = listener.local_addr()?;
        let router = serve::router(&gateway, Front { authenticator, limits: server.limits });
        let patience = server.stop_within.saturating_add(LAST_ANSWERS);
        let serving = tokio::spawn(listen::serve(listener, router, server.limits, life.clone(), patience));
        let stop = app.interrupts.gracefully("stopping (Ctrl-C again stops at once)");
        tell(address, &gateway, no_token && server.local.is_none(), app)?;
        stop.cancelled().await;
        leave(&life, &server).await;
        let _ = serving.await;
        store.flush().await.map_err(connect::from_store)?;
        Ok(Exit::Done)
    })
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
            tenant,
            journal: journal.clone(),
            life: life.clone(),
            meters: meters.clone(),
            settled: Arc::default(),
        };
        sources.insert(source.name.clone(), Arc::new(served));
    }
    let runs = RunManager::new(&app.environment.host, app.environment.process, life.clone());
    let clock = Arc::clone(&app.environment.clock);
    Ok(Gateway { sources: Arc::new(sources), clock, runs, life: life.clone(), meters })
}

fn tell(address: SocketAddr, gateway: &Gateway, no_token: bool, app: &App) -> Result<(), Failure> {
    let names: Vec<&str> = gateway.sources.keys().map(String::as_str).collect();
    if app.global.json {
        let mut stdout = app.console.stdout();
        let value = serde_json::json!({ "listening": format!("http://{address}"), "sources": names });
        crate::output::json_line(&value, &mut stdout)?;
        return Ok(std::io::Write::flush(&mut stdout)?);
    }
    let mut text = format!("exogate serves {} at http://{address}\n", names.join(", "));
    for mount in serve::MOUNTS {
        text.push_str(&format!("  http://{address}{mount}\n"));
    }
    if no_token {
        text.push_str(
            "\nNobody can come in yet. Make a token, from another terminal:\n  exogate token create --name me --scope admin\n",
        );
    }
    text.push_str("Ctrl-C stops it.");
    Ok(app.console.print(&text)?)
}
