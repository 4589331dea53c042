//! The calls of the control API and what each does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::admin;
use super::answer::{Refusal, body, chain, done, ok};
use super::apps::{self, AppSpec};
use crate::clock::Time;
use crate::faults::FaultRule;
use crate::options::Scenario;
use crate::server::{Reply, Request};
use crate::state::State;
use crate::world::World;

type Answer = Result<Reply, Refusal>;

/// Every call: method, path, what it does. `GET /_sim/` answers with it.
const CALLS: [(&str, &str, &str); 33] = [
    ("GET", "/_sim/", "this list"),
    ("GET", "/_sim/tenant", "id, domains, licences and counts of the tenant"),
    ("GET", "/_sim/clock", "virtual time, scale, whether it stands"),
    ("POST", "/_sim/clock", "{set?, advance_seconds?, scale?, frozen?}"),
    ("GET", "/_sim/scenario", "the scenario in force"),
    ("PUT", "/_sim/scenario", "replace the scenario"),
    ("PATCH", "/_sim/scenario", "merge into the scenario (JSON merge patch)"),
    ("GET", "/_sim/throttle", "limits in force and calls of Exchange in flight"),
    ("PATCH", "/_sim/throttle", "merge into the limits"),
    ("GET", "/_sim/faults", "rules with how often each was met and fired"),
    ("POST", "/_sim/faults", "add a rule"),
    ("PUT", "/_sim/faults", "replace all rules (a list); counters start again"),
    ("DELETE", "/_sim/faults", "remove all rules"),
    ("GET", "/_sim/trace", "records kept in memory; ?after=NUMBER"),
    ("DELETE", "/_sim/trace", "forget records and aggregates"),
    ("GET", "/_sim/trace/aggregate", "sums by operation, work, most in flight"),
    ("GET", "/_sim/apps", "registered apps, without secrets"),
    ("POST", "/_sim/apps", "register an app"),
    ("PATCH", "/_sim/apps/{client id}", "add or remove roles, enable, disable, revoke tokens"),
    ("DELETE", "/_sim/apps/{client id}", "remove an app"),
    ("POST", "/_sim/apps/{client id}/secrets", "{value?, life_seconds?}: add a secret"),
    ("POST", "/_sim/apps/{client id}/certificates", "{certificate}: add one in PEM or base64"),
    ("DELETE", "/_sim/apps/{client id}/credentials/{key id}", "remove a secret or certificate"),
    ("GET", "/_sim/state", "the whole tenant as JSON lines"),
    ("PUT", "/_sim/state", "replace the tenant by such lines"),
    ("POST", "/_sim/state/save", "{path}: write the tenant to a file"),
    ("POST", "/_sim/fixture", "add users, mailboxes, groups, permissions; ?face=graph|exchange"),
    ("GET", "/_sim/objects/{identity}", "one object as the state has it"),
    (
        "PATCH",
        "/_sim/objects/{identity}",
        "{display_name?, enabled?, kind?, synced?, hidden?, licences?, primary_address?, exchange?}",
    ),
    ("DELETE", "/_sim/objects/{identity}", "delete; ?permanent=true for good"),
    ("POST", "/_sim/objects/{identity}/restore", "take out of the recycle bin"),
    ("POST", "/_sim/permissions/remove", "take a permission away (as in fixtures)"),
    ("GET", "/_sim/changes", "the change log; ?after=SEQUENCE"),
];

/// Answers a call.
pub async fn handle(world: &Arc<World>, request: Request) -> Reply {
    dispatch(world, &request).unwrap_or_else(Reply::from)
}

