//! Starting and stopping a simulated tenant in this process.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::listen::{self, Door};
use super::operation::Service;
use crate::ca::{self, CaError, Identity};
use crate::clock::{Clock, ClockOptions};
use crate::fixture::{self, FixtureError};
use crate::generate;
use crate::options::{SimOptions, TenantSource};
use crate::state::State;
use crate::state::save::SaveError;
use crate::trace::Trace;
use crate::world::{World, WorldError};

pub use crate::control::apps::{AppSpec, RegisteredApp};

/// Why a simulated tenant could not start.
#[derive(Debug, Error)]
pub enum SimError {
    #[error(
        "cannot listen on {address}; is another program there, or is the port below 1024 and this program not allowed to?"
    )]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error("the TLS configuration was refused")]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    World(#[from] WorldError),
    #[error("the saved tenant {path} could not be opened or created")]
    File { path: PathBuf, source: std::io::Error },
    #[error("the saved tenant {path} could not be used")]
    Saved { path: PathBuf, source: SaveError },
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    #[error("the tenant could not be made")]
    Generate(#[from] generate::GenerateError),
    #[error("the app could not be registered: {0}")]
    App(String),
}

/// What one needs to know of the tenant to connect to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantFacts {
    pub tenant_id: uuid::Uuid,
    pub display_name: String,
    /// Default domain.
    pub domain: String,
    /// `….onmicrosoft.com`.
    pub initial_domain: String,
    pub users: usize,
    pub groups: usize,
    pub shared_mailboxes: usize,
}

/// A tenant that is being served. Dropping it stops the listeners.
#[derive(Debug)]
pub struct RunningSim {
    addr: SocketAddr,
    imds_addr: Option<SocketAddr>,
    control_addr: Option<SocketAddr>,
    ca_pem: String,
    world: Arc<World>,
    stop: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for RunningSim {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts a simulated tenant.
///
/// # Errors
/// [`SimError`] when an address is taken, a file is wrong or the tenant cannot be made.
pub async fn start(options: SimOptions) -> Result<RunningSim, SimError> {
    let SimOptions { listen, imds_listen, control_listen, state_dir, tenant, scenario, extra_hosts, trace } =
        options;
    let identity =
        ca::identity(state_dir.as_deref(), &extra_hosts, Clock::new(ClockOptions::default()).now())?;
    let now = Clock::new(scenario.clock).now();
    let state = make(tenant, now).await?;
    let world = Arc::new(World::new(state, scenario, state_dir.as_deref(), &trace)?);
    let ca_pem = identity.ca_pem.clone();
    let door = Door::Tls(TlsAcceptor::from(Arc::new(tls(identity)?)));
    let stop = CancellationToken::new();
    let mut tasks = Vec::new();
    let mut open = async |address: SocketAddr, door: Door| -> Result<SocketAddr, SimError> {
        let failed = |source| SimError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        tasks.push(tokio::spawn(listen::serve(listener, door, Arc::clone(&world), stop.clone())));
        Ok(bound)
    };
    let addr = open(listen, door).await?;
    let imds_addr = match imds_listen {
        Some(address) => Some(open(address, Door::Plain(Service::Imds)).await?),
        None => None,
    };
    let control_addr = match control_listen {
        Some(address) => Some(open(address, Door::Plain(Service::Control)).await?),
        None => None,
    };
    Ok(RunningSim { addr, imds_addr, control_addr, ca_pem, world, stop, tasks })
}

async fn make(source: TenantSource, now: crate::clock::Time) -> Result<State, SimError> {
    let make = move || match source {
        TenantSource::Generated(sizes) => Ok(generate::tenant(&sizes, now)?),
        TenantSource::Fixture(path) => Ok(fixture::read(&path, now)?),
        TenantSource::Saved(path) => {
            let file = File::open(&path).map_err(|source| SimError::File { path: path.clone(), source })?;
            State::restore_saved(BufReader::with_capacity(1 << 20, file))
                .map_err(|source| SimError::Saved { path, source })
        }
    };
    // A large tenant takes seconds, which would starve other tasks of a shared runtime.
    match tokio::task::spawn_blocking(make).await {
        Ok(made) => made,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

fn tls(identity: Identity) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl RunningSim {
    /// Where the TLS listener is.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    #[must_use]
    pub fn imds_addr(&self) -> Option<SocketAddr> {
        self.imds_addr
    }

    #[must_use]
    pub fn control_addr(&self) -> Option<SocketAddr> {
        self.control_addr
    }

    /// The authority's certificate in PEM, for clients to trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    #[must_use]
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    #[must_use]
    pub fn tenant(&self) -> TenantFacts {
        let state = self.world.state();
        TenantFacts {
            tenant_id: state.tenant.id,
            display_name: state.tenant.display_name.clone(),
            domain: state.tenant.default_domain().to_owned(),
            initial_domain: state.tenant.initial_domain().to_owned(),
            users: state.count(crate::state::Class::Users),
            groups: state.count(crate::state::Class::Groups),
            shared_mailboxes: state
                .count(crate::state::Class::Recipients(crate::state::RecipientTypeDetails::SharedMailbox)),
        }
    }

    /// Registers an app, with its grants and credentials.
    ///
    /// # Errors
    /// [`SimError::App`] when a certificate cannot be read or a role is not known.
    pub fn register_app(&self, spec: AppSpec) -> Result<RegisteredApp, SimError> {
        let now = self.world.now();
        crate::control::apps::register(&mut self.world.state_mut(), spec, now).map_err(SimError::App)
    }

    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.world.trace
    }

    /// Writes the tenant to a file that [`TenantSource::Saved`] reads.
    ///
    /// # Errors
    /// [`SimError`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), SimError> {
        save(&self.world.state(), path)
    }

    /// Stops the listeners, drops open connections and writes out the trace.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        for task in self.tasks.drain(..) {
            // A listener task that panicked has nothing left to stop.
            let _ = task.await;
        }
        if let Err(error) = self.world.trace.flush() {
            tracing::warn!(%error, "the end of the trace could not be written");
        }
    }
}

/// Writes beside the file and renames, so that a crash leaves the old one.
pub(crate) fn save(state: &State, path: &Path) -> Result<(), SimError> {
    let beside = path.with_extension("part");
    let failed = |source| SimError::File { path: path.to_owned(), source };
    let file = File::create(&beside).map_err(failed)?;
    state
        .save(BufWriter::with_capacity(1 << 20, file))
        .map_err(|source| SimError::Saved { path: path.to_owned(), source })?;
    std::fs::rename(&beside, path).map_err(failed)
}
