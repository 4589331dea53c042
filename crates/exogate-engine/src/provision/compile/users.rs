//! Users themselves: making and deleting them, and giving them passwords, where the source manages users.

use exogate_model::account::EXCHANGE_PREFIX;
use exogate_model::nearest;
use exogate_model::operation::{Action, Edit, Request, Target, TargetKind, UserDefinition, ValueChange};
use exogate_model::plan::{AttributeOperation, Op, UserOperation, UserRequest};
use exogate_model::schema::{AttributeDefinition, AttributeSource};
use exogate_model::value::AttributeValue;

use super::create::alias_of;
use super::{Compiler, Phase, Step, shown};
use crate::provision::error::Problem;
use crate::provision::snapshot::{AccountState, Lookup};

/// Properties of a user that Graph sets like any other.
const USER_PROPERTIES: [&str; 25] = [
    "accountEnabled",
    "ageGroup",
    "businessPhones",
    "city",
    "companyName",
    "country",
    "department",
    "displayName",
    "employeeId",
    "employeeType",
    "faxNumber",
    "givenName",
    "jobTitle",
    "mailNickname",
    "mobilePhone",
    "officeLocation",
    "otherMails",
    "postalCode",
    "preferredLanguage",
    "showInAddressList",
    "state",
    "streetAddress",
    "surname",
    "usageLocation",
    "userPrincipalName",
];

/// Whether Graph sets this property of a user.
pub(super) fn is_settable(property: &str) -> bool {
    USER_PROPERTIES.contains(&property)
}

