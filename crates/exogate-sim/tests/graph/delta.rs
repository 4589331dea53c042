//! Delta queries: the sweep, the rounds, deletions, and every oddity on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use exogate_sim::graph::DeltaExpiry;
use exogate_sim::state::{Class, Face, Idx};
use http::Method;
use serde_json::{Value, json};

use crate::support::{ALL, Tenant, code, json as body_of};

/// Follows a delta to its end: items, pages, deltaLink.
fn follow(tenant: &Tenant, target: &str) -> (Vec<Value>, usize, String) {
    let mut items = Vec::new();
    let mut next = target.to_owned();
    for pages in 1..5000 {
        let (status, page) = tenant.get(&next);
        assert_eq!(status, 200, "{page}");
        items.extend(page["value"].as_array().unwrap().iter().cloned());
        match (page["@odata.nextLink"].as_str(), page["@odata.deltaLink"].as_str()) {
            (Some(link), None) => next = link.to_owned(),
            (None, Some(link)) => return (items, pages, link.to_owned()),
            _ => panic!("exactly one link: {page}"),
        }
    }
    panic!("the sweep does not end");
}

/// Memberships by group id, merged over slices.
fn memberships(items: &[Value]) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for item in items {
        let members = all.entry(item["id"].as_str().unwrap().to_owned()).or_default();
        for member in item["members@delta"].as_array().into_iter().flatten() {
            assert!(member["@odata.type"].as_str().unwrap().starts_with("#microsoft.graph."));
            members.insert(member["id"].as_str().unwrap().to_owned());
        }
    }
    all
}

fn expected(tenant: &Tenant) -> BTreeMap<String, BTreeSet<String>> {
    let state = tenant.world.state();
    let view = state.view(Face::Graph, tenant.world.now());
    view.list(Class::Groups, Idx::FIRST)
        .map(|(idx, group)| {
            (
                group.id.to_string(),
                view.members(idx)
                    .filter(|(_, object)| {
                        object.group().is_none_or(|group| {
                            group.kind != exogate_sim::state::GroupKind::DynamicDistribution
                        })
                    })
                    .map(|(_, object)| object.id.to_string())
                    .collect(),
            )
        })
        .collect()
}

#[test]
fn the_sweep_lists_all_memberships() {
    for slice in [500, 3] {
        let tenant = Tenant::with(&ALL, |scenario| scenario.graph.delta_members_per_slice = slice, |_| {});
        let (items, pages, _) = follow(&tenant, "/v1.0/groups/delta()?$select=id,displayName,members");
        assert_eq!(memberships(&items), expected(&tenant));
        assert_eq!(slice == 3, pages > 50, "{pages}");
        assert_eq!(
            items.iter().filter(|item| item.get("displayName").is_some()).count(),
            expected(&tenant).len()
        );
    }
}

#[test]
fn without_select_groups_show_members_and_users_do_not_show_managers() {
    let tenant = Tenant::new();
    let (groups, ..) = follow(&tenant, "/v1.0/groups/delta");
    assert_eq!(memberships(&groups), expected(&tenant));
    assert!(groups[0].get("groupTypes").is_some());
    let (plain, ..) = follow(&tenant, "/v1.0/groups/delta?$select=displayName");
    assert!(plain.iter().all(|group| group.as_object().unwrap().len() == 2));
    let (users, pages, _) =
        follow(&tenant, "/v1.0/users/microsoft.graph.delta?$select=id,userPrincipalName,manager");
    assert!(users.iter().any(|user| !user["manager@delta"].as_array().unwrap().is_empty()));
    assert_eq!(users.len(), tenant.world.state().count(Class::Users));
    assert_eq!(pages, users.len().div_ceil(200));
}

