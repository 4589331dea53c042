//! Service principals and directory roles among the relations of the directory, grants, and segments of other workloads.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Tenant, code, message};

fn principal(tenant: &Tenant) -> String {
    let (_, found) = tenant.get(&format!("/v1.0/servicePrincipals?$filter=appId eq '{}'", tenant.app));
    found["value"][0]["id"].as_str().unwrap().to_owned()
}

fn security_group(tenant: &Tenant) -> String {
    let made = json!({"displayName": "Robots", "mailEnabled": false, "mailNickname": "robots", "securityEnabled": true});
    tenant.post("/v1.0/groups", made).1["id"].as_str().unwrap().to_owned()
}

fn ids(page: &Value) -> Vec<&str> {
    page["value"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[test]
fn a_service_principal_is_a_member_and_an_owner_like_others() {
    let tenant = Tenant::new();
    let (app, group) = (principal(&tenant), security_group(&tenant));
    let (status, shown) = tenant.get(&format!("/v1.0/directoryObjects/{app}"));
    assert_eq!((status, &shown["@odata.type"]), (200, &json!("#microsoft.graph.servicePrincipal")));
    let reference = json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{app}")});
    for edge in ["members", "owners"] {
        let path = format!("/v1.0/groups/{group}/{edge}");
        assert_eq!(tenant.post(&format!("{path}/$ref"), reference.clone()).0, 204, "{edge}");
        let (status, again) = tenant.post(&format!("{path}/$ref"), reference.clone());
        assert_eq!(status, 400);
        assert!(message(&again).contains("already exist"), "{again}");
        let (_, page) = tenant.get(&path);
        assert_eq!(ids(&page), [app.as_str()]);
        assert_eq!(page["value"][0]["@odata.type"], "#microsoft.graph.servicePrincipal");
        assert_eq!(page["value"][0]["appId"], tenant.app.to_string());
        let (_, cast) = tenant.get(&format!("{path}/microsoft.graph.servicePrincipal"));
        assert_eq!(ids(&cast), [app.as_str()]);
        let (_, people) = tenant.get(&format!("{path}/microsoft.graph.user"));
        assert!(ids(&people).is_empty());
    }
    let (_, page) = tenant.get(&format!("/v1.0/servicePrincipals/{app}/memberOf"));
    assert!(ids(&page).contains(&group.as_str()));
    assert!(
        page["value"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["@odata.type"] == "#microsoft.graph.directoryRole")
    );
    let (_, page) = tenant.get(&format!("/v1.0/servicePrincipals/{app}/ownedObjects"));
    assert_eq!(ids(&page), [group.as_str()]);
    assert_eq!(tenant.delete(&format!("/v1.0/groups/{group}/members/{app}/$ref")).0, 204);
    assert!(ids(&tenant.get(&format!("/v1.0/groups/{group}/members")).1).is_empty());
}

#[test]
fn delta_tells_of_service_principals_among_members() {
    let tenant = Tenant::new();
    let (app, group) = (principal(&tenant), security_group(&tenant));
    let (_, start) = tenant.get("/v1.0/groups/delta?$deltatoken=latest&$select=id,members");
    let link = start["@odata.deltaLink"].as_str().unwrap().to_owned();
    let bind =
        json!({"members@odata.bind": [format!("https://graph.microsoft.com/v1.0/servicePrincipals/{app}")]});
    assert_eq!(tenant.patch(&format!("/v1.0/groups/{group}"), bind).0, 204);
    let (_, round) = tenant.get(&link);
    let members = &round["value"][0]["members@delta"];
    assert_eq!(
        (&members[0]["id"], &members[0]["@odata.type"]),
        (&json!(app), &json!("#microsoft.graph.servicePrincipal"))
    );
}

#[test]
fn directory_roles_are_among_the_groups_of_their_holders() {
    let tenant = Tenant::new();
    let holder: Uuid = {
        let state = tenant.world.state();
        let idx = *state.directory_roles.iter().flat_map(|role| &role.members).next().unwrap();
        state.get(idx).unwrap().id
    };
    let path = format!("/v1.0/users/{holder}/memberOf");
    let is_role = |item: &Value| item["@odata.type"] == "#microsoft.graph.directoryRole";
    let (all, _) = tenant.all(&format!("{path}?$select=id,displayName"), &[]);
    let roles: Vec<&Value> = all.iter().filter(|item| is_role(item)).collect();
    assert!(!roles.is_empty() && roles.iter().all(|role| role.get("roleTemplateId").is_none()));
    let (_, cast) = tenant.get(&format!("{path}/microsoft.graph.directoryRole"));
    assert_eq!(cast["value"].as_array().unwrap().len(), roles.len());
    let (groups, _) = tenant.all(&format!("{path}/microsoft.graph.group"), &[]);
    assert_eq!(groups.len() + roles.len(), all.len());
}

#[test]
fn application_permissions_are_granted_and_taken_back() {
    let tenant = Tenant::with(&["Application.Read.All", "AppRoleAssignment.ReadWrite.All"], |_| {}, |_| {});
    let app = principal(&tenant);
    assert_eq!(tenant.get("/v1.0/users").0, 403);
    let (_, graph) = tenant.get("/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')");
    let role =
        graph["appRoles"].as_array().unwrap().iter().find(|role| role["value"] == "User.Read.All").unwrap();
    let wanted = json!({"principalId": app, "resourceId": graph["id"], "appRoleId": role["id"]});
    let path = format!("/v1.0/servicePrincipals/{app}/appRoleAssignments");
    let (status, made) = tenant.post(&path, wanted.clone());
    assert_eq!((status, &made["appRoleId"]), (201, &role["id"]), "{made}");
    assert_eq!(tenant.post(&path, wanted).0, 400);
    assert_eq!(tenant.get("/v1.0/users").0, 403, "an old token does not carry a new role");
    tenant.sign_in_again();
    assert_eq!(tenant.get("/v1.0/users").0, 200);
    assert_eq!(tenant.delete(&format!("{path}/{}", made["id"].as_str().unwrap())).0, 204);
    tenant.sign_in_again();
    assert_eq!(tenant.get("/v1.0/users").0, 403);
}

#[test]
fn casts_can_be_as_strict_as_documented() {
    let tenant = Tenant::with(&["Directory.Read.All"], |scenario| scenario.graph.strict_casts = true, |_| {});
    let user = tenant.plain_user();
    let (status, refusal) = tenant.get(&format!("/v1.0/users/{user}/memberOf/microsoft.graph.group"));
    assert_eq!((status, code(&refusal)), (400, "Request_UnsupportedQuery"));
    assert_eq!(
        tenant.eventual(&format!("/v1.0/users/{user}/memberOf/microsoft.graph.group?$count=true")).0,
        200
    );
}

#[test]
fn what_changed_in_the_directory_is_in_its_audit_log() {
    let tenant = Tenant::new();
    let group = security_group(&tenant);
    let (status, log) = tenant.get("/v1.0/auditLogs/directoryAudits?$top=5");
    assert_eq!(status, 200, "{log}");
    let newest = &log["value"][0];
    assert_eq!(newest["targetResources"][0]["id"], json!(group), "{newest}");
    assert_eq!(newest["initiatedBy"]["app"]["appId"], tenant.app.to_string());
}
