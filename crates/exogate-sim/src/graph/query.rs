//! From query options to a plan: which columns, which filter, which order, how many. Refuses what the service
//! refuses; reads no object.

use http::StatusCode;

use super::call::Call;
use super::error::GraphError;
use super::odata::filter::{self, Expr};
use super::odata::search::{self, Search};
use super::permission::{Act, may};
use super::rules::{self, FieldPath};
use super::scene::Scene;
use super::schema::{Field, Kind, Property, SEARCH, SINGLE, Type};

/// One property of an answer: its key ready for writing, and where the value comes from.
#[derive(Debug, Clone)]
pub struct Column {
    /// `"name":`
    pub key: Vec<u8>,
    /// The property; `None` for a directory extension, kept under the name in `extension`.
    pub property: Option<&'static Property>,
    /// Name of the extension.
    pub extension: String,
}

impl Column {
    fn of(property: &'static Property) -> Self {
        Self {
            key: format!("\"{}\":", property.name).into_bytes(),
            property: Some(property),
            extension: String::new(),
        }
    }

    fn extension(name: &str) -> Self {
        Self { key: format!("\"{name}\":").into_bytes(), property: None, extension: name.to_owned() }
    }
}

/// What objects are in a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// One type.
    One(Type),
    /// Directory objects of any type; each carries its `@odata.type`.
    Mixed,
}

impl Set {
    /// The name in contexts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::One(kind) => kind.set(),
            Self::Mixed => "directoryObjects",
        }
    }

    fn types(self) -> Vec<Type> {
        match self {
            Self::One(kind) => vec![kind],
            Self::Mixed => vec![Type::User, Type::Group, Type::Contact, Type::Principal],
        }
    }
}

/// A navigation that `$expand` follows.
#[derive(Debug, Clone)]
pub struct Expansion {
    /// Name as asked.
    pub name: String,
    /// Columns per type.
    pub columns: [Vec<Column>; 4],
}

/// A compiled query.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is listed.
    pub set: Set,
    /// Columns per type.
    pub columns: [Vec<Column>; 4],
    /// The names of `$select` as contexts repeat them.
    pub selected: Option<Vec<String>>,
    /// Filter per type; empty when there is none.
    pub filters: Vec<(Type, Expr<FieldPath>)>,
    /// `$search`
    pub search: Option<Search>,
    /// `$orderby`: property and whether descending.
    pub order: Vec<(&'static Property, bool)>,
    /// `$expand`
    pub expand: Option<Expansion>,
    /// Page size.
    pub top: usize,
    /// `@odata.count` is wanted (and may be given).
    pub count: bool,
}

/// How a type is numbered in tables.
#[must_use]
pub const fn slot(kind: Type) -> usize {
    match kind {
        Type::User => 0,
        Type::Group => 1,
        Type::Contact => 2,
        Type::Principal => 3,
    }
}

/// The default columns of a type.
#[must_use]
pub fn default_columns(kind: Type) -> Vec<Column> {
    kind.defaults().map(Column::of).collect()
}

/// Compiles the options of a listing.
///
/// # Errors
/// The refusal that the service would give.
pub fn listing(scene: &Scene<'_>, call: &Call, set: Set) -> Result<Plan, GraphError> {
    let options = &call.options;
    let advanced = call.eventual() && options.count;
    if let Some(unknown) = &options.unknown {
        return Err(GraphError::unreadable(format!("The query parameter '{unknown}' is not supported.")));
    }
    if options.skip.is_some() {
        return Err(GraphError::bad_request("'$skip' is not supported by the service."));
    }
    let (columns, selected) = columns(scene, options.select.as_deref(), set, true)?;
    let activity = uses_activity(options);
    let top = top(call, if activity { 500 } else { 999 }, if activity { 120 } else { 100 })?;
    let filters = match &options.filter {
        None => Vec::new(),
        Some(text) => filters(scene, text, set, advanced)?,
    };
    let search = match &options.search {
        None => None,
        Some(_) if !call.eventual() => {
            return Err(GraphError::unsupported_query(
                "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'",
            ));
        }
        Some(text) => Some(read_search(text, set)?),
    };
    let order = order(call, set, advanced)?;
    let expand = match &options.expand {
        None => None,
        Some(_) if search.is_some() || (advanced && !filters.is_empty()) => {
            return Err(GraphError::unsupported_query(
                "The $expand query parameter is not supported with advanced queries.",
            ));
        }
        Some(text) => Some(expansion(scene, text, set)?),
    };
    Ok(Plan {
        set,
        columns,
        selected,
        filters,
        search,
        order,
        expand,
        top,
        count: call.eventual() && options.count,
    })
}

/// Compiles the options of a single object.
///
/// # Errors
/// The refusal that the service would give.
pub fn single(scene: &Scene<'_>, call: &Call, kind: Type) -> Result<Plan, GraphError> {
    let set = Set::One(kind);
    let (columns, selected) = columns(scene, call.options.select.as_deref(), set, false)?;
    let expand = call.options.expand.as_deref().map(|text| expansion(scene, text, set)).transpose()?;
    Ok(Plan {
        set,
        columns,
        selected,
        filters: Vec::new(),
        search: None,
        order: Vec::new(),
        expand,
        top: 1,
        count: false,
    })
}

