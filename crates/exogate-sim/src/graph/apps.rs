//! Applications and service principals: what there are, what was granted to them, and service principals as parts of
//! the directory's relations.

use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::error::GraphError;
use super::few::{collection, entity, select};
use super::organization::roles_of;
use super::permission::Act;
use super::scene::Scene;
use crate::state::{App, AppKind, Body, Idx, Principal, State};
use crate::token::Resource;

/// Answers reads of the sets; `None` when the path is none of them.
///
/// # Errors
/// The refusal that the service would give.
pub fn answer(
    scene: &Scene<'_>,
    state: &State,
    call: &Call,
    path: &[&str],
) -> Option<Result<Answer, GraphError>> {
    if !matches!(path.first()?, &"applications" | &"serviceprincipals" | &"oauth2permissiongrants") {
        return None;
    }
    if let Err(error) = scene.require(&[Act::ReadApps]) {
        return Some(Err(error));
    }
    Some(route(scene, state, call, path))
}

fn route(scene: &Scene<'_>, state: &State, call: &Call, path: &[&str]) -> Result<Answer, GraphError> {
    let key = |at: usize| call.segments.get(at).cloned().unwrap_or_default();
    match path {
        ["applications"] => {
            Ok(collection(call, "applications", state.apps.iter().map(application).collect()))
        }
        ["applications", id, rest @ ..] => {
            let app = state
                .apps
                .iter()
                .find(|app| app_matches(Some(app), id, false))
                .ok_or_else(|| GraphError::not_found(&key(1)))?;
            match rest {
                [] => Ok(entity(call, "applications", application(app))),
                ["owners"] => Ok(collection(call, "directoryObjects", Vec::new())),
                ["extensionproperties"] => Ok(collection(call, "extensionProperties", Vec::new())),
                ["federatedidentitycredentials"] => {
                    Ok(collection(call, "federatedIdentityCredentials", Vec::new()))
                }
                [name] => property(call, "applications", application(app), name),
                _ => Err(GraphError::no_segment(&key(3))),
            }
        }
        ["serviceprincipals"] => {
            let mut all = principals(state);
            if call
                .options
                .expand
                .as_deref()
                .is_some_and(|name| name.eq_ignore_ascii_case("appRoleAssignments"))
            {
                for principal in &mut all {
                    let id = principal["id"].as_str().and_then(|id| id.parse().ok());
                    principal["appRoleAssignments"] = Value::Array(granted_to(state, id));
                }
            }
            Ok(collection(call, "servicePrincipals", all))
        }
        ["serviceprincipals", id, rest @ ..] => {
            let principal = principals(state)
                .into_iter()
                .find(|principal| principal_key(principal, id))
                .ok_or_else(|| GraphError::not_found(&key(1)))?;
            let own: Option<Uuid> = principal["id"].as_str().and_then(|id| id.parse().ok());
            match rest {
                [] => Ok(entity(call, "servicePrincipals", principal)),
                ["approleassignments"] => Ok(collection(call, "appRoleAssignments", granted_to(state, own))),
                ["approleassignedto"] => {
                    let wanted = |one: &Value| one["resourceId"] == principal["id"];
                    let all = state.apps.iter().flat_map(|app| assignments(state, app)).filter(wanted);
                    Ok(collection(call, "appRoleAssignments", all.collect()))
                }
                ["oauth2permissiongrants"] => {
                    let wanted = |one: &Value| one["clientId"] == principal["id"];
                    let all = grants(state).into_iter().filter(wanted).collect();
                    Ok(collection(call, "oauth2PermissionGrants", all))
                }
                ["memberof" | "transitivememberof" | "ownedobjects"] => {
                    Ok(collection(call, "directoryObjects", related(scene, state, own, rest[0])))
                }
                ["owners" | "createdobjects"] => Ok(collection(call, "directoryObjects", Vec::new())),
                [name] => property(call, "servicePrincipals", principal, name),
                _ => Err(GraphError::no_segment(&key(3))),
            }
        }
        ["oauth2permissiongrants"] => Ok(collection(call, "oauth2PermissionGrants", grants(state))),
        ["oauth2permissiongrants", id] => grants(state)
            .into_iter()
            .find(|grant| grant["id"].as_str().is_some_and(|held| held.eq_ignore_ascii_case(id)))
            .map(|grant| entity(call, "oauth2PermissionGrants", grant))
            .ok_or_else(|| GraphError::not_found(&key(1))),
        _ => Err(GraphError::no_segment(call.segments.last().map_or("", String::as_str))),
    }
}

