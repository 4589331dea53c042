//! Search-UnifiedAuditLog over the records that may be seen already.

use std::time::Duration;

use super::Cells;
use crate::exchange::audit::audit_data;
use crate::exchange::bind::{Arg, Bound};
use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::reader::Reader;
use crate::exchange::schema::RowClass;
use crate::exchange::value::{Value, parse_time};
use crate::state::AuditRecord;

const SMALLEST: usize = 100;
const LARGEST: usize = 5000;

pub(super) fn unified_audit_log(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let (Some(start), Some(end)) =
        (bound.text("StartDate").and_then(parse_time), bound.text("EndDate").and_then(parse_time))
    else {
        return Err(ExchangeError::new(Condition::NullParameter, ["StartDate"]));
    };
    if end < start {
        return Err(ExchangeError::new(
            Condition::Validation,
            ["The start date must be earlier than the end date."],
        ));
    }
    let size = match bound.get("ResultSize") {
        Some(Arg::Int(size)) => usize::try_from(*size).unwrap_or(0).min(LARGEST),
        _ => SMALLEST,
    };
    let visible = |record: &&AuditRecord| match reader.knobs.audit_search_delay_seconds {
        Some(delay) => record.at.plus(Duration::from_secs(u64::from(delay))) <= reader.now,
        None => record.available_at <= reader.now,
    };
    let among = |name: &str, value: &str| {
        let list = bound.list(name);
        list.is_empty() || list.iter().any(|want| want.eq_ignore_ascii_case(value))
    };
    let free = bound.text("FreeText").map(str::to_lowercase);
    let record_type = bound.text("RecordType").unwrap_or("ExchangeAdmin");
    let found: Vec<&AuditRecord> = reader
        .state
        .audit()
        .iter()
        .filter(visible)
        .filter(|record| record.at >= start && record.at < end)
        .filter(|record| {
            (&*record.workload == "Exchange") == record_type.eq_ignore_ascii_case("ExchangeAdmin")
        })
        .filter(|record| among("Operations", &record.operation))
        .filter(|record| among("UserIds", &record.actor.user_id))
        .filter(|record| among("ObjectIds", &record.object))
        .filter(|record| {
            free.as_deref().is_none_or(|text| audit_data(record, reader.state).to_lowercase().contains(text))
        })
        .collect();
    let returned = bound.text("SessionId").map_or(0, |session| session_offset(reader, session, bound));
    let most = if bound.text("SessionCommand") == Some("ReturnNextPreviewPage") { 5000 } else { 50_000 };
    let total = found.len().min(most);
    let from = (page.from().at as usize).max(returned);
    for (at, record) in found.iter().enumerate().take(total).skip(from).take(size) {
        let cells = Cells(vec![
            ("CreationDate", Value::Time(record.at)),
            ("UserIds", Value::text(&record.actor.user_id)),
            ("Operations", Value::text(&record.operation)),
            ("AuditData", Value::owned(audit_data(record, reader.state))),
            ("ResultIndex", Value::Int(i64::try_from(at + 1).unwrap_or(i64::MAX))),
            ("ResultCount", Value::Int(i64::try_from(total).unwrap_or(i64::MAX))),
            ("Identity", Value::owned(record.id.to_string())),
        ]);
        if !page.push(RowClass::AuditLog, u32::try_from(at).unwrap_or(u32::MAX), 0, &cells) {
            break;
        }
    }
    reader.sessions.note(bound.text("SessionId"), from + usize::try_from(page.count).unwrap_or(0));
    Ok(())
}

/// Rows that earlier calls of the session returned.
fn session_offset(reader: &Reader<'_>, session: &str, bound: &Bound) -> usize {
    // Without a command every call of a session starts over.
    if bound.text("SessionCommand").is_some() { reader.sessions.returned(session) } else { 0 }
}