fn uses_activity(options: &super::odata::options::Options) -> bool {
    options.select.iter().flatten().any(|name| name.eq_ignore_ascii_case("signInActivity"))
        || options
            .filter
            .as_deref()
            .is_some_and(|filter| filter.to_ascii_lowercase().contains("signinactivity"))
}

fn top(call: &Call, most: usize, usual: usize) -> Result<usize, GraphError> {
    match call.options.top.as_deref() {
        Some(text) => match text.trim().parse::<usize>() {
            Ok(top) if (1..=most).contains(&top) => Ok(top),
            _ => Err(GraphError::unsupported_query(format!(
                "Invalid page size specified: '{}'. Must be between 1 and {most} inclusive.",
                text.trim()
            ))),
        },
        None => Ok(call
            .preference("odata.maxpagesize")
            .and_then(|text| text.parse::<usize>().ok())
            .map_or(usual, |wanted| wanted.clamp(1, most))),
    }
}

type Columns = ([Vec<Column>; 4], Option<Vec<String>>);

/// The columns that `$select` asks for.
///
/// # Errors
/// Unknown properties, and properties that the caller may not see or not see this way.
pub fn columns(
    scene: &Scene<'_>,
    select: Option<&[String]>,
    set: Set,
    collection: bool,
) -> Result<Columns, GraphError> {
    let mut columns: [Vec<Column>; 4] = Default::default();
    let select = select.filter(|names| !names.is_empty() && !names.iter().any(|name| name == "*"));
    let Some(names) = select else {
        for kind in set.types() {
            columns[slot(kind)] = default_columns(kind);
        }
        return Ok((columns, None));
    };
    let mut selected = Vec::with_capacity(names.len());
    for name in names {
        let plain = name.split('/').next().unwrap_or(name);
        let mut known = None;
        for kind in set.types() {
            let Some(property) = kind.property(plain) else { continue };
            known = Some(property.name);
            check_column(scene, property, set, kind, collection)?;
            if !columns[slot(kind)]
                .iter()
                .any(|column| column.property.is_some_and(|held| held.name == property.name))
            {
                columns[slot(kind)].push(Column::of(property));
            }
        }
        match known {
            Some(known) => selected.push(known.to_owned()),
            None if plain.starts_with("extension_") => {
                for kind in set.types() {
                    columns[slot(kind)].push(Column::extension(plain));
                }
                selected.push(plain.to_owned());
            }
            None => {
                let kind = match set {
                    Set::One(kind) => kind.name(),
                    Set::Mixed => "directoryObject",
                };
                return Err(rules::unknown_property(plain, kind));
            }
        }
    }
    Ok((columns, Some(selected)))
}

/// What a caller with the basic permission sees of users.
const BASIC: [&str; 7] =
    ["displayName", "givenName", "id", "mail", "surname", "userPrincipalName", "userType"];

fn check_column(
    scene: &Scene<'_>,
    property: &Property,
    set: Set,
    kind: Type,
    collection: bool,
) -> Result<(), GraphError> {
    let principal = scene.principal;
    if collection && property.has(SINGLE) {
        return Err(GraphError::not_implemented());
    }
    if kind != Type::User || set == Set::Mixed {
        return Ok(());
    }
    match property.field {
        Field::SignInActivity => {
            if !scene.knobs.premium {
                return Err(GraphError::new(
                    StatusCode::FORBIDDEN,
                    "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
                    "Neither tenant is B2C or tenant doesn't have premium license",
                ));
            }
            scene.require(&[Act::ReadSignIns])
        }
        Field::MailboxSettings => scene.require(&[Act::ReadMailboxSettings]),
        _ if property.name == "employeeLeaveDateTime" => scene.require(&[Act::ReadLeave]),
        _ if !BASIC.contains(&property.name) && !may(principal, Act::ReadUsers) && !own_profile(scene) => {
            Err(GraphError::denied())
        }
        _ => Ok(()),
    }
}

/// A signed-in user reads the own profile with the plain delegated permission.
fn own_profile(scene: &Scene<'_>) -> bool {
    !scene.principal.is_app()
        && ["User.Read", "User.ReadWrite"].iter().any(|scope| scene.principal.has_scope(scope))
}

/// Compiles a filter for every type of the set.
///
/// # Errors
/// The refusal that the service would give.
pub fn filters(
    scene: &Scene<'_>,
    text: &str,
    set: Set,
    advanced: bool,
) -> Result<Vec<(Type, Expr<FieldPath>)>, GraphError> {
    let expr = filter::parse(text).map_err(|malformed| {
        if malformed.what.starts_with("Too many") {
            GraphError::unsupported_query(malformed.what)
        } else {
            GraphError::unreadable(format!("Invalid filter clause: {}", malformed.what))
        }
    })?;
    let mixed = set == Set::Mixed;
    let mut all = Vec::new();
    for kind in set.types() {
        all.push((kind, rules::resolve(expr.clone(), kind, mixed, advanced)?));
    }
    if text.to_ascii_lowercase().contains("signinactivity") && !may(scene.principal, Act::ReadSignIns) {
        return Err(GraphError::denied());
    }
    Ok(all)
}

