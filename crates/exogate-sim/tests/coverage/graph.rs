//! Microsoft Graph.

use serde_json::{Value as Json, json};

use crate::probe::{Everything, Expect, Table, id, judge};
use crate::tenant::Bench;

const MAIL_GROUP: &str = "Cannot Update a mail-enabled security groups and or distribution list";

pub fn tables() -> Vec<Table> {
    use Expect::{Refusal, Works};
    let all = Everything::new();
    let (kim, lee, team, plain, mesg) = (id(1), id(2), id(8), id(9), id(6));
    let user = json!({"accountEnabled": true, "displayName": "New One", "mailNickname": "new.one",
        "userPrincipalName": "new.one@contoso.com",
        "passwordProfile": {"password": "Str0ng-Passw0rd!", "forceChangePasswordNextSignIn": false}});
    let group =
        json!({"displayName": "Made", "mailEnabled": false, "mailNickname": "made", "securityEnabled": true});
    let member = json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{lee}")});
    let principal = Bench::numbered_principal(1).to_string();
    let service =
        json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{principal}")});
    let bind = json!({"members@odata.bind": [format!("https://graph.microsoft.com/v1.0/directoryObjects/{}", id(3))]});
    let batch = json!({"requests": [{"id": 1, "method": "GET", "url": "/users?$top=1"}, {"id": "2", "method": "GET", "url": "/groups"}]});
    let mut table = Table::new(
        "Microsoft Graph v1.0",
        "An asterisk marks requests with `ConsistencyLevel: eventual`.",
        &["request", "state"],
    );
    let requests: Vec<(&str, String, Option<Json>, bool, Expect)> = vec![
        ("GET", "users".into(), None, false, Works),
        ("GET", "users?$top=2&$select=id,displayName".into(), None, false, Works),
        ("GET", "users?%24top=2".into(), None, false, Works),
        ("GET", "users?$filter=startswith(displayName,'Kim')".into(), None, false, Works),
        ("GET", "users?$filter=userPrincipalName eq 'kim.akers@contoso.com'".into(), None, false, Works),
        ("GET", "users?$search=\"displayName:kim\"".into(), None, true, Works),
        ("GET", "users?$orderby=displayName&$count=true".into(), None, true, Works),
        ("GET", "users/$count".into(), None, true, Works),
        ("GET", "users?$expand=manager($select=id)".into(), None, false, Works),
        ("GET", "users/kim.akers@contoso.com".into(), None, false, Works),
        ("GET", "users('{kim}')".into(), None, false, Works),
        ("GET", "users/{kim}/memberOf".into(), None, false, Works),
        ("GET", "users/{kim}/transitiveMemberOf".into(), None, false, Works),
        ("GET", "users/delta".into(), None, false, Works),
        ("GET", "users/delta()".into(), None, false, Works),
        ("GET", "users/delta?$deltatoken=latest".into(), None, false, Works),
        ("POST", "users".into(), Some(user), false, Works),
        ("PATCH", "users/{lee}".into(), Some(json!({"department": "Law"})), false, Works),
        (
            "PATCH",
            "users/{lee}".into(),
            Some(json!({"@odata.type": "#microsoft.graph.user", "jobTitle": "Clerk"})),
            false,
            Works,
        ),
        ("DELETE", "users/new.one@contoso.com".into(), None, false, Works),
        ("GET", "directory/deletedItems/microsoft.graph.user".into(), None, false, Works),
        ("GET", "groups".into(), None, false, Works),
        ("GET", "groups?$filter=groupTypes/any(c:c+eq+%27Unified%27)".into(), None, false, Works),
        ("GET", "groups/{team}".into(), None, false, Works),
        ("GET", "groups/{team}/members".into(), None, false, Works),
        ("GET", "groups/{team}/members/microsoft.graph.user?$count=true".into(), None, true, Works),
        ("GET", "groups/{team}/members/microsoft.graph.user".into(), None, false, Works),
        ("GET", "groups/{plain}/members/microsoft.graph.servicePrincipal".into(), None, false, Works),
        ("GET", "users/{kim}/memberOf/microsoft.graph.directoryRole".into(), None, false, Works),
        ("GET", "groups/{team}/transitiveMembers".into(), None, false, Works),
        ("GET", "groups/{team}/owners".into(), None, false, Works),
        ("GET", "groups/delta".into(), None, false, Works),
        ("POST", "groups".into(), Some(group), false, Works),
        ("POST", "groups/{plain}/members/$ref".into(), Some(member.clone()), false, Works),
        ("PATCH", "groups/{plain}".into(), Some(bind), false, Works),
        ("DELETE", "groups/{plain}/members/{lee}/$ref".into(), None, false, Works),
        ("POST", "$batch".into(), Some(batch), false, Works),
        ("GET", "organization".into(), None, false, Works),
        ("GET", "domains".into(), None, false, Works),
        ("GET", "directoryRoles".into(), None, false, Works),
        ("GET", "subscribedSkus".into(), None, false, Works),
        ("GET", "users/{kim}/displayName".into(), None, false, Works),
        ("GET", "users/{kim}/displayName/$value".into(), None, false, Works),
        ("GET", "users/{kim}/appRoleAssignments".into(), None, false, Works),
        ("GET", "applications".into(), None, false, Works),
        ("GET", "servicePrincipals".into(), None, false, Works),
        ("GET", "myorganization/servicePrincipals?$select=id,appId".into(), None, false, Works),
        ("GET", "servicePrincipals/{principal}".into(), None, false, Works),
        ("GET", "servicePrincipals(appId='00000003-0000-0000-c000-000000000000')".into(), None, false, Works),
        ("GET", "servicePrincipals/{principal}/memberOf".into(), None, false, Works),
        ("GET", "servicePrincipals/{principal}/appRoleAssignments".into(), None, false, Works),
        ("GET", "servicePrincipals/{principal}/oauth2PermissionGrants".into(), None, false, Works),
        ("GET", "oauth2PermissionGrants".into(), None, false, Works),
        ("GET", "directoryObjects/{principal}".into(), None, false, Works),
        ("POST", "groups/{plain}/members/$ref".into(), Some(service.clone()), false, Works),
        ("DELETE", "groups/{plain}/members/{principal}/$ref".into(), None, false, Works),
        ("GET", "roleManagement/directory/roleAssignments".into(), None, false, Works),
        ("GET", "directory/administrativeUnits".into(), None, false, Works),
        ("GET", "devices".into(), None, false, Works),
        ("GET", "groupSettings".into(), None, false, Works),
        ("GET", "subscriptions".into(), None, false, Works),
        ("GET", "auditLogs/signIns".into(), None, false, Works),
        ("GET", "auditLogs/directoryAudits".into(), None, false, Works),
        (
            "POST",
            "directoryObjects/getByIds".into(),
            Some(json!({"ids": [kim.clone()], "types": ["user"]})),
            false,
            Works,
        ),
        ("GET", "users?$top=1000".into(), None, false, Refusal(400, "error")),
        ("GET", "users?$search=\"displayName:kim\"".into(), None, false, Refusal(400, "ConsistencyLevel")),
        ("GET", "users/$count".into(), None, false, Refusal(400, "$count")),
        ("GET", "users/nobody@contoso.com".into(), None, false, Refusal(404, "Request_ResourceNotFound")),
        ("GET", "me".into(), None, false, Refusal(400, "delegated authentication flow")),
        ("GET", "sites".into(), None, false, Refusal(403, "Authorization_RequestDenied")),
        (
            "GET",
            "identity/conditionalAccess/policies".into(),
            None,
            false,
            Refusal(403, "Authorization_RequestDenied"),
        ),
        ("GET", "users/{kim}/messages".into(), None, false, Refusal(403, "ErrorAccessDenied")),
        ("GET", "users/{kim}/drive".into(), None, false, Refusal(403, "Authorization_RequestDenied")),
        ("GET", "groups/{team}/team".into(), None, false, Refusal(404, "No team found")),
        ("GET", "nothing".into(), None, false, Refusal(400, "Resource not found for the segment")),
        ("POST", "groups/{mesg}/members/$ref".into(), Some(member.clone()), false, Refusal(400, MAIL_GROUP)),
        ("POST", "groups/{team}/members/$ref".into(), Some(member), false, Refusal(400, "already exist")),
        (
            "PATCH",
            "users/{lee}".into(),
            Some(json!({"userPrincipalName": "kim.akers@contoso.com"})),
            false,
            Refusal(400, "Another object with the same value"),
        ),
    ];
    for (method, path, body, eventual, expect) in requests {
        let filled = path
            .replace("{kim}", &kim)
            .replace("{lee}", &lee)
            .replace("{team}", &team)
            .replace("{plain}", &plain)
            .replace("{mesg}", &mesg)
            .replace("{principal}", &principal);
        let answer = all.graph(method, &filled.replace(' ', "%20").replace('"', "%22"), body, eventual);
        let star = if eventual { " *" } else { "" };
        table.add([&format!("`{method} /{path}`{star}")], judge(&answer, expect));
    }
    vec![table]
}
