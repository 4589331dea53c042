//! Setting properties from JSON: what may be written, which types are right, and where a value goes.

use serde_json::{Map, Value};

use super::super::error::GraphError;
use super::super::schema::{Field, Kind, Property, READ_ONLY, REQUIRED, SINGLE, Type};
use crate::state::{AttrValue, MembershipRule, Object, State, UserType, Word};

/// One property to be set, checked and ready.
pub struct Assignment {
    /// The property; `None` for a directory extension of this name.
    pub property: Option<&'static Property>,
    /// The name as it is kept.
    pub name: String,
    value: Value,
    word: Option<Word>,
}

fn invalid(property: &str, kind: Type) -> GraphError {
    let mut error = GraphError::bad_request(format!(
        "Invalid value specified for property '{property}' of resource '{}'.",
        kind.title()
    ));
    error.detail = Some(Box::new(("InvalidValue", property.to_owned())));
    error
}

fn read_only(property: &str) -> GraphError {
    GraphError::bad_request(format!("Property '{property}' is read-only and cannot be set."))
}

/// Reads the properties of a body. Annotations are passed over.
///
/// # Errors
/// Unknown and read-only properties, wrong types, values that are too long.
pub fn read(
    state: &mut State,
    body: &Map<String, Value>,
    kind: Type,
    creating: bool,
) -> Result<Vec<Assignment>, GraphError> {
    let mut all = Vec::with_capacity(body.len());
    for (name, value) in body {
        if name.contains('@') {
            continue;
        }
        let Some(property) = kind.property(name) else {
            if name.starts_with("extension_") {
                all.push(Assignment { property: None, name: name.clone(), value: value.clone(), word: None });
                continue;
            }
            return Err(GraphError::bad_request(format!(
                "One or more property values specified are invalid: property '{name}' does not exist on resource '{}'.",
                kind.title()
            )));
        };
        let fixed =
            matches!(property.name, "assignedLicenses" | "proxyAddresses" | "imAddresses" | "isArchived")
                || (!creating && matches!(property.field, Field::Assignable | Field::MailEnabled));
        if property.has(READ_ONLY) || fixed {
            return Err(read_only(property.name));
        }
        check(property, value, kind)?;
        let word = value.as_str().map(|text| state.word(text));
        all.push(Assignment {
            property: Some(property),
            name: property.name.to_owned(),
            value: value.clone(),
            word,
        });
    }
    Ok(all)
}

fn check(property: &Property, value: &Value, kind: Type) -> Result<(), GraphError> {
    if value.is_null() {
        // A name cannot be cleared, nor what is never null.
        let cleared =
            !matches!(property.name, "displayName" | "userPrincipalName" | "mailNickname" | "accountEnabled")
                && (!property.has(REQUIRED) || property.has(SINGLE));
        return if cleared { Ok(()) } else { Err(invalid(property.name, kind)) };
    }
    let expected = match property.kind {
        Kind::Text => value.is_string().then_some(()).ok_or("Edm.String"),
        Kind::Bool => value.is_boolean().then_some(()).ok_or("Edm.Boolean"),
        Kind::Int => value.is_i64().then_some(()).ok_or("Edm.Int32"),
        Kind::Time => {
            value.as_str().and_then(crate::clock::Time::parse).map(|_| ()).ok_or("Edm.DateTimeOffset")
        }
        Kind::Texts => value
            .as_array()
            .filter(|items| items.iter().all(Value::is_string))
            .map(|_| ())
            .ok_or("Collection(Edm.String)"),
        Kind::Complex => value.is_object().then_some(()).ok_or("microsoft.graph.ComplexType"),
        Kind::List => value.is_array().then_some(()).ok_or("Collection"),
    };
    if let Err(expected) = expected {
        let shown: String = value.to_string().chars().take(60).collect();
        return Err(GraphError::unreadable(format!(
            "Cannot convert the literal '{shown}' to the expected type '{expected}'."
        )));
    }
    let text = value.as_str().unwrap_or_default();
    let long = property.max > 0 && text.chars().count() > usize::from(property.max);
    let blank = matches!(property.name, "displayName" | "userPrincipalName" | "mailNickname")
        && text.trim().is_empty();
    let strange = property.name == "mailNickname"
        && text.chars().any(|character| {
            matches!(character, '@' | '(' | ')' | '\\' | '[' | ']' | '"' | ';' | ':' | '<' | '>' | ',' | ' ')
        });
    let place = property.name == "usageLocation"
        && !(text.len() == 2 && text.chars().all(|c| c.is_ascii_alphabetic()));
    let kinds = property.field == Field::UserType && !matches!(text, "Member" | "Guest");
    let phones =
        property.field == Field::BusinessPhones && value.as_array().is_some_and(|items| items.len() > 1);
    if long || blank || strange || place || kinds || phones {
        return Err(invalid(property.name, kind));
    }
    Ok(())
}

