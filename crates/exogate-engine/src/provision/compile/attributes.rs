//! Attributes: what is asked of one object becomes one call for each cmdlet that sets any of them.

use exogate_model::account::Attributes;
use exogate_model::catalogue::{self, ExchangeObject};
use exogate_model::group::GroupKind;
use exogate_model::nearest;
use exogate_model::operation::{Action, Edit, Request, Shown, Target, TargetKind, ValueChange};
use exogate_model::plan::{AttributeOperation, Op};
use exogate_model::policy::{PolicyKind, SettableAttribute, is_exchange_name};
use exogate_model::schema::{AttributeSource, Schema};
use exogate_model::value::{self, AttributeType, AttributeValue, TypeMismatch};

use super::{Compiler, Phase, Step, shown};
use crate::provision::error::Problem;
use crate::provision::snapshot::AccountState;

/// What one cmdlet is to set on one object.
pub(super) struct Wanted {
    pub(super) target: Target,
    pub(super) cmdlet: Option<String>,
    pub(super) edits: Vec<Edit>,
    pub(super) serves: Vec<Request>,
    pub(super) shown: Vec<Shown>,
    pub(super) already: bool,
    pub(super) review: bool,
}

/// Properties of a synchronised mailbox that the cloud masters all the same.
const CLOUD_MASTERED: [&str; 12] = [
    "LitigationHold",
    "RetentionHold",
    "RetentionPolicy",
    "RetainDeletedItemsFor",
    "SingleItemRecovery",
    "IssueWarningQuota",
    "ProhibitSend",
    "RecoverableItems",
    "UseDatabaseQuotaDefaults",
    "Audit",
    "MessageCopyFor",
    "DefaultAuditSet",
];

/// Graph properties of groups that can be set without Exchange.
pub(super) const GRAPH_PROPERTIES: [&str; 4] = ["displayName", "description", "visibility", "mailNickname"];