fn read_search(text: &str, set: Set) -> Result<Search, GraphError> {
    let search = search::parse(text).map_err(GraphError::unreadable)?;
    let mut open = vec![&search];
    while let Some(node) = open.pop() {
        match node {
            Search::And(left, right) | Search::Or(left, right) => open.extend([&**left, &**right]),
            Search::Clause(name, _) => {
                let searchable = |kind: Type| {
                    kind.property(name).is_some_and(|property| {
                        property.has(SEARCH)
                            || matches!(
                                property.name,
                                "mail"
                                    | "mailNickname"
                                    | "userPrincipalName"
                                    | "givenName"
                                    | "surname"
                                    | "proxyAddresses"
                                    | "otherMails"
                                    | "jobTitle"
                            )
                    })
                };
                if !set.types().into_iter().any(searchable) {
                    return Err(GraphError::unsupported_query(format!(
                        "Unsupported or invalid search clause specified for property '{name}'."
                    )));
                }
            }
        }
    }
    Ok(search)
}

fn order(call: &Call, set: Set, advanced: bool) -> Result<Vec<(&'static Property, bool)>, GraphError> {
    let Some(text) = &call.options.orderby else { return Ok(Vec::new()) };
    let sorting = || GraphError::unsupported_query("Sorting not supported for current query.");
    if (call.options.filter.is_some() || set == Set::Mixed) && !advanced {
        return Err(sorting());
    }
    let kind = match set {
        Set::One(kind) => kind,
        Set::Mixed => Type::User,
    };
    let mut order = Vec::new();
    for part in text.split(',') {
        let mut words = part.split_whitespace();
        let name = words.next().unwrap_or_default();
        let descending = match words.next().map(str::to_ascii_lowercase).as_deref() {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => {
                return Err(GraphError::unreadable(format!("Syntax error at position 0 in '{text}'.")));
            }
        };
        let property = kind.property(name).ok_or_else(|| rules::unknown_property(name, kind.name()))?;
        let plain = matches!(property.name, "displayName")
            || (kind == Type::User && property.name == "userPrincipalName");
        let sortable = plain || (advanced && matches!(property.kind, Kind::Text | Kind::Time | Kind::Bool));
        if !sortable {
            return Err(GraphError::unsupported_query(format!(
                "Unsupported sort property '{name}' for '{}'.",
                kind.title()
            )));
        }
        order.push((property, descending));
    }
    Ok(order)
}

/// Navigations that may be expanded, per type.
const USER_NAVIGATIONS: [&str; 5] =
    ["manager", "directReports", "memberOf", "transitiveMemberOf", "ownedObjects"];
const GROUP_NAVIGATIONS: [&str; 5] =
    ["members", "owners", "memberOf", "transitiveMembers", "transitiveMemberOf"];

fn expansion(scene: &Scene<'_>, text: &str, set: Set) -> Result<Expansion, GraphError> {
    let (name, inner) = match text.split_once('(') {
        Some((name, rest)) => (name.trim(), rest.trim_end().strip_suffix(')').unwrap_or(rest)),
        None => (text.trim(), ""),
    };
    if name.contains(',') {
        return Err(GraphError::bad_request("Only one property can be expanded in a single query."));
    }
    let known: &[&str] = match set {
        Set::One(Type::User) => &USER_NAVIGATIONS,
        Set::One(Type::Group) => &GROUP_NAVIGATIONS,
        _ => &["memberOf"],
    };
    let kind = match set {
        Set::One(kind) => kind.name(),
        Set::Mixed => "directoryObject",
    };
    let name = known
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .ok_or_else(|| rules::unknown_property(name, kind))?;
    let select: Option<Vec<String>> = inner.split(';').find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("$select")
            .then(|| value.split(',').map(|name| name.trim().to_owned()).collect())
    });
    let (columns, _) = columns(scene, select.as_deref(), Set::Mixed, true)?;
    Ok(Expansion { name: (*name).to_owned(), columns })
}

impl Plan {
    /// `#users` or `#users(id,mail)`.
    #[must_use]
    pub fn context(&self, call: &Call) -> String {
        let mut context = format!("{}/$metadata#{}", call.base, self.set.name());
        let mut parts: Vec<String> = self.selected.clone().unwrap_or_default();
        if let Some(expansion) = &self.expand {
            parts.push(format!("{}()", expansion.name));
        }
        if !parts.is_empty() {
            context.push('(');
            context.push_str(&parts.join(","));
            context.push(')');
        }
        context
    }

    /// The filter for objects of `kind`.
    #[must_use]
    pub fn filter(&self, kind: Type) -> Option<&Expr<FieldPath>> {
        self.filters.iter().find(|(held, _)| *held == kind).map(|(_, expr)| expr)
    }
}
