//! How a simulated tenant is started: where it listens, where its directory comes from, how it
//! behaves.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::clock::ClockOptions;
use crate::faults::FaultRule;
use crate::latency::LatencySettings;
use crate::throttle::ThrottleSettings;

pub use crate::generate::Sizes;

/// Where the directory comes from.
#[derive(Clone, Debug)]
pub enum TenantSource {
    /// Made from a seed and sizes.
    Generated(Sizes),
    /// Written by hand: a fixture in TOML or JSON.
    Fixture(PathBuf),
    /// A tenant that was saved before.
    Saved(PathBuf),
}

/// Where the trace goes. Aggregates are kept in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TraceSink {
    #[default]
    Off,
    /// Every record in memory.
    Memory,
    /// Every record as a line of JSON.
    File(PathBuf),
}

/// How to start.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// TLS listener of all services.
    pub listen: SocketAddr,
    /// Plain HTTP listener of the managed-identity endpoints.
    pub imds_listen: Option<SocketAddr>,
    /// Plain HTTP listener of the control API.
    pub control_listen: Option<SocketAddr>,
    /// Keeps the certificate authority, the signing key and saved tenants.
    pub state_dir: Option<PathBuf>,
    pub tenant: TenantSource,
    pub scenario: Scenario,
    /// Further names for the certificate.
    pub extra_hosts: Vec<String>,
    pub trace: TraceSink,
}

impl SimOptions {
    /// A small generated tenant on a free port of the loopback interface.
    #[must_use]
    pub fn loopback() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            imds_listen: None,
            control_listen: None,
            state_dir: None,
            tenant: TenantSource::Generated(Sizes::default()),
            scenario: Scenario::default(),
            extra_hosts: Vec::new(),
            trace: TraceSink::Off,
        }
    }
}

/// Visibility delays in seconds: how long a write stays unseen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VisibilitySettings {
    /// Graph writes to Graph readers.
    pub graph_seconds: f64,
    /// Exchange writes to Exchange readers. Absent: 30 under the latency profile `measured`,
    /// else none.
    pub exchange_seconds: Option<f64>,
    /// Writes of one face to readers of the other. Absent: 60 under `measured`, else none.
    pub cross_face_seconds: Option<f64>,
}

/// Delays of the service's own follow-up work.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProvisioningSettings {
    /// From a licence to its mailbox, and from its loss to the mailbox's disconnection. Absent:
    /// 120 under `measured`, else none.
    pub mailbox_seconds: Option<f64>,
    /// From an act to its audit record.
    pub audit_seconds: f64,
}

impl Default for ProvisioningSettings {
    fn default() -> Self {
        Self { mailbox_seconds: None, audit_seconds: 0.0 }
    }
}

/// How the tenant behaves. Every part has a default; a scenario file names what differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    pub clock: ClockOptions,
    /// Compress answers for clients that take gzip.
    pub compression: bool,
    pub latency: LatencySettings,
    pub visibility: VisibilitySettings,
    pub provisioning: ProvisioningSettings,
    pub throttle: ThrottleSettings,
    pub faults: Vec<FaultRule>,
    pub token: crate::token::TokenKnobs,
    pub graph: crate::graph::GraphKnobs,
    pub exchange: crate::exchange::ExchangeKnobs,
    pub activity: crate::activity::ActivityKnobs,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            clock: ClockOptions::default(),
            compression: true,
            latency: LatencySettings::default(),
            visibility: VisibilitySettings::default(),
            provisioning: ProvisioningSettings::default(),
            throttle: ThrottleSettings::default(),
            faults: Vec::new(),
            token: crate::token::TokenKnobs::default(),
            graph: crate::graph::GraphKnobs::default(),
            exchange: crate::exchange::ExchangeKnobs::default(),
            activity: crate::activity::ActivityKnobs::default(),
        }
    }
}

/// Why a scenario could not be read.
#[derive(Debug, Error)]
pub enum ScenarioError {
    #[error("the scenario {path} could not be read")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the scenario {path} is not valid TOML for a scenario")]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
    #[error("the scenario {path} is not valid JSON for a scenario")]
    Json { path: PathBuf, source: serde_json::Error },
}

impl Scenario {
    /// Reads a scenario file: JSON when its name ends so, else TOML.
    ///
    /// # Errors
    /// [`ScenarioError`] with the place of what is wrong.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
            return serde_json::from_str(&text)
                .map_err(|source| ScenarioError::Json { path: path.to_owned(), source });
        }
        toml::from_str(&text)
            .map_err(|source| ScenarioError::Toml { path: path.to_owned(), source: Box::new(source) })
    }
}