#[test]
fn a_round_tells_what_changed_and_nothing_else() {
    let tenant = Tenant::new();
    let (_, _, groups) = follow(&tenant, "/v1.0/groups/delta?$select=id,displayName,members");
    let (_, _, users) = follow(&tenant, "/v1.0/users/delta?$select=id,displayName,jobTitle");
    let (none, pages, groups) = follow(&tenant, &groups);
    assert_eq!((none.len(), pages), (0, 1));
    let id = tenant.upn("mark.taylor@contoso.com");
    let other = tenant.plain_user();
    let (status, made) = tenant.post("/v1.0/groups", json!({"displayName": "Fresh", "mailNickname": "fresh", "mailEnabled": false, "securityEnabled": true, "members@odata.bind": [format!("https://graph.microsoft.com/v1.0/users/{id}")]}));
    assert_eq!(status, 201, "{made}");
    let fresh = made["id"].as_str().unwrap().to_owned();
    let (created, _, groups) = follow(&tenant, &groups);
    assert_eq!(created.len(), 1, "{created:?}");
    assert_eq!(
        (&created[0]["displayName"], &created[0]["members@delta"][0]["id"]),
        (&json!("Fresh"), &json!(id.to_string()))
    );
    let reference =
        json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{other}")});
    assert_eq!(tenant.post(&format!("/v1.0/groups/{fresh}/members/$ref"), reference).0, 204);
    assert_eq!(tenant.delete(&format!("/v1.0/groups/{fresh}/members/{id}/$ref")).0, 204);
    let (moved, _, groups) = follow(&tenant, &groups);
    let edges = moved[0]["members@delta"].as_array().unwrap();
    assert_eq!(edges.len(), 2);
    for edge in edges {
        let removed = edge["id"] == id.to_string();
        assert_eq!(edge["@removed"]["reason"] == "deleted", removed, "{edge}");
    }
    assert_eq!(tenant.patch(&format!("/v1.0/users/{other}"), json!({"jobTitle": "Baker"})).0, 204);
    let (changed, _, users) = follow(&tenant, &users);
    assert_eq!(changed.len(), 1);
    assert_eq!((&changed[0]["jobTitle"], changed[0].get("displayName").is_some()), (&json!("Baker"), true));
    // Deleted users leave their groups too.
    assert_eq!(tenant.delete(&format!("/v1.0/users/{other}")).0, 204);
    let (gone, _, users) = follow(&tenant, &users);
    assert_eq!(gone, [json!({"id": other.to_string(), "@removed": {"reason": "changed"}})]);
    let (left, _, groups) = follow(&tenant, &groups);
    let edge = left.iter().find(|group| group["id"] == fresh).unwrap()["members@delta"][0].clone();
    assert_eq!((&edge["id"], &edge["@removed"]["reason"]), (&json!(other.to_string()), &json!("deleted")));
    assert_eq!(tenant.post(&format!("/v1.0/directory/deletedItems/{other}/restore"), json!({})).0, 200);
    let (back, _, users) = follow(&tenant, &users);
    assert_eq!(back[0]["jobTitle"], "Baker");
    tenant.delete(&format!("/v1.0/users/{other}"));
    tenant.delete(&format!("/v1.0/directory/deletedItems/{other}"));
    let (purged, ..) = follow(&tenant, &users);
    assert_eq!(purged, [json!({"id": other.to_string(), "@removed": {"reason": "deleted"}})]);
    assert_eq!(tenant.delete(&format!("/v1.0/groups/{fresh}")).0, 204);
    let (dropped, ..) = follow(&tenant, &groups);
    let told = dropped.iter().find(|group| group["id"] == fresh).unwrap();
    assert_eq!(told["@removed"]["reason"], "changed", "a cloud security group goes to the bin");
    assert!(dropped.iter().all(|group| group["id"] != other.to_string()), "users are no groups");
}

#[test]
fn minimal_answers_repeat_only_what_changed() {
    let tenant = Tenant::new();
    let reply = tenant.send(
        Method::GET,
        "/v1.0/users/delta?$deltaToken=latest&$select=id,displayName,jobTitle",
        &[("prefer", "return=minimal")],
        None,
    );
    let page = body_of(&reply);
    assert_eq!(page["value"], json!([]));
    let other = tenant.plain_user();
    tenant.patch(&format!("/v1.0/users/{other}"), json!({"jobTitle": "Baker"}));
    let (changed, ..) = follow(&tenant, page["@odata.deltaLink"].as_str().unwrap());
    assert_eq!(changed, [json!({"id": other.to_string(), "jobTitle": "Baker"})]);
}

