//! What a caller may send: how much, how fast, how often.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The limits of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest body, in bytes.
    pub body: usize,
    /// How long a body may take to arrive.
    pub body_time: Duration,
    /// How long the head of a request may take, a connection's idle time included.
    pub head_time: Duration,
    /// How long a connection may take nothing of an answer.
    pub stall_time: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Requests per second and caller; zero: as many as they like.
    pub requests_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 8 * 1024 * 1024,
            body_time: Duration::from_secs(60),
            head_time: Duration::from_secs(30),
            stall_time: Duration::from_secs(60),
            connections: 1024,
            requests_per_second: 0,
        }
    }
}

/// Callers remembered at most.
const MOST: usize = 4096;

/// One bucket of tokens per caller: filled at a rate, emptied by requests.
#[derive(Debug)]
pub struct Rate {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Rate {
    /// So many per second, and twice as many at once; zero: no limit.
    pub fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, burst: per_second * 2.0, buckets: Mutex::default() }
    }

    /// Whether there is a limit at all.
    pub fn is_limited(&self) -> bool {
        self.per_second > 0.0
    }

    /// Takes one, or says how long to wait for it.
    pub fn take(&self, who: &str) -> Result<(), Duration> {
        if !self.is_limited() {
            return Ok(());
        }
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST && !buckets.contains_key(who) {
            // Those whose buckets are full again lose nothing by being forgotten.
            buckets.retain(|_, bucket| self.filled(bucket, now) < self.burst);
        }
        let bucket = buckets.entry(who.to_owned()).or_insert(Bucket { left: self.burst, at: now });
        bucket.left = self.filled(bucket, now);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.left) / self.per_second));
        }
        bucket.left -= 1.0;
        Ok(())
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let since = now.duration_since(bucket.at).as_secs_f64();
        (bucket.left + since * self.per_second).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_asks_too_often_waits_and_another_does_not() {
        let rate = Rate::new(2);
        for _ in 0..4 {
            rate.take("a").unwrap();
        }
        assert_eq!(rate.take("a"), Err(Duration::from_millis(500)));
        rate.take("b").unwrap();
        tokio::time::advance(Duration::from_millis(500)).await;
        rate.take("a").unwrap();
        rate.take("a").unwrap_err();
        let free = Rate::new(0);
        (0..1000).for_each(|_| free.take("a").unwrap());
    }
}
