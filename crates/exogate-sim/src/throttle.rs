//! Limits: calls in flight and calls per minute for Exchange, resource units for Graph. It counts
//! and decides; how a refusal looks is part of the settings, who sends it is the listener.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use http::header::{HeaderName, RETRY_AFTER};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::latency::{LatencySettings, Profile};
use crate::server::Reply;

/// How a refused Exchange call is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottleShape {
    /// 429 with `Retry-After`.
    #[default]
    RetryAfter,
    /// 429 and nothing else.
    Bare,
    /// 200 with the plain text that the service puts where JSON is expected.
    PlainText,
    /// 503 with that plain text.
    PlainTextUnavailable,
    /// 429 with that plain text.
    PlainText429,
    /// 503 without a body.
    Unavailable,
    /// Each of the above in turn.
    Rotate,
}

/// Limits of the Exchange admin API.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExchangeLimits {
    /// Calls in flight per tenant. Absent: 10 under the latency profile `measured`, else none;
    /// 0: none.
    pub concurrency: Option<u32>,
    /// Calls per minute per tenant; 0: no limit.
    pub per_minute: u32,
    pub shape: ThrottleShape,
    pub retry_after_seconds: u32,
}

impl Default for ExchangeLimits {
    fn default() -> Self {
        Self { concurrency: None, per_minute: 0, shape: ThrottleShape::RetryAfter, retry_after_seconds: 10 }
    }
}

/// Size class of a tenant, which decides its read quota in Graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GraphSize {
    /// Not limited.
    Off,
    /// 3,500 units per 10 seconds.
    S,
    /// 5,000 units per 10 seconds.
    M,
    /// 8,000 units per 10 seconds.
    L,
}

/// Limits of Graph.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphLimits {
    /// Absent: L under the latency profile `measured`, else off.
    pub size: Option<GraphSize>,
    /// Read units per 10 seconds in place of the size's.
    pub read_units: Option<u32>,
    /// Writes per 150 seconds of one app in one tenant.
    pub writes: u32,
    /// Tell the share in use in a header once it passes 0.8.
    pub percentage_header: bool,
}

impl Default for GraphLimits {
    fn default() -> Self {
        Self { size: None, read_units: None, writes: 3000, percentage_header: true }
    }
}

/// Throttle settings of a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThrottleSettings {
    pub exchange: ExchangeLimits,
    pub graph: GraphLimits,
}

/// What a Graph request costs whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pub tenant: Uuid,
    pub app: Uuid,
    pub units: u32,
    pub write: bool,
}

/// What Graph charged.
#[derive(Clone, Debug, PartialEq)]
pub enum Charge {
    /// Go on; the share in use when it is worth telling.
    Allowed {
        percentage: Option<f64>,
    },
    Refused {
        retry_after: u32,
        scope: String,
        information: &'static str,
    },
}

/// A bucket that empties over a window.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    used: f64,
    at: f64,
}

impl Bucket {
    /// Charges `amount`; on refusal, the milliseconds until there is room.
    fn charge(&mut self, amount: f64, limit: f64, window_ms: f64, now_ms: f64) -> Result<f64, f64> {
        let elapsed = (now_ms - self.at).max(0.0);
        self.at = now_ms;
        self.used = (self.used - elapsed * limit / window_ms).max(0.0);
        if self.used + amount > limit && self.used > 0.0 {
            return Err((self.used + amount - limit) * window_ms / limit);
        }
        self.used += amount;
        Ok(self.used / limit)
    }
}

#[derive(Debug, Default)]
struct Buckets {
    exchange: Bucket,
    graph_reads: HashMap<Uuid, Bucket>,
    graph_writes: HashMap<Uuid, Bucket>,
    graph_tenant_writes: Bucket,
    refusals: u64,
}

/// The counters.
#[derive(Debug, Default)]
pub struct Throttle {
    exchange_in_flight: AtomicU32,
    buckets: Mutex<Buckets>,
}

/// An Exchange call that was let in; dropping it makes room again.
#[derive(Debug)]
pub struct Admission<'a>(&'a Throttle);

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        self.0.exchange_in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The text with which Exchange refuses beyond its concurrency.
pub const PLAIN_TEXT: &str =
    "You have reached the maximum number of concurrent requests per tenant. Please wait and try again";

impl ThrottleSettings {
    /// Calls of Exchange that may be in flight; `None` = any number.
    #[must_use]
    pub fn exchange_concurrency(&self, profile: Profile) -> Option<u32> {
        match (self.exchange.concurrency, profile) {
            (Some(0), _) | (None, Profile::Zero) => None,
            (Some(limit), _) => Some(limit),
            (None, Profile::Measured) => Some(10),
        }
    }