fn dispatch(world: &Arc<World>, request: &Request) -> Answer {
    let segments: Vec<&str> = request.path.segments.iter().map(String::as_str).collect();
    let Some((&"_sim", rest)) = segments.split_first() else {
        return Err(Refusal::missing("the control API is under /_sim/"));
    };
    let get = request.method == Method::GET;
    let method = request.method.as_str();
    match (method, rest) {
        ("GET", []) => ok(&CALLS
            .iter()
            .map(|(method, path, what)| json!({"method": method, "path": path, "what": what}))
            .collect::<Vec<_>>()),
        ("GET", ["tenant"]) => tenant(world),
        ("GET", ["clock"]) => clock(world),
        ("POST", ["clock"]) => move_clock(world, request),
        ("GET", ["scenario"]) => ok(&*world.scenario()),
        ("PUT", ["scenario"]) => put_scenario(world, body(request)?),
        ("PATCH", ["scenario"]) => patch_scenario(world, body(request)?),
        ("GET", ["throttle"]) => {
            let scenario = world.scenario();
            ok(&json!({"limits": scenario.throttle,
                "exchange_concurrency": scenario.throttle.exchange_concurrency(scenario.latency.profile),
                "exchange_in_flight": world.throttle.in_flight()}))
        }
        ("PATCH", ["throttle"]) => patch_scenario(world, json!({"throttle": body::<Value>(request)?})),
        ("GET", ["faults"]) => ok(&world.faults.states()),
        ("POST", ["faults"]) => {
            let rule: FaultRule = body(request)?;
            let mut rules = world.scenario().faults.clone();
            rules.push(rule);
            world.set_faults(rules);
            done()
        }
        ("PUT", ["faults"]) => {
            let rules = body(request)?;
            world.set_faults(Vec::new());
            world.set_faults(rules);
            done()
        }
        ("DELETE", ["faults"]) => {
            world.set_faults(Vec::new());
            done()
        }
        ("GET", ["trace"]) => {
            let after = number(request, "after")?;
            let records: Vec<_> = world.trace.records().into_iter().filter(|r| r.number > after).collect();
            ok(&records)
        }
        ("DELETE", ["trace"]) => {
            world.trace.reset();
            done()
        }
        ("GET", ["trace", "aggregate"]) => ok(&world.trace.aggregate()),
        (_, ["apps", rest @ ..]) => app_call(world, request, method, rest),
        ("GET", ["state"]) => {
            let mut out = Vec::new();
            world.state().save(&mut out).map_err(|e| Refusal::failed(chain(&e)))?;
            Ok(Reply::with(StatusCode::OK, "application/x-ndjson", out))
        }
        ("PUT", ["state"]) => {
            let state = State::restore_saved(&request.body[..]).map_err(|e| Refusal::bad(chain(&e)))?;
            world.replace_state(state);
            done()
        }
        ("POST", ["state", "save"]) => save(world, &body(request)?),
        ("POST", ["fixture"]) => admin::add(world, request),
        ("POST", ["permissions", "remove"]) => admin::remove_permission(world, request),
        ("GET", ["changes"]) => {
            let after = number(request, "after")?;
            let state = world.state();
            ok(&state.changes().after(after))
        }
        ("GET", ["objects", identity]) => admin::show(world, identity),
        ("PATCH", ["objects", identity]) => admin::change(world, request, identity),
        ("DELETE", ["objects", identity]) => admin::delete(world, request, identity),
        ("POST", ["objects", identity, "restore"]) => admin::restore(world, request, identity),
        _ if get => Err(Refusal::missing("no such call; GET /_sim/ lists them")),
        _ => Err(Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            message: "no such call with this method; GET /_sim/ lists them".to_owned(),
        }),
    }
}

fn number(request: &Request, name: &str) -> Result<u64, Refusal> {
    match request.query.get(name) {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| Refusal::bad(format!("{name} is not a number"))),
    }
}

fn tenant(world: &World) -> Answer {
    use crate::state::{Class, RecipientTypeDetails};
    let state = world.state();
    let recipients: serde_json::Map<String, Value> = RecipientTypeDetails::ALL
        .iter()
        .map(|d| (d.as_str().to_owned(), state.count(Class::Recipients(*d)).into()))
        .collect();
    ok(&json!({
        "tenant": state.tenant,
        "users": state.count(Class::Users),
        "groups": state.count(Class::Groups),
        "contacts": state.count(Class::Contacts),
        "deleted_users": state.count(Class::DeletedUsers),
        "deleted_groups": state.count(Class::DeletedGroups),
        "recipients": recipients,
    }))
}

