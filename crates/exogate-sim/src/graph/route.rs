//! Which path leads where. Segment names and casts are case-insensitive; keys keep their case.

use http::Method;

use super::call::{Answer, Call};
use super::error::GraphError;
use super::list::{self, Origin};
use super::nav;
use super::permission::{Act, may};
use super::query::Set;
use super::scene::Scene;
use super::schema::Type;
use super::single;
use super::{apps, delta, few, organization, vacant, write};
use crate::state::{Class, Idx, Object, State};

/// Answers a call.
///
/// # Errors
/// The refusal that the service would give.
pub fn answer(scene: &Scene<'_>, call: &Call) -> Result<Answer, GraphError> {
    let mut call = std::borrow::Cow::Borrowed(call);
    if call.segments.first().is_some_and(|first| first.eq_ignore_ascii_case("me")) {
        if scene.principal.is_app() {
            return Err(GraphError::unreadable(
                "/me request is only valid with delegated authentication flow.",
            ));
        }
        let mut own = call.into_owned();
        own.segments.splice(0..1, ["users".to_owned(), scene.principal.object_id.to_string()]);
        call = std::borrow::Cow::Owned(own);
    }
    let lower: Vec<String> = call.segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let path: Vec<&str> = lower.iter().map(String::as_str).collect();
    match call.method {
        Method::GET | Method::HEAD => read(scene, &call, &path),
        Method::POST if is_reading_action(&path) => read_action(scene, &call, &path),
        Method::POST | Method::PATCH | Method::PUT | Method::DELETE => write::answer(scene, &call, &path),
        _ => Err(GraphError::method()),
    }
}

fn is_reading_action(path: &[&str]) -> bool {
    matches!(
        path,
        ["directoryobjects", "getbyids"]
            | [_, _, "checkmembergroups" | "checkmemberobjects" | "getmembergroups" | "getmemberobjects"]
    )
}

fn set_of(segment: &str) -> Option<(Type, Class)> {
    match segment {
        "users" => Some((Type::User, Class::Users)),
        "groups" => Some((Type::Group, Class::Groups)),
        "contacts" => Some((Type::Contact, Class::Contacts)),
        _ => None,
    }
}

fn cast(segment: &str) -> Option<Type> {
    let name = segment.strip_prefix("microsoft.graph.").or_else(|| segment.strip_prefix("graph."))?;
    match name {
        "user" => Some(Type::User),
        "group" => Some(Type::Group),
        "orgcontact" => Some(Type::Contact),
        "serviceprincipal" => Some(Type::Principal),
        _ => None,
    }
}

/// Types of directory objects that this tenant has none of in relations.
fn absent(segment: &str) -> bool {
    let name = segment.strip_prefix("microsoft.graph.").or_else(|| segment.strip_prefix("graph."));
    matches!(name, Some("device" | "administrativeunit" | "application" | "endpoint"))
}

fn is_role(segment: &str) -> bool {
    matches!(segment, "microsoft.graph.directoryrole" | "graph.directoryrole")
}

fn read(scene: &Scene<'_>, call: &Call, path: &[&str]) -> Result<Answer, GraphError> {
    let state = scene.world.state();
    let state = &*state;
    let view = scene.view(state);
    let key = |at: usize| call.segments.get(at).map_or("", String::as_str);
    if let Some(answer) = organization::answer(scene, state, call, path) {
        return answer;
    }
    if let Some(answer) = apps::answer(scene, state, call, path) {
        return answer;
    }
    if let ["directory", "deleteditems", rest @ ..] = path {
        return deleted(scene, state, call, rest);
    }
    if let ["directoryobjects", rest @ ..] = path {
        return match rest {
            [_] => {
                scene.require(&[Act::ReadDirectory])?;
                let plan = single::any_plan(scene, call)?;
                let id = key(1).parse().map_err(|_| GraphError::not_found(key(1)))?;
                let Some((idx, object)) = view.find_live(id) else {
                    return apps::directory_object(state, call, key(1))
                        .map(|item| few::entity(call, "directoryObjects", item))
                        .ok_or_else(|| GraphError::not_found(key(1)));
                };
                Ok(Answer::json(single::entity(scene, &view, call, &plan, idx, object)))
            }
            [_, navigation] => {
                let id = key(1).parse().map_err(|_| GraphError::not_found(key(1)))?;
                let (idx, object) = view.find_live(id).ok_or_else(|| GraphError::not_found(key(1)))?;
                relation(scene, state, call, super::eval::type_of(object), idx, object, &[navigation])
            }
            _ => Err(GraphError::not_implemented()),
        };
    }
    let Some((kind, class)) = path.first().and_then(|first| set_of(first)) else {
        return vacant::answer(scene, state, call, path)
            .unwrap_or_else(|| Err(GraphError::no_segment(key(0))));
    };
    match &path[1..] {
        [] => {
            readable(scene, kind)?;
            list::answer(scene, &view, call, Set::One(kind), Origin::Class(class))
        }
        ["$count"] => {
            readable(scene, kind)?;
            list::count_answer(scene, &view, call, Set::One(kind), Origin::Class(class))
        }
        ["delta"] => delta::answer(scene, state, call, kind),
        [_] => single::get(scene, state, call, kind, key(1)),
        [_, rest @ ..] => {
            let (idx, object) = single::find(&view, kind, key(1))?;
            relation(scene, state, call, kind, idx, object, rest)
        }
    }
}

