//! Segments that Graph has and this tenant holds nothing in, or nothing that an application may see without further
//! permissions: empty sets, refusals by permission, and properties by their own address.

use serde_json::{Value, json};

use super::call::{Answer, Body, Call};
use super::error::GraphError;
use super::few::{collection, entity};
use super::permission::Act;
use super::scene::Scene;
use super::schema::Type;
use crate::state::{AuditRecord, Object, State};

/// Segments of the root that belong to other workloads. Who lacks their permissions (and here everybody does) is denied.
const ELSEWHERE: [&str; 48] = [
    "admin",
    "agreements",
    "appcatalogs",
    "applicationtemplates",
    "chats",
    "communications",
    "compliance",
    "connections",
    "copilot",
    "datapolicyoperations",
    "deviceappmanagement",
    "devicemanagement",
    "drive",
    "drives",
    "education",
    "employeeexperience",
    "external",
    "filteroperators",
    "identity",
    "identitygovernance",
    "identityprotection",
    "identityproviders",
    "informationprotection",
    "invitations",
    "permissiongrants",
    "places",
    "planner",
    "policies",
    "print",
    "privacy",
    "reports",
    "schemaextensions",
    "scopedrolememberships",
    "search",
    "security",
    "shares",
    "sites",
    "solutions",
    "storage",
    "teams",
    "teamstemplates",
    "teamwork",
    "tenantrelationships",
    "authenticationmethodspolicy",
    "authenticationmethodconfigurations",
    "certificatebasedauthconfiguration",
    "domaindnsrecords",
    "onpremisespublishingprofiles",
];

/// What hangs on people and groups and lies in their mailboxes.
const MAIL: [&str; 15] = [
    "calendar",
    "calendargroups",
    "calendars",
    "calendarview",
    "contactfolders",
    "contacts",
    "conversations",
    "events",
    "inferenceclassification",
    "mailfolders",
    "messages",
    "outlook",
    "people",
    "sendmail",
    "threads",
];

/// What hangs on people and groups in other workloads.
const OTHER: [&str; 26] = [
    "activities",
    "agreementacceptances",
    "authentication",
    "chats",
    "cloudclipboard",
    "datasecurityandgovernance",
    "devicemanagementtroubleshootingevents",
    "drive",
    "drives",
    "employeeexperience",
    "followedsites",
    "insights",
    "joinedteams",
    "manageddevices",
    "onenote",
    "onlinemeetings",
    "planner",
    "presence",
    "print",
    "settings",
    "sites",
    "solutions",
    "teamwork",
    "todo",
    "managedappregistrations",
    "createdonbehalfof",
];

/// Relations of people and groups that are empty here, with the name of their set.
const EMPTY: [(&str, &str); 18] = [
    ("acceptedsenders", "directoryObjects"),
    ("approleassignments", "appRoleAssignments"),
    ("createdobjects", "directoryObjects"),
    ("extensions", "extensions"),
    ("grouplifecyclepolicies", "groupLifecyclePolicies"),
    ("memberswithlicenseerrors", "directoryObjects"),
    ("oauth2permissiongrants", "oauth2PermissionGrants"),
    ("owneddevices", "directoryObjects"),
    ("permissiongrants", "permissionGrants"),
    ("registereddevices", "directoryObjects"),
    ("rejectedsenders", "directoryObjects"),
    ("scopedrolememberof", "scopedRoleMemberships"),
    ("serviceprovisioningerrors", "serviceProvisioningErrors"),
    ("sponsorof", "directoryObjects"),
    ("sponsors", "directoryObjects"),
    ("transitivereports", "directoryObjects"),
    ("photos", "photos"),
    ("onpremisessyncbehavior", "onPremisesSyncBehavior"),
];

/// Answers reads of such a segment of the root; `None` when Graph has none of that name.
pub fn answer(
    scene: &Scene<'_>,
    state: &State,
    call: &Call,
    path: &[&str],
) -> Option<Result<Answer, GraphError>> {
    let empty = |set: &str| match scene.require(&[Act::ReadDirectory]) {
        Ok(()) => Ok(collection(call, set, Vec::new())),
        Err(error) => Err(error),
    };
    let key = || call.segments.last().map_or("", String::as_str).to_owned();
    Some(match path {
        ["devices"] => empty("devices"),
        ["administrativeunits"] | ["directory", "administrativeunits"] => {
            empty("directory/administrativeUnits")
        }
        ["groupsettings"] => empty("groupSettings"),
        ["groupsettingtemplates"] => empty("groupSettingTemplates"),
        ["grouplifecyclepolicies"] => empty("groupLifecyclePolicies"),
        ["contracts"] => empty("contracts"),
        ["devices" | "administrativeunits" | "groupsettings" | "groupsettingtemplates" | "contracts", _]
        | ["directory", "administrativeunits", _] => match scene.require(&[Act::ReadDirectory]) {
            Ok(()) => Err(GraphError::not_found(&key())),
            Err(error) => Err(error),
        },
        ["subscriptions"] => Ok(collection(call, "subscriptions", Vec::new())),
        ["subscriptions", _] => Err(GraphError::not_found(&key())),
        ["auditlogs", "signins" | "directoryaudits", ..] => logs(scene, state, call, path),
        [first, ..] if ELSEWHERE.contains(first) => Err(GraphError::denied()),
        _ => return None,
    })
}

