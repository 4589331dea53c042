//! The pure part of the governor: how many calls may be under way, and from when.
//!
//! It searches for a limit that the service does not tell. Beginning low it doubles until the service throttles; the
//! calls that were accepted meanwhile *are* the limit, so it settles there at once, remembers the level that
//! throttled, and tries it again only rarely. If most of what was under way is turned away the limit is one of rate,
//! not of concurrency: then it halves and climbs one by one. If calls merely become slow it tries fewer of them, and keeps
//! to fewer only if these get as much done.
//!
//! Knows no clock (`now` is the time since some fixed instant), no call and no thread.

use std::time::Duration;

/// Bounds of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GovernorSettings {
    /// Calls under way at the beginning.
    pub initial: u32,
    /// Most calls under way, whatever the service allows.
    pub ceiling: u32,
    /// Wait after the first throttled answer that names no time; doubles while nothing succeeds.
    pub bare_pause: Duration,
    /// Longest such wait.
    pub bare_pause_cap: Duration,
    /// Time until a level that throttled is tried again; doubles with each failure.
    pub probe_after: Duration,
    /// Longest such time.
    pub probe_after_cap: Duration,
}

impl Default for GovernorSettings {
    fn default() -> Self {
        Self {
            initial: 4,
            ceiling: 64,
            bare_pause: Duration::from_millis(200),
            bare_pause_cap: Duration::from_secs(30),
            probe_after: Duration::from_secs(60),
            probe_after_cap: Duration::from_secs(15 * 60),
        }
    }
}

/// A call under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// Answers of calls that were under way together when the service first turned one away.
#[derive(Clone, Copy, Debug)]
struct Volley {
    /// Tickets below this one belong to it.
    before: u64,
    /// Calls under way at its first throttled answer, that one included.
    under_way: u32,
    /// Of these, turned away so far.
    turned_away: u32,
    /// The limit when it began.
    limit: u32,
    /// Whether it began in a probe.
    probe: bool,
    /// Whether the limit it throttled had been proven before.
    blip: bool,
}

/// A pause cannot cost more than this share of the time between two probes.
const PAUSE_SHARE: u32 = 20;
/// Clean windows after which a level counts as proven.
const PROOF: u32 = 3;
/// A window this much slower than the best one may mean that the service queues.
const SLOW: f64 = 3.0;
/// With a quarter fewer calls under way, a service where they did not queue gets less than this share done.
const FEWER: f64 = 0.85;
/// Windows in which slowness is not questioned again after it was found to be the calls' own.
const TRUST: u32 = 20;

/// A lower limit on trial, to learn whether slowness comes from our own calls queueing at the service.
#[derive(Clone, Copy, Debug)]
struct Trial {
    limit: u32,
    throughput: f64,
    slow_start: bool,
    /// The calls of the higher limit are through.
    settled: bool,
}

/// The state of the search.
#[derive(Clone, Debug)]
pub struct Throttle {
    settings: GovernorSettings,
    limit: u32,
    in_flight: u32,
    next_ticket: u64,
    paused_until: Duration,
    /// Doubling until something throttles.
    slow_start: bool,
    /// The lowest level known to throttle.
    bad: Option<u32>,
    /// A level that has passed [`PROOF`] clean windows.
    good: u32,
    /// Throttled once below `good`; a second time makes it believed.
    blipped: bool,
    probing: bool,
    probe_at: Duration,
    probe_after: Duration,
    probes_passed: u32,
    volley: Option<Volley>,
    /// Volleys without a success of a later call between them.
    volleys_in_a_row: u32,
    /// Successes while the limit was used up, since the limit last changed.
    window: u32,
    /// The limit when the window began.
    window_size: u32,
    clean_windows: u32,
    window_latency: f64,
    window_began: Duration,
    best_latency: Option<f64>,
    trial: Option<Trial>,
    trusted: u32,
    ewma_latency: Option<f64>,
    counts: Counts,
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that were let go.
    pub calls: u64,
    /// Of these, answered well.
    pub ok: u64,
    /// Turned away by the service.
    pub throttled: u64,
    /// Ended in a fault.
    pub failed: u64,
}