impl Compiler<'_> {
    pub(super) fn account_attribute(
        &mut self,
        serves: &Request,
        operation: &AttributeOperation,
        account: &AccountState,
    ) {
        let name = operation.name.as_str();
        let (of, schema) = (serves.of.as_str(), self.rules.account_schema);
        if let Some(definition) = self.user_attribute(name) {
            return self.change_user(serves, operation, account, &definition);
        }
        let Some(settable) = self.settable(serves, name, PolicyKind::Account, schema) else { return };
        if !account.has_mailbox {
            let problem = Problem::NoMailbox { name: account.party.name.clone(), attribute: name.to_owned() };
            return self.refuse(of, name, problem);
        }
        let cas =
            matches!(settable.definition.source, AttributeSource::Exchange(ExchangeObject::CasMailbox, _));
        if account.synced && !cas && !is_cloud_mastered(&settable) {
            let problem = Problem::Synced { name: account.party.name.clone() };
            return self.refuse(of, name, problem);
        }
        let read_by = if cas { "Get-CASMailbox" } else { "Get-Mailbox" };
        let target = Target {
            kind: TargetKind::Mailbox,
            id: account.party.id.clone(),
            name: account.party.name.clone(),
        };
        if let Some(edit) = self.edit(serves, operation, &settable, read_by) {
            let cmdlet = Some(settable.setter.cmdlet.to_owned());
            self.want_edit(serves, target, cmdlet, edit, &account.attributes, settable.review_required);
        }
    }

    /// The attribute as the policy lets it be set, or the error why it does not.
    pub(super) fn settable(
        &mut self,
        serves: &Request,
        name: &str,
        kind: PolicyKind,
        schema: &Schema,
    ) -> Option<SettableAttribute> {
        if !self.rules.options.manage_exchange_online && is_exchange_name(name) {
            self.refuse(&serves.of, name, Problem::NoExchange);
            return None;
        }
        if let Some(settable) = self.rules.policy.get(kind, name) {
            return Some(settable.clone());
        }
        let known = schema.attributes().iter().find(|known| known.name.eq_ignore_ascii_case(name));
        let problem = match known.map(|known| known.source) {
            None => Problem::NoAttribute {
                name: name.to_owned(),
                hint: nearest::hint(name, schema.attributes().iter().map(|known| known.name.as_str())),
            },
            Some(AttributeSource::Exchange(object, property)) => {
                match catalogue::exchange_attribute(object, property) {
                    Some(attribute) if attribute.setters.is_empty() => Problem::ReadOnly {
                        name: name.to_owned(),
                        why: attribute.read_only_reason.map_or_else(String::new, |why| format!(": {why}")),
                    },
                    _ => Problem::NotInPolicy { name: name.to_owned(), policy: kind.to_string() },
                }
            }
            Some(AttributeSource::Entra(property))
                if kind == PolicyKind::Account && super::users::is_settable(property) =>
            {
                Problem::UsersNotManaged
            }
            Some(_) => Problem::ReadOnly {
                name: name.to_owned(),
                why: ": only Exchange attributes, sharedMailbox and groups are provisioned".to_owned(),
            },
        };
        self.refuse(&serves.of, name, problem);
        None
    }

    /// The change that an operation asks for, of the right type and multiplicity.
    pub(super) fn edit(
        &mut self,
        serves: &Request,
        operation: &AttributeOperation,
        settable: &SettableAttribute,
        read_by: &str,
    ) -> Option<Edit> {
        let definition = &settable.definition;
        let AttributeSource::Exchange(object, property) = definition.source else { return None };
        let allowed = catalogue::exchange_attribute(object, property).map(|a| a.values.as_slice());
        let change =
            self.change(serves, operation, definition.kind, definition.multi_valued, allowed.unwrap_or(&[]))?;
        Some(Edit {
            attribute: definition.name.clone(),
            parameter: settable.setter.parameter.to_owned(),
            property: property.to_owned(),
            read_by: Some(read_by.to_owned()),
            kind: definition.kind,
            multi_valued: definition.multi_valued,
            add_remove: settable.setter.add_remove,
            change,
        })
    }

    pub(super) fn change(
        &mut self,
        serves: &Request,
        operation: &AttributeOperation,
        kind: AttributeType,
        multi_valued: bool,
        allowed: &[&'static str],
    ) -> Option<ValueChange> {
        let name = operation.name.clone();
        let values: Vec<String> =
            operation.value.scalars().iter().map(exogate_model::plan::PlanScalar::to_text).collect();
        let strange = values
            .iter()
            .find(|value| !allowed.is_empty() && !allowed.iter().any(|one| one.eq_ignore_ascii_case(value)));
        let problem = if let Some(value) = strange {
            let allowed = allowed.join(", ");
            Problem::NotAllowed { name, value: value.clone(), allowed }
        } else if operation.op == Op::Set {
            match value::read(&operation.value.to_json(), kind, multi_valued) {
                Ok(Some(value)) => return Some(ValueChange::Set(value)),
                // A flag is on or off; the service takes no third.
                Ok(None) if kind == AttributeType::Boolean => {
                    let mismatch = missing(kind.name());
                    Problem::WrongType { name, mismatch }
                }
                Ok(None) => return Some(ValueChange::Clear),
                Err(_) if values.is_empty() && kind != AttributeType::Boolean => {
                    return Some(ValueChange::Clear);
                }
                Err(mismatch) => Problem::WrongType { name, mismatch },
            }
        } else if !multi_valued {
            Problem::SingleValued { name }
        } else if values.is_empty() {
            Problem::NoValue { name }
        } else if operation.op == Op::Add {
            return Some(ValueChange::AddRemove { add: values, remove: Vec::new() });
        } else {
            return Some(ValueChange::AddRemove { add: Vec::new(), remove: values });
        };
        self.refuse(&serves.of, &serves.attribute, problem);
        None
    }

    pub(super) fn want_edit(
        &mut self,
        serves: &Request,
        target: Target,
        cmdlet: Option<String>,
        edit: Edit,
        known: &Attributes,
        review: bool,
    ) {
        let place = (target.lock(), cmdlet.clone().unwrap_or_default());
        let wanted = self.edits.entry(place).or_insert_with(|| Wanted {
            target,
            cmdlet,
            edits: Vec::new(),
            serves: Vec::new(),
            shown: Vec::new(),
            already: true,
            review: false,
        });
        let before = known.get(&edit.attribute);
        wanted.review |= review;
        if !wanted.serves.contains(serves) {
            wanted.serves.push(serves.clone());
        }
        let mut clash = None;
        match wanted.edits.iter_mut().find(|other| other.parameter == edit.parameter) {
            None => {
                wanted.already &= is_so(before, &edit.change);
                wanted.shown.push(line(&edit, before));
                wanted.edits.push(edit);
            }
            Some(other) => match merge(&other.change, &edit.change) {
                Some(change) => {
                    other.change = change;
                    wanted.already &= is_so(before, &other.change);
                    let line = line(other, before);
                    wanted.shown.retain(|shown| shown.what != line.what);
                    wanted.shown.push(line);
                }
                None => clash = Some(format!("{} is asked to be two different things", edit.attribute)),
            },
        }
        if let Some(what) = clash {
            self.refuse(&serves.of, &serves.attribute, Problem::Contradiction { what });
        }
    }

    pub(super) fn finish_edits(&mut self) {
        for wanted in std::mem::take(&mut self.edits).into_values() {
            self.steps.push(Step {
                phase: Phase::Edit,
                target: wanted.target,
                action: Action::SetAttributes { cmdlet: wanted.cmdlet, edits: wanted.edits },
                serves: wanted.serves,
                shown: wanted.shown,
                already: wanted.already,
                review: wanted.review,
            });
        }
    }
}

