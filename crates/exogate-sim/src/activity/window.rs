//! The time window of a content listing.

use std::time::Duration;

use super::error::FeedError;
use crate::clock::Time;

const DAY: u64 = 86_400;

/// Reads start and end: both or neither, at most a day apart, at most seven days back.
///
/// # Errors
/// AF20030, AF20055
pub fn read(start: Option<&str>, end: Option<&str>, now: Time) -> Result<(Time, Time), FeedError> {
    let refuse = |code| {
        FeedError::bad_request(
            code,
            "Start time and end time must both be specified (or both omitted) and must be less than or equal to 24 hours apart, with the start time no more than 7 days in the past.",
        )
    };
    let (start, end) = match (start, end) {
        // The end is exclusive; what became available this very moment belongs to the last day too.
        (None, None) => return Ok((now.minus(Duration::from_secs(DAY)), now.plus(Duration::from_millis(1)))),
        (Some(start), Some(end)) => (start, end),
        _ => return Err(refuse("AF20055")),
    };
    let parse = |text: &str| {
        Time::parse(text).ok_or_else(|| {
            FeedError::bad_request(
                "AF20002",
                format!("Invalid parameter type: {text}. Expected type: DateTime"),
            )
        })
    };
    let (start, end) = (parse(start)?, parse(end)?);
    if end <= start || end.since(start) > Duration::from_secs(DAY) {
        return Err(refuse("AF20055"));
    }
    if now.since(start) > Duration::from_secs(7 * DAY) {
        return Err(refuse("AF20030"));
    }
    Ok((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_refusals() {
        let now = Time::parse("2026-11-23T12:00:00Z").unwrap();
        let code = |start, end| read(start, end, now).err().map(|error| error.code);
        assert_eq!(code(None, None), None);
        assert_eq!(code(Some("2026-11-22T12:00:00"), Some("2026-11-23T12:00:00")), None);
        assert_eq!(code(Some("2026-11-22"), Some("2026-11-23")), None);
        assert_eq!(code(Some("2026-11-22T12:00:00"), None), Some("AF20055"));
        assert_eq!(code(Some("2026-11-22T11:59:59"), Some("2026-11-23T12:00:00")), Some("AF20055"));
        assert_eq!(code(Some("2026-11-23T12:00:00"), Some("2026-11-22T12:00:00")), Some("AF20055"));
        assert_eq!(code(Some("2026-11-16T11:59:00"), Some("2026-11-16T12:30:00")), Some("AF20030"));
        assert_eq!(code(Some("soon"), Some("2026-11-23")), Some("AF20002"));
    }
}