pub(super) fn readable(scene: &Scene<'_>, kind: Type) -> Result<(), GraphError> {
    scene.require(&[match kind {
        Type::User => Act::ReadUsersBasic,
        Type::Group => Act::ReadGroups,
        Type::Contact => Act::ReadContacts,
        Type::Principal => Act::ReadApps,
    }])
}

/// What hangs on one object.
fn relation(
    scene: &Scene<'_>,
    state: &State,
    call: &Call,
    kind: Type,
    idx: Idx,
    object: &Object,
    rest: &[&str],
) -> Result<Answer, GraphError> {
    let view = scene.view(state);
    let Some((first, tail)) = rest.split_first() else { return Err(GraphError::no_segment("")) };
    let navigation = match (kind, *first) {
        (Type::Group, "members") => "members",
        (Type::Group, "owners") => "owners",
        (Type::Group, "transitivemembers") => "transitiveMembers",
        (_, "memberof") => "memberOf",
        (_, "transitivememberof") => "transitiveMemberOf",
        (Type::User, "ownedobjects") => "ownedObjects",
        (Type::User, "directreports") => "directReports",
        (Type::User, "manager") => return manager(scene, state, call, object, tail),
        (Type::User, "licensedetails") => return licence_details(scene, state, call, object),
        (Type::User, "mailboxsettings") => return mailbox_settings(scene, state, call, object, tail),
        (Type::User, "photo" | "photos") => {
            return Err(GraphError::new(
                http::StatusCode::NOT_FOUND,
                "ImageNotFound",
                "Exception of type 'Microsoft.Fast.Profile.Core.Exception.ImageNotFoundException' was thrown.",
            ));
        }
        _ => return vacant::relation(scene, state, call, kind, object, rest),
    };
    match kind {
        Type::Group => scene.require(&[Act::ReadMembers])?,
        Type::User if object.id == scene.principal.object_id => {}
        Type::User => scene.require(&[Act::ReadDirectory, Act::ReadUsers, Act::ReadGroups])?,
        Type::Contact => scene.require(&[Act::ReadContacts])?,
        Type::Principal => scene.require(&[Act::ReadApps])?,
    }
    let hidden = object.group().is_some_and(|group| group.hidden_membership)
        && matches!(navigation, "members" | "transitiveMembers")
        && !may(scene.principal, Act::ReadHiddenMembers);
    let mut objects = if hidden { Vec::new() } else { nav::related(&view, idx, object, navigation) };
    let mut tail = tail;
    let mut set = Set::Mixed;
    let mut roles = if navigation.ends_with("emberOf") {
        organization::roles_of(state, Some(idx), object.id)
    } else {
        Vec::new()
    };
    if let [only, after @ ..] = tail
        && (cast(only).is_some() || absent(only) || is_role(only))
    {
        if scene.knobs.strict_casts && !(call.eventual() && (call.options.count || after == ["$count"])) {
            return Err(GraphError::unsupported_query(
                "The specified cast is not supported because the required parameters might be missing. Try adding $count=true query parameter and ConsistencyLevel:eventual header. Refer to https://aka.ms/graph-docs/advanced-queries for more information.",
            ));
        }
        if is_role(only) && after.is_empty() {
            return Ok(few::collection(call, "directoryRoles", roles));
        }
        roles.clear();
        objects = match cast(only) {
            Some(wanted) => {
                set = Set::One(wanted);
                list::only(objects, wanted)
            }
            None => Vec::new(),
        };
        tail = after;
    }
    match tail {
        [] => Ok(few::with_more(call, list::answer(scene, &view, call, set, Origin::Fixed(objects))?, roles)),
        ["$count"] => list::count_answer(scene, &view, call, set, Origin::Fixed(objects)),
        ["$ref"] => Ok(references(call, &objects)),
        [id] if navigation == "members" || navigation == "owners" => {
            let found = objects.iter().find(|(_, object)| object.id.to_string() == **id);
            let (place, object) = found.ok_or_else(|| GraphError::not_found(id))?;
            let plan = single::any_plan(scene, call)?;
            Ok(Answer::json(single::entity(scene, &view, call, &plan, *place, object)))
        }
        _ => Err(GraphError::no_segment(call.segments.last().map_or("", String::as_str))),
    }
}

