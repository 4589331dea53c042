//! What connection tests and sign-in helpers ask besides users and groups: organisation, domains, licences and
//! directory roles. Small sets; read-only.

use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::error::GraphError;
use super::few::{collection, entity};
use super::permission::Act;
use super::scene::Scene;
use crate::state::{Idx, State};

/// Answers the small sets; `None` when the path is none of them.
///
/// # Errors
/// The refusal that the service would give.
pub fn answer(
    scene: &Scene<'_>,
    state: &State,
    call: &Call,
    path: &[&str],
) -> Option<Result<Answer, GraphError>> {
    let act = match path.first()? {
        &"organization" | &"domains" => Act::ReadOrganization,
        &"subscribedskus" => Act::ReadSkus,
        &"directoryroles" | &"directoryroletemplates" | &"rolemanagement" => Act::ReadRoles,
        _ => return None,
    };
    if let Err(error) = scene.require(&[act]) {
        return Some(Err(error));
    }
    Some(route(scene, state, call, path))
}

fn route(scene: &Scene<'_>, state: &State, call: &Call, path: &[&str]) -> Result<Answer, GraphError> {
    let key = |at: usize| call.segments.get(at).cloned().unwrap_or_default();
    match path {
        ["organization"] => Ok(collection(call, "organization", vec![organization(state)])),
        ["organization", id] if *id == state.tenant.id.to_string() => {
            Ok(entity(call, "organization", organization(state)))
        }
        ["domains"] => Ok(collection(call, "domains", domains(state))),
        ["domains", name] => domains(state)
            .into_iter()
            .find(|domain| domain["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(name)))
            .map(|domain| entity(call, "domains", domain))
            .ok_or_else(|| GraphError::not_found(&key(1))),
        ["subscribedskus"] => Ok(collection(call, "subscribedSkus", skus(state))),
        ["subscribedskus", id] => skus(state)
            .into_iter()
            .find(|sku| sku["id"].as_str().is_some_and(|held| held.eq_ignore_ascii_case(id)))
            .map(|sku| entity(call, "subscribedSkus", sku))
            .ok_or_else(|| GraphError::not_found(&key(1))),
        ["directoryroles"] => Ok(collection(call, "directoryRoles", roles(state))),
        ["directoryroletemplates"] => {
            let templates = crate::state::app::role::ALL
                .iter()
                .map(|(name, id)| json!({"id": id, "deletedDateTime": null, "description": name, "displayName": name}))
                .collect();
            Ok(collection(call, "directoryRoleTemplates", templates))
        }
        ["directoryroles", role, "members"] => role_members(scene, state, call, role),
        ["directoryroles", role] => roles(state)
            .into_iter()
            .find(|held| role_key(held, role))
            .map(|held| entity(call, "directoryRoles", held))
            .ok_or_else(|| GraphError::not_found(&key(1))),
        ["rolemanagement", "directory", "roleassignments"] => {
            Ok(collection(call, "roleManagement/directory/roleAssignments", role_assignments(state)))
        }
        // Roles are held for good here; nobody is merely eligible for one.
        ["rolemanagement", "directory", "roleassignmentscheduleinstances"] => {
            let instances = role_assignments(state).into_iter().map(|mut held| {
                held["assignmentType"] = "Assigned".into();
                held["memberType"] = "Direct".into();
                held["startDateTime"] = state.tenant.created.graph().into();
                held["endDateTime"] = Value::Null;
                held
            });
            let set = "roleManagement/directory/roleAssignmentScheduleInstances";
            Ok(collection(call, set, instances.collect()))
        }
        ["rolemanagement", "directory", "roleeligibilityscheduleinstances"] => {
            Ok(collection(call, "roleManagement/directory/roleEligibilityScheduleInstances", Vec::new()))
        }
        ["rolemanagement", "directory", "roledefinitions"] => {
            let definitions = crate::state::app::role::ALL
                .iter()
                .map(|(name, id)| {
                    json!({"id": id, "description": name, "displayName": name, "isBuiltIn": true, "isEnabled": true, "templateId": id})
                })
                .collect();
            Ok(collection(call, "roleManagement/directory/roleDefinitions", definitions))
        }
        _ => Err(GraphError::no_segment(call.segments.last().map_or("", String::as_str))),
    }
}

fn organization(state: &State) -> Value {
    let tenant = &state.tenant;
    let domains: Vec<Value> = tenant
        .domains
        .iter()
        .map(|domain| {
            json!({
                "capabilities": "Email, OfficeCommunicationsOnline", "isDefault": domain.default,
                "isInitial": domain.initial, "name": domain.name,
                "type": if domain.federated { "Federated" } else { "Managed" },
            })
        })
        .collect();
    json!({
        "id": tenant.id, "deletedDateTime": null, "businessPhones": [], "city": null, "country": null,
        "countryLetterCode": tenant.country, "createdDateTime": tenant.created.graph(),
        "defaultUsageLocation": null, "displayName": tenant.display_name, "marketingNotificationEmails": [],
        "onPremisesLastSyncDateTime": null, "onPremisesSyncEnabled": null, "partnerTenantType": null,
        "postalCode": null, "preferredLanguage": "en", "securityComplianceNotificationMails": [],
        "securityComplianceNotificationPhones": [], "state": null, "street": null,
        "technicalNotificationMails": [], "tenantType": "AAD", "assignedPlans": [], "provisionedPlans": [],
        "verifiedDomains": domains,
    })
}

fn domains(state: &State) -> Vec<Value> {
    state
        .tenant
        .domains
        .iter()
        .map(|domain| {
            json!({
                "authenticationType": if domain.federated { "Federated" } else { "Managed" },
                "availabilityStatus": null, "id": domain.name, "isAdminManaged": true, "isDefault": domain.default,
                "isInitial": domain.initial, "isRoot": true, "isVerified": true,
                "passwordNotificationWindowInDays": 14, "passwordValidityPeriodInDays": 2_147_483_647,
                "state": null, "supportedServices": ["Email", "OfficeCommunicationsOnline"],
            })
        })
        .collect()
}

/// Seats in use, per position of the tenant's licences.
#[must_use]
pub fn seats(state: &State) -> Vec<u32> {
    let mut used = vec![0; state.tenant.skus.len()];
    let view = state.view(crate::state::Face::Graph, crate::clock::Time::default());
    for (_, object) in view.list(crate::state::Class::Users, crate::state::Idx::FIRST) {
        for at in object.user().map_or(&[][..], |user| &user.licences) {
            if let Some(seat) = used.get_mut(usize::from(*at)) {
                *seat += 1;
            }
        }
    }
    used
}

fn skus(state: &State) -> Vec<Value> {
    let used = seats(state);
    state
        .tenant
        .skus
        .iter()
        .zip(used)
        .map(|(sku, used)| {
            let plans: Vec<Value> = sku
                .plans
                .iter()
                .map(|plan| {
                    json!({"servicePlanId": plan.id, "servicePlanName": plan.name, "provisioningStatus": "Success", "appliesTo": "User"})
                })
                .collect();
            json!({
                "accountName": state.tenant.display_name, "accountId": state.tenant.id, "appliesTo": "User",
                "capabilityStatus": "Enabled", "consumedUnits": used, "id": format!("{}_{}", state.tenant.id, sku.id),
                "skuId": sku.id, "skuPartNumber": sku.part_number, "subscriptionIds": [],
                "prepaidUnits": {"enabled": sku.enabled_units, "suspended": 0, "warning": 0, "lockedOut": 0},
                "servicePlans": plans,
            })
        })
        .collect()
}

/// The directory roles that an object holds, as relations list them. Applications hold theirs as applications.
pub(super) fn roles_of(state: &State, place: Option<Idx>, id: Uuid) -> Vec<Value> {
    let app = state.apps.iter().find(|app| app.principal_id == id);
    state
        .directory_roles
        .iter()
        .filter(|role| {
            place.is_some_and(|place| role.members.contains(&place))
                || app.is_some_and(|app| app.directory_roles.contains(&role.template))
        })
        .map(|role| {
            json!({
                "@odata.type": "#microsoft.graph.directoryRole", "id": role.id, "deletedDateTime": null,
                "description": role.name, "displayName": role.name, "roleTemplateId": role.template,
            })
        })
        .collect()
}

fn roles(state: &State) -> Vec<Value> {
    state
        .directory_roles
        .iter()
        .map(|role| {
            json!({
                "id": role.id, "deletedDateTime": null, "description": role.name, "displayName": role.name,
                "roleTemplateId": role.template,
            })
        })
        .collect()
}

fn role_key(role: &Value, key: &str) -> bool {
    match key.split_once('=') {
        Some((_, template)) => {
            role["roleTemplateId"].as_str().is_some_and(|held| held.eq_ignore_ascii_case(template))
        }
        None => role["id"].as_str().is_some_and(|held| held.eq_ignore_ascii_case(key)),
    }
}

fn role_members(scene: &Scene<'_>, state: &State, call: &Call, key: &str) -> Result<Answer, GraphError> {
    let role = state
        .directory_roles
        .iter()
        .find(|role| match key.split_once('=') {
            Some((_, template)) => role.template.to_string().eq_ignore_ascii_case(template),
            None => role.id.to_string().eq_ignore_ascii_case(key),
        })
        .ok_or_else(|| GraphError::not_found(key))?;
    let view = scene.view(state);
    let mut members: Vec<Value> = role
        .members
        .iter()
        .filter_map(|idx| view.live(*idx))
        .map(|user| {
            json!({
                "@odata.type": "#microsoft.graph.user", "id": user.id, "displayName": &*user.display_name,
                "mail": user.mail(), "userPrincipalName": user.upn(),
            })
        })
        .collect();
    members.extend(state.apps.iter().filter(|app| app.directory_roles.contains(&role.template)).map(|app| {
        json!({
            "@odata.type": "#microsoft.graph.servicePrincipal", "id": app.principal_id,
            "displayName": app.display_name, "appId": app.client_id,
        })
    }));
    Ok(collection(call, "directoryObjects", members))
}

fn role_assignments(state: &State) -> Vec<Value> {
    let assignment = |principal: Uuid, template: Uuid| {
        let id = Uuid::from_u128(principal.as_u128() ^ template.as_u128());
        json!({
            "id": id.simple().to_string(), "principalId": principal, "directoryScopeId": "/",
            "roleDefinitionId": template,
        })
    };
    let users = state.directory_roles.iter().flat_map(|role| {
        role.members
            .iter()
            .filter_map(|idx| state.get(*idx))
            .filter(|user| user.is_live())
            .map(move |user| assignment(user.id, role.template))
    });
    let apps = state.apps.iter().flat_map(|app| {
        app.directory_roles.iter().map(move |template| assignment(app.principal_id, *template))
    });
    users.chain(apps).collect()
}
