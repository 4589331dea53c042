//! Filters, searches, orders, expansions, relations and the permissions behind them.

use http::Method;
use serde_json::{Value, json};

use crate::support::{ALL, Tenant, code, json as body_of, message};

#[test]
fn plain_filters_answer_without_a_header() {
    let tenant = Tenant::new();
    for (filter, holds) in [
        ("accountEnabled eq false", (|user| user["accountEnabled"] == false) as fn(&Value) -> bool),
        ("userType eq 'Guest'", |user| user["userType"] == "Guest"),
        ("startswith(displayName,'m')", |user| {
            user["displayName"].as_str().unwrap().to_lowercase().starts_with('m')
        }),
        ("onPremisesSyncEnabled+eq+true", |user| user["onPremisesSyncEnabled"] == true),
        ("userPrincipalName eq 'MARK.TAYLOR@contoso.com'", |user| {
            user["userPrincipalName"].as_str().unwrap().eq_ignore_ascii_case("mark.taylor@contoso.com")
        }),
        ("proxyAddresses/any(p:p eq 'smtp:mark.taylor@contoso.com')", |user| {
            user["displayName"] == "Mark Taylor"
        }),
        ("assignedLicenses/any(l:l/skuId eq 05e9a617-0261-4cee-bb44-138d3ef5d965)", |user| {
            user["assignedLicenses"].to_string().contains("05e9a617-0261-4cee-bb44-138d3ef5d965")
        }),
        ("createdDateTime le 2026-11-24T00:00:00Z and accountEnabled eq true", |user| {
            user["accountEnabled"] == true
        }),
    ] {
        let select = "&$select=displayName,accountEnabled,userType,onPremisesSyncEnabled,userPrincipalName,assignedLicenses&$top=999";
        let filter = filter.replace('\'', "%27").replace(' ', "%20");
        let (all, _) = tenant.all(&format!("/v1.0/users?$filter={filter}{select}"), &[]);
        assert!(!all.is_empty(), "{filter}");
        assert!(all.iter().all(holds), "{filter}");
        let (everyone, _) = tenant.all(&format!("/v1.0/users?{}", &select[1..]), &[]);
        assert_eq!(everyone.iter().filter(|user| holds(user)).count(), all.len(), "{filter}");
    }
}

#[test]
fn advanced_queries_need_header_and_count() {
    let tenant = Tenant::new();
    let eventual = [("consistencylevel", "eventual")];
    for query in [
        "$filter=endsWith(mail,'@contoso.com')",
        "$filter=userType ne 'Guest'",
        "$filter=not(accountEnabled eq true)",
        "$filter=assignedLicenses/$count eq 0",
        "$filter=employeeId eq null",
    ] {
        let query = query.replace(' ', "%20");
        let (status, body) = tenant.get(&format!("/v1.0/users?{query}"));
        assert_eq!((status, code(&body)), (400, "Request_UnsupportedQuery"), "{query}");
        assert!(
            message(&body)
                .contains("Try adding $count=true query parameter and ConsistencyLevel:eventual header.")
        );
        let (status, _) = tenant.eventual(&format!("/v1.0/users?{query}"));
        assert_eq!(status, 400, "{query}");
        let (all, _) = tenant.all(&format!("/v1.0/users?{query}&$count=true&$top=999"), &eventual);
        assert!(!all.is_empty(), "{query}");
    }
    let (status, body) = tenant.get("/v1.0/users?$search=%22displayName:mark%22");
    assert_eq!(
        (status, message(&body)),
        (
            400,
            "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'"
        )
    );
    let (status, body) = tenant.eventual("/v1.0/users?$search=%22displayName:tay%22");
    assert_eq!(status, 200, "{body}");
    assert!(body["value"].as_array().unwrap().iter().any(|user| user["displayName"] == "Mark Taylor"));
    let (status, body) = tenant.get("/v1.0/users?$filter=accountEnabled%20eq%20true&$orderby=displayName");
    assert_eq!((status, message(&body)), (400, "Sorting not supported for current query."));
    let (names, pages) =
        tenant.all("/v1.0/users?$orderby=displayName%20desc&$select=displayName&$top=100", &[]);
    let names: Vec<String> =
        names.iter().map(|user| user["displayName"].as_str().unwrap().to_lowercase()).collect();
    assert!(pages > 1 && names.windows(2).all(|pair| pair[0] >= pair[1]));
}

