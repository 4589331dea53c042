//! Who may do what in Exchange: role groups, management roles, their assignments, and service principals.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::Cells;
use super::configuration::{ConfigRow, emit};
use crate::exchange::bind::Bound;
use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::reader::Reader;
use crate::exchange::schema::RowClass;
use crate::exchange::value::Value;
use crate::generate::org::built_in_roles;
use crate::state::{App, RoleGroup, State};

/// Whether the app stands in Exchange as a service principal.
pub(in crate::exchange) fn in_exchange(app: &App) -> bool {
    app.exchange_principal || !app.role_groups.is_empty()
}

/// The role group that a text names.
pub(in crate::exchange) fn role_group<'s>(state: &'s State, name: &str) -> Option<&'s RoleGroup> {
    state.role_groups.iter().find(|group| {
        group.name.eq_ignore_ascii_case(name) || group.id.to_string().eq_ignore_ascii_case(name)
    })
}

/// The app that a text names: by application id, object id or name.
pub(in crate::exchange) fn app_named<'s>(state: &'s State, name: &str) -> Option<&'s App> {
    state.apps.iter().find(|app| {
        app.display_name.eq_ignore_ascii_case(name)
            || app.client_id.to_string().eq_ignore_ascii_case(name)
            || app.principal_id.to_string().eq_ignore_ascii_case(name)
    })
}

fn apps_of<'s>(state: &'s State, group: &RoleGroup) -> impl Iterator<Item = &'s App> {
    let name = group.name.clone();
    state.apps.iter().filter(move |app| app.role_groups.iter().any(|held| held.eq_ignore_ascii_case(&name)))
}

