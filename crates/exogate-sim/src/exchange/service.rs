//! What the admin API keeps for itself beside the directory: its request counters and search sessions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::clock::Time;

use super::sheets::Sheets;

/// The admin API's own state.
#[derive(Debug, Default)]
pub struct ExchangeService {
    /// How far audit searches have come.
    pub sessions: SearchSessions,
    /// Buffers of pages.
    pub sheets: Sheets,
    window: Mutex<(i64, u32)>,
    roaming: AtomicU64,
}

/// What the service says of its rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Units per window.
    pub limit: u32,
    /// Units left in this window.
    pub remaining: u32,
    /// When the window ends.
    pub reset: Time,
}

/// Units per window, and seconds of a window.
const LIMIT: u32 = 30_000;
const WINDOW_SECONDS: i64 = 16;

impl ExchangeService {
    /// Charges a call to the window and says what is left.
    pub fn charge(&self, units: u32, now: Time) -> RateLimit {
        let number = now.seconds().div_euclid(WINDOW_SECONDS);
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.0 != number {
            *window = (number, 0);
        }
        window.1 = window.1.saturating_add(units);
        RateLimit {
            limit: LIMIT,
            remaining: LIMIT.saturating_sub(window.1),
            reset: Time::from_seconds((number + 1) * WINDOW_SECONDS),
        }
    }

    /// The number of the back end that takes a request without an anchor.
    pub fn roam(&self) -> u64 {
        self.roaming.fetch_add(1, Ordering::Relaxed)
    }
}

/// Audit searches that go on from call to call under one name.
#[derive(Debug, Default)]
pub struct SearchSessions(Mutex<HashMap<String, usize>>);

/// How many sessions are remembered.
const REMEMBERED: usize = 1000;

impl SearchSessions {
    /// Rows that a session has returned.
    #[must_use]
    pub fn returned(&self, session: &str) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(session).copied().unwrap_or(0)
    }

    /// Notes how far a session has come.
    pub fn note(&self, session: Option<&str>, returned: usize) {
        let Some(session) = session else { return };
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= REMEMBERED && !sessions.contains_key(session) {
            sessions.clear();
        }
        sessions.insert(session.to_owned(), returned);
    }
}