#[test]
fn refused_queries_say_why() {
    let tenant = Tenant::new();
    for (query, status, wanted, text) in [
        (
            "$select=nosuch",
            400,
            "BadRequest",
            "Could not find a property named 'nosuch' on type 'microsoft.graph.user'.",
        ),
        ("$select=id,mailboxSettings", 501, "NotImplemented", "This operation target is not yet supported."),
        ("$select=skills", 501, "NotImplemented", "This operation target is not yet supported."),
        (
            "$filter=aboutMe%20eq%20'x'",
            400,
            "Request_UnsupportedQuery",
            "Unsupported or invalid query filter clause specified for property 'aboutMe' of resource 'User'.",
        ),
        (
            "$filter=displayName",
            400,
            "BadRequest",
            "Invalid filter clause: Syntax error at position 11 in 'displayName'.",
        ),
        ("$skip=5", 400, "Request_BadRequest", "'$skip' is not supported by the service."),
    ] {
        let (found, body) = tenant.get(&format!("/v1.0/users?{query}"));
        assert_eq!((found, code(&body), message(&body)), (status, wanted, text), "{query}");
        assert!(
            body["error"]["innerError"]["request-id"].is_string()
                && body["error"]["innerError"]["date"] == "2026-11-24T03:40:12"
        );
    }
    let (status, body) = tenant.get("/v1.0/users?$skiptoken=rubbish");
    assert_eq!((status, code(&body)), (400, "Request_BadRequest"));
}

#[test]
fn one_user_by_id_and_name_in_any_spelling() {
    let tenant = Tenant::new();
    let id = tenant.upn("mark.taylor@contoso.com");
    for target in [
        format!("/v1.0/users/{id}"),
        "/v1.0/users/MARK.taylor@CONTOSO.com".into(),
        "/V1.0/USERS('mark.taylor@contoso.com')".into(),
        format!("/v1.0//users/{id}?$select=id,displayName"),
    ] {
        let (status, user) = tenant.get(&target);
        assert_eq!((status, user["id"].as_str()), (200, Some(id.to_string().as_str())), "{target}: {user}");
        assert!(user["@odata.context"].as_str().unwrap().ends_with("/$entity"));
    }
    let (status, body) = tenant.get("/v1.0/users/nobody@contoso.com");
    assert_eq!((status, code(&body)), (404, "Request_ResourceNotFound"));
    assert_eq!(
        message(&body),
        "Resource 'nobody@contoso.com' does not exist or one of its queried reference-property objects are not present."
    );
    let (status, body) = tenant.get("/v1.0/users/mark.taylor@contoso.com?$select=signInActivity");
    assert_eq!(status, 400, "{body}");
    let (_, user) = tenant.get(&format!("/v1.0/users/{id}?$select=mailboxSettings,id"));
    assert_eq!(user["mailboxSettings"]["userPurpose"], "user");
    let (status, body) = tenant.get("/v1.0/nosuchthings");
    assert_eq!((status, message(&body)), (400, "Resource not found for the segment 'nosuchthings'."));
}

#[test]
fn members_carry_their_type() {
    let tenant = Tenant::new();
    let (group, id) = tenant.find(|object| {
        object.group().is_some_and(|group| group.members.len() > 20 && !group.hidden_membership)
    });
    let held: Vec<String> = {
        let state = tenant.world.state();
        let view = state.view(exogate_sim::state::Face::Graph, tenant.world.now());
        view.members(group).map(|(_, object)| object.id.to_string()).collect()
    };
    let (members, pages) = tenant
        .all(&format!("/v1.0/groups/{id}/members?$select=id,displayName,userPrincipalName&$top=7"), &[]);
    assert!(pages > 2);
    let ids: Vec<&str> = members.iter().map(|member| member["id"].as_str().unwrap()).collect();
    assert_eq!(ids, held);
    for member in &members {
        let is_user = member["@odata.type"] == "#microsoft.graph.user";
        assert_eq!(member.get("userPrincipalName").is_some(), is_user, "{member}");
    }
    let (_, page) = tenant.get(&format!("/v1.0/groups/{id}?$expand=members($select=id)&$select=id"));
    assert_eq!(page["members"].as_array().unwrap().len(), 20);
    let cast = format!("/v1.0/groups/{id}/members/microsoft.graph.user?$count=true&$select=id");
    assert_eq!(tenant.get(&format!("/v1.0/groups/{id}/members/microsoft.graph.user?$select=id")).0, 200);
    let (users, _) = tenant.all(&cast, &[("consistencylevel", "eventual")]);
    assert!(users.iter().all(|user| user.get("@odata.type").is_none()));
    // The other direction.
    let member = members.iter().find(|member| member["@odata.type"] == "#microsoft.graph.user").unwrap();
    let (groups, _) = tenant.all(&format!("/v1.0/users/{}/memberOf", member["id"].as_str().unwrap()), &[]);
    assert!(groups.iter().any(|group| group["id"] == id.to_string()));
    let (_, checked) = tenant.post(
        &format!("/v1.0/users/{}/checkMemberGroups", member["id"].as_str().unwrap()),
        json!({"groupIds": [id, "x"]}),
    );
    assert_eq!(checked["value"], json!([id.to_string()]));
}

