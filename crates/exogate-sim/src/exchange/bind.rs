//! Binding of a request's parameters to a cmdlet: names, kinds, parameter sets.
//!
//! What it lets through is well formed; whether it makes sense is for the cmdlet.

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::catalogue::{CmdletSpec, Kind, ParameterSpec, is_common_parameter};
use super::error::{Condition, ExchangeError};
use super::forms::{is_proxy_address, is_smtp_address, is_time_span, parse_size};
use super::value::parse_time;

/// A value after conversion.
#[derive(Debug, Clone, PartialEq)]
pub enum Arg {
    /// `$null`.
    Null,
    /// A switch or a truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// `Unlimited`.
    Unlimited,
    /// Any single text; enumerations in their documented casing.
    Text(String),
    /// A list that replaces what is there.
    List(Vec<String>),
    /// Entries to add and to remove.
    Change {
        /// Entries to add.
        add: Vec<String>,
        /// Entries to remove.
        remove: Vec<String>,
    },
}

/// A cmdlet with its parameters.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The cmdlet.
    pub cmdlet: &'static CmdletSpec,
    /// The parameter set that was chosen.
    pub set: &'static str,
    values: Vec<(&'static str, Arg)>,
    /// Parameters as the caller typed them, for the audit log.
    pub typed: Vec<(String, String)>,
}

impl Bound {
    /// The value of a parameter, if it was given.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arg> {
        self.values.iter().find(|(given, _)| *given == name).map(|(_, value)| value)
    }

    /// Whether the parameter was given at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A text that is neither null nor missing.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Arg::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A switch or truth value; `None` when it was not given.
    #[must_use]
    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Arg::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Whether a switch is on.
    #[must_use]
    pub fn switch(&self, name: &str) -> bool {
        self.bool(name) == Some(true)
    }

    /// A list, an entry counting as a list of one.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<&str> {
        match self.get(name) {
            Some(Arg::List(list)) => list.iter().map(String::as_str).collect(),
            Some(Arg::Text(text)) => vec![text.as_str()],
            _ => Vec::new(),
        }
    }

    /// Every given parameter but the common ones.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Arg)> {
        self.values.iter().map(|(name, value)| (*name, value))
    }

    /// Opens the secrets that came sealed. One that `open` cannot open (sealed for another tenant, or not at all)
    /// stays as it came.
    pub fn unseal(&mut self, open: impl Fn(&str) -> Option<String>) {
        for (name, value) in &mut self.values {
            if self.cmdlet.parameters[*name].kind == Kind::Secret
                && let Arg::Text(text) = value
                && let Some(secret) = open(text)
            {
                *text = secret;
            }
        }
    }

    /// The rows asked for: `None` = all.
    #[must_use]
    pub fn result_size(&self, default: u64) -> Option<u64> {
        match self.get("ResultSize") {
            Some(Arg::Unlimited) => None,
            Some(Arg::Int(size)) => Some(u64::try_from(*size).unwrap_or(0)),
            _ => Some(default),
        }
    }
}

const HASHTABLE: &str = "#Exchange.GenericHashTable";
const BYTES: &str = "#Exchange.ByteArrayType";

