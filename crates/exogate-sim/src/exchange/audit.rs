//! An audit record as the JSON text that searches return.
//!
//! Which records exist and when they may be seen is the state's business.

use serde_json::{Map, Value as Json, json};

use crate::state::{ActorKind, AuditRecord, State};

/// The `AuditData` of a record.
#[must_use]
pub fn audit_data(record: &AuditRecord, state: &State) -> String {
    let tenant = &state.tenant;
    let user_type = match record.actor.kind {
        ActorKind::User => 0,
        ActorKind::Admin => 2,
        ActorKind::System => 4,
        ActorKind::ServicePrincipal => 5,
    };
    let parameters: Vec<Json> =
        record.parameters.iter().map(|(name, value)| json!({"Name": &**name, "Value": &**value})).collect();
    let mut data = Map::new();
    let mut put = |name: &str, value: Json| {
        data.insert(name.to_owned(), value);
    };
    put("CreationTime", Json::from(record.at.bare()));
    put("Id", Json::from(record.id.to_string()));
    put("Operation", Json::from(&*record.operation));
    put("OrganizationId", Json::from(tenant.id.to_string()));
    put("RecordType", Json::from(if &*record.workload == "Exchange" { 1 } else { 8 }));
    put("ResultStatus", Json::from(if record.succeeded { "True" } else { "False" }));
    put("UserKey", Json::from(&*record.actor.user_id));
    put("UserType", Json::from(user_type));
    put("Version", Json::from(1));
    put("Workload", Json::from(&*record.workload));
    put("ClientIP", record.client_ip.as_deref().map_or(Json::from(""), Json::from));
    put("ObjectId", Json::from(&*record.object));
    put("UserId", Json::from(&*record.actor.user_id));
    put("AppId", record.actor.app_id.map_or(Json::from(""), |id| Json::from(id.to_string())));
    put("ClientAppId", Json::from(""));
    put("ExternalAccess", Json::from(record.actor.kind == ActorKind::System));
    put("OrganizationName", Json::from(tenant.initial_domain()));
    put("OriginatingServer", Json::from(format!("{} (15.20.8158.000)", tenant.server)));
    put("TokenObjectId", Json::from(record.actor.object_id.to_string()));
    put("TokenTenantId", Json::from(tenant.id.to_string()));
    put("Parameters", Json::from(parameters));
    Json::Object(data).to_string()
}
