//! The world that every service works in: state, clock, scenario, throttle, faults, trace and the
//! services' own state. It owns them and hands them out; it does no I/O.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use thiserror::Error;
use uuid::Uuid;

use crate::activity::ActivityService;
use crate::clock::{Clock, Time};
use crate::exchange::ExchangeService;
use crate::faults::Faults;
use crate::graph::GraphService;
use crate::latency::Profile;
use crate::options::Scenario;
use crate::state::{Delays, State};
use crate::throttle::{Charge, Demand, Throttle};
use crate::token::TokenService;
use crate::trace::Trace;

/// What the services keep for themselves.
#[derive(Debug)]
pub struct Services {
    pub token: TokenService,
    pub graph: GraphService,
    pub exchange: ExchangeService,
    pub activity: ActivityService,
}

/// Why a world could not be made.
#[derive(Debug, Error)]
pub enum WorldError {
    #[error("the token service's signing key could not be made or read")]
    SigningKey(#[from] crate::token::KeyError),
    #[error("the trace file could not be created")]
    Trace(#[source] std::io::Error),
}

/// Everything that a request is answered from.
#[derive(Debug)]
pub struct World {
    state: RwLock<State>,
    pub clock: Clock,
    scenario: RwLock<Arc<Scenario>>,
    pub throttle: Throttle,
    pub faults: Faults,
    pub trace: Trace,
    pub services: Services,
    started: Time,
    request_ids: AtomicU64,
    seed: u64,
}

impl World {
    /// A world around a state.
    ///
    /// # Errors
    /// [`WorldError`] when the signing key or the trace file cannot be had.
    pub fn new(
        state: State,
        scenario: Scenario,
        state_dir: Option<&std::path::Path>,
        trace: &crate::options::TraceSink,
    ) -> Result<Self, WorldError> {
        let clock = Clock::new(scenario.clock);
        let seed = state.tenant.seed;
        let started = clock.now();
        let world = Self {
            state: RwLock::new(state),
            clock,
            faults: Faults::new(&scenario.faults, seed),
            scenario: RwLock::new(Arc::new(Scenario::default())),
            throttle: Throttle::default(),
            trace: Trace::new(trace).map_err(WorldError::Trace)?,
            services: Services {
                token: TokenService::new(state_dir)?,
                graph: GraphService::default(),
                exchange: ExchangeService::default(),
                activity: ActivityService::default(),
            },
            started,
            request_ids: AtomicU64::new(0),
            seed,
        };
        world.set_scenario(scenario);
        Ok(world)
    }

    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Reads the state. Never hold it across an await, nor while it is read or written elsewhere in
    /// the same call: with a writer waiting in between, neither would ever go on.
    pub fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the state. Never hold it across an await.
    pub fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The scenario in force.
    #[must_use]
    pub fn scenario(&self) -> Arc<Scenario> {
        Arc::clone(&self.scenario.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a scenario in force. Fault rules keep their counters when they are the same; the
    /// clock is set at the start only and moved by its own calls.
    pub fn set_scenario(&self, scenario: Scenario) {
        let measured = scenario.latency.profile == Profile::Measured;
        let seconds = |given: Option<f64>, by_profile: f64| {
            let seconds = given.unwrap_or(if measured { by_profile } else { 0.0 });
            // Delays belong to the service's pace, so they shrink with it.
            duration(seconds / scenario.latency.scale())
        };
        let cross = seconds(scenario.visibility.cross_face_seconds, 60.0);
        let delays = Delays {
            graph: seconds(Some(scenario.visibility.graph_seconds), 0.0),
            exchange: seconds(scenario.visibility.exchange_seconds, 30.0),
            graph_to_exchange: cross,
            exchange_to_graph: cross,
            keep: duration(Faults::staleness(&scenario.faults).max(scenario.graph.eventual_index_seconds)),
        };
        {
            let mut state = self.state_mut();
            state.set_delays(delays);
            state.set_rights_move_change_time(scenario.exchange.rights_move_when_changed);
            state.set_mailbox_delay(seconds(scenario.provisioning.mailbox_seconds, 120.0));
        }
        let mut held = self.scenario.write().unwrap_or_else(PoisonError::into_inner);
        if held.faults != scenario.faults {
            self.faults.replace(&scenario.faults);
        }
        *held = Arc::new(scenario);
    }

    /// Puts these fault rules in force.
    pub fn set_faults(&self, rules: Vec<crate::faults::FaultRule>) {
        self.adjust(|scenario| scenario.faults = rules);
    }

    /// Puts another tenant in this one's place.
    pub fn replace_state(&self, state: State) {
        *self.state_mut() = state;
        // The new state learns the delays in force.
        self.set_scenario((*self.scenario()).clone());
    }

    /// Changes the scenario in force.
    pub fn adjust(&self, change: impl FnOnce(&mut Scenario)) {
        let mut scenario = (*self.scenario()).clone();
        change(&mut scenario);
        self.set_scenario(scenario);
    }

    /// Time from an act to its audit record.
    #[must_use]
    pub fn audit_latency(&self) -> Duration {
        let scenario = self.scenario();
        duration(scenario.provisioning.audit_seconds / scenario.latency.scale())
    }

    /// The next request id: random in shape, the same in every run.
    #[must_use]
    pub fn request_id(&self) -> Uuid {
        let n = self.request_ids.fetch_add(1, Ordering::Relaxed) + 1;
        crate::state::tenant::derived_id(self.seed ^ 0x7265_7175_6573_7400, n)
    }

    /// Milliseconds of simulated time since the start: virtual time, sped up by the time scale of
    /// latencies, so that quotas keep pace with them.
    #[must_use]
    pub fn simulated_ms(&self) -> f64 {
        let elapsed = self.now().since(self.started).as_secs_f64() * 1000.0;
        elapsed * self.scenario().latency.scale()
    }

    /// Charges Graph's resource units to an app.
    pub fn charge(&self, app: Uuid, units: u32, write: bool) -> Charge {
        let scenario = self.scenario();
        let tenant = self.state().tenant.id;
        self.throttle.charge_units(
            &scenario.throttle,
            &scenario.latency,
            &Demand { tenant, app, units, write },
            self.simulated_ms(),
        )
    }

    /// Does the tenant's own follow-up work that is due.
    pub fn run_due(&self) {
        let now = self.now();
        if self.state().next_due().is_some_and(|due| due <= now) {
            self.state_mut().run_due(now);
        }
    }
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}
