//! One gate per tenant and service: when may the next call go?
//!
//! The pure [`Throttle`] decides; the [`Governor`] lets calls wait in order, writes before reads. Neither knows what a
//! call is, and neither repeats one.

mod throttle;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

pub use throttle::{Counts, GovernorSettings, Throttle, Ticket};

/// Who goes first when calls wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before every read.
    Write,
    /// In the order of arrival.
    Read,
}

/// What a governor is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Calls that may be under way.
    pub limit: u32,
    /// Calls under way.
    pub in_flight: u32,
    /// Calls that wait.
    pub waiting: usize,
    /// Attempts let go so far.
    pub calls: u64,
    /// Answered well.
    pub ok: u64,
    /// Turned away by the service.
    pub throttled: u64,
    /// Ended in a fault.
    pub failed: u64,
    /// For how long nothing may go.
    pub paused_for: Option<Duration>,
    /// Smoothed latency of good answers.
    pub latency: Option<Duration>,
}

/// The gate. Clones share it.
#[derive(Clone)]
pub struct Governor {
    gate: Arc<Gate>,
}

struct Gate {
    epoch: Instant,
    state: Mutex<State>,
}

struct State {
    throttle: Throttle,
    queue: BTreeMap<Place, oneshot::Sender<Permit>>,
    arrivals: u64,
    /// When the timer that ends a pause will ring.
    timer: Option<Duration>,
}

/// A place in the queue: writes first, then calls that were turned away before, then by arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    priority: Priority,
    newcomer: bool,
    arrival: u64,
}

impl Governor {
    /// A gate that begins its search.
    pub fn new(settings: GovernorSettings) -> Self {
        let state =
            State { throttle: Throttle::new(settings), queue: BTreeMap::new(), arrivals: 0, timer: None };
        Self { gate: Arc::new(Gate { epoch: Instant::now(), state: Mutex::new(state) }) }
    }

    /// Waits until a call may go. `again` says that this call was turned away before and keeps its turn.
    pub async fn acquire(&self, priority: Priority, again: bool) -> Permit {
        loop {
            let waiting = {
                let mut state = self.lock();
                if state.queue.is_empty()
                    && let Some(ticket) = state.throttle.acquire(self.now())
                {
                    return self.permit(ticket);
                }
                let (sender, receiver) = oneshot::channel();
                let arrival = state.arrivals;
                state.arrivals += 1;
                state.queue.insert(Place { priority, newcomer: !again, arrival }, sender);
                receiver
            };
            self.dispatch();
            // The sender is only ever dropped with the queue itself, which our own clone of the gate keeps alive.
            if let Ok(permit) = waiting.await {
                return permit;
            }
        }
    }

    /// Stops everybody for a while, as the service asked in something that is not an answer of its own (an item of a
    /// batch).
    pub fn pause(&self, retry_after: Option<Duration>) {
        let now = self.now();
        self.lock().throttle.pause(retry_after, now);
        self.dispatch();
    }

    /// What the gate is doing.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.now();
        let state = self.lock();
        let Counts { calls, ok, throttled, failed } = state.throttle.counts();
        Snapshot {
            limit: state.throttle.limit(),
            in_flight: state.throttle.in_flight(),
            waiting: state.queue.len(),
            calls,
            ok,
            throttled,
            failed,
            paused_for: state.throttle.paused_until(now).map(|until| until.saturating_sub(now)),
            latency: state.throttle.latency(),
        }
    }

    fn permit(&self, ticket: Ticket) -> Permit {
        Permit { governor: self.clone(), ticket: Some(ticket) }
    }

    fn now(&self) -> Duration {
        self.gate.epoch.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.gate.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go whoever may, and sees to it that somebody comes back when a pause ends.
    fn dispatch(&self) {
        loop {
            let now = self.now();
            let mut state = self.lock();
            // Who stopped waiting leaves no trace but its place.
            while state.queue.first_key_value().is_some_and(|(_, sender)| sender.is_closed()) {
                state.queue.pop_first();
            }
            if state.queue.is_empty() {
                return;
            }
            let Some(ticket) = state.throttle.acquire(now) else {
                self.arm_timer(&mut state, now);
                return;
            };
            let Some((_, sender)) = state.queue.pop_first() else {
                state.throttle.cancelled();
                return;
            };
            drop(state);
            // If the waiter has just gone, the permit comes back here and its drop gives the place to the next.
            let _gone = sender.send(self.permit(ticket));
        }
    }

    fn arm_timer(&self, state: &mut State, now: Duration) {
        let Some(until) = state.throttle.paused_until(now) else { return };
        if state.timer.is_some_and(|armed| armed > now && armed <= until) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        state.timer = Some(until);
        let gate = Arc::downgrade(&self.gate);
        let ring_at = self.gate.epoch + until;
        runtime.spawn(async move {
            tokio::time::sleep_until(ring_at).await;
            if let Some(gate) = gate.upgrade() {
                let governor = Governor { gate };
                governor.lock().timer = None;
                governor.dispatch();
            }
        });
    }
}

/// The right to have one call under way. Say how it ended; dropping it says that it was given up.
#[must_use = "a permit that is dropped at once lets nothing go"]
pub struct Permit {
    governor: Governor,
    ticket: Option<Ticket>,
}

impl Permit {
    /// The call was answered well.
    pub fn ok(mut self, latency: Duration) {
        if let Some(ticket) = self.ticket.take() {
            let now = self.governor.now();
            let mut state = self.governor.lock();
            let waiting = !state.queue.is_empty();
            state.throttle.ok(ticket, latency, waiting, now);
            drop(state);
            self.governor.dispatch();
        }
    }

    /// The service wants less.
    pub fn throttled(mut self, retry_after: Option<Duration>) {
        if let Some(ticket) = self.ticket.take() {
            let now = self.governor.now();
            self.governor.lock().throttle.throttled(ticket, retry_after, now);
            self.governor.dispatch();
        }
    }

    /// The call ended in a fault.
    pub fn failed(mut self) {
        if self.ticket.take().is_some() {
            let now = self.governor.now();
            self.governor.lock().throttle.failed(now);
            self.governor.dispatch();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.ticket.take().is_some() {
            self.governor.lock().throttle.cancelled();
            self.governor.dispatch();
        }
    }
}
