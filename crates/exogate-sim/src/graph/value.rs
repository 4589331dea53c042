//! What a property of an object is: borrowed from the state where it can be, and written as JSON or compared
//! by filters alike. Knows no queries and no permissions.

use uuid::Uuid;

use super::schema::{Field, Kind, Property, REQUIRED};
use crate::clock::Time;
use crate::json::{push_id, push_members, push_text, push_texts};
use crate::state::{
    AttrValue, DirSync, GroupKind, Object, Principal, RecipientTypeDetails, Tenant, Text, UserType,
};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing there.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number.
    Int(i64),
    /// A string of the state.
    Text(&'a str),
    /// A string made up for the answer.
    Made(String),
    /// A GUID.
    Id(Uuid),
    /// A time.
    Time(Time),
    /// A list of strings of the state.
    Texts(&'a [Text]),
    /// A short list of other strings.
    Few(Vec<&'a str>),
    /// Positions of licences in the tenant.
    Licences(&'a [u16]),
    /// A structured value of the state.
    Json(&'a serde_json::Value),
    /// A structured value made up for the answer, already JSON.
    Raw(String),
}

/// What accessors need beside the object.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The organisation.
    pub tenant: &'a Tenant,
    /// `signInActivity` may be told.
    pub premium: bool,
}

fn text(value: Option<&str>) -> Value<'_> {
    value.map_or(Value::Null, Value::Text)
}

fn time(value: Option<Time>) -> Value<'static> {
    value.map_or(Value::Null, Value::Time)
}

/// The value of `property` on `object`.
#[must_use]
pub fn value<'a>(source: &Source<'a>, object: &'a Object, property: &Property) -> Value<'a> {
    match property.field {
        Field::Id => Value::Id(object.id),
        Field::Deleted => time(object.deleted_at()),
        Field::DisplayName => Value::Text(&object.display_name),
        Field::Created => Value::Time(object.created),
        Field::Mail => text(object.mail()),
        Field::Alias => Value::Text(&object.alias),
        Field::Addresses => Value::Texts(&object.addresses),
        Field::CloudSid => Value::Made(cloud_sid(object.id)),
        Field::Organization => Value::Id(source.tenant.id),
        Field::Hidden => Value::Null,
        Field::SyncEnabled => match object.sync {
            DirSync::Never => Value::Null,
            DirSync::Stopped => Value::Bool(false),
            DirSync::Synced => Value::Bool(true),
        },
        Field::OnPremisesDn
        | Field::OnPremisesDomain
        | Field::ImmutableId
        | Field::LastSync
        | Field::SamAccountName
        | Field::OnPremisesSid
        | Field::OnPremisesUpn
        | Field::NetBios => on_premises(object, property.field),
        Field::ExtensionAttributes => Value::Raw(extension_attributes(object)),
        Field::HiddenFromLists => {
            Value::Bool(object.recipient.as_deref().is_some_and(|r| r.hidden_from_address_lists))
        }
        Field::ShowInAddressList => match object.recipient.as_deref() {
            Some(recipient) => Value::Bool(!recipient.hidden_from_address_lists),
            None => Value::Null,
        },
        Field::Directory(name) => {
            attribute(object.extra().and_then(|extra| extra.directory.get(name)), property.kind)
        }
        Field::Stored => {
            match attribute(object.extra().and_then(|extra| extra.graph.get(property.name)), property.kind) {
                Value::Null if property.has(REQUIRED) => unset(property.kind),
                value => value,
            }
        }
        _ => {
            if object.user().is_some() {
                user_value(source, object, property.field)
            } else if object.group().is_some() {
                group_value(object, property.field)
            } else if let Some(principal) = object.principal() {
                principal_value(principal, property.field)
            } else {
                contact_value(object, property.field)
            }
        }
    }
}

fn principal_value(principal: &Principal, field: Field) -> Value<'_> {
    match field {
        Field::Enabled => Value::Bool(true),
        Field::AppId => Value::Id(principal.app_id),
        Field::PrincipalType => Value::Text(&principal.kind),
        Field::PrincipalNames => Value::Raw(format!("[\"{}\"]", principal.app_id)),
        _ => Value::Null,
    }
}