#[test]
fn without_the_type_permission_members_are_ids_only() {
    let tenant = Tenant::with(&["GroupMember.Read.All"], |_| {}, |_| {});
    let (_, id) = tenant.find(|object| {
        object.group().is_some_and(|group| group.members.len() > 5 && !group.hidden_membership)
    });
    let (members, _) = tenant.all(&format!("/v1.0/groups/{id}/members?$select=id,displayName,mail"), &[]);
    let user = members.iter().find(|member| member["@odata.type"] == "#microsoft.graph.user").unwrap();
    assert!(user["id"].is_string() && user["displayName"].is_null() && user.get("mail").is_some());
    let (status, body) = tenant.get("/v1.0/users");
    assert_eq!((status, code(&body)), (403, "Authorization_RequestDenied"));
}

#[test]
fn permissions_guard_each_operation() {
    let tenant = Tenant::with(&["User.ReadBasic.All"], |_| {}, |_| {});
    assert_eq!(tenant.get("/v1.0/users?$select=id,displayName,mail").0, 200);
    for (method, target) in [
        (Method::GET, "/v1.0/users?$select=accountEnabled"),
        (Method::GET, "/v1.0/users/delta"),
        (Method::GET, "/v1.0/groups"),
        (Method::GET, "/v1.0/contacts"),
        (Method::GET, "/v1.0/subscribedSkus"),
        (Method::GET, "/v1.0/directoryRoles"),
        (Method::GET, "/v1.0/organization"),
        (Method::GET, "/v1.0/applications"),
        (Method::DELETE, "/v1.0/users/mark.taylor@contoso.com"),
    ] {
        let reply = tenant.send(method, target, &[], None);
        assert_eq!(
            (reply.status.as_u16(), code(&body_of(&reply))),
            (403, "Authorization_RequestDenied"),
            "{target}"
        );
    }
    assert_eq!(tenant.post("/v1.0/groups", json!({"displayName": "x"})).0, 403);
    let plain = Tenant::with(&ALL, |scenario| scenario.graph.premium = false, |_| {});
    let (status, body) = plain.get("/v1.0/users?$select=signInActivity");
    assert_eq!((status, code(&body)), (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant"));
    let (status, body) = plain.get("/v1.0/me");
    assert_eq!((status, code(&body)), (400, "BadRequest"));
}

#[test]
fn groups_of_every_kind_but_dynamic_distribution() {
    let tenant = Tenant::new();
    let (groups, _) = tenant.all("/v1.0/groups?$top=999", &[]);
    let kind = |group: &Value| {
        (
            group["groupTypes"].to_string().contains("Unified"),
            group["mailEnabled"] == true,
            group["securityEnabled"] == true,
        )
    };
    for wanted in [(false, false, true), (false, true, true), (false, true, false), (true, true, false)] {
        assert!(groups.iter().any(|group| kind(group) == wanted), "{wanted:?}");
    }
    assert!(groups.iter().any(|group| group["membershipRuleProcessingState"] == "On"));
    assert_eq!(groups.len(), tenant.world.state().count(exogate_sim::state::Class::Groups));
    let (unified, _) = tenant.all("/v1.0/groups?$filter=groupTypes/any(c:c+eq+%27Unified%27)", &[]);
    assert_eq!(unified.len(), groups.iter().filter(|group| kind(group).0).count());
}

#[test]
fn small_sets_for_connection_tests() {
    let tenant = Tenant::new();
    let (_, organization) = tenant.get("/v1.0/organization?$select=id,displayName,verifiedDomains");
    assert_eq!(organization["value"][0]["id"], tenant.tenant_id().to_string());
    assert_eq!(organization["value"][0].as_object().unwrap().len(), 3);
    let (_, skus) = tenant.get("/v1.0/subscribedSkus");
    assert!(
        skus["value"]
            .as_array()
            .unwrap()
            .iter()
            .any(|sku| sku["skuPartNumber"] == "SPE_E3" && sku["consumedUnits"].as_u64() > Some(0))
    );
    let (status, principal) = tenant.get(&format!("/v1.0/servicePrincipals(appId='{}')", tenant.app));
    assert_eq!((status, &principal["displayName"]), (200, &json!("connector")));
    let (_, assignments) = tenant
        .get(&format!("/v1.0/servicePrincipals/{}/appRoleAssignments", principal["id"].as_str().unwrap()));
    assert!(
        assignments["value"]
            .as_array()
            .unwrap()
            .iter()
            .any(|held| held["appRoleId"] == "dc50a0fb-09a3-484d-be87-e023b12c6440")
    );
    let (_, found) = tenant.get(&format!("/v1.0/applications?$filter=appId%20eq%20'{}'", tenant.app));
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
    assert_eq!(
        tenant.get("/v1.0/domains").1["value"].as_array().unwrap().len(),
        tenant.world.state().tenant.domains.len()
    );
    let (status, _) = tenant.get("/v1.0/directoryRoles");
    assert_eq!(status, 200);
    let ids: Vec<String> = tenant
        .all("/v1.0/users?$select=id&$top=3", &[])
        .0
        .iter()
        .take(3)
        .map(|user| user["id"].as_str().unwrap().to_owned())
        .collect();
    let (_, known) = tenant.post(
        "/v1.0/directoryObjects/getByIds",
        json!({"ids": [ids[0], ids[1], "11111111-1111-1111-1111-111111111111"], "types": ["user"]}),
    );
    assert_eq!(known["value"].as_array().unwrap().len(), 2);
}

#[test]
fn paging_oddities_on_demand() {
    let tenant = Tenant::with(
        &ALL,
        |scenario| {
            scenario.graph.list_empty_page_every = 3;
            scenario.graph.list_short_page_every = 2;
        },
        |_| {},
    );
    let (odd, pages) = tenant.all("/v1.0/users?$select=id&$top=50", &[]);
    tenant.world.adjust(|scenario| scenario.graph = Default::default());
    let (even, plain) = tenant.all("/v1.0/users?$select=id&$top=50", &[]);
    assert_eq!(odd, even);
    assert!(pages > plain);
    tenant.world.adjust(|scenario| scenario.graph.list_duplicate_across_pages = true);
    assert!(tenant.all("/v1.0/users?$select=id&$top=50", &[]).0.len() > even.len());
    tenant.world.adjust(|scenario| {
        scenario.graph = Default::default();
        scenario.graph.page_token_life_seconds = Some(60);
    });
    let (_, page) = tenant.get("/v1.0/users?$top=5");
    tenant.world.clock.advance(std::time::Duration::from_secs(61));
    let (status, body) = tenant.get(page["@odata.nextLink"].as_str().unwrap());
    assert_eq!((status, code(&body)), (400, "Directory_ExpiredPageToken"));
    assert_eq!(
        message(&body),
        "The specified page token value has expired and can no longer be included in your request."
    );
}

#[test]
fn quotas_are_told_and_kept() {
    let tenant = Tenant::with(
        &ALL,
        |scenario| {
            scenario.throttle.graph.read_units = Some(10);
            scenario.throttle.graph.writes = 1;
        },
        |_| {},
    );
    let reply = tenant.send(Method::GET, "/v1.0/users", &[], None);
    assert_eq!(reply.headers["x-ms-resource-unit"], "2");
    let mut refused = None;
    for _ in 0..10 {
        let reply = tenant.send(Method::GET, "/v1.0/users", &[], None);
        if reply.status == 429 {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.expect("ten units do not last for eleven listings");
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    assert!(
        refused.headers["x-ms-throttle-scope"].to_str().unwrap().starts_with("Tenant_Application/ReadWrite/")
    );
    assert_eq!(refused.headers["x-ms-throttle-information"], "ResourceUnitLimitExceeded");
    assert_eq!(code(&body_of(&refused)), "TooManyRequests");
    let (status, body) =
        tenant.post("/v1.0/$batch", json!({"requests": [{"id": "1", "method": "GET", "url": "/users"}]}));
    assert_eq!((status, &body["responses"][0]["status"]), (200, &json!(429)));
    assert!(body["responses"][0]["headers"]["Retry-After"].is_string());
    tenant.world.clock.advance(std::time::Duration::from_secs(20));
    assert_eq!(tenant.get("/v1.0/users").0, 200);
}

#[test]
fn every_answer_carries_the_gateways_headers() {
    let tenant = Tenant::new();
    let reply = tenant.send(Method::GET, "/v1.0/users?$top=1", &[("client-request-id", "abc")], None);
    assert_eq!(reply.headers["client-request-id"], "abc");
    for name in [
        "request-id",
        "x-ms-ags-diagnostic",
        "odata-version",
        "date",
        "strict-transport-security",
        "cache-control",
        "vary",
    ] {
        assert!(reply.headers.contains_key(name), "{name}");
    }
    assert_eq!(
        reply.headers["content-type"],
        "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
    );
}