impl Compiler<'_> {
    pub(super) fn user(&mut self, request: &UserRequest) {
        let of = request.user.as_str();
        if !self.rules.options.manage_users {
            return self.refuse(of, "", Problem::UsersNotManaged);
        }
        match request.operation {
            UserOperation::Create => self.create_user(request),
            UserOperation::Delete if !self.rules.options.delete_users => {
                self.refuse(of, "", Problem::UsersNotDeleted);
            }
            UserOperation::Delete => {
                if let Some(Lookup::Missing { .. }) = self.snapshot.accounts.get(of)
                    && self.deleted_before(of, Action::DeleteUser)
                {
                    return;
                }
                self.user_step(of, Phase::Delete, Action::DeleteUser, ("user", "", "(none)"));
            }
            UserOperation::SetPassword => {
                let line = ("password", "(not shown)", "(not shown)");
                self.user_step(of, Phase::Edit, Action::SetPassword, line);
            }
        }
    }

    /// One action on a user that is there.
    fn user_step(&mut self, of: &str, phase: Phase, action: Action, line: (&str, &str, &str)) {
        let snapshot = self.snapshot;
        let Some(account) = self.found("account", of, snapshot.accounts.get(of), (of, "")) else { return };
        if account.synced {
            let problem = Problem::Synced { name: account.party.name.clone() };
            return self.refuse(of, "", problem);
        }
        let before = if line.1.is_empty() { account.party.name.as_str() } else { line.1 };
        self.steps.push(Step {
            phase,
            target: target_of(&account),
            action,
            serves: vec![Request { of: of.to_owned(), attribute: line.0.to_owned() }],
            shown: vec![shown(line.0, before, line.2)],
            already: false,
            review: false,
        });
    }

    fn create_user(&mut self, request: &UserRequest) {
        let of = request.user.as_str();
        let snapshot = self.snapshot;
        match snapshot.accounts.get(of) {
            None | Some(Lookup::Missing { .. }) => {}
            // An earlier run of this plan made it, and something else of the plan failed.
            Some(Lookup::Found(account)) if snapshot.earlier.made.get(of) == Some(&account.party.id) => {
                return self.complete_user(request, account);
            }
            Some(_) => return self.refuse(of, "", Problem::UserExists { name: of.to_owned() }),
        }
        let Some(local) = local_part(of) else {
            return self.refuse(of, "", Problem::UserName { name: of.to_owned() });
        };
        let (errors, mut edits) = (self.errors.len(), Vec::new());
        for operation in &request.attributes {
            let serves = Request { of: of.to_owned(), attribute: operation.name.clone() };
            edits.extend(self.attribute_of_new(&serves, operation));
        }
        if self.errors.len() > errors {
            return;
        }
        let mut take = |name: &str| {
            let at = edits.iter().position(|edit: &Edit| edit.attribute == name)?;
            match edits.remove(at).change {
                ValueChange::Set(value) => Some(value),
                _ => None,
            }
        };
        let text = |value: Option<AttributeValue>| value.map(|value| value.to_string());
        take("userPrincipalName");
        let definition = UserDefinition {
            name: of.to_owned(),
            display_name: text(take("displayName")).unwrap_or_else(|| local.to_owned()),
            nickname: text(take("mailNickname")).unwrap_or_else(|| alias_of(local)),
            enabled: take("accountEnabled") != Some(AttributeValue::Boolean(false)),
            edits,
        };
        let mut lines = vec![
            shown("user", "(none)", of),
            shown("displayName", "(none)", definition.display_name.as_str()),
            shown("accountEnabled", "(none)", definition.enabled.to_string()),
        ];
        lines.extend(definition.edits.iter().filter_map(|edit| match &edit.change {
            ValueChange::Set(value) => Some(shown(edit.attribute.clone(), "(none)", value.to_string())),
            _ => None,
        }));
        self.steps.push(Step {
            phase: Phase::Create,
            target: Target { kind: TargetKind::User, id: String::new(), name: of.to_owned() },
            action: Action::CreateUser { definition },
            serves: vec![Request { of: of.to_owned(), attribute: "user".to_owned() }],
            shown: lines,
            already: false,
            review: false,
        });
    }

    /// The rest of a creation of which the user is there already.
    fn complete_user(&mut self, request: &UserRequest, account: &AccountState) {
        for operation in &request.attributes {
            let serves = Request { of: request.user.clone(), attribute: operation.name.clone() };
            let edit = self.attribute_of_new(&serves, operation);
            if let Some(edit) = edit.filter(|edit| edit.attribute != "userPrincipalName") {
                self.want_edit(&serves, target_of(account), None, edit, &account.attributes, false);
            }
        }
    }

    fn attribute_of_new(&mut self, serves: &Request, operation: &AttributeOperation) -> Option<Edit> {
        let name = operation.name.as_str();
        let definition = self.user_attribute(name);
        let problem = match definition {
            Some(definition) => {
                let set = AttributeOperation { op: Op::Set, ..operation.clone() };
                return self.user_edit(serves, &set, &definition);
            }
            None if name
                .get(..EXCHANGE_PREFIX.len())
                .is_some_and(|p| p.eq_ignore_ascii_case(EXCHANGE_PREFIX)) =>
            {
                Problem::NoMailbox { name: serves.of.clone(), attribute: name.to_owned() }
            }
            None if self.rules.account_schema.get(name).is_some() => Problem::ReadOnly {
                name: name.to_owned(),
                why: ": it cannot be given when a user is made".to_owned(),
            },
            None => {
                let names = self.rules.account_schema.attributes().iter().map(|known| known.name.as_str());
                Problem::NoAttribute { name: name.to_owned(), hint: nearest::hint(name, names) }
            }
        };
        self.refuse(&serves.of, name, problem);
        None
    }

    /// The attribute of the schema, if Graph sets it.
    pub(super) fn user_attribute(&self, name: &str) -> Option<AttributeDefinition> {
        if !self.rules.options.manage_users {
            return None;
        }
        let schema = self.rules.account_schema.attributes();
        let known = schema.iter().find(|known| known.name.eq_ignore_ascii_case(name))?;
        matches!(known.source, AttributeSource::Entra(property) if is_settable(property))
            .then(|| known.clone())
    }

    /// An operation on an attribute that Graph sets.
    pub(super) fn change_user(
        &mut self,
        serves: &Request,
        operation: &AttributeOperation,
        account: &AccountState,
        definition: &AttributeDefinition,
    ) {
        if account.synced {
            let problem = Problem::Synced { name: account.party.name.clone() };
            return self.refuse(&serves.of, &operation.name, problem);
        }
        if let Some(edit) = self.user_edit(serves, operation, definition) {
            self.want_edit(serves, target_of(account), None, edit, &account.attributes, false);
        }
    }

    fn user_edit(
        &mut self,
        serves: &Request,
        operation: &AttributeOperation,
        definition: &AttributeDefinition,
    ) -> Option<Edit> {
        let AttributeSource::Entra(property) = definition.source else { return None };
        let change = self.change(serves, operation, definition.kind, definition.multi_valued, &[])?;
        Some(Edit {
            attribute: definition.name.clone(),
            parameter: property.to_owned(),
            property: property.to_owned(),
            read_by: None,
            kind: definition.kind,
            multi_valued: definition.multi_valued,
            add_remove: false,
            change,
        })
    }
}