impl Assignment {
    /// The value as text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.value.as_str()
    }

    /// The value as truth.
    #[must_use]
    pub fn truth(&self) -> Option<bool> {
        self.value.as_bool()
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Whether the property is where this field says.
    #[must_use]
    pub fn is(&self, field: Field) -> bool {
        self.property.is_some_and(|property| property.field == field)
    }

    /// Sets the property.
    pub fn apply(&self, object: &mut Object) {
        let text = || self.value.as_str().map(Box::from);
        let word = || self.word.clone();
        let Some(property) = self.property else {
            return store(&mut object.extra_mut().graph, &self.name, &self.value);
        };
        match property.field {
            Field::DisplayName => object.display_name = text().unwrap_or_default(),
            Field::Alias => object.alias = text().unwrap_or_default(),
            Field::HiddenFromLists => self.hide(object, self.truth().unwrap_or(false)),
            Field::ShowInAddressList => self.hide(object, !self.truth().unwrap_or(true)),
            Field::Directory(name) => store(&mut object.extra_mut().directory, name, &self.value),
            Field::Stored | Field::MailboxSettings | Field::SignInActivity => {
                store(&mut object.extra_mut().graph, property.name, &self.value);
            }
            Field::ExtensionAttributes => self.extension_attributes(object),
            Field::ImmutableId => {
                let side = object.on_premises.get_or_insert_with(Box::default);
                side.immutable_id = text();
            }
            Field::Mail => self.mail(object),
            field if object.user().is_some() => {
                let Some(user) = object.user_mut() else { return };
                match field {
                    Field::Upn => user.upn = text().unwrap_or_default(),
                    Field::Enabled => user.account_enabled = self.truth().unwrap_or(false),
                    Field::UserType => {
                        user.user_type =
                            if self.text() == Some("Guest") { UserType::Guest } else { UserType::Member };
                    }
                    Field::GivenName => user.given_name = text(),
                    Field::Surname => user.surname = text(),
                    Field::JobTitle => user.job_title = word(),
                    Field::Department => user.department = word(),
                    Field::Company => user.company = word(),
                    Field::Office => user.office = word(),
                    Field::City => user.city = word(),
                    Field::Country => user.country = word(),
                    Field::UsageLocation => user.usage_location = word(),
                    Field::Language => user.preferred_language = word(),
                    Field::EmployeeId => user.employee_id = text(),
                    Field::MobilePhone => user.mobile_phone = text(),
                    Field::BusinessPhones => {
                        user.business_phone = self.value.get(0).and_then(Value::as_str).map(Box::from);
                    }
                    Field::Hidden => {
                        if let Some(password) = self.value.get("password").and_then(Value::as_str) {
                            user.password = Some(password.into());
                        }
                    }
                    _ => {}
                }
            }
            field => {
                let Some(group) = object.group_mut() else { return };
                match field {
                    Field::Description => group.description = text(),
                    Field::Visibility => group.visibility = word(),
                    Field::SecurityEnabled => group.unified_security = self.truth().unwrap_or(false),
                    Field::Rule => match (text(), group.rule.as_deref_mut()) {
                        (Some(rule), Some(held)) => held.rule = rule,
                        (Some(rule), None) => {
                            group.rule = Some(Box::new(MembershipRule { rule, paused: false }));
                        }
                        (None, _) => group.rule = None,
                    },
                    Field::RuleState => {
                        if let Some(rule) = group.rule.as_deref_mut() {
                            rule.paused =
                                self.text().is_some_and(|state| state.eq_ignore_ascii_case("Paused"));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn hide(&self, object: &mut Object, hidden: bool) {
        if let Some(recipient) = object.recipient.as_deref_mut() {
            recipient.hidden_from_address_lists = hidden;
        }
    }

    /// Setting `mail` also gives the address.
    fn mail(&self, object: &mut Object) {
        match self.text() {
            Some(address) => object.set_primary_smtp(address),
            None => object.addresses.retain(|held| !held.starts_with("SMTP:")),
        }
        if let Some(user) = object.user_mut() {
            user.mail = self.value.as_str().map(Box::from);
        }
    }

    fn extension_attributes(&self, object: &mut Object) {
        let Some(members) = self.value.as_object() else { return };
        for (name, value) in members {
            let Some(number) = name
                .to_ascii_lowercase()
                .strip_prefix("extensionattribute")
                .and_then(|number| number.parse::<u8>().ok())
                .filter(|number| (1..=15).contains(number))
            else {
                continue;
            };
            store(&mut object.extra_mut().exchange, &format!("CustomAttribute{number}"), value);
        }
    }
}

fn store(attrs: &mut crate::state::Attrs, name: &str, value: &Value) {
    let kept = match value {
        Value::Null => {
            attrs.unset(name);
            return;
        }
        Value::Bool(value) => AttrValue::Bool(*value),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| AttrValue::Json(Box::new(value.clone())), AttrValue::Int)
        }
        Value::String(text) => AttrValue::from(text.as_str()),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            AttrValue::List(items.iter().filter_map(Value::as_str).map(Box::from).collect())
        }
        other => AttrValue::Json(Box::new(other.clone())),
    };
    attrs.set(name, kept);
}