/// Two changes of one attribute as one, if they go together.
fn merge(a: &ValueChange, b: &ValueChange) -> Option<ValueChange> {
    use ValueChange::AddRemove;
    match (a, b) {
        (AddRemove { add, remove }, AddRemove { add: more, remove: less }) => {
            let union = |a: &[String], b: &[String]| {
                let mut all = a.to_vec();
                all.extend(b.iter().filter(|value| !a.contains(value)).cloned());
                all
            };
            let (add, remove) = (union(add, more), union(remove, less));
            let clash = add.iter().any(|value| remove.iter().any(|other| other.eq_ignore_ascii_case(value)));
            (!clash).then_some(AddRemove { add, remove })
        }
        (a, b) => (a == b).then(|| a.clone()),
    }
}

fn is_cloud_mastered(settable: &SettableAttribute) -> bool {
    let AttributeSource::Exchange(_, property) = settable.definition.source else { return false };
    CLOUD_MASTERED.iter().any(|prefix| property.starts_with(prefix))
}

/// Whether the stored value makes the change needless.
fn is_so(before: Option<&AttributeValue>, change: &ValueChange) -> bool {
    match change {
        ValueChange::Set(value) => before == Some(value),
        ValueChange::Clear => before.is_none(),
        ValueChange::AddRemove { add, remove } => {
            let has = |value: &String| match before {
                Some(AttributeValue::Many(values)) => values.iter().any(|v| v.eq_ignore_ascii_case(value)),
                _ => false,
            };
            add.iter().all(has) && !remove.iter().any(has)
        }
    }
}

fn line(edit: &Edit, before: Option<&AttributeValue>) -> Shown {
    let before = before.map_or_else(|| "(none)".to_owned(), ToString::to_string);
    let after = match &edit.change {
        ValueChange::Set(value) => value.to_string(),
        ValueChange::Clear => "(none)".to_owned(),
        ValueChange::AddRemove { add, remove } => {
            let signed = |sign: char, values: &[String]| -> Vec<String> {
                values.iter().map(|value| format!("{sign}{value}")).collect()
            };
            [signed('+', add), signed('-', remove)].concat().join(" ")
        }
    };
    shown(edit.attribute.clone(), before, after)
}

/// The policy and the reading cmdlet for a group that Exchange knows.
pub(super) fn of_group(kind: GroupKind) -> Option<(PolicyKind, &'static str)> {
    let policy = PolicyKind::of_group(kind)?;
    Some((policy, if kind == GroupKind::Microsoft365 { "Get-UnifiedGroup" } else { "Get-DistributionGroup" }))
}

/// A value that was not given at all.
pub(super) fn missing(expected: &'static str) -> TypeMismatch {
    TypeMismatch { expected, got: "no value".to_owned() }
}
