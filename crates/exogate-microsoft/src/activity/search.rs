//! The audit log through Exchange, for tenants and clouds where the feed cannot be had. Slower,
//! and limited to 50,000 records a session.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::record::Read;
use crate::error::{ErrorKind, Service, WireError};
use crate::exchange::{Cmdlet, ExchangeClient};

const CMDLET: &str = "Search-UnifiedAuditLog";
/// Rows in one answer.
const ROWS: i64 = 5_000;
/// Answers of one session: as many rows as the service gives in one.
const ANSWERS: usize = 10;

/// What administrators did in Exchange from `from` until before `to`. The flag says whether that is
/// all: a session that was not read to its end is not.
///
/// # Errors
/// Whatever the cmdlet meets; [`ErrorKind::Forbidden`] where the role does not include it.
pub async fn search(
    exchange: &ExchangeClient,
    session: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<(Read, bool), WireError> {
    let mut read = Read::default();
    let mut count = None;
    for _ in 0..ANSWERS {
        let cmdlet = Cmdlet::new(CMDLET)
            .text("StartDate", wire_time(from))
            .text("EndDate", wire_time(to))
            .text("RecordType", "ExchangeAdmin")
            .text("SessionId", session)
            .text("SessionCommand", "ReturnLargeSet")
            .number("ResultSize", ROWS);
        let page = exchange.invoke_page(&cmdlet, None).await?;
        if page.records.is_empty() {
            // A session goes on by itself: an answer that was lost on its way does not come again.
            let whole = count.is_none_or(|count| seen(&read) >= count);
            return Ok((read, whole));
        }
        for row in &page.records {
            // A search that ran out of time inside answers rows without numbers.
            if row.integer("ResultIndex") == Some(-1) {
                return Err(WireError::new(ErrorKind::Transient, Service::Exchange, CMDLET)
                    .with_message("the search ran out of time"));
            }
            match row.text("AuditData").and_then(|data| serde_json::from_str::<Value>(data).ok()) {
                Some(data) => read.add(&data),
                None => read.unreadable += 1,
            }
        }
        count = page.records.first().and_then(|row| row.integer("ResultCount")).filter(|count| *count > 0);
        if count.is_some_and(|count| seen(&read) >= count) {
            return Ok((read, true));
        }
    }
    Ok((read, false))
}

fn seen(read: &Read) -> i64 {
    i64::try_from(read.records.len() + read.unreadable).unwrap_or(i64::MAX)
}

fn wire_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
