//! Virtual time: the tenant's clock and the timestamps that every face writes.
//!
//! This is the only module of the crate that looks at the machine's clock. It does not sleep on
//! anybody's behalf except in [`Clock::pause`], and it knows nothing of latencies or schedules.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A moment of virtual time: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

/// A moment broken into calendar fields (proleptic Gregorian, UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub millisecond: u16,
}

impl Time {
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, as JWTs count.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis_of(duration)))
    }

    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis_of(duration)))
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    #[must_use]
    pub fn civil(self) -> Civil {
        let days = self.0.div_euclid(86_400_000);
        let rest = self.0.rem_euclid(86_400_000);
        // Days to civil date, counting eras of 400 years that begin on 1 March.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_index = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_index + 2) / 5 + 1;
        let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Civil {
            year,
            month: month as u8,
            day: day as u8,
            hour: (rest / 3_600_000) as u8,
            minute: (rest / 60_000 % 60) as u8,
            second: (rest / 1000 % 60) as u8,
            millisecond: (rest % 1000) as u16,
        }
    }

    fn write_date_time(self, out: &mut Vec<u8>) -> Civil {
        let c = self.civil();
        push_digits(out, u64::try_from(c.year).unwrap_or(0), 4);
        out.push(b'-');
        push_digits(out, u64::from(c.month), 2);
        out.push(b'-');
        push_digits(out, u64::from(c.day), 2);
        out.push(b'T');
        push_digits(out, u64::from(c.hour), 2);
        out.push(b':');
        push_digits(out, u64::from(c.minute), 2);
        out.push(b':');
        push_digits(out, u64::from(c.second), 2);
        c
    }

    /// `2026-11-23T03:40:12Z`, as Graph writes directory times.
    pub fn write_graph(self, out: &mut Vec<u8>) {
        self.write_date_time(out);
        out.push(b'Z');
    }

    /// `2026-11-23T03:40:12`, as audit records and Graph's `innerError.date` write times.
    pub fn write_bare(self, out: &mut Vec<u8>) {
        self.write_date_time(out);
    }

    /// `2026-11-23T03:40:12.000Z`, as the activity feed writes times.
    pub fn write_millis(self, out: &mut Vec<u8>) {
        let c = self.write_date_time(out);
        out.push(b'.');
        push_digits(out, u64::from(c.millisecond), 3);
        out.push(b'Z');
    }

    /// `2026-11-23T03:40:12.0000000Z`, as Exchange writes its `…UTC` properties. Directory times
    /// have a resolution of seconds.
    pub fn write_exchange_utc(self, out: &mut Vec<u8>) {
        self.write_date_time(out);
        out.extend_from_slice(b".0000000Z");
    }

    /// `2026-11-23T03:40:12.0000000+00:00`, as Exchange writes its local times.
    pub fn write_exchange_local(self, out: &mut Vec<u8>) {
        self.write_date_time(out);
        out.extend_from_slice(b".0000000+00:00");
    }

    #[must_use]
    pub fn graph(self) -> String {
        written(|out| self.write_graph(out))
    }

    #[must_use]
    pub fn bare(self) -> String {
        written(|out| self.write_bare(out))
    }

    #[must_use]
    pub fn with_millis(self) -> String {
        written(|out| self.write_millis(out))
    }

    #[must_use]
    pub fn exchange_utc(self) -> String {
        written(|out| self.write_exchange_utc(out))
    }

    #[must_use]
    pub fn exchange_local(self) -> String {
        written(|out| self.write_exchange_local(out))
    }

    /// `Mon, 23 Nov 2026 03:40:12 GMT`, as the `Date` header is written.
    #[must_use]
    pub fn http(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let c = self.civil();
        let weekday = DAYS[self.0.div_euclid(86_400_000).rem_euclid(7) as usize];
        let month = MONTHS[usize::from(c.month.saturating_sub(1)) % 12];
        format!(
            "{weekday}, {:02} {month} {:04} {:02}:{:02}:{:02} GMT",
            c.day, c.year, c.hour, c.minute, c.second
        )
    }

    /// Reads an ISO 8601 time; without a zone it is taken as UTC, a bare date as midnight.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
            return Some(Self(stamp.as_millisecond()));
        }
        let civil = text
            .parse::<jiff::civil::DateTime>()
            .or_else(|_| text.parse::<jiff::civil::Date>().map(|d| d.at(0, 0, 0, 0)))
            .ok()?;
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_millisecond()))
    }
}

fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::with_capacity(40);
    write(&mut out);
    out.into_iter().map(char::from).collect()
}

fn push_digits(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut rest = value;
    let mut used = 0;
    while rest > 0 && used < digits.len() {
        digits[digits.len() - 1 - used] = b'0' + (rest % 10) as u8;
        rest /= 10;
        used += 1;
    }
    let take = used.max(width).min(digits.len());
    out.extend_from_slice(&digits[digits.len() - take..]);
}