#[test]
fn old_tokens_are_refused_in_both_ways() {
    let tenant = Tenant::new();
    let (_, _, link) = follow(&tenant, "/v1.0/users/delta?$select=id");
    tenant.world.clock.advance(Duration::from_secs(7 * 86_400 + 1));
    tenant.sign_in_again();
    let (status, body) = tenant.get(&link);
    assert_eq!((status, code(&body)), (400, "syncStateNotFound"));
    tenant.world.adjust(|scenario| scenario.graph.delta_expiry = DeltaExpiry::Gone);
    let reply = tenant.send(Method::GET, &link, &[], None);
    assert_eq!(reply.status, 410);
    let start = reply.headers["location"].to_str().unwrap().to_owned();
    assert!(start.contains("$deltatoken=&") || start.ends_with("$deltatoken="), "{start}");
    let (all, _, fresh) = follow(&tenant, &start);
    assert_eq!(all.len(), tenant.world.state().count(Class::Users));
    tenant.world.adjust(|scenario| scenario.graph.delta_tokens_void = true);
    assert_eq!(tenant.get(&fresh).0, 410);
    assert_eq!(tenant.get("/v1.0/users/delta?$deltatoken=rubbish").0, 400);
}

#[test]
fn oddities_on_demand() {
    let tenant = Tenant::with(&ALL, |scenario| scenario.graph.delta_empty_page_every = 2, |_| {});
    let (odd, pages, link) = follow(&tenant, "/v1.0/users/delta?$select=id");
    tenant.world.adjust(|scenario| scenario.graph = Default::default());
    let (plain, fewer, _) = follow(&tenant, "/v1.0/users/delta?$select=id");
    assert_eq!(odd, plain);
    assert!(pages > fewer);
    let other = tenant.plain_user();
    tenant.patch(&format!("/v1.0/users/{other}"), json!({"jobTitle": "Baker"}));
    let (first, _, next) = follow(&tenant, &link);
    tenant.world.adjust(|scenario| scenario.graph.delta_replay = 1);
    let (again, ..) = follow(&tenant, &next);
    assert_eq!(first, again, "the last change is delivered again");
    tenant.world.adjust(|scenario| {
        scenario.graph = Default::default();
        scenario.graph.delta_loop = true;
    });
    let (_, one) = tenant.get("/v1.0/users/delta?$select=id");
    let second = one["@odata.nextLink"].as_str().unwrap();
    let (_, two) = tenant.get(second);
    assert_eq!(two["@odata.nextLink"].as_str(), Some(second));
    let (_, filtered) = tenant.get(&format!("/v1.0/users/delta?$select=id&$filter=id%20eq%20'{other}'"));
    assert_eq!(filtered["value"], json!([{"id": other.to_string()}]));
    assert_eq!(tenant.get("/v1.0/users/delta?$orderby=displayName").0, 400);
    assert_eq!(tenant.get("/v1.0/users/delta?$filter=displayName%20eq%20'x'").0, 400);
}

#[test]
fn pages_may_come_twice_and_sweeps_may_tell_what_is_gone() {
    let tenant = Tenant::new();
    let gone = tenant.plain_user();
    assert_eq!(tenant.delete(&format!("/v1.0/users/{gone}")).0, 204);
    let (plain, pages, _) = follow(&tenant, "/v1.0/users/delta?$select=id");
    tenant.world.adjust(|scenario| scenario.graph.delta_repeat_page_every = 1);
    let (twice, more, _) = follow(&tenant, "/v1.0/users/delta?$select=id");
    assert_eq!((twice.len(), more), (2 * plain.len(), 2 * pages));
    assert_eq!(twice[0], twice[twice.len().min(400) / 2]);
    tenant.world.adjust(|scenario| scenario.graph.delta_empty_page_every = 2);
    let (both, ..) = follow(&tenant, "/v1.0/users/delta?$select=id");
    assert_eq!(both, twice, "empty pages between do not keep it from going on");
    tenant.world.adjust(|scenario| scenario.graph.delta_empty_page_every = 0);
    tenant.world.adjust(|scenario| {
        scenario.graph = Default::default();
        scenario.graph.delta_sweep_tells_removed = true;
    });
    let (told, ..) = follow(&tenant, "/v1.0/users/delta?$select=id");
    let removed = json!({"id": gone.to_string(), "@removed": {"reason": "changed"}});
    assert!(told.contains(&removed));
    assert_eq!(told.iter().filter(|user| user.get("@removed").is_none()).count(), plain.len());
}

#[test]
fn deleted_members_may_stay_unsaid() {
    let tenant = Tenant::with(&ALL, |scenario| scenario.graph.delta_hides_members_deleted = true, |_| {});
    let member = tenant.plain_user();
    let (_, _, link) = follow(&tenant, "/v1.0/groups/delta?$select=id,members");
    assert_eq!(tenant.delete(&format!("/v1.0/users/{member}")).0, 204);
    let (items, ..) = follow(&tenant, &link);
    assert_eq!(items, Vec::<Value>::new());
}
