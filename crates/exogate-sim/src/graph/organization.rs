//! What connection tests and sign-in helpers ask besides users and groups: organisation, domains, licences,
//! directory roles, applications and service principals. Small sets; read-only.

use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::error::GraphError;
use super::permission::Act;
use super::scene::Scene;
use crate::state::{App, State};
use crate::token::Resource;

/// A collection of few objects, filtered and selected as far as clients do it here.
fn collection(call: &Call, set: &str, items: Vec<Value>) -> Answer {
    let items: Vec<Value> =
        items.into_iter().filter(|item| wanted(call, item)).map(|item| select(call, item)).collect();
    let mut answer = json!({"@odata.context": format!("{}/$metadata#{set}", call.base)});
    if call.options.count && call.eventual() {
        answer["@odata.count"] = items.len().into();
    }
    answer["value"] = Value::Array(items);
    Answer::value(&answer)
}

fn entity(call: &Call, set: &str, item: Value) -> Answer {
    let mut answer = serde_json::Map::new();
    answer.insert("@odata.context".into(), format!("{}/$metadata#{set}/$entity", call.base).into());
    if let Value::Object(members) = select(call, item) {
        answer.extend(members);
    }
    Answer::value(&Value::Object(answer))
}

fn select(call: &Call, item: Value) -> Value {
    let (Some(names), Value::Object(members)) = (&call.options.select, &item) else { return item };
    if names.is_empty() {
        return item;
    }
    let kept = members
        .iter()
        .filter(|(name, _)| names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Value::Object(kept)
}

/// `property eq 'value'` (joined by `and`/`or`) over the item's own members.
fn wanted(call: &Call, item: &Value) -> bool {
    use super::odata::filter::{Expr, Literal, Op, Path, parse};
    fn holds(expr: &Expr<Path>, item: &Value) -> bool {
        match expr {
            Expr::And(left, right) => holds(left, item) && holds(right, item),
            Expr::Or(left, right) => holds(left, item) || holds(right, item),
            Expr::Not(inner) => !holds(inner, item),
            Expr::Compare(path, op, literal) => {
                let held = member(item, path);
                let same = match literal {
                    Literal::Text(text) => {
                        held.as_str().is_some_and(|value| value.eq_ignore_ascii_case(text))
                    }
                    Literal::Bool(truth) => held.as_bool() == Some(*truth),
                    Literal::Guid(id) => held.as_str().and_then(|text| text.parse().ok()) == Some(*id),
                    Literal::Int(number) => held.as_i64() == Some(*number),
                    Literal::Null => held.is_null(),
                    Literal::Time(_) => false,
                };
                if *op == Op::Ne { !same } else { same }
            }
            Expr::In(path, literals) => {
                let held = member(item, path);
                literals.iter().any(|literal| match literal {
                    Literal::Text(text) => {
                        held.as_str().is_some_and(|value| value.eq_ignore_ascii_case(text))
                    }
                    _ => false,
                })
            }
            Expr::Text(_, path, text) => member(item, path)
                .as_str()
                .is_some_and(|value| value.to_lowercase().starts_with(&text.to_lowercase())),
            Expr::Any(path, Some(body)) => {
                member(item, path).as_array().is_some_and(|items| items.iter().any(|item| holds(body, item)))
            }
            _ => true,
        }
    }
    fn member<'v>(item: &'v Value, path: &[String]) -> &'v Value {
        path.iter().fold(item, |at, name| at.get(name).unwrap_or(&Value::Null))
    }
    call.options.filter.as_deref().is_none_or(|text| parse(text).is_ok_and(|expr| holds(&expr, item)))
}

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
        &"applications" | &"serviceprincipals" => Act::ReadApps,
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
        ["rolemanagement", "directory", "roledefinitions"] => {
            let definitions = crate::state::app::role::ALL
                .iter()
                .map(|(name, id)| {
                    json!({"id": id, "description": name, "displayName": name, "isBuiltIn": true, "isEnabled": true, "templateId": id})
                })
                .collect();
            Ok(collection(call, "roleManagement/directory/roleDefinitions", definitions))
        }
        ["applications"] => {
            Ok(collection(call, "applications", state.apps.iter().map(application).collect()))
        }
        ["applications", id] => state
            .apps
            .iter()
            .find(|app| app_matches(Some(app), id, false))
            .map(|app| entity(call, "applications", application(app)))
            .ok_or_else(|| GraphError::not_found(&key(1))),
        ["serviceprincipals"] => Ok(collection(call, "servicePrincipals", principals(state))),
        ["serviceprincipals", id] => principals(state)
            .into_iter()
            .find(|principal| principal_key(principal, id))
            .map(|principal| entity(call, "servicePrincipals", principal))
            .ok_or_else(|| GraphError::not_found(&key(1))),
        ["serviceprincipals", id, "approleassignments"] => {
            let app = state.apps.iter().find(|app| app_matches(Some(app), id, true));
            let assignments = app.map(|app| assignments(state, app)).unwrap_or_default();
            Ok(collection(call, "appRoleAssignments", assignments))
        }
        ["serviceprincipals", id, "memberof" | "transitivememberof"] => {
            let app = state.apps.iter().find(|app| app_matches(Some(app), id, true));
            let held: Vec<Value> = roles(state)
                .into_iter()
                .filter(|role| {
                    app.is_some_and(|app| {
                        app.directory_roles
                            .iter()
                            .any(|template| role["roleTemplateId"] == template.to_string())
                    })
                })
                .map(|mut role| {
                    role["@odata.type"] = "#microsoft.graph.directoryRole".into();
                    role
                })
                .collect();
            Ok(collection(call, "directoryObjects", held))
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

fn principals(state: &State) -> Vec<Value> {
    let own = state.apps.iter().map(|app| {
        json!({
            "id": app.principal_id, "deletedDateTime": null, "accountEnabled": app.enabled,
            "alternativeNames": [], "appDisplayName": app.display_name, "appId": app.client_id,
            "appOwnerOrganizationId": state.tenant.id, "appRoleAssignmentRequired": false, "appRoles": [],
            "displayName": app.display_name, "keyCredentials": [], "oauth2PermissionScopes": [],
            "passwordCredentials": [], "replyUrls": [], "servicePrincipalNames": [app.client_id.to_string()],
            "servicePrincipalType": if app.kind == crate::state::AppKind::ManagedIdentity { "ManagedIdentity" } else { "Application" },
            "signInAudience": "AzureADMyOrg", "tags": [],
        })
    });
    let first_party = RESOURCES.into_iter().map(|resource| {
        let names: Vec<&str> = match resource {
            Resource::Graph => APP_ROLES.iter().map(|(name, _)| *name).filter(|name| !name.starts_with("Exchange.")).collect(),
            Resource::Exchange => vec!["Exchange.ManageAsApp"],
            Resource::Management => vec!["ActivityFeed.Read", "ActivityFeed.ReadDlp", "ServiceHealth.Read"],
        };
        let roles: Vec<Value> = names
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
