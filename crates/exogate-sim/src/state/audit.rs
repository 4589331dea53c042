//! The unified audit log's raw material: who did what to which object, and when a reader may
//! learn of it. Rendering into records and blobs belongs to the faces.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Edit, Text, Word};
use crate::clock::Time;

/// What kind of caller acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    User,
    Admin,
    /// An application on its own (app-only).
    ServicePrincipal,
    System,
}

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub kind: ActorKind,
    /// `UserId`: a UPN, or the form in which an application is named.
    pub user_id: Text,
    /// Object id of the user or service principal.
    pub object_id: Uuid,
    /// The application through which it was done.
    pub app_id: Option<Uuid>,
}

impl Actor {
    /// The service itself.
    #[must_use]
    pub fn system() -> Self {
        Self {
            kind: ActorKind::System,
            user_id: "NT AUTHORITY\\SYSTEM (Microsoft.Exchange.Servicehost)".into(),
            object_id: Uuid::nil(),
            app_id: None,
        }
    }
}

/// A record to be written.
#[derive(Clone, Debug)]
pub struct NewAudit {
    /// `Exchange`, `AzureActiveDirectory` …
    pub workload: &'static str,
    pub operation: String,
    pub actor: Actor,
    /// `ObjectId`: the canonical name of what was touched.
    pub object: String,
    /// Parameters as the caller typed them.
    pub parameters: Vec<(String, String)>,
    pub succeeded: bool,
    pub client_ip: Option<String>,
}

/// One audit record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    pub id: Uuid,
    pub workload: Word,
    pub operation: Word,
    pub actor: Actor,
    pub object: Text,
    pub parameters: Vec<(Word, Text)>,
    pub succeeded: bool,
    pub client_ip: Option<Text>,
    pub at: Time,
    /// When feed and search may show it.
    pub available_at: Time,
}

impl Edit<'_> {
    /// Writes an audit record that readers may see after `latency`.
    pub fn audit(&mut self, new: NewAudit, latency: Duration) -> Uuid {
        let id = self.state.next_id();
        let at = self.at;
        let parameters = new
            .parameters
            .into_iter()
            .map(|(name, value)| (self.state.word(&name), value.into_boxed_str()))
            .collect();
        let record = AuditRecord {
            id,
            workload: self.state.word(new.workload),
            operation: self.state.word(&new.operation),
            actor: new.actor,
            object: new.object.into(),
            parameters,
            succeeded: new.succeeded,
            client_ip: new.client_ip.map(String::into_boxed_str),
            at,
            available_at: at.plus(latency),
        };
        self.state.audit.push(record);
        id
    }
}