/// `…/applications/{id}/displayName`
fn property(call: &Call, set: &str, item: Value, name: &str) -> Result<Answer, GraphError> {
    let id = item["id"].as_str().unwrap_or_default().to_owned();
    let Value::Object(members) = item else { return Err(GraphError::no_segment(name)) };
    let found = members.into_iter().find(|(held, _)| held.eq_ignore_ascii_case(name));
    let (name, value) =
        found.ok_or_else(|| GraphError::no_segment(call.segments.last().map_or("", String::as_str)))?;
    Ok(Answer::value(&json!({
        "@odata.context": format!("{}/$metadata#{set}('{id}')/{name}", call.base), "value": value,
    })))
}

/// Groups and roles around a service principal.
fn related(scene: &Scene<'_>, state: &State, id: Option<Uuid>, navigation: &str) -> Vec<Value> {
    let Some(id) = id else { return Vec::new() };
    let view = scene.view(state);
    let place = view.find_live(id);
    let navigation = match navigation {
        "memberof" => "memberOf",
        "transitivememberof" => "transitiveMemberOf",
        _ => "ownedObjects",
    };
    let groups = place.map(|(idx, object)| super::nav::related(&view, idx, object, navigation));
    let mut all: Vec<Value> = groups
        .into_iter()
        .flatten()
        .map(|(_, group)| {
            let mut item = json!({"@odata.type": "#microsoft.graph.group"});
            let source = scene.source(state);
            for property in super::schema::Type::Group.defaults() {
                let mut bytes = Vec::new();
                super::value::value(&source, group, property).write(&mut bytes, property.kind, &state.tenant);
                item[property.name] = serde_json::from_slice(&bytes).unwrap_or_default();
            }
            item
        })
        .collect();
    if navigation != "ownedObjects" {
        all.extend(roles_of(state, place.map(|(idx, _)| idx), id));
    }
    all
}

fn granted_to(state: &State, principal: Option<Uuid>) -> Vec<Value> {
    let app = state.apps.iter().find(|app| Some(app.principal_id) == principal);
    app.map(|app| assignments(state, app)).unwrap_or_default()
}

/// Delegated permissions that were consented to for everybody.
fn grants(state: &State) -> Vec<Value> {
    let of_app = |app: &App| -> Vec<Value> {
        app.consents
            .iter()
            .filter_map(|consent| {
                let resource =
                    RESOURCES.into_iter().find(|known| known.app_id() == consent.resource.to_string())?;
                let resource_id = resource_principal(state, resource);
                let id = Uuid::from_u128(app.principal_id.as_u128() ^ resource_id.as_u128());
                Some(json!({
                    "id": id.simple().to_string(), "clientId": app.principal_id, "consentType": "AllPrincipals",
                    "principalId": null, "resourceId": resource_id, "scope": consent.scopes.join(" "),
                }))
            })
            .collect()
    };
    state.apps.iter().flat_map(of_app).collect()
}

/// The service principal behind an object id, as `/directoryObjects` and lists of any type show it.
pub(super) fn directory_object(state: &State, call: &Call, id: &str) -> Option<Value> {
    let found = principals(state)
        .into_iter()
        .find(|principal| principal["id"].as_str().is_some_and(|held| held.eq_ignore_ascii_case(id)))?;
    let mut item = json!({"@odata.type": "#microsoft.graph.servicePrincipal"});
    if let (Value::Object(item), Value::Object(members)) = (&mut item, select(call, found)) {
        item.extend(members);
    }
    Some(item)
}