/// What the service shows for a value that is never null and was never set.
fn unset(kind: Kind) -> Value<'static> {
    match kind {
        Kind::Int => Value::Int(5),
        Kind::Time => Value::Text("0001-01-01T00:00:00Z"),
        _ => Value::Null,
    }
}

fn attribute(value: Option<&AttrValue>, kind: Kind) -> Value<'_> {
    match value {
        None | Some(AttrValue::Null) => Value::Null,
        Some(AttrValue::Bool(value)) => Value::Bool(*value),
        Some(AttrValue::Int(value)) => Value::Int(*value),
        Some(AttrValue::Text(value)) if kind == Kind::Time => {
            Time::parse(value).map_or(Value::Null, Value::Time)
        }
        Some(AttrValue::Text(value)) => Value::Text(value),
        Some(AttrValue::List(values)) => Value::Texts(values),
        Some(AttrValue::Json(value)) => Value::Json(value),
    }
}

fn on_premises(object: &Object, field: Field) -> Value<'_> {
    let Some(side) = object.on_premises.as_deref() else { return Value::Null };
    match field {
        Field::OnPremisesDn => text(side.distinguished_name.as_deref()),
        Field::OnPremisesDomain => text(side.domain.as_deref()),
        Field::ImmutableId => text(side.immutable_id.as_deref()),
        Field::LastSync => time(side.last_sync),
        Field::SamAccountName => text(side.sam_account_name.as_deref()),
        Field::OnPremisesSid => text(side.sid.as_deref()),
        Field::OnPremisesUpn => text(object.upn()),
        Field::NetBios => text(side.net_bios.as_deref()),
        _ => Value::Null,
    }
}

fn user_value<'a>(source: &Source<'a>, object: &'a Object, field: Field) -> Value<'a> {
    let Some(user) = object.user() else { return Value::Null };
    let guest = user.user_type == UserType::Guest;
    match field {
        Field::Upn => Value::Text(&user.upn),
        Field::Enabled => Value::Bool(user.account_enabled),
        Field::UserType => Value::Text(user.user_type.as_str()),
        Field::GivenName => text(user.given_name.as_deref()),
        Field::Surname => text(user.surname.as_deref()),
        Field::JobTitle => text(user.job_title.as_deref()),
        Field::Department => text(user.department.as_deref()),
        Field::Company => text(user.company.as_deref()),
        Field::Office => text(user.office.as_deref()),
        Field::City => text(user.city.as_deref()),
        Field::Country => text(user.country.as_deref()),
        Field::UsageLocation => text(user.usage_location.as_deref()),
        Field::Language => text(user.preferred_language.as_deref()),
        Field::EmployeeId => text(user.employee_id.as_deref()),
        Field::MobilePhone => text(user.mobile_phone.as_deref()),
        Field::BusinessPhones => Value::Few(user.business_phone.as_deref().into_iter().collect()),
        Field::Licences => Value::Licences(&user.licences),
        Field::Plans => Value::Raw(plans(source.tenant, object, &user.licences, true)),
        Field::ProvisionedPlans => Value::Raw(plans(source.tenant, object, &user.licences, false)),
        Field::LicenceStates => Value::Raw(licence_states(source.tenant, object, &user.licences)),
        Field::CreationType => {
            if guest {
                Value::Text("Invitation")
            } else {
                Value::Null
            }
        }
        Field::ExternalState => {
            if guest {
                Value::Text("Accepted")
            } else {
                Value::Null
            }
        }
        Field::ExternalStateChanged => {
            if guest {
                Value::Time(object.created)
            } else {
                Value::Null
            }
        }
        Field::PasswordChanged | Field::SessionsFrom => {
            Value::Time(user.sessions_valid_from.unwrap_or(object.created))
        }
        Field::Identities => {
            let mut out = vec![b'['];
            push_members(
                &mut out,
                &[
                    ("signInType", Some("userPrincipalName")),
                    ("issuer", Some(source.tenant.initial_domain())),
                    ("issuerAssignedId", Some(&user.upn)),
                ],
            );
            out.push(b']');
            raw(out)
        }
        Field::MailboxSettings => match object.details() {
            Some(details) if object.mailbox().is_some() => Value::Raw(mailbox_settings(details)),
            _ => Value::Null,
        },
        Field::SignInActivity => match object.extra().and_then(|extra| extra.graph.get("signInActivity")) {
            Some(AttrValue::Json(value)) if source.premium => Value::Json(value),
            _ => Value::Null,
        },
        _ => Value::Null,
    }
}