/// The names of everybody in a role group.
fn member_names(reader: &Reader<'_>, group: &RoleGroup) -> Vec<Cow<'static, str>> {
    let people = group.members.iter().filter_map(|idx| reader.list_name(*idx));
    let apps = apps_of(reader.state, group).map(|app| app.display_name.clone());
    people.chain(apps).map(Cow::Owned).collect()
}

pub(in crate::exchange) fn role_group_cells<'a>(reader: &Reader<'_>, group: &'a RoleGroup) -> Cells<'a> {
    let texts =
        |list: &'a [String]| Value::List(list.iter().map(|text| Cow::Borrowed(text.as_str())).collect());
    Cells(vec![
        ("DisplayName", Value::text(&group.name)),
        ("Roles", texts(&group.roles)),
        (
            "RoleAssignments",
            Value::List(
                group.roles.iter().map(|role| Cow::Owned(format!("{role}-{}", group.name))).collect(),
            ),
        ),
        ("Members", Value::List(member_names(reader, group))),
        ("ManagedBy", Value::List(vec![Cow::Borrowed("Organization Management")])),
        ("Guid", Value::Guid(group.id)),
        ("ExchangeObjectId", Value::Guid(group.id)),
    ])
}

pub(super) fn role_groups(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    // A role group is found by its own id too.
    let named = bound.text("Identity").and_then(|name| role_group(reader.state, name));
    if let Some(group) = named {
        show_role_group(reader, page, group);
        return Ok(());
    }
    let rows = reader
        .state
        .role_groups
        .iter()
        .map(|group| (group.name.as_str(), role_group_cells(reader, group)))
        .collect();
    emit(reader, bound, page, RowClass::RoleGroup, "Role Groups", rows)
}

/// One role group, as New-RoleGroup returns it too.
pub(in crate::exchange) fn show_role_group(reader: &Reader<'_>, page: &mut Page, group: &RoleGroup) {
    let row = ConfigRow {
        reader,
        name: &group.name,
        container: "Role Groups",
        cells: role_group_cells(reader, group),
    };
    page.single(RowClass::RoleGroup, &row);
}

pub(super) fn members(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    let identity = bound.text("Identity").unwrap_or_default();
    let group = role_group(reader.state, identity)
        .ok_or_else(|| ExchangeError::new(Condition::NotFound, [identity]))?;
    let people = group.members.iter().filter_map(|idx| {
        let object = reader.state.get(*idx).filter(|object| object.is_live())?;
        let kind = object.details().map_or("User", crate::state::RecipientTypeDetails::as_str);
        Some((object.name(), &*object.display_name, &*object.alias, kind, object.id))
    });
    let apps = apps_of(reader.state, group).map(|app| {
        (app.display_name.as_str(), app.display_name.as_str(), "", "ServicePrincipal", app.principal_id)
    });
    let rows = people
        .chain(apps)
        .map(|(name, display, alias, kind, id)| {
            let cells = vec![
                ("DisplayName", Value::text(display)),
                ("Alias", Value::text(alias)),
                ("RecipientType", Value::text(if kind == "ServicePrincipal" { kind } else { "UserMailbox" })),
                ("RecipientTypeDetails", Value::text(kind)),
                ("ExternalDirectoryObjectId", Value::owned(id.to_string())),
            ];
            (name, Cells(cells))
        })
        .collect::<Vec<_>>();
    for (at, (name, cells)) in rows.into_iter().enumerate().skip(page.from().at as usize) {
        let row = ConfigRow { reader, name, container: "Recipients", cells };
        if !page.push(RowClass::Recipient, u32::try_from(at).unwrap_or(u32::MAX), 0, &row) {
            break;
        }
    }
    Ok(())
}

pub(super) fn roles(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    let names: BTreeSet<&str> = built_in_roles().collect();
    let rows = names
        .into_iter()
        .map(|name| {
            let kind: String = name.split([' ', '-']).collect();
            (name, Cells(vec![("RoleType", Value::owned(kind))]))
        })
        .collect();
    emit(reader, bound, page, RowClass::ManagementRole, "Roles", rows)
}

pub(super) fn assignments(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    let wanted =
        |name: &str, value: &str| bound.text(name).is_none_or(|asked| asked.eq_ignore_ascii_case(value));
    let mut names = Vec::new();
    for group in &reader.state.role_groups {
        for role in &group.roles {
            if wanted("Role", role) && wanted("RoleAssignee", &group.name) {
                names.push((format!("{role}-{}", group.name), role.as_str(), group.name.as_str()));
            }
        }
    }
    let rows = names
        .iter()
        .map(|(name, role, group)| {
            let cells = vec![
                ("Role", Value::text(role)),
                ("RoleAssignee", Value::text(group)),
                ("RoleAssigneeName", Value::text(group)),
                ("User", Value::text(group)),
            ];
            (name.as_str(), Cells(cells))
        })
        .collect();
    emit(reader, bound, page, RowClass::ManagementRoleAssignment, "Role Assignments", rows)
}

pub(in crate::exchange) fn show_principal(reader: &Reader<'_>, page: &mut Page, at: u32, app: &App) -> bool {
    let cells = Cells(vec![
        ("DisplayName", Value::text(&app.display_name)),
        ("AppId", Value::owned(app.client_id.to_string())),
        ("ObjectId", Value::owned(app.principal_id.to_string())),
        ("Sid", Value::owned(principal_sid(app))),
    ]);
    let name = app.principal_id.to_string();
    let row = ConfigRow { reader, name: &name, container: "Service Principals", cells };
    page.push(RowClass::ExchangePrincipal, at, 0, &row)
}

/// Principals of the directory have SIDs of their own kind, made from their id.
fn principal_sid(app: &App) -> String {
    let (a, b, c, d) = (
        app.principal_id.as_u128() >> 96,
        app.principal_id.as_u128() >> 64 & 0xffff_ffff,
        app.principal_id.as_u128() >> 32 & 0xffff_ffff,
        app.principal_id.as_u128() & 0xffff_ffff,
    );
    format!("S-1-12-1-{a}-{b}-{c}-{d}")
}

pub(super) fn principals(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    if let Some(identity) = bound.text("Identity") {
        let found = app_named(reader.state, identity).filter(|app| in_exchange(app));
        let app = found.ok_or_else(|| ExchangeError::new(Condition::NotFound, [identity]))?;
        show_principal(reader, page, 0, app);
        return Ok(());
    }
    let registered = reader.state.apps.iter().filter(|app| in_exchange(app));
    for (at, app) in registered.enumerate().skip(page.from().at as usize) {
        if !show_principal(reader, page, u32::try_from(at).unwrap_or(u32::MAX), app) {
            break;
        }
    }
    Ok(())
}
