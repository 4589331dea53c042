//! The provisioning policy of a source: which attributes may be set, per kind of object. Reads and checks.

use exogate_model::plan::{PlanScalar, PlanValue};
use exogate_model::policy::{PolicyAttribute, PolicyError, PolicyKind, PolicyRequest, ProvisioningPolicy};
use exogate_model::schema::Schema;
use exogate_model::value::AttributeType;
use toml::de::DeValue;

use super::section::{At, Section};

const KINDS: [(&str, PolicyKind); 4] = [
    ("account", PolicyKind::Account),
    ("distribution_list", PolicyKind::DistributionList),
    ("mail_enabled_security_group", PolicyKind::MailEnabledSecurityGroup),
    ("microsoft_365_group", PolicyKind::Microsoft365Group),
];

const TYPES: [(&str, AttributeType); 5] = [
    ("string", AttributeType::String),
    ("int", AttributeType::Int),
    ("long", AttributeType::Long),
    ("boolean", AttributeType::Boolean),
    ("date", AttributeType::Date),
];

/// Reads the policy; `None` if anything in it is wrong, which has then been noted.
pub fn read(mut section: Section<'_>, account: &Schema, group: &Schema) -> Option<ProvisioningPolicy> {
    let mut request = PolicyRequest::new();
    let mut lines: Vec<(PolicyKind, At<String>)> = Vec::new();
    let mut sound = true;
    for (key, kind) in KINDS {
        let Some(items) = section.list(key) else {
            sound &= section.line_of_key(key).is_none();
            continue;
        };
        for (index, item) in items.into_iter().enumerate() {
            let at = At { value: item.value, line: item.line };
            match attribute(&section, key, index, &at) {
                Some(attribute) => {
                    lines.push((kind, At { value: attribute.name.clone(), line: item.line }));
                    request.entry(kind).or_default().push(attribute);
                }
                None => sound = false,
            }
        }
    }
    let checked = ProvisioningPolicy::check(&request, account, group);
    let policy = match checked {
        Ok(policy) => Some(policy).filter(|_| sound),
        Err(errors) => {
            for error in errors {
                let (kind, name) = place(&error);
                let at = lines
                    .iter()
                    .rfind(|(of, at)| *of == kind && at.value.eq_ignore_ascii_case(name))
                    .map(|(_, at)| at.line);
                section.error(at, &kind.to_string(), error.to_string());
            }
            None
        }
    };
    section.finish();
    policy
}

fn place(error: &PolicyError) -> (PolicyKind, &str) {
    match error {
        PolicyError::NotInSchema { kind, name, .. }
        | PolicyError::WrongObject { kind, name }
        | PolicyError::ReadOnly { kind, name, .. }
        | PolicyError::WrongType { kind, name, .. }
        | PolicyError::Twice { kind, name } => (*kind, name),
    }
}

fn attribute(
    section: &Section<'_>,
    key: &'static str,
    index: usize,
    item: &At<&DeValue<'_>>,
) -> Option<PolicyAttribute> {
    let plain = |name: &str| PolicyAttribute {
        name: name.trim().to_owned(),
        kind: None,
        multi_valued: None,
        required: false,
        default: PlanValue::None,
        review_required: false,
    };
    match item.value {
        DeValue::String(name) => Some(plain(name)),
        DeValue::Table(table) => {
            let mut inner = section.element(&format!("{key}[{index}]"), item.line, table);
            let name = inner.required_text("name", "give the attribute's name");
            let kind = inner.one_of("type", &TYPES).map(|kind| kind.value);
            let multi_valued = inner.flag("multi_valued");
            let required = inner.flag("required").unwrap_or(false);
            let review_required = inner.flag("review_required").unwrap_or(false);
            let default = inner.any("default").map(|given| (value(given.value), given.line));
            if let Some((None, line)) = default {
                inner.error(line, "default", "must be a text, a number, true or false, or a list of those");
                return None;
            }
            inner.finish();
            let default = default.and_then(|(value, _)| value).unwrap_or_default();
            let name = name?.value;
            Some(PolicyAttribute { kind, multi_valued, required, default, review_required, ..plain(&name) })
        }
        other => {
            let message = format!(
                "an attribute is a name in quotes or {{ name = \"…\", review_required = … }}, not {}",
                other.type_str()
            );
            section.error(item.line, key, message);
            None
        }
    }
}

fn value(given: &DeValue<'_>) -> Option<PlanValue> {
    let scalar = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(PlanScalar::Text(text.to_string())),
        DeValue::Boolean(flag) => Some(PlanScalar::Boolean(*flag)),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(PlanScalar::Integer)
        }
        _ => None,
    };
    match given {
        DeValue::Array(items) => {
            items.iter().map(|item| scalar(item.get_ref())).collect::<Option<Vec<_>>>().map(PlanValue::Many)
        }
        one => scalar(one).map(PlanValue::One),
    }
}