fn group_value(object: &Object, field: Field) -> Value<'_> {
    let Some(group) = object.group() else { return Value::Null };
    match field {
        Field::Description => text(group.description.as_deref()),
        Field::GroupTypes => {
            let mut types = Vec::new();
            if group.kind == GroupKind::Microsoft365 {
                types.push("Unified");
            }
            if group.rule.is_some() {
                types.push("DynamicMembership");
            }
            Value::Few(types)
        }
        Field::Assignable => {
            if group.assignable_to_role {
                Value::Bool(true)
            } else {
                Value::Null
            }
        }
        Field::MailEnabled => Value::Bool(group.mail_enabled()),
        Field::SecurityEnabled => Value::Bool(group.security_enabled()),
        Field::Rule => text(group.rule.as_deref().map(|rule| &*rule.rule)),
        Field::RuleState => match group.rule.as_deref() {
            Some(rule) => Value::Text(if rule.paused { "Paused" } else { "On" }),
            None => Value::Null,
        },
        Field::Renewed => Value::Time(object.created),
        Field::TeamOption => Value::Few(if group.team { vec!["Team"] } else { Vec::new() }),
        Field::Visibility => text(group.visibility.as_deref()),
        Field::Licences => Value::Licences(&group.licences),
        _ => Value::Null,
    }
}

fn contact_value(object: &Object, field: Field) -> Value<'_> {
    let Some(contact) = object.contact() else { return Value::Null };
    match field {
        Field::GivenName => text(contact.given_name.as_deref()),
        Field::Surname => text(contact.surname.as_deref()),
        Field::JobTitle => text(contact.job_title.as_deref()),
        Field::Department => text(contact.department.as_deref()),
        Field::Company => text(contact.company.as_deref()),
        Field::Phones => {
            let mut out = vec![b'['];
            if let Some(phone) = contact.phone.as_deref() {
                push_members(&mut out, &[("number", Some(phone)), ("type", Some("business"))]);
            }
            out.push(b']');
            raw(out)
        }
        _ => Value::Null,
    }
}

fn raw(bytes: Vec<u8>) -> Value<'static> {
    Value::Raw(String::from_utf8(bytes).unwrap_or_else(|_| "null".to_owned()))
}

/// `S-1-12-1-…`: the object id as four little-endian numbers.
#[must_use]
pub fn cloud_sid(id: Uuid) -> String {
    let bytes = id.to_bytes_le();
    let part = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    format!("S-1-12-1-{}-{}-{}-{}", part(0), part(4), part(8), part(12))
}

fn mailbox_settings(details: RecipientTypeDetails) -> String {
    let purpose = match details {
        RecipientTypeDetails::UserMailbox => "user",
        RecipientTypeDetails::SharedMailbox => "shared",
        RecipientTypeDetails::RoomMailbox => "room",
        RecipientTypeDetails::EquipmentMailbox => "equipment",
        _ => "others",
    };
    format!("{{\"userPurpose\":\"{purpose}\"}}")
}