/// Binds parameters; `hidden` names those that the caller's roles do not include.
///
/// # Errors
/// The binder's errors, as the service words them.
pub fn bind(
    cmdlet: &'static CmdletSpec,
    parameters: &Map<String, Json>,
    hidden: &[&str],
) -> Result<Bound, ExchangeError> {
    let mut values: Vec<(&'static str, Arg)> = Vec::with_capacity(parameters.len());
    let mut typed = Vec::with_capacity(parameters.len());
    let mut unknown = Vec::new();
    for (given, value) in parameters {
        // Companions such as "AccessRights@odata.type" and the tag of the bag itself carry no parameter.
        if given.contains('@') {
            continue;
        }
        let found = cmdlet.parameter(given).filter(|(name, _)| !hidden.contains(name));
        let Some((name, spec)) = found else {
            if !is_common_parameter(given) {
                unknown.push(given.as_str());
            }
            continue;
        };
        if values.iter().any(|(bound, _)| *bound == name) {
            return Err(ExchangeError::new(
                Condition::ParameterValidation,
                [name.to_owned(), "The parameter is specified more than once.".to_owned()],
            ));
        }
        let arg = convert(name, spec, value)?;
        typed.push((name.to_owned(), logged(spec.kind, value)));
        values.push((name, arg));
    }
    if !unknown.is_empty() {
        return Err(ExchangeError::new(Condition::UnknownParameter, [unknown.join(", ")]));
    }
    let set = choose_set(cmdlet, &values)?;
    for (name, value) in &values {
        let spec = &cmdlet.parameters[*name];
        if *value == Arg::Null && spec.required_in(set) {
            return Err(ExchangeError::new(Condition::NullParameter, [*name]));
        }
    }
    Ok(Bound { cmdlet, set, values, typed })
}

fn choose_set(
    cmdlet: &'static CmdletSpec,
    values: &[(&'static str, Arg)],
) -> Result<&'static str, ExchangeError> {
    let given = |name: &str| values.iter().any(|(bound, _)| *bound == name);
    let fitting: Vec<_> = cmdlet
        .sets
        .iter()
        .filter(|set| set.usable)
        .filter(|set| values.iter().all(|(name, _)| cmdlet.parameters[*name].in_set(&set.name)))
        .collect();
    if fitting.is_empty() {
        return Err(ExchangeError::plain(Condition::AmbiguousParameterSet));
    }
    let missing = |set: &str| {
        let mut names: Vec<&str> = cmdlet
            .parameters
            .iter()
            .filter(|(name, spec)| spec.required_in(set) && !given(name))
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        names
    };
    let preferred = |sets: &[&'static super::catalogue::SetSpec]| {
        sets.iter()
            .find(|set| set.default)
            .or_else(|| sets.iter().find(|set| set.name == "Identity"))
            .or_else(|| sets.iter().find(|set| set.name == "AccessRights" || set.name == "Default"))
            .or_else(|| sets.first())
            .map(|set| set.name.as_str())
    };
    let complete: Vec<_> = fitting.iter().copied().filter(|set| missing(&set.name).is_empty()).collect();
    if let Some(set) = preferred(&complete) {
        return Ok(set);
    }
    let set = preferred(&fitting).unwrap_or_default();
    Err(ExchangeError::new(Condition::MissingParameter, [missing(set).join(", ")]))
}

/// A value as the audit log prints it; secrets by their type alone.
#[must_use]
pub fn logged(kind: Kind, value: &Json) -> String {
    if kind == Kind::Secret { "System.Security.SecureString".to_owned() } else { as_typed(value) }
}

fn as_typed(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Bool(true) => "True".into(),
        Json::Bool(false) => "False".into(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(as_typed).collect::<Vec<_>>().join(";"),
        Json::Object(map) => map
            .iter()
            .filter(|(key, _)| !key.contains('@'))
            .map(|(key, value)| format!("{key}={}", as_typed(value)))
            .collect::<Vec<_>>()
            .join("; "),
    }
}

struct Converter<'a> {
    name: &'a str,
    spec: &'a ParameterSpec,
}

fn convert(name: &str, spec: &ParameterSpec, value: &Json) -> Result<Arg, ExchangeError> {
    let converter = Converter { name, spec };
    match value {
        Json::Null => match spec.kind {
            Kind::Switch => Ok(Arg::Bool(false)),
            Kind::Bool | Kind::Int => Err(converter.refuse("", "Cannot convert null to the type of the parameter.")),
            _ => Ok(if spec.multi { Arg::List(Vec::new()) } else { Arg::Null }),
        },
        Json::Object(map) => converter.object(map),
        Json::Array(items) if spec.multi => {
            let list = items.iter().map(|item| converter.entry(item)).collect::<Result<Vec<_>, _>>()?;
            converter.count(&list)?;
            Ok(Arg::List(list))
        }
        Json::Array(_) => Err(converter.refuse(
            "System.Object[]",
            "Cannot convert 'System.Object[]' to the type required by the parameter. Specified method is not supported.",
        )),
        _ if spec.multi => Ok(Arg::List(vec![converter.entry(value)?])),
        _ => converter.scalar(value),
    }
}

impl Converter<'_> {
    fn refuse(&self, value: &str, reason: &str) -> ExchangeError {
        ExchangeError::new(
            Condition::Transformation,
            [self.name, value, self.spec.type_name.as_str(), reason],
        )
    }

    fn count(&self, list: &[String]) -> Result<(), ExchangeError> {
        match self.spec.limits.max_entries {
            Some(most) if list.len() > most => {
                Err(ExchangeError::new(Condition::TooManyValues, [self.name.to_owned(), most.to_string()]))
            }
            _ => Ok(()),
        }
    }

    fn object(&self, map: &Map<String, Json>) -> Result<Arg, ExchangeError> {
        let tag = map.get("@odata.type").and_then(Json::as_str).unwrap_or_default();
        if tag == BYTES {
            return self.bytes(map);
        }
        if tag != HASHTABLE {
            return Err(self.refuse(
                &Json::Object(map.clone()).to_string(),
                "Cannot convert hashtable of type \"Newtonsoft.Json.Linq.JObject\" to the type required by the parameter.",
            ));
        }
        if !self.takes_hashtable() {
            return Err(self.refuse(
                "System.Collections.Hashtable",
                "Cannot convert the \"System.Collections.Hashtable\" value to the type required by the parameter.",
            ));
        }
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        let mut keys = 0;
        for (key, value) in map {
            if key.contains('@') {
                continue;
            }
            keys += 1;
            let side = match key.to_ascii_lowercase().as_str() {
                "add" => &mut add,
                "remove" => &mut remove,
                _ => {
                    return Err(self.refuse(key, "The hashtable may hold the keys Add and Remove only."));
                }
            };
            match value {
                Json::Null => {}
                Json::Array(items) => {
                    for item in items {
                        side.push(self.entry(item)?);
                    }
                }
                other => side.push(self.entry(other)?),
            }
        }
        // A bare tag empties the list.
        Ok(if keys == 0 { Arg::List(Vec::new()) } else { Arg::Change { add, remove } })
    }

    fn takes_hashtable(&self) -> bool {
        self.spec.add_remove
            || matches!(self.spec.type_name.as_str(), "MultiValuedProperty" | "ProxyAddressCollection")
    }

    fn bytes(&self, map: &Map<String, Json>) -> Result<Arg, ExchangeError> {
        let bytes = map.get("Data").and_then(Json::as_array);
        let fits = |item: &Json| item.as_u64().is_some_and(|byte| byte < 256);
        match (self.spec.kind, bytes) {
            (Kind::Secret | Kind::Certificate | Kind::String, Some(items)) if items.iter().all(fits) => Ok(
                Arg::Text(items.iter().filter_map(Json::as_u64).map(|byte| format!("{byte:02x}")).collect()),
            ),
            _ => Err(self.refuse("System.Byte[]", "A byte array is not expected here.")),
        }
    }

    fn scalar(&self, value: &Json) -> Result<Arg, ExchangeError> {
        match self.spec.kind {
            Kind::Switch | Kind::Bool => match value {
                Json::Bool(value) => Ok(Arg::Bool(*value)),
                Json::Number(number) => Ok(Arg::Bool(number.as_f64() != Some(0.0))),
                Json::String(text) => Err(self.refuse(
                    text,
                    "Cannot convert value \"System.String\" to type \"System.Boolean\". Boolean parameters accept only Boolean values and numbers, such as $True, $False, 1 or 0.",
                )),
                _ => Err(self.refuse("", "A Boolean value is expected.")),
            },
            Kind::Int => self.number(value).map(Arg::Int),
            Kind::IntOrUnlimited => match value {
                Json::String(text) if text.trim().eq_ignore_ascii_case("unlimited") => Ok(Arg::Unlimited),
                _ => self.number(value).and_then(|number| {
                    if number < 0 {
                        return Err(self.refuse(&number.to_string(), "The value can't be negative."));
                    }
                    Ok(Arg::Int(number))
                }),
            },
            _ => self.entry(value).map(Arg::Text),
        }
    }

    fn number(&self, value: &Json) -> Result<i64, ExchangeError> {
        let number = match value {
            Json::Number(number) => number.as_i64(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number
            .ok_or_else(|| self.refuse(&as_typed(value), "Input string was not in a correct format."))?;
        let limits = &self.spec.limits;
        let low = limits.min_value.is_some_and(|least| number < least);
        let high = limits.max_value.is_some_and(|most| number > most);
        if low || high {
            return Err(ExchangeError::new(
                Condition::ParameterValidation,
                [self.name.to_owned(), format!("The {number} argument is outside the allowed range.")],
            ));
        }
        Ok(number)
    }

    /// One text of the parameter's kind.
    fn entry(&self, value: &Json) -> Result<String, ExchangeError> {
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Bool(_) | Json::Number(_) => as_typed(value),
            Json::Object(map) if map.get("@odata.type").and_then(Json::as_str) == Some(HASHTABLE) => {
                as_typed(value)
            }
            _ => return Err(self.refuse(&value.to_string(), "A text is expected.")),
        };
        match self.spec.kind {
            Kind::Enum => self.enumeration(&text),
            Kind::Guid if Uuid::try_parse(text.trim()).is_err() => Err(self.refuse(
                &text,
                "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).",
            )),
            Kind::Datetime if parse_time(&text).is_none() => {
                Err(self.refuse(&text, "The string was not recognized as a valid DateTime."))
            }
            Kind::SmtpAddress if !text.is_empty() && !is_smtp_address(&text) => {
                Err(self.refuse(&text, &format!("\"{text}\" isn't a valid SMTP address.")))
            }
            Kind::ProxyAddress if !is_proxy_address(&text) => Err(self.refuse(
                &text,
                &format!("The address '{text}' is invalid. The address should be a valid proxy address."),
            )),
            Kind::Timespan if !is_time_span(&text) => {
                Err(self.refuse(&text, "String was not recognized as a valid TimeSpan."))
            }
            Kind::TimespanOrUnlimited if !is_time_span(&text) && !text.eq_ignore_ascii_case("unlimited") => {
                Err(self.refuse(&text, "String was not recognized as a valid TimeSpan."))
            }
            Kind::Bytesize if parse_size(&text).is_none() => {
                Err(self.refuse(&text, "The value isn't a valid size."))
            }
            Kind::BytesizeOrUnlimited
                if parse_size(&text).is_none() && !text.eq_ignore_ascii_case("unlimited") =>
            {
                Err(self.refuse(&text, "The value isn't a valid size."))
            }
            _ => {
                let most = self.spec.limits.max_length;
                let sealed = self.spec.kind == Kind::Secret;
                if !sealed && most.is_some_and(|most| text.chars().count() > most) {
                    return Err(ExchangeError::new(
                        Condition::ParameterValidation,
                        [
                            self.name.to_owned(),
                            format!(
                                "The character length of the {} argument is too long. Shorten the character length of the argument so it is fewer than or equal to \"{}\" characters.",
                                text.chars().count(),
                                most.unwrap_or_default()
                            ),
                        ],
                    ));
                }
                Ok(text)
            }
        }
    }

    /// The one value that the text is or begins.
    fn enumeration(&self, text: &str) -> Result<String, ExchangeError> {
        let values = &self.spec.values;
        if values.is_empty() {
            return Ok(text.to_owned());
        }
        let wanted = text.trim();
        // Several flags may be joined by commas.
        if wanted.contains(',') {
            let parts =
                wanted.split(',').map(|part| self.enumeration(part)).collect::<Result<Vec<_>, _>>()?;
            return Ok(parts.join(", "));
        }
        if let Some(exact) = values.iter().find(|value| value.eq_ignore_ascii_case(wanted)) {
            return Ok(exact.clone());
        }
        let begins = |value: &&String| {
            !wanted.is_empty()
                && value.get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(wanted))
        };
        let mut candidates = values.iter().filter(begins);
        match (candidates.next(), candidates.next()) {
            (Some(only), None) => Ok(only.clone()),
            (Some(_), Some(_)) => Err(self.refuse(
                text,
                &format!(
                    "The identifier name {wanted} cannot be processed because the following enumerator names are too similar: {}. Use a more specific identifier name.",
                    values.iter().filter(begins).cloned().collect::<Vec<_>>().join(", ")
                ),
            )),
            _ => Err(self.refuse(
                text,
                &format!(
                    "Unable to match the identifier name {wanted} to a valid enumerator name. Specify one of the following enumerator names and try again: {}",
                    values.join(", ")
                ),
            )),
        }
    }
}