fn references(call: &Call, objects: &[(Idx, &Object)]) -> Answer {
    let references: Vec<serde_json::Value> = objects
        .iter()
        .map(|(_, object)| serde_json::json!({"@odata.id": format!("{}/directoryObjects/{}", call.base, object.id)}))
        .collect();
    Answer::value(&serde_json::json!({
        "@odata.context": format!("{}/$metadata#Collection($ref)", call.base), "value": references,
    }))
}

fn manager(
    scene: &Scene<'_>,
    state: &State,
    call: &Call,
    object: &Object,
    tail: &[&str],
) -> Result<Answer, GraphError> {
    scene.require(&[Act::ReadUsers])?;
    let view = scene.view(state);
    let found = object
        .user()
        .and_then(|user| user.manager)
        .and_then(|idx| view.live(idx).map(|manager| (idx, manager)));
    let (idx, manager) = found.ok_or_else(|| GraphError::not_found("manager"))?;
    match tail {
        [] => {
            let plan = single::any_plan(scene, call)?;
            Ok(Answer::json(single::entity(scene, &view, call, &plan, idx, manager)))
        }
        ["$ref"] => Ok(Answer::value(&serde_json::json!({
            "@odata.context": format!("{}/$metadata#$ref", call.base),
            "@odata.id": format!("{}/directoryObjects/{}", call.base, manager.id),
        }))),
        _ => Err(GraphError::no_segment(call.segments.last().map_or("", String::as_str))),
    }
}

fn licence_details(
    scene: &Scene<'_>,
    state: &State,
    call: &Call,
    object: &Object,
) -> Result<Answer, GraphError> {
    scene.require(&[Act::ReadUsers, Act::AssignLicences, Act::ReadSkus])?;
    let licences = object.user().map_or(&[][..], |user| &user.licences);
    let details: Vec<serde_json::Value> = licences
        .iter()
        .filter_map(|at| state.tenant.skus.get(usize::from(*at)))
        .map(|sku| {
            let plans: Vec<serde_json::Value> = sku
                .plans
                .iter()
                .map(|plan| {
                    serde_json::json!({"servicePlanId": plan.id, "servicePlanName": plan.name, "provisioningStatus": "Success", "appliesTo": "User"})
                })
                .collect();
            serde_json::json!({
                "id": format!("{}-{}", object.id.simple(), sku.id.simple()), "servicePlans": plans, "skuId": sku.id,
                "skuPartNumber": sku.part_number,
            })
        })
        .collect();
    Ok(Answer::value(&serde_json::json!({
        "@odata.context": format!("{}/$metadata#users('{}')/licenseDetails", call.base, object.id), "value": details,
    })))
}

fn mailbox_settings(
    scene: &Scene<'_>,
    state: &State,
    call: &Call,
    object: &Object,
    tail: &[&str],
) -> Result<Answer, GraphError> {
    scene.require(&[Act::ReadMailboxSettings])?;
    let property = Type::User.property("mailboxSettings").ok_or_else(GraphError::not_implemented)?;
    let settings = super::value::value(&scene.source(state), object, property);
    let mut bytes = Vec::new();
    settings.write(&mut bytes, property.kind, &state.tenant);
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if value.is_null() {
        return Err(GraphError::new(
            http::StatusCode::NOT_FOUND,
            "MailboxNotEnabledForRESTAPI",
            "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
        ));
    }
    let context = format!("{}/$metadata#users('{}')/mailboxSettings", call.base, object.id);
    match tail {
        [] => {
            let mut answer = serde_json::json!({"@odata.context": context});
            answer["userPurpose"] = value["userPurpose"].clone();
            Ok(Answer::value(&answer))
        }
        ["userpurpose"] => Ok(Answer::value(
            &serde_json::json!({"@odata.context": format!("{context}/userPurpose"), "value": value["userPurpose"]}),
        )),
        _ => Err(GraphError::no_segment(call.segments.last().map_or("", String::as_str))),
    }
}

