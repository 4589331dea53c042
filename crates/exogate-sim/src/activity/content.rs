//! Content blobs: audit records gathered into immutable blobs as they become available, listed by availability
//! time and delivered by id.

use std::time::Duration;

use serde_json::{Value, json};

use super::error::FeedError;
use super::knobs::ActivityKnobs;
use crate::clock::Time;
use crate::state::{AuditRecord, State};

/// Whether a place counted from 0 is one of every `n`; none is where that is 0.
pub fn is_nth(at: usize, n: u32) -> bool {
    n > 0 && (at + 1).is_multiple_of(n as usize)
}

/// The kinds of content.
pub const TYPES: [&str; 5] =
    ["Audit.AzureActiveDirectory", "Audit.Exchange", "Audit.SharePoint", "Audit.General", "DLP.All"];

/// The content type that records of a workload belong to.
fn type_of(record: &AuditRecord) -> &'static str {
    match &*record.workload {
        "Exchange" => "Audit.Exchange",
        "AzureActiveDirectory" => "Audit.AzureActiveDirectory",
        "SharePoint" | "OneDrive" => "Audit.SharePoint",
        _ => "Audit.General",
    }
}

/// A sealed blob: which records, and when it became available.
#[derive(Debug, Clone)]
pub struct Blob {
    /// Its id.
    pub id: String,
    /// The content type.
    pub kind: &'static str,
    /// When it became available.
    pub created: Time,
    /// Positions in the audit log.
    records: Vec<usize>,
}

/// Every blob sealed so far. A blob never changes once it has been listed.
#[derive(Debug, Default)]
pub struct Archive {
    blobs: Vec<Blob>,
    /// Per position in the audit log whether it lies in a blob.
    sealed: Vec<bool>,
}

impl Archive {
    /// Seals what has become available by `now`: a blob per type and stretch of time.
    pub fn seal(&mut self, state: &State, now: Time, knobs: &ActivityKnobs) {
        let audit = state.audit();
        if audit.len() < self.sealed.len() {
            // Another tenant was loaded.
            *self = Self::default();
        }
        self.sealed.resize(audit.len(), false);
        let width = i64::from(knobs.blob_seconds.max(1)) * 1000;
        let mut fresh: std::collections::BTreeMap<(i64, &'static str), Vec<usize>> = Default::default();
        for (at, record) in audit.iter().enumerate() {
            if self.sealed[at] {
                continue;
            }
            let late = u64::from(if is_nth(at, knobs.late_every) { knobs.late_seconds } else { 0 });
            let available = record.available_at.plus(Duration::from_secs(late));
            if available <= now {
                self.sealed[at] = true;
                if is_nth(at, knobs.lose_every) {
                    continue;
                }
                let stretch = available.millis().div_euclid(width);
                fresh.entry((stretch, type_of(record))).or_default().push(at);
            }
        }
        for ((stretch, kind), mut records) in fresh {
            let end = Time::from_millis((stretch + 1) * width);
            let created = end.min(now);
            if knobs.duplicate_every > 0
                && let Some(before) = self.blobs.iter().rev().find(|blob| blob.kind == kind)
            {
                let again = before.records.iter().filter(|at| is_nth(**at, knobs.duplicate_every));
                let again: Vec<usize> = again.copied().filter(|at| !records.contains(at)).collect();
                records.extend(again);
            }
            if knobs.newest_first {
                records.reverse();
            }
            let number = self.blobs.len();
            let civil = created.civil();
            let label = kind.replace('.', "_");
            let id = format!(
                "{:04}{:02}{:02}{:02}{:02}{:02}{:03}{number:09}${}$emea0001",
                civil.year,
                civil.month,
                civil.day,
                civil.hour,
                civil.minute,
                civil.second,
                civil.millisecond,
                format_args!("{}${label}", label.to_lowercase()),
            );
            self.blobs.push(Blob { id, kind, created, records });
        }
    }

    /// Blobs of a type that became available in `[from, to)`, oldest first.
    pub fn between(&self, kind: &str, from: Time, to: Time) -> Vec<&Blob> {
        let mut found: Vec<&Blob> = self
            .blobs
            .iter()
            .filter(|blob| blob.kind == kind && blob.created >= from && blob.created < to)
            .collect();
        found.sort_by_key(|blob| (blob.created, &blob.id));
        found
    }

    /// The records of a blob as JSON.
    ///
    /// # Errors
    /// AF20050–AF20052
    pub fn blob(&self, state: &State, id: &str, now: Time, life_days: u32) -> Result<Vec<u8>, FeedError> {
        if id.is_empty() || !id.contains('$') {
            return Err(FeedError::bad_request("AF20052", format!("Content ID {id} in the URL is invalid.")));
        }
        let blob = self.blobs.iter().find(|blob| blob.id == id).ok_or_else(|| FeedError {
            status: http::StatusCode::NOT_FOUND,
            code: "AF20050",
            message: format!("The specified content ({id}) does not exist."),
        })?;
        if now.since(blob.created).as_secs() > u64::from(life_days) * 86_400 {
            return Err(FeedError::bad_request(
                "AF20051",
                format!(
                    "Content requested with the key {id} has already expired. Content older than {life_days} days cannot be retrieved."
                ),
            ));
        }
        let mut out = vec![b'['];
        for record in blob.records.iter().filter_map(|at| state.audit().get(*at)) {
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(render(record, state).as_bytes());
        }
        out.push(b']');
        Ok(out)
    }
}

/// A record as its workload writes it.
fn render(record: &AuditRecord, state: &State) -> String {
    if &*record.workload == "Exchange" {
        return crate::exchange::audit::audit_data(record, state);
    }
    directory_record(record, state).to_string()
}

fn directory_record(record: &AuditRecord, state: &State) -> Value {
    use crate::state::ActorKind;
    let changed: Vec<Value> = record
        .parameters
        .iter()
        .map(|(name, value)| json!({"Name": &**name, "NewValue": &**value, "OldValue": ""}))
        .collect();
    let user_type = match record.actor.kind {
        ActorKind::User => 0,
        ActorKind::Admin => 2,
        ActorKind::System => 4,
        ActorKind::ServicePrincipal => 5,
    };
    json!({
        "CreationTime": record.at.bare(), "Id": record.id, "Operation": &*record.operation,
        "OrganizationId": state.tenant.id, "RecordType": 8,
        "ResultStatus": if record.succeeded { "Success" } else { "Failure" },
        "UserKey": &*record.actor.user_id, "UserType": user_type, "Version": 1, "Workload": &*record.workload,
        "ClientIP": record.client_ip.as_deref(), "ObjectId": &*record.object, "UserId": &*record.actor.user_id,
        "AzureActiveDirectoryEventType": 1, "ExtendedProperties": [], "ModifiedProperties": changed,
        "Actor": [
            {"ID": &*record.actor.user_id, "Type": 5},
            {"ID": record.actor.app_id, "Type": 2},
        ],
        "ActorContextId": state.tenant.id, "InterSystemsId": record.id, "IntraSystemId": record.id,
        "SupportTicketId": "", "Target": [{"ID": &*record.object, "Type": 2}], "TargetContextId": state.tenant.id,
    })
}

/// A blob as the listing shows it.
#[must_use]
pub fn listed(blob: &Blob, root: &str, life_days: u32) -> Value {
    let life = std::time::Duration::from_secs(u64::from(life_days) * 86_400);
    json!({
        "contentType": blob.kind, "contentId": blob.id, "contentUri": format!("{root}/audit/{}", blob.id),
        "contentCreated": blob.created.with_millis(), "contentExpiration": blob.created.plus(life).with_millis(),
    })
}