/// How virtual time begins and runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct ClockOptions {
    /// Virtual time at start; the machine's time when absent.
    pub start: Option<Time>,
    /// Virtual seconds per real second. Leave at 1 for clients that sign assertions or keep
    /// tokens by their own clock; scale latencies instead.
    pub scale: f64,
    /// Stand still; move only when told.
    pub frozen: bool,
}

impl Default for ClockOptions {
    fn default() -> Self {
        Self { start: None, scale: 1.0, frozen: false }
    }
}

#[derive(Debug)]
struct Running {
    virtual_base: i64,
    real_base: Instant,
    scale: f64,
    frozen: bool,
}

impl Running {
    fn now(&self) -> i64 {
        if self.frozen {
            return self.virtual_base;
        }
        let real = self.real_base.elapsed().as_secs_f64() * 1000.0;
        self.virtual_base.saturating_add((real * self.scale) as i64)
    }

    fn rebase(&mut self) {
        self.virtual_base = self.now();
        self.real_base = Instant::now();
    }
}

/// The tenant's clock.
#[derive(Debug)]
pub struct Clock(Mutex<Running>);

impl Clock {
    #[must_use]
    pub fn new(options: ClockOptions) -> Self {
        let virtual_base = options.start.map_or_else(machine_time, Time::millis);
        Self(Mutex::new(Running {
            virtual_base,
            real_base: Instant::now(),
            scale: sane_scale(options.scale),
            frozen: options.frozen,
        }))
    }

    /// A clock that stands at `at`, for tests.
    #[must_use]
    pub fn frozen_at(at: Time) -> Self {
        Self::new(ClockOptions { start: Some(at), scale: 1.0, frozen: true })
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn now(&self) -> Time {
        Time(self.running().now())
    }

    #[must_use]
    pub fn scale(&self) -> f64 {
        self.running().scale
    }

    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.running().frozen
    }

    pub fn set(&self, now: Time) {
        let mut running = self.running();
        running.virtual_base = now.millis();
        running.real_base = Instant::now();
    }

    pub fn advance(&self, by: Duration) {
        let mut running = self.running();
        running.rebase();
        running.virtual_base = running.virtual_base.saturating_add(millis_of(by));
    }

    pub fn set_scale(&self, scale: f64) {
        let mut running = self.running();
        running.rebase();
        running.scale = sane_scale(scale);
    }

    pub fn freeze(&self, frozen: bool) {
        let mut running = self.running();
        running.rebase();
        running.frozen = frozen;
    }

    /// Sleeps until `virtual_for` of virtual time would have passed, even on a frozen clock:
    /// a pause stands for work done elsewhere, which a standing clock does not abolish.
    pub async fn pause(&self, virtual_for: Duration) {
        let real = virtual_for.div_f64(self.scale());
        if !real.is_zero() {
            tokio::time::sleep(real).await;
        }
    }
}

fn sane_scale(scale: f64) -> f64 {
    if scale.is_finite() && scale > 0.0 { scale.clamp(1e-3, 1e6) } else { 1.0 }
}

#[expect(clippy::disallowed_methods, reason = "this module is where virtual time begins")]
fn machine_time() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_each_face_writes_them() {
        let time = Time::parse("2026-11-23T03:40:12.345Z").unwrap();
        assert_eq!(time.graph(), "2026-11-23T03:40:12Z");
        assert_eq!(time.bare(), "2026-11-23T03:40:12");
        assert_eq!(time.with_millis(), "2026-11-23T03:40:12.345Z");
        assert_eq!(time.exchange_utc(), "2026-11-23T03:40:12.0000000Z");
        assert_eq!(time.exchange_local(), "2026-11-23T03:40:12.0000000+00:00");
        assert_eq!(time.http(), "Mon, 23 Nov 2026 03:40:12 GMT");
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("2000-02-29T00:00:00", 951_782_400),
            ("1969-12-31T23:59:59Z", -1),
            ("2026-11-23T05:40:12+02:00", time.seconds()),
        ] {
            assert_eq!(Time::parse(text).map(Time::seconds), Some(seconds), "{text}");
        }
        assert_eq!(Time::parse("yesterday"), None);
    }

    #[test]
    fn written_times_read_back_over_centuries() {
        for day in (-200_000..400_000).step_by(97) {
            let time = Time::from_seconds(day * 86_400 + 12_345);
            if time.civil().year > 0 {
                assert_eq!(Time::parse(&time.graph()), Some(time), "{}", time.graph());
            }
        }
    }

    #[test]
    fn a_frozen_clock_moves_only_when_told() {
        let clock = Clock::frozen_at(Time::from_seconds(1000));
        assert_eq!(clock.now(), Time::from_seconds(1000));
        clock.advance(Duration::from_secs(90));
        assert_eq!(clock.now(), Time::from_seconds(1090));
        clock.set(Time::from_seconds(5));
        assert_eq!(clock.now(), Time::from_seconds(5));
        clock.freeze(false);
        clock.set_scale(1e6);
        std::thread::sleep(Duration::from_millis(5));
        assert!(clock.now() > Time::from_seconds(1000));
    }
}
