//! How long the tenant takes: profiles of simulated latency per cmdlet and kind of call, scaled.
//! It computes durations; the listener sleeps.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::server::operation::{Item, Operation, Service};

/// A table of latencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Answers come as fast as they are made.
    #[default]
    Zero,
    /// As others measured the service, or near it where nobody did.
    Measured,
}

/// Latency settings of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LatencySettings {
    pub profile: Profile,
    /// Divides every latency, throttle window and `Retry-After`; the clock is not touched.
    pub time_scale: f64,
    /// Share by which latencies vary, such as 0.2; by request number, so the same in every run.
    pub jitter: f64,
    /// Milliseconds by cmdlet or by operation name as the trace shows it.
    pub per_operation: BTreeMap<String, u64>,
}

impl Default for LatencySettings {
    fn default() -> Self {
        Self { profile: Profile::Zero, time_scale: 1.0, jitter: 0.0, per_operation: BTreeMap::new() }
    }
}

/// Cmdlet, milliseconds for one object by identity, milliseconds for a page of a listing.
const MEASURED: [(&str, u64, u64); 18] = [
    ("Get-MailboxPermission", 846, 846),
    ("Get-RecipientPermission", 602, 1800),
    ("Get-InboxRule", 995, 995),
    ("Get-Mailbox", 500, 2200),
    ("Get-CASMailbox", 500, 1900),
    ("Get-Recipient", 400, 1500),
    ("Get-User", 400, 1500),
    ("Get-DistributionGroup", 450, 1600),
    ("Get-DistributionGroupMember", 500, 500),
    ("Get-DynamicDistributionGroup", 450, 1200),
    ("Get-DynamicDistributionGroupMember", 900, 900),
    ("Get-UnifiedGroup", 600, 2400),
    ("Get-MailboxStatistics", 700, 700),
    ("Get-MailboxFolderPermission", 650, 650),
    ("Get-OrganizationConfig", 450, 450),
    ("Get-AcceptedDomain", 350, 350),
    ("Search-UnifiedAuditLog", 4000, 4000),
    ("New-Mailbox", 6000, 6000),
];

impl LatencySettings {
    /// How much faster than the real service this one runs.
    #[must_use]
    pub fn scale(&self) -> f64 {
        if self.time_scale.is_finite() && self.time_scale > 0.0 { self.time_scale } else { 1.0 }
    }

    /// Work of one operation in simulated time, `number` being the request's.
    #[must_use]
    pub fn work(&self, operation: &Operation, number: u64) -> Duration {
        let millis: f64 = if operation.items.is_empty() {
            self.millis(operation.service, &operation.name, operation.by_identity, operation.write)
        } else {
            // A batch runs its items one after another.
            operation.items.iter().map(|item| self.item(operation.service, item)).sum()
        };
        if self.jitter <= 0.0 {
            return Duration::from_secs_f64(millis / 1000.0);
        }
        let unit = crate::faults::unit_random(number, 0x1a7e_4c1e);
        let factor = 1.0 + self.jitter.min(0.95) * (2.0 * unit - 1.0);
        Duration::from_secs_f64(millis * factor / 1000.0)
    }

    fn item(&self, service: Service, item: &Item) -> f64 {
        self.millis(service, &item.name, item.by_identity, item.write)
    }

    fn millis(&self, service: Service, name: &str, by_identity: bool, write: bool) -> f64 {
        let own = self.per_operation.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        let millis = match (own, self.profile) {
            (Some((_, millis)), _) => *millis,
            (None, Profile::Zero) => 0,
            (None, Profile::Measured) => measured(service, name, by_identity, write),
        };
        millis as f64
    }
}

fn measured(service: Service, name: &str, by_identity: bool, write: bool) -> u64 {
    match service {
        Service::Token | Service::Imds => 120,
        Service::Activity => 300,
        Service::Control | Service::Unknown => 0,
        Service::Graph if write => 180,
        Service::Graph if by_identity => 70,
        Service::Graph if name.contains("delta") => 400,
        Service::Graph => 250,
        Service::Exchange => {
            let known = MEASURED.iter().find(|(n, ..)| n.eq_ignore_ascii_case(name));
            match known {
                Some((_, single, list)) => *if by_identity { single } else { list },
                None if write => 1100,
                None => 600,
            }
        }
    }
}