/// extensionAttribute1–15 are CustomAttribute1–15 of the Exchange face.
fn extension_attributes(object: &Object) -> String {
    let mut out = vec![b'{'];
    for number in 1..=15 {
        if number > 1 {
            out.push(b',');
        }
        push_text(&mut out, &format!("extensionAttribute{number}"));
        out.push(b':');
        match object.extra().and_then(|extra| extra.exchange.get(&format!("CustomAttribute{number}"))) {
            Some(AttrValue::Text(value)) if !value.is_empty() => push_text(&mut out, value),
            _ => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
    String::from_utf8(out).unwrap_or_else(|_| "{}".to_owned())
}

fn plans(tenant: &Tenant, object: &Object, licences: &[u16], assigned: bool) -> String {
    let mut out = vec![b'['];
    for plan in licences.iter().filter_map(|at| tenant.skus.get(usize::from(*at))).flat_map(|sku| &sku.plans)
    {
        if out.len() > 1 {
            out.push(b',');
        }
        let service = service_of(&plan.name);
        if assigned {
            let at = object.created.graph();
            let id = plan.id.to_string();
            push_members(
                &mut out,
                &[
                    ("assignedDateTime", Some(&at)),
                    ("capabilityStatus", Some("Enabled")),
                    ("service", Some(service)),
                    ("servicePlanId", Some(&id)),
                ],
            );
        } else {
            push_members(
                &mut out,
                &[
                    ("capabilityStatus", Some("Enabled")),
                    ("provisioningStatus", Some("Success")),
                    ("service", Some(service)),
                ],
            );
        }
    }
    out.push(b']');
    String::from_utf8(out).unwrap_or_else(|_| "[]".to_owned())
}

fn service_of(plan: &str) -> &'static str {
    if plan.starts_with("EXCHANGE") {
        "exchange"
    } else if plan.starts_with("TEAMS") {
        "TeamspaceAPI"
    } else if plan.starts_with("AAD") {
        "AADPremiumService"
    } else {
        "MicrosoftOffice"
    }
}

fn licence_states(tenant: &Tenant, object: &Object, licences: &[u16]) -> String {
    let states: Vec<serde_json::Value> = licences
        .iter()
        .filter_map(|at| tenant.skus.get(usize::from(*at)))
        .map(|sku| {
            serde_json::json!({
                "skuId": sku.id, "disabledPlans": [], "assignedByGroup": null, "state": "Active",
                "error": "None", "lastUpdatedDateTime": object.created.graph(),
            })
        })
        .collect();
    serde_json::Value::Array(states).to_string()
}

impl Value<'_> {
    /// Writes the value as JSON; an absent collection is `[]`.
    pub fn write(&self, out: &mut Vec<u8>, kind: Kind, tenant: &Tenant) {
        match self {
            Self::Null if kind.is_collection() => out.extend_from_slice(b"[]"),
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Text(text) => push_text(out, text),
            Self::Made(text) => push_text(out, text),
            Self::Id(id) => push_id(out, *id),
            Self::Time(time) => {
                out.push(b'"');
                time.write_graph(out);
                out.push(b'"');
            }
            Self::Texts(texts) => push_texts(out, texts.iter().map(|text| &**text)),
            Self::Few(texts) => push_texts(out, texts.iter().copied()),
            Self::Licences(licences) => {
                out.push(b'[');
                let skus = licences.iter().filter_map(|at| tenant.skus.get(usize::from(*at)));
                for (at, sku) in skus.enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(b"{\"disabledPlans\":[],\"skuId\":");
                    push_id(out, sku.id);
                    out.push(b'}');
                }
                out.push(b']');
            }
            Self::Json(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Raw(text) => out.extend_from_slice(text.as_bytes()),
        }
    }

    /// The elements of a collection, for `any` and `$count`.
    #[must_use]
    pub fn elements(&self, tenant: &Tenant) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        self.write(&mut out, Kind::List, tenant);
        match serde_json::from_slice(&out) {
            Ok(serde_json::Value::Array(list)) => list,
            _ => Vec::new(),
        }
    }

    /// The value inside a structured one.
    #[must_use]
    pub fn inside(&self, path: &[String]) -> Option<serde_json::Value> {
        let parsed;
        let mut at: &serde_json::Value = match self {
            Self::Json(value) => value,
            Self::Raw(text) => {
                parsed = serde_json::from_str::<serde_json::Value>(text).ok()?;
                &parsed
            }
            _ => return None,
        };
        for segment in path {
            at = at
                .as_object()?
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(segment))
                .map(|(_, value)| value)?;
        }
        Some(at.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloud_sids_follow_from_the_id() {
        let id = "01020304-0506-0708-090a-0b0c0d0e0f10".parse().unwrap();
        assert_eq!(cloud_sid(id), "S-1-12-1-16909060-117966086-202050057-269422093");
    }
}