/// `/directory/deletedItems`
fn deleted(scene: &Scene<'_>, state: &State, call: &Call, rest: &[&str]) -> Result<Answer, GraphError> {
    let view = scene.view(state);
    match rest {
        [] => Err(GraphError::bad_request(
            "The type of the deleted items must be named, as in /directory/deletedItems/microsoft.graph.user.",
        )),
        [segment, tail @ ..] if cast(segment).is_some() => {
            let kind = cast(segment).unwrap_or(Type::User);
            let class = match kind {
                Type::User => Class::DeletedUsers,
                Type::Group => Class::DeletedGroups,
                Type::Contact | Type::Principal => return Err(GraphError::not_implemented()),
            };
            scene.require(&[if kind == Type::User { Act::ReadUsers } else { Act::ReadGroups }])?;
            match tail {
                [] => list::answer(scene, &view, call, Set::One(kind), Origin::Class(class)),
                ["$count"] => list::count_answer(scene, &view, call, Set::One(kind), Origin::Class(class)),
                _ => Err(GraphError::no_segment(call.segments.last().map_or("", String::as_str))),
            }
        }
        [id] => {
            scene.require(&[Act::ReadUsers, Act::ReadGroups, Act::ReadDirectory])?;
            let found = id.parse().ok().and_then(|id| view.find(id)).filter(|(_, object)| !object.is_live());
            let (idx, object) = found.ok_or_else(|| GraphError::not_found(id))?;
            let plan = single::any_plan(scene, call)?;
            Ok(Answer::json(single::entity(scene, &view, call, &plan, idx, object)))
        }
        _ => Err(GraphError::no_segment(call.segments.last().map_or("", String::as_str))),
    }
}

/// Actions that only read.
fn read_action(scene: &Scene<'_>, call: &Call, path: &[&str]) -> Result<Answer, GraphError> {
    let state = scene.world.state();
    let view = scene.view(&state);
    let body = call.json()?;
    let texts = |name: &str| -> Vec<String> {
        body.get(name)
            .and_then(serde_json::Value::as_array)
            .map(|values| values.iter().filter_map(serde_json::Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default()
    };
    if path == ["directoryobjects", "getbyids"] {
        scene.require(&[Act::ReadDirectory, Act::ReadUsersBasic, Act::ReadGroups])?;
        let ids = texts("ids");
        if ids.is_empty() || ids.len() > 1000 {
            return Err(GraphError::bad_request(
                "Invalid number of ids specified; between 1 and 1000 ids are allowed.",
            ));
        }
        let types: Vec<String> = texts("types").iter().map(|kind| kind.to_ascii_lowercase()).collect();
        let wanted = |object: &Object| {
            types.is_empty()
                || types.iter().any(|kind| kind == "directoryobject")
                || types.iter().any(|kind| kind.eq_ignore_ascii_case(super::eval::type_of(object).name()))
        };
        let plan = single::any_plan(scene, call)?;
        let source = scene.source(&state);
        let mut out =
            super::render::begin(&format!("{}/$metadata#directoryObjects", call.base), None, ids.len() * 512);
        let mut first = true;
        let known = |object: &Object| {
            object.group().is_none_or(|group| group.kind != crate::state::GroupKind::DynamicDistribution)
        };
        for id in &ids {
            let found = id
                .parse()
                .ok()
                .and_then(|id| view.find_live(id))
                .filter(|(_, object)| wanted(object) && known(object));
            let Some((_, object)) = found else { continue };
            if !first {
                out.push(b',');
            }
            first = false;
            super::render::push_mixed(&mut out, &source, object, &plan.columns, scene.principal);
        }
        super::render::finish(&mut out, None);
        return Ok(Answer::json(out));
    }
    let kind = match path.first() {
        Some(&"users") => Type::User,
        Some(&"groups") => Type::Group,
        Some(&"contacts") => Type::Contact,
        _ => return Err(GraphError::no_segment(call.segments.first().map_or("", String::as_str))),
    };
    scene.require(&[Act::ReadDirectory, Act::ReadUsers, Act::ReadMembers])?;
    let (idx, object) = single::find(&view, kind, call.segments.get(1).map_or("", String::as_str))?;
    let security_only = body.get("securityEnabledOnly").and_then(serde_json::Value::as_bool).unwrap_or(false);
    let all: Vec<String> = nav::related(&view, idx, object, "transitiveMemberOf")
        .into_iter()
        .filter(|(_, group)| {
            !security_only || group.group().is_some_and(crate::state::Group::security_enabled)
        })
        .map(|(_, group)| group.id.to_string())
        .collect();
    let value: Vec<String> = if path.last().is_some_and(|last| last.starts_with("check")) {
        let asked = texts(if path.last() == Some(&"checkmemberobjects") { "ids" } else { "groupIds" });
        if asked.len() > 20 {
            return Err(GraphError::bad_request("Too many group ids; the maximum is 20."));
        }
        asked.into_iter().filter(|id| all.iter().any(|held| held.eq_ignore_ascii_case(id))).collect()
    } else {
        if all.len() > 11_000 {
            return Err(GraphError::new(
                http::StatusCode::FORBIDDEN,
                "Directory_ResultSizeLimitExceeded",
                "The specified directory query has exceeded the result size limit.",
            ));
        }
        all
    };
    Ok(Answer::value(&serde_json::json!({
        "@odata.context": format!("{}/$metadata#Collection(Edm.String)", call.base), "value": value,
    })))
}