fn target_of(account: &AccountState) -> Target {
    Target { kind: TargetKind::User, id: account.party.id.clone(), name: account.party.name.clone() }
}

/// What stands before the domain of a principal name, if it is one.
fn local_part(name: &str) -> Option<&str> {
    const LONGEST: usize = 113;
    let (local, domain) = name.split_once('@')?;
    let fits = !local.is_empty()
        && domain.contains('.')
        && !domain.contains('@')
        && name.chars().count() <= LONGEST
        && !name.chars().any(|c| c.is_whitespace() || c.is_control());
    fits.then_some(local)
}

#[cfg(test)]
mod tests {
    use exogate_model::plan::{Plan, PlanScalar, PlanValue};
    use exogate_model::policy::ProvisioningPolicy;
    use exogate_model::schema::Schema;
    use exogate_model::source::SourceOptions;

    use super::*;
    use crate::provision::call::call;
    use crate::provision::snapshot::Snapshot;
    use crate::provision::{Rules, compile};

    fn outcome(
        options: &SourceOptions,
        user: &str,
        operation: UserOperation,
        set: &[(&str, &str)],
    ) -> String {
        let (account, group) = (Schema::account(&[], true).unwrap(), Schema::group(&[]).unwrap());
        let attributes = set
            .iter()
            .map(|(name, value)| AttributeOperation {
                op: Op::Set,
                name: (*name).to_owned(),
                value: PlanValue::One(PlanScalar::Text((*value).to_owned())),
                auto_mapping: None,
            })
            .collect();
        let request = UserRequest { user: user.to_owned(), operation, attributes };
        let plan = Plan { users: vec![request], ..Plan::default() };
        let snapshot = Snapshot {
            accounts: [(user.to_owned(), Lookup::Missing { nearest: None })].into(),
            ..Snapshot::default()
        };
        let rules = Rules {
            account_schema: &account,
            group_schema: &group,
            policy: &ProvisioningPolicy::default(),
            options,
        };
        match compile(&plan, &snapshot, rules) {
            Ok(steps) => steps.iter().map(|step| call(&step.target, &step.action, false).shown()).collect(),
            Err(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        }
    }

    fn managing() -> SourceOptions {
        SourceOptions { manage_users: true, ..SourceOptions::default() }
    }

    #[test]
    fn a_user_is_made_with_what_entra_needs() {
        let shown = outcome(&managing(), "kim@contoso.com", UserOperation::Create, &[("city", "Oslo")]);
        assert!(shown.contains("there is no attribute \"city\""), "{shown}");
        let set = [("displayName", "Kim Akers"), ("department", "Sales")];
        assert_eq!(
            outcome(&managing(), "kim@contoso.com", UserOperation::Create, &set),
            "POST /users {\"accountEnabled\":true,\"displayName\":\"Kim Akers\",\"mailNickname\":\"kim\",\
             \"userPrincipalName\":\"kim@contoso.com\",\"department\":\"Sales\"}"
        );
    }

    #[test]
    fn what_the_options_do_not_allow_is_refused_with_their_names() {
        let refused = |options, operation| outcome(&options, "kim@contoso.com", operation, &[]);
        let default = SourceOptions::default;
        assert!(refused(default(), UserOperation::Create).contains("options.manage_users is false"));
        assert!(refused(default(), UserOperation::SetPassword).contains("options.manage_users is false"));
        assert!(refused(managing(), UserOperation::Delete).contains("options.delete_users is false"));
    }

    #[test]
    fn a_name_that_nobody_can_bear_is_refused() {
        for name in ["kim", "@contoso.com", "kim@contoso", "kim a@contoso.com", "kim@a@b.com"] {
            let refused = outcome(&managing(), name, UserOperation::Create, &[]);
            assert!(refused.contains("is no user principal name"), "{refused}");
        }
        let mailbox = [("EXO_Alias", "k")];
        let refused = outcome(&managing(), "kim@contoso.com", UserOperation::Create, &mailbox);
        assert!(refused.contains("has no mailbox, so EXO_Alias cannot be set"), "{refused}");
    }
}