/// Service principals stand in the directory's relations only once they take part in one: here they enter.
pub(super) fn admit(scene: &Scene<'_>, state: &mut State, id: Uuid) -> Option<Idx> {
    if let Some(there) = state.find(id) {
        return Some(there);
    }
    let text = id.to_string();
    let found = principals(state).into_iter().find(|principal| principal["id"] == text)?;
    let principal = Principal {
        app_id: found["appId"].as_str()?.parse().ok()?,
        kind: found["servicePrincipalType"].as_str()?.into(),
    };
    let name = found["displayName"].as_str()?.to_owned();
    let mut object = state.new_object(&name, "", Body::Principal(Box::new(principal)), scene.now);
    object.id = id;
    // It has been there all along, so nobody is told of it now.
    state.load_at(scene.now).insert(object).ok()
}

/// Grants or takes back an application permission.
///
/// # Errors
/// The refusal that the service would give.
pub(super) fn assign(scene: &Scene<'_>, call: &Call) -> Result<Answer, GraphError> {
    scene.require(&[Act::WriteGrants])?;
    let body = call.json()?;
    let id = |name: &str| -> Result<Uuid, GraphError> {
        body.get(name).and_then(Value::as_str).and_then(|text| text.parse().ok()).ok_or_else(|| {
            GraphError::bad_request(format!(
                "A value is required for property '{name}' of resource 'AppRoleAssignment'."
            ))
        })
    };
    let (principal, resource, role) = (id("principalId")?, id("resourceId")?, id("appRoleId")?);
    let mut state = scene.world.state_mut();
    let known = RESOURCES.into_iter().find(|known| resource_principal(&state, *known) == resource);
    let resource = known.ok_or_else(|| GraphError::not_found(&resource.to_string()))?;
    let value = role_names(resource)
        .into_iter()
        .find(|name| app_role_id(name) == role)
        .ok_or_else(|| GraphError::bad_request("Permission being assigned was not found on application."))?;
    let resource_id: Uuid = resource.app_id().parse().unwrap_or_default();
    let app = state
        .apps
        .iter_mut()
        .find(|app| app.principal_id == principal)
        .ok_or_else(|| GraphError::not_found(&principal.to_string()))?;
    if app.roles.iter().any(|held| held.resource == resource_id && held.value.eq_ignore_ascii_case(value)) {
        return Err(GraphError::bad_request("Permission being assigned already exists on the object."));
    }
    app.roles.push(crate::state::ResourceRole { resource: resource_id, value: value.to_owned() });
    let client = app.client_id;
    let made = state
        .app(client)
        .map(|app| assignments(&state, app))
        .and_then(|all| all.into_iter().find(|one| one["appRoleId"] == role.to_string()))
        .unwrap_or_default();
    let mut answer = entity(call, "appRoleAssignments", made);
    answer.status = http::StatusCode::CREATED;
    Ok(answer)
}

/// `DELETE …/appRoleAssignments/{id}`
///
/// # Errors
/// The refusal that the service would give.
pub(super) fn unassign(scene: &Scene<'_>, id: &str) -> Result<Answer, GraphError> {
    scene.require(&[Act::WriteGrants])?;
    let mut state = scene.world.state_mut();
    let found = state.apps.iter().find_map(|app| {
        let held = assignments(&state, app)
            .into_iter()
            .find(|one| one["id"].as_str().is_some_and(|held| held.eq_ignore_ascii_case(id)))?;
        Some((app.client_id, held["appRoleId"].as_str()?.to_owned()))
    });
    let (client, role) = found.ok_or_else(|| GraphError::not_found(id))?;
    if let Some(app) = state.app_mut(client) {
        app.roles.retain(|held| app_role_id(&held.value).to_string() != role);
    }
    Ok(Answer::no_content())
}

/// Whether a key (object id, or `appId=…`) means this app or its service principal.
fn app_matches(app: Option<&App>, key: &str, principal: bool) -> bool {
    let Some(app) = app else { return false };
    match key.split_once('=') {
        Some((_, id)) => app.client_id.to_string().eq_ignore_ascii_case(id),
        None => {
            let own = if principal { app.principal_id } else { app.object_id };
            own.to_string().eq_ignore_ascii_case(key)
        }
    }
}

fn application(app: &App) -> Value {
    json!({
        "id": app.object_id, "deletedDateTime": null, "appId": app.client_id, "displayName": app.display_name,
        "signInAudience": "AzureADMyOrg", "identifierUris": [], "keyCredentials": key_credentials(app),
        "passwordCredentials": password_credentials(app),
    })
}