fn clock(world: &World) -> Answer {
    let now = world.now();
    ok(&json!({"now": now.with_millis(), "millis": now.millis(), "scale": world.clock.scale(),
        "frozen": world.clock.is_frozen()}))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ClockMove {
    set: Option<String>,
    advance_seconds: Option<f64>,
    scale: Option<f64>,
    frozen: Option<bool>,
}

fn move_clock(world: &World, request: &Request) -> Answer {
    let change: ClockMove = body(request)?;
    if let Some(frozen) = change.frozen {
        world.clock.freeze(frozen);
    }
    if let Some(text) = &change.set {
        let time =
            Time::parse(text).ok_or_else(|| Refusal::bad(format!("\"{text}\" is not an ISO 8601 time")))?;
        world.clock.set(time);
    }
    if let Some(seconds) = change.advance_seconds {
        let by = Duration::try_from_secs_f64(seconds)
            .map_err(|_| Refusal::bad("advance_seconds must not be negative; use set to go back"))?;
        world.clock.advance(by);
    }
    if let Some(scale) = change.scale {
        world.clock.set_scale(scale);
    }
    world.run_due();
    clock(world)
}

fn put_scenario(world: &World, scenario: Scenario) -> Answer {
    world.set_scenario(scenario);
    ok(&*world.scenario())
}

fn patch_scenario(world: &World, patch: Value) -> Answer {
    let mut whole = serde_json::to_value(&*world.scenario()).map_err(Refusal::failed)?;
    merge(&mut whole, patch);
    let scenario: Scenario = serde_json::from_value(whole)
        .map_err(|e| Refusal::bad(format!("the scenario would not be valid: {e}")))?;
    put_scenario(world, scenario)
}

/// JSON merge patch (RFC 7396).
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    if let Value::Object(map) = target {
        for (name, value) in patch {
            if value.is_null() {
                map.remove(&name);
            } else {
                merge(map.entry(name).or_insert(Value::Null), value);
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaveTo {
    path: PathBuf,
}

fn save(world: &World, to: &SaveTo) -> Answer {
    crate::server::save_state(&world.state(), &to.path).map_err(|e| Refusal::failed(chain(&e)))?;
    done()
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NewSecret {
    value: Option<String>,
    life_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCertificate {
    certificate: String,
}

fn app_call(world: &World, request: &Request, method: &str, rest: &[&str]) -> Answer {
    let client = |text: &str| {
        Uuid::try_parse(text).map_err(|_| Refusal::bad(format!("\"{text}\" is not a client id")))
    };
    let now = world.now();
    match (method, rest) {
        ("GET", []) => {
            let state = world.state();
            ok(&state.apps.iter().map(shown).collect::<Vec<_>>())
        }
        ("POST", []) => {
            let spec: AppSpec = body(request)?;
            let registered = apps::register(&mut world.state_mut(), spec, now).map_err(Refusal::bad)?;
            ok(&registered)
        }
        ("PATCH", [id]) => {
            let change: apps::GrantChange = body(request)?;
            apps::change_grants(&mut world.state_mut(), client(id)?, &change, now).map_err(Refusal::bad)?;
            done()
        }
        ("DELETE", [id]) => {
            let id = client(id)?;
            apps::remove(&mut world.state_mut(), id, now);
            done()
        }
        ("POST", [id, "secrets"]) => {
            let new: NewSecret = body(request)?;
            let life = Duration::from_secs(new.life_seconds.unwrap_or(365 * 86_400));
            let (key_id, value) = apps::add_secret(&mut world.state_mut(), client(id)?, new.value, now, life)
                .map_err(Refusal::missing)?;
            ok(&json!({"key_id": key_id, "value": value}))
        }
        ("POST", [id, "certificates"]) => {
            let new: NewCertificate = body(request)?;
            let der = apps::der_of(&new.certificate).map_err(Refusal::bad)?;
            let key_id =
                apps::add_certificate(&mut world.state_mut(), client(id)?, &der).map_err(Refusal::bad)?;
            ok(&json!({"key_id": key_id}))
        }
        ("DELETE", [id, "credentials", key]) => {
            let key = Uuid::try_parse(key).map_err(|_| Refusal::bad(format!("\"{key}\" is not a key id")))?;
            apps::remove_credential(&mut world.state_mut(), client(id)?, key).map_err(Refusal::missing)?;
            done()
        }
        _ => Err(Refusal::missing("no such call; GET /_sim/ lists them")),
    }
}

/// An app without its secrets' values.
fn shown(app: &crate::state::App) -> Value {
    json!({
        "client_id": app.client_id,
        "principal_id": app.principal_id,
        "display_name": app.display_name,
        "kind": app.kind,
        "enabled": app.enabled,
        "roles": app.roles,
        "directory_roles": app.directory_roles,
        "role_groups": app.role_groups,
        "secrets": app.secrets.iter().map(|s| json!({"key_id": s.key_id, "expires": s.expires.graph()})).collect::<Vec<_>>(),
        "certificates": app.certificates.iter().map(|c| json!({"key_id": c.key_id, "subject": c.subject, "expires": c.expires.graph()})).collect::<Vec<_>>(),
    })
}