fn logs(scene: &Scene<'_>, state: &State, call: &Call, path: &[&str]) -> Result<Answer, GraphError> {
    scene.require(&[Act::ReadSignIns])?;
    if !scene.knobs.premium {
        return Err(GraphError::new(
            http::StatusCode::FORBIDDEN,
            "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
            "Neither tenant is B2C or tenant doesn't have premium license",
        ));
    }
    let key = call.segments.last().map_or("", String::as_str);
    let shown = || {
        state
            .audit()
            .iter()
            .rev()
            .filter(|record| &*record.workload == "AzureActiveDirectory" && record.available_at <= scene.now)
            .map(directory_audit)
    };
    match path {
        // Nobody's sign-ins are recorded.
        [_, "signins"] => Ok(collection(call, "auditLogs/signIns", Vec::new())),
        [_, "directoryaudits"] => {
            let top = call.options.top.as_deref().and_then(|top| top.parse().ok()).unwrap_or(1000).min(1000);
            Ok(collection(call, "auditLogs/directoryAudits", shown().take(top).collect()))
        }
        [_, "directoryaudits", _] => shown()
            .find(|record| record["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(key)))
            .map(|record| entity(call, "auditLogs/directoryAudits", record))
            .ok_or_else(|| GraphError::not_found(key)),
        _ => Err(GraphError::not_found(key)),
    }
}

fn directory_audit(record: &AuditRecord) -> Value {
    let category = if record.operation.contains("group") { "GroupManagement" } else { "UserManagement" };
    let kind = match record.operation.split(' ').next() {
        Some("Add") => "Add",
        Some("Delete" | "Remove" | "Hard") => "Delete",
        _ => "Update",
    };
    let by_app = record.actor.kind == crate::state::ActorKind::ServicePrincipal;
    let user = (!by_app).then(|| {
        json!({"id": record.actor.object_id, "displayName": null, "userPrincipalName": &*record.actor.user_id, "ipAddress": record.client_ip.as_deref()})
    });
    let app = by_app.then(|| {
        json!({"appId": record.actor.app_id, "displayName": &*record.actor.user_id, "servicePrincipalId": record.actor.object_id, "servicePrincipalName": null})
    });
    let details: Vec<Value> =
        record.parameters.iter().map(|(name, value)| json!({"key": &**name, "value": &**value})).collect();
    json!({
        "id": format!("Directory_{}", record.id), "category": category, "correlationId": record.id,
        "result": if record.succeeded { "success" } else { "failure" }, "resultReason": "",
        "activityDisplayName": &*record.operation, "activityDateTime": record.at.graph(),
        "loggedByService": "Core Directory", "operationType": kind, "initiatedBy": {"user": user, "app": app},
        "targetResources": [{"id": &*record.object, "displayName": null, "type": null, "modifiedProperties": []}],
        "additionalDetails": details,
    })
}

/// The refusal of a write in another workload; `None` when the path leads to none.
#[must_use]
pub fn write_refusal(path: &[&str]) -> Option<GraphError> {
    match path {
        ["users" | "groups", _, first, ..] if MAIL.contains(first) => Some(mail_denied()),
        ["users" | "groups", _, first, ..] if OTHER.contains(first) || *first == "team" => {
            Some(GraphError::denied())
        }
        [first, ..] if ELSEWHERE.contains(first) => Some(GraphError::denied()),
        _ => None,
    }
}

fn mail_denied() -> GraphError {
    GraphError::new(
        http::StatusCode::FORBIDDEN,
        "ErrorAccessDenied",
        "Access is denied. Check credentials and try again.",
    )
}

/// Answers reads of what hangs on one object beyond the relations of the directory.
///
/// # Errors
/// The refusal that the service would give.
pub fn relation(
    scene: &Scene<'_>,
    state: &State,
    call: &Call,
    kind: Type,
    object: &Object,
    rest: &[&str],
) -> Result<Answer, GraphError> {
    let first = rest.first().copied().unwrap_or_default();
    let spelled = call.segments.get(2).map_or("", String::as_str);
    if let [_] = rest
        && let Some((_, set)) = EMPTY.iter().find(|(name, _)| *name == first)
    {
        return Ok(collection(call, set, Vec::new()));
    }
    if MAIL.contains(&first) {
        return Err(mail_denied());
    }
    if kind == Type::Group && first == "team" && object.group().is_some_and(|group| !group.team) {
        return Err(GraphError::new(
            http::StatusCode::NOT_FOUND,
            "NotFound",
            format!("No team found with Group Id {}", object.id),
        ));
    }
    if kind == Type::Group && matches!(first, "photo") {
        return Err(GraphError::new(
            http::StatusCode::NOT_FOUND,
            "ImageNotFound",
            "Exception of type 'Microsoft.Fast.Profile.Core.Exception.ImageNotFoundException' was thrown.",
        ));
    }
    if kind == Type::Group && first == "settings" {
        return Ok(collection(call, "settings", Vec::new()));
    }
    if OTHER.contains(&first) || first == "team" {
        return Err(GraphError::denied());
    }
    let raw = rest.get(1) == Some(&"$value");
    if let Some(property) = kind.property(first)
        && (rest.len() == 1 || (raw && rest.len() == 2))
    {
        super::route::readable(scene, kind)?;
        let mut bytes = Vec::new();
        super::value::value(&scene.source(state), object, property).write(
            &mut bytes,
            property.kind,
            &state.tenant,
        );
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if value.is_null() {
            return Ok(Answer::no_content());
        }
        if raw {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            return Ok(Answer { status: http::StatusCode::OK, body: Body::Text(text), headers: Vec::new() });
        }
        return Ok(Answer::value(&json!({
            "@odata.context": format!("{}/$metadata#{}('{}')/{}", call.base, kind.set(), object.id, property.name),
            "value": value,
        })));
    }
    Err(GraphError::no_segment(spelled))
}