fn key_credentials(app: &App) -> Value {
    use base64::Engine as _;
    app.certificates
        .iter()
        .map(|certificate| {
            json!({
                "customKeyIdentifier": base64::engine::general_purpose::STANDARD.encode(certificate.sha1),
                "displayName": certificate.subject, "endDateTime": certificate.expires.graph(), "key": null,
                "keyId": certificate.key_id, "startDateTime": certificate.starts.graph(),
                "type": "AsymmetricX509Cert", "usage": "Verify",
            })
        })
        .collect()
}

fn password_credentials(app: &App) -> Value {
    app.secrets
        .iter()
        .map(|secret| {
            json!({
                "customKeyIdentifier": null, "displayName": null, "endDateTime": secret.expires.graph(),
                "hint": secret.value.chars().take(3).collect::<String>(), "keyId": secret.key_id,
                "secretText": null, "startDateTime": secret.starts.graph(),
            })
        })
        .collect()
}

/// Object id of a first-party resource's service principal in this tenant.
fn resource_principal(state: &State, resource: Resource) -> Uuid {
    let id: Uuid = resource.app_id().parse().unwrap_or_default();
    crate::state::tenant::derived_id(state.tenant.seed, (id.as_u128() as u64) ^ ((id.as_u128() >> 64) as u64))
}

const RESOURCES: [Resource; 3] = [Resource::Graph, Resource::Exchange, Resource::Management];

/// Well-known ids of application permissions.
const APP_ROLES: [(&str, u128); 26] = [
    ("User.Read.All", 0xdf021288_bdef_4463_88db_98f22de89214),
    ("User.ReadWrite.All", 0x741f803b_c850_494e_b5df_cde7c675a1ca),
    ("User.EnableDisableAccount.All", 0x3011c876_62b7_4ada_afa2_506cbbecc68c),
    ("User-Mail.ReadWrite.All", 0x280d0935_0796_47d1_8d26_273470a3f17a),
    ("User-Phone.ReadWrite.All", 0x86ceff06_c822_49ff_989a_d912845ffe69),
    ("User-PasswordProfile.ReadWrite.All", 0xcc117bb9_00cf_4eb8_b580_ea2a878fe8f7),
    ("User.ManageIdentities.All", 0xc529cfca_c91b_489c_af2b_d92990b66ce6),
    ("User.DeleteRestore.All", 0xeccc023d_eccf_4e7b_9683_8813ab36cecc),
    ("User.RevokeSessions.All", 0x77f3a031_c388_4f99_b373_dc68676a979e),
    ("User-LifeCycleInfo.Read.All", 0x8556a004_db57_4d7a_8b82_97a13428e96f),
    ("GroupMember.Read.All", 0x98830695_27a2_44f7_8c18_0c3ebc9698f6),
    ("GroupMember.ReadWrite.All", 0xdbaae8cf_10b5_4b86_a4a1_f871c94c6695),
    ("Group.Read.All", 0x5b567255_7703_4780_807c_7be8301ae99b),
    ("Group.ReadWrite.All", 0x62a82d76_70ea_41e2_9197_370581804d09),
    ("Group.Create", 0xbf7b1a76_6e77_406b_b258_bf5c7720e98f),
    ("Member.Read.Hidden", 0x658aa5d8_239f_45c4_aa12_864f4fc7e490),
    ("Directory.Read.All", 0x7ab1d382_f21e_4acd_a863_ba3e13f7da61),
    ("Directory.ReadWrite.All", 0x19dbc75e_c2e2_444c_a770_ec69d8559fc7),
    ("AuditLog.Read.All", 0xb0afded3_3588_46d8_8b3d_9842eff778da),
    ("Organization.Read.All", 0x498476ce_e0fe_48b0_b801_37ba7e2685c6),
    ("LicenseAssignment.ReadWrite.All", 0x5facf0c1_8979_4e95_abcf_ff3d079771c0),
    ("MailboxSettings.Read", 0x40f97065_369a_49f4_947c_6a255697ae91),
    ("OrgContact.Read.All", 0xe1a88a34_94c4_4418_be12_c87b00e26bea),
    ("RoleManagement.Read.Directory", 0x483bed4a_2ad3_4361_a73b_c83ccdbdc53c),
    ("RoleManagement.ReadWrite.Directory", 0x9e3f62cf_ca93_4989_b6ce_bf83c28f9fe8),
    ("Exchange.ManageAsApp", 0xdc50a0fb_09a3_484d_be87_e023b12c6440),
];

