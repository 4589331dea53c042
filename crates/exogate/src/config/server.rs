//! `[server]`: where `exogate serve` listens, whom it recognises, and what it lets callers send. Reads and checks;
//! opens nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use exogate_server::Scope;
use exogate_server::serve::Limits;

use super::section::Section;

/// The words for scopes.
const SCOPES: [(&str, Scope); 3] =
    [("read", Scope::Read), ("provision", Scope::Provision), ("admin", Scope::Admin)];

/// The service.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What programs on this machine may do without a credential.
    pub local: Option<Scope>,
    /// How long a stop may take.
    pub stop_within: Duration,
    /// What callers may send.
    pub limits: Limits,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            local: None,
            stop_within: Duration::from_secs(30),
            limits: Limits::default(),
        }
    }
}

impl Server {
    /// Reads the table `server`.
    pub fn read(mut section: Section<'_>) -> Self {
        let mut server = Self::default();
        let listen_line = section.line_of_key("listen");
        if let Some(listen) = section.text("listen") {
            match listen.value.parse() {
                Ok(address) => server.listen = address,
                Err(_) => section.error(
                    listen.line,
                    "listen",
                    format!("{:?} is not an address and port such as \"127.0.0.1:8080\"", listen.value),
                ),
            }
        }
        let local_line = section.line_of_key("local_callers");
        server.local = section.one_of("local_callers", &SCOPES).map(|scope| scope.value);
        if let Some(seconds) = section.integer("stop_within_seconds", 1..=600) {
            server.stop_within = Duration::from_secs(seconds.unsigned_abs());
        }
        if !server.listen.ip().is_loopback() {
            section.error(
                listen_line,
                "listen",
                format!("{} is reached from other machines, which needs TLS", server.listen),
            );
            if server.local.is_some() {
                section.error(
                    local_line,
                    "local_callers",
                    "is for a service that listens on loopback alone; give callers tokens instead",
                );
            }
        }
        server.limits = limits(section.section("limits"));
        section.finish();
        server
    }
}

fn limits(mut section: Section<'_>) -> Limits {
    let mut limits = Limits::default();
    let size = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let seconds = |number: i64| Duration::from_secs(number.unsigned_abs());
    if let Some(megabytes) = section.integer("body_megabytes", 1..=256) {
        limits.body = size(megabytes) * 1024 * 1024;
    }
    if let Some(number) = section.integer("connections", 1..=100_000) {
        limits.connections = size(number);
    }
    if let Some(number) = section.integer("requests_per_second", 0..=1_000_000) {
        limits.requests_per_second = u32::try_from(number).unwrap_or(u32::MAX);
    }
    if let Some(number) = section.integer("head_timeout_seconds", 1..=600) {
        limits.head_time = seconds(number);
    }
    if let Some(number) = section.integer("body_timeout_seconds", 1..=3600) {
        limits.body_time = seconds(number);
    }
    if let Some(number) = section.integer("stall_timeout_seconds", 1..=3600) {
        limits.stall_time = seconds(number);
    }
    section.finish();
    limits
}