    fn graph_read_units(&self, profile: Profile) -> Option<u32> {
        if let Some(units) = self.graph.read_units {
            return (units > 0).then_some(units);
        }
        match (self.graph.size, profile) {
            (Some(GraphSize::Off), _) | (None, Profile::Zero) => None,
            (Some(GraphSize::S), _) => Some(3500),
            (Some(GraphSize::M), _) => Some(5000),
            (Some(GraphSize::L), _) | (None, Profile::Measured) => Some(8000),
        }
    }
}

/// `Retry-After` in real seconds, never less than one.
fn scaled_seconds(seconds: f64, scale: f64) -> u32 {
    (seconds / scale).ceil().clamp(1.0, 86_400.0) as u32
}

impl Throttle {
    /// Calls of Exchange in flight now.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.exchange_in_flight.load(Ordering::Relaxed)
    }

    /// Lets an Exchange call in, or answers it. `now_ms` is simulated time.
    ///
    /// # Errors
    /// The refusal to send.
    pub fn admit(
        &self,
        settings: &ThrottleSettings,
        latency: &LatencySettings,
        calls: u32,
        now_ms: f64,
    ) -> Result<Admission<'_>, Box<Reply>> {
        let limits = &settings.exchange;
        let held = self.exchange_in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        let admission = Admission(self);
        let mut wait = None;
        if settings.exchange_concurrency(latency.profile).is_some_and(|limit| held > limit) {
            wait = Some(f64::from(limits.retry_after_seconds));
        } else if limits.per_minute > 0 {
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            let charged = buckets.exchange.charge(
                f64::from(calls.max(1)),
                f64::from(limits.per_minute),
                60_000.0,
                now_ms,
            );
            wait = charged.err().map(|ms| ms / 1000.0);
        }
        match wait {
            None => Ok(admission),
            Some(seconds) => {
                Err(Box::new(self.refusal(limits.shape, scaled_seconds(seconds, latency.scale()))))
            }
        }
    }

    fn refusal(&self, shape: ThrottleShape, retry_after: u32) -> Reply {
        const IN_TURN: [ThrottleShape; 6] = [
            ThrottleShape::RetryAfter,
            ThrottleShape::Bare,
            ThrottleShape::PlainText,
            ThrottleShape::PlainTextUnavailable,
            ThrottleShape::PlainText429,
            ThrottleShape::Unavailable,
        ];
        let turn = {
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            buckets.refusals += 1;
            buckets.refusals - 1
        };
        let shape = match shape {
            ThrottleShape::Rotate => IN_TURN[(turn % IN_TURN.len() as u64) as usize],
            other => other,
        };
        let text = |status| Reply::with(status, "text/plain; charset=utf-8", PLAIN_TEXT);
        match shape {
            ThrottleShape::RetryAfter | ThrottleShape::Rotate => Reply::status(StatusCode::TOO_MANY_REQUESTS)
                .header(RETRY_AFTER, &retry_after.to_string())
                .header(HeaderName::from_static("rate-limit-reason"), "ConcurrencyLimit"),
            ThrottleShape::Bare => Reply::status(StatusCode::TOO_MANY_REQUESTS),
            ThrottleShape::PlainText => text(StatusCode::OK),
            ThrottleShape::PlainTextUnavailable => text(StatusCode::SERVICE_UNAVAILABLE),
            ThrottleShape::PlainText429 => text(StatusCode::TOO_MANY_REQUESTS),
            ThrottleShape::Unavailable => Reply::status(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    /// Charges Graph's resource units to an app. `now_ms` is simulated time.
    pub(crate) fn charge_units(
        &self,
        settings: &ThrottleSettings,
        latency: &LatencySettings,
        demand: &Demand,
        now_ms: f64,
    ) -> Charge {
        let Demand { tenant, app, units, write } = *demand;
        let Some(limit) = settings.graph_read_units(latency.profile) else {
            return Charge::Allowed { percentage: None };
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = |ms: f64, information| Charge::Refused {
            retry_after: scaled_seconds(ms / 1000.0, latency.scale()),
            scope: format!("Tenant_Application/ReadWrite/{app}/{tenant}"),
            information,
        };
        if write {
            let writes = f64::from(settings.graph.writes.max(1));
            let bucket = buckets.graph_writes.entry(app).or_default();
            if let Err(ms) = bucket.charge(1.0, writes, 150_000.0, now_ms) {
                return refused(ms, "WriteLimitExceeded");
            }
            if let Err(ms) = buckets.graph_tenant_writes.charge(1.0, 18_000.0, 300_000.0, now_ms) {
                return refused(ms, "WriteLimitExceeded");
            }
        }
        let bucket = buckets.graph_reads.entry(app).or_default();
        match bucket.charge(f64::from(units), f64::from(limit), 10_000.0, now_ms) {
            Err(ms) => refused(ms, "ResourceUnitLimitExceeded"),
            Ok(share) => Charge::Allowed {
                percentage: (settings.graph.percentage_header && share > 0.8).then_some(share),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::LatencySettings;

    fn limits(concurrency: u32, shape: ThrottleShape) -> ThrottleSettings {
        ThrottleSettings {
            exchange: ExchangeLimits { concurrency: Some(concurrency), shape, ..ExchangeLimits::default() },
            ..ThrottleSettings::default()
        }
    }

    #[test]
    fn every_shape_of_refusal_looks_as_it_has_been_seen() {
        let latency = LatencySettings::default();
        for (shape, status, retry_after, text) in [
            (ThrottleShape::RetryAfter, 429, Some("10"), ""),
            (ThrottleShape::Bare, 429, None, ""),
            (ThrottleShape::PlainText, 200, None, PLAIN_TEXT),
            (ThrottleShape::PlainTextUnavailable, 503, None, PLAIN_TEXT),
            (ThrottleShape::PlainText429, 429, None, PLAIN_TEXT),
            (ThrottleShape::Unavailable, 503, None, ""),
        ] {
            let throttle = Throttle::default();
            let settings = limits(1, shape);
            let held = throttle.admit(&settings, &latency, 1, 0.0).unwrap();
            let refusal = throttle.admit(&settings, &latency, 1, 0.0).unwrap_err();
            assert_eq!(refusal.status.as_u16(), status, "{shape:?}");
            let header = refusal.headers.get(RETRY_AFTER).map(|v| v.to_str().unwrap());
            assert_eq!(header, retry_after, "{shape:?}");
            assert_eq!(refusal.body.to_bytes(), text.as_bytes());
            assert_eq!(throttle.in_flight(), 1, "a refused call is not in flight");
            drop(held);
            assert!(throttle.admit(&settings, &latency, 1, 0.0).is_ok());
        }
    }

    #[test]
    fn shapes_rotate() {
        let (throttle, latency) = (Throttle::default(), LatencySettings::default());
        let settings = limits(1, ThrottleShape::Rotate);
        let _held = throttle.admit(&settings, &latency, 1, 0.0).unwrap();
        let statuses: Vec<u16> = (0..7)
            .map(|_| throttle.admit(&settings, &latency, 1, 0.0).unwrap_err().status.as_u16())
            .collect();
        assert_eq!(statuses, [429, 429, 200, 503, 429, 503, 429]);
    }

    #[test]
    fn the_default_limit_follows_the_profile() {
        let settings = ThrottleSettings::default();
        assert_eq!(settings.exchange_concurrency(Profile::Zero), None);
        assert_eq!(settings.exchange_concurrency(Profile::Measured), Some(10));
        assert_eq!(limits(0, ThrottleShape::Bare).exchange_concurrency(Profile::Measured), None);
    }

    #[test]
    fn a_rate_limit_refuses_and_recovers() {
        let (throttle, latency) = (Throttle::default(), LatencySettings::default());
        let mut settings = limits(0, ThrottleShape::RetryAfter);
        settings.exchange.per_minute = 60;
        let admitted = (0..100).filter(|_| throttle.admit(&settings, &latency, 1, 0.0).is_ok()).count();
        assert_eq!(admitted, 60);
        assert!(throttle.admit(&settings, &latency, 1, 500.0).is_err());
        assert!(throttle.admit(&settings, &latency, 1, 1500.0).is_ok());
    }

    #[test]
    fn resource_units_are_charged_by_the_table_and_told_near_the_end() {
        let (throttle, latency) = (Throttle::default(), LatencySettings::default());
        let mut settings = ThrottleSettings::default();
        settings.graph.size = Some(GraphSize::S);
        let (tenant, app) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let charge = |app, units, write, now| {
            throttle.charge_units(&settings, &latency, &Demand { tenant, app, units, write }, now)
        };
        assert_eq!(charge(app, 2700, false, 0.0), Charge::Allowed { percentage: None });
        let Charge::Allowed { percentage: Some(share) } = charge(app, 200, false, 0.0) else {
            panic!("the share is not told");
        };
        assert!((0.82..0.84).contains(&share), "{share}");
        let Charge::Refused { retry_after, scope, information } = charge(app, 1000, false, 0.0) else {
            panic!("not refused");
        };
        assert_eq!((retry_after, information), (2, "ResourceUnitLimitExceeded"));
        assert!(scope.starts_with("Tenant_Application/ReadWrite/"));
        // Another app has its own quota, and time brings room.
        assert!(matches!(charge(Uuid::from_u128(3), 1000, false, 0.0), Charge::Allowed { .. }));
        assert!(matches!(charge(app, 1000, false, 2000.0), Charge::Allowed { .. }));
        // Writes have a bucket of their own.
        let writer = Uuid::from_u128(4);
        let written =
            (0..4000).filter(|_| matches!(charge(writer, 0, true, 0.0), Charge::Allowed { .. })).count();
        assert_eq!(written, 3000);
    }
}
