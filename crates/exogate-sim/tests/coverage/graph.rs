//! Microsoft Graph.

use serde_json::{Value as Json, json};

use crate::probe::{Everything, Expect, Table, id, judge};

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
            .replace("{mesg}", &mesg);
        let answer = all.graph(method, &filled.replace(' ', "%20").replace('"', "%22"), body, eventual);
        let star = if eventual { " *" } else { "" };
        table.add([&format!("`{method} /{path}`{star}")], judge(&answer, expect));
    }
    vec![table]
}