/// The id of an application permission: the known one, or one derived from its name.
fn app_role_id(name: &str) -> Uuid {
    use sha2::Digest as _;
    APP_ROLES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or_else(
        || {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&sha2::Sha256::digest(name.as_bytes())[..16]);
            uuid::Builder::from_random_bytes(bytes).into_uuid()
        },
        |(_, id)| Uuid::from_u128(*id),
    )
}

/// The application permissions of a resource.
fn role_names(resource: Resource) -> Vec<&'static str> {
    match resource {
        Resource::Graph => {
            APP_ROLES.iter().map(|(name, _)| *name).filter(|name| !name.starts_with("Exchange.")).collect()
        }
        Resource::Exchange => {
            vec!["Exchange.ManageAsApp", "Exchange.ManageAsAppV2", "Exchange.AdminAPI.ManageAsApp"]
        }
        Resource::Management => vec!["ActivityFeed.Read", "ActivityFeed.ReadDlp", "ServiceHealth.Read"],
    }
}

fn principals(state: &State) -> Vec<Value> {
    let own = state.apps.iter().map(|app| {
        json!({
            "id": app.principal_id, "deletedDateTime": null, "accountEnabled": app.enabled,
            "alternativeNames": [], "appDisplayName": app.display_name, "appId": app.client_id,
            "appOwnerOrganizationId": state.tenant.id, "appRoleAssignmentRequired": false, "appRoles": [],
            "displayName": app.display_name, "keyCredentials": [], "oauth2PermissionScopes": [],
            "passwordCredentials": [], "replyUrls": [], "servicePrincipalNames": [app.client_id.to_string()],
            "servicePrincipalType": if app.kind == AppKind::ManagedIdentity { "ManagedIdentity" } else { "Application" },
            "signInAudience": "AzureADMyOrg", "tags": [],
        })
    });
    let first_party = RESOURCES.into_iter().map(|resource| {
        let roles: Vec<Value> = role_names(resource)
            .into_iter()
            .map(|name| {
                json!({
                    "allowedMemberTypes": ["Application"], "description": name, "displayName": name,
                    "id": app_role_id(name), "isEnabled": true, "origin": "Application", "value": name,
                })
            })
            .collect();
        json!({
            "id": resource_principal(state, resource), "deletedDateTime": null, "accountEnabled": true,
            "alternativeNames": [], "appDisplayName": resource.display_name(), "appId": resource.app_id(),
            "appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a", "appRoleAssignmentRequired": false,
            "appRoles": roles, "displayName": resource.display_name(), "keyCredentials": [],
            "oauth2PermissionScopes": [], "passwordCredentials": [], "replyUrls": [],
            "servicePrincipalNames": [resource.app_id()], "servicePrincipalType": "Application",
            "signInAudience": "AzureADMultipleOrgs", "tags": [],
        })
    });
    own.chain(first_party).collect()
}

fn principal_key(principal: &Value, key: &str) -> bool {
    let (name, wanted) = match key.split_once('=') {
        Some((_, id)) => ("appId", id),
        None => ("id", key),
    };
    principal[name].as_str().is_some_and(|held| held.eq_ignore_ascii_case(wanted))
}

fn assignments(state: &State, app: &App) -> Vec<Value> {
    app.roles
        .iter()
        .filter_map(|role| {
            let resource = RESOURCES.into_iter().find(|known| known.app_id() == role.resource.to_string())?;
            let id = app_role_id(&role.value);
            Some(json!({
                "id": Uuid::from_u128(app.principal_id.as_u128() ^ id.as_u128()).simple().to_string(),
                "deletedDateTime": null, "appRoleId": id, "createdDateTime": state.tenant.created.graph(),
                "principalDisplayName": app.display_name, "principalId": app.principal_id,
                "principalType": "ServicePrincipal", "resourceDisplayName": resource.display_name(),
                "resourceId": resource_principal(state, resource),
            }))
        })
        .collect()
}