impl Throttle {
    /// The beginning of a search.
    pub fn new(settings: GovernorSettings) -> Self {
        let settings = GovernorSettings { ceiling: settings.ceiling.max(1), ..settings };
        Self {
            limit: settings.initial.clamp(1, settings.ceiling),
            settings,
            in_flight: 0,
            next_ticket: 0,
            paused_until: Duration::ZERO,
            slow_start: true,
            bad: None,
            good: 0,
            blipped: false,
            probing: false,
            probe_at: Duration::ZERO,
            probe_after: settings.probe_after,
            probes_passed: 0,
            volley: None,
            volleys_in_a_row: 0,
            window: 0,
            window_size: settings.initial.clamp(1, settings.ceiling),
            clean_windows: 0,
            window_latency: 0.0,
            window_began: Duration::ZERO,
            best_latency: None,
            trial: None,
            trusted: 0,
            ewma_latency: None,
            counts: Counts::default(),
        }
    }

    /// Lets a call go if one may.
    pub fn acquire(&mut self, now: Duration) -> Option<Ticket> {
        if now < self.paused_until || self.in_flight >= self.limit {
            return None;
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.in_flight += 1;
        self.counts.calls += 1;
        Some(ticket)
    }

    /// A call was answered well.
    pub fn ok(&mut self, ticket: Ticket, latency: Duration, waiting: bool, now: Duration) {
        let used_up = waiting || self.in_flight >= self.limit;
        self.in_flight = self.in_flight.saturating_sub(1);
        self.counts.ok += 1;
        let seconds = latency.as_secs_f64();
        self.ewma_latency = Some(self.ewma_latency.map_or(seconds, |old| old + 0.1 * (seconds - old)));
        if self.volley.is_none_or(|volley| ticket.0 >= volley.before) {
            self.volleys_in_a_row = 0;
        }
        if !used_up {
            return;
        }
        self.window += 1;
        self.window_latency += seconds;
        if self.slow_start && !self.is_slow() {
            self.set_limit(self.limit + 1);
        }
        let needed = if self.probing { self.window_size.saturating_mul(2) } else { self.window_size };
        if self.window >= needed {
            self.window_passed(now);
        }
    }

    /// A call was turned away.
    pub fn throttled(&mut self, ticket: Ticket, retry_after: Option<Duration>, now: Duration) {
        self.counts.throttled += 1;
        let volley = match self.volley {
            Some(volley) if ticket.0 < volley.before => volley,
            _ => self.begin_volley(),
        };
        let volley = Volley { turned_away: volley.turned_away + 1, ..volley };
        self.volley = Some(volley);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.settle(volley, now);
        self.pause(retry_after, now);
    }

    /// The service asked for a wait outside an answer of its own, as in an item of a batch.
    pub fn pause(&mut self, retry_after: Option<Duration>, now: Duration) {
        let wait = retry_after.unwrap_or_else(|| {
            let doublings = self.volleys_in_a_row.saturating_sub(1).min(16);
            self.settings.bare_pause.saturating_mul(1 << doublings).min(self.settings.bare_pause_cap)
        });
        self.paused_until = self.paused_until.max(now.saturating_add(wait));
        self.probe_at = self.probe_at.max(now.saturating_add(wait.saturating_mul(PAUSE_SHARE)));
    }

    /// A call ended in a fault that says nothing about the limit.
    pub fn failed(&mut self, now: Duration) {
        self.counts.failed += 1;
        self.cancelled();
        self.begin_window(now);
    }

    /// A call was given up before it was answered.
    pub fn cancelled(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Calls that may be under way.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Calls under way.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Until when nothing may go, if that is later than `now`.
    pub fn paused_until(&self, now: Duration) -> Option<Duration> {
        (self.paused_until > now).then_some(self.paused_until)
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Smoothed latency of good answers.
    pub fn latency(&self) -> Option<Duration> {
        self.ewma_latency.map(Duration::from_secs_f64)
    }

    fn begin_volley(&mut self) -> Volley {
        self.volleys_in_a_row = self.volleys_in_a_row.saturating_add(1);
        let blip = self.limit <= self.good && !self.probing && !self.blipped;
        if blip {
            self.blipped = true;
        }
        Volley {
            before: self.next_ticket,
            under_way: self.in_flight,
            turned_away: 0,
            limit: self.limit,
            probe: self.probing,
            blip,
        }
    }

    /// Draws the conclusion from a volley as far as it is known.
    fn settle(&mut self, volley: Volley, now: Duration) {
        let accepted = volley.under_way.saturating_sub(volley.turned_away);
        let half = volley.limit.div_ceil(2).max(1);
        let of_rate = accepted < half;
        // A limit that was lowered meanwhile stays lowered.
        let limit = if of_rate { half } else { accepted }.min(volley.limit);
        self.slow_start = false;
        self.probing = false;
        self.probes_passed = 0;
        self.trial = None;
        if volley.turned_away == 1 && volley.probe {
            self.probe_after = self.probe_after.saturating_mul(2).min(self.settings.probe_after_cap);
        }
        self.probe_at = self.probe_at.max(now.saturating_add(self.probe_after));
        self.set_limit(limit);
        self.begin_window(now);
        if volley.blip && !of_rate {
            // One refusal at a proven level: somebody else's call, or our own not yet counted out. Climb back soon.
            self.bad = Some(self.good.saturating_add(1));
            return;
        }
        self.bad = Some(if of_rate { volley.limit } else { limit.saturating_add(1) });
        self.good = self.good.min(limit);
    }

    fn window_passed(&mut self, now: Duration) {
        let slow = self.is_slow();
        let mean = self.window_mean();
        let throughput = self.window_throughput(now);
        self.best_latency = Some(self.best_latency.map_or(mean, |best| mean.min(best)));
        self.trusted = self.trusted.saturating_sub(1);
        self.clean_windows = self.clean_windows.saturating_add(1);
        if self.clean_windows >= PROOF {
            self.good = self.good.max(self.limit);
        }
        if self.clean_windows >= PROOF * PROOF {
            self.blipped = false;
        }
        let passed_probe = std::mem::take(&mut self.probing);
        self.begin_window(now);
        if let Some(trial) = self.trial.take() {
            self.judge_trial(trial, throughput, mean, now);
            return;
        }
        if slow {
            self.doubt(throughput, mean, now);
            return;
        }
        if self.slow_start {
            return;
        }
        if passed_probe {
            self.probes_passed += 1;
            self.good = self.good.max(self.limit);
            self.probe_after = self.settings.probe_after;
            self.probe_at = now.saturating_add(self.probe_after);
            self.bad = Some(self.limit.saturating_add(1));
            if self.probes_passed >= 2 {
                // The limit was raised, or another tool has left: search anew.
                self.bad = None;
                self.probes_passed = 0;
                self.slow_start = true;
            }
            return;
        }
        match self.bad {
            Some(bad) if self.limit.saturating_add(1) >= bad => {
                if now >= self.probe_at && self.limit < self.settings.ceiling {
                    self.set_limit(self.limit + 1);
                    self.begin_window(now);
                    self.probing = true;
                }
            }
            _ => {
                self.set_limit(self.limit + 1);
                self.begin_window(now);
            }
        }
    }

    /// Calls take much longer than they did: either these are other calls, or ours queue at the service.
    fn doubt(&mut self, throughput: f64, mean: f64, now: Duration) {
        if self.limit <= self.settings.initial {
            // So few calls queue nowhere.
            self.best_latency = Some(mean);
            return;
        }
        self.trial =
            Some(Trial { limit: self.limit, throughput, slow_start: self.slow_start, settled: false });
        self.slow_start = false;
        self.set_limit(self.limit - self.limit / 4);
        self.begin_window(now);
    }

    /// If fewer calls under way get as much done, the others only queued.
    fn judge_trial(&mut self, trial: Trial, throughput: f64, mean: f64, now: Duration) {
        if !trial.settled {
            self.trial = Some(Trial { settled: true, ..trial });
            return;
        }
        if throughput < trial.throughput * FEWER {
            self.best_latency = Some(mean);
            self.trusted = TRUST;
            self.slow_start = trial.slow_start;
            self.set_limit(trial.limit);
            self.begin_window(now);
        }
    }

    fn is_slow(&self) -> bool {
        self.trusted == 0 && self.best_latency.is_some_and(|best| self.window_mean() > best * SLOW)
    }

    fn window_mean(&self) -> f64 {
        self.window_latency / f64::from(self.window.max(1))
    }

    fn window_throughput(&self, now: Duration) -> f64 {
        f64::from(self.window) / now.saturating_sub(self.window_began).as_secs_f64().max(1e-6)
    }

    fn set_limit(&mut self, limit: u32) {
        let limit = limit.clamp(1, self.settings.ceiling);
        if limit != self.limit {
            self.limit = limit;
            self.clean_windows = 0;
        }
    }

    fn begin_window(&mut self, now: Duration) {
        self.window = 0;
        self.window_size = self.limit;
        self.window_latency = 0.0;
        self.window_began = now;
    }
}
