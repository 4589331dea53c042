//! Accounts and groups as governance sees them, put together from what is stored.
//!
//! Pure. Only attributes of the schema are shown, and only kinds that the source aggregates.

use std::collections::BTreeSet;

use exogate_model::account::{Account, Attributes, GROUPS, SHARED_MAILBOX};
use exogate_model::entitlement;
use exogate_model::group::{Group, GroupKind};
use exogate_model::schema::Schema;
use exogate_model::value::AttributeValue;
use exogate_store::{AccountRecord, GroupRecord};

use crate::tenant::SourceContext;

/// An account with its Exchange attributes and entitlements.
pub fn account(record: AccountRecord, context: &SourceContext) -> Account {
    let schema = &context.account_schema;
    let AccountRecord { user, mailbox, cas, groups, grants, .. } = record;
    let mut attributes = user.attributes;
    attributes.retain(|name, _| schema.get(name).is_some());
    if let Some(mailbox) = mailbox {
        add(&mut attributes, mailbox.attributes, schema);
        add(&mut attributes, cas.unwrap_or_default(), schema);
    }
    let groups =
        groups.into_iter().filter(|group| context.options.aggregates(group.kind)).map(|group| group.id);
    add_many(&mut attributes, GROUPS, groups, schema);
    let rights = grants
        .into_iter()
        .filter(|held| held.grant.is_entitlement())
        .filter_map(|held| Some(entitlement::value(held.label.as_deref()?, &held.grant.right)));
    add_many(&mut attributes, SHARED_MAILBOX, rights, schema);
    Account { id: user.id, name: user.upn, disabled: user.disabled, attributes }
}

/// A group with its Exchange attributes, members and owners.
pub fn group(record: GroupRecord, context: &SourceContext) -> Group {
    let GroupRecord { group, exchange, members, owners, .. } = record;
    let mut attributes = Attributes::new();
    add(&mut attributes, group.attributes, &context.group_schema);
    if let Some(exchange) = exchange {
        add(&mut attributes, exchange.attributes, &context.group_schema);
    }
    if group.kind == GroupKind::DynamicDistribution {
        // Entra does not know it, so what every group shows is filled in from Exchange.
        for (name, value) in [("displayName", Some(group.display_name.clone())), ("mail", group.mail)] {
            if let Some(value) = value
                && context.group_schema.get(name).is_some()
            {
                attributes.insert(name.to_owned(), AttributeValue::Text(value));
            }
        }
    }
    Group { id: group.id, name: group.display_name, kind: group.kind, attributes, members, owners }
}

fn add(to: &mut Attributes, from: Attributes, schema: &Schema) {
    to.extend(from.into_iter().filter(|(name, _)| schema.get(name).is_some()));
}

fn add_many(to: &mut Attributes, name: &str, values: impl Iterator<Item = String>, schema: &Schema) {
    let values: BTreeSet<String> = values.collect();
    if !values.is_empty() && schema.get(name).is_some() {
        to.insert(name.to_owned(), AttributeValue::Many(values.into_iter().collect()));
    }
}

#[cfg(test)]
mod tests {
    use exogate_model::grant::Grant;
    use exogate_model::mailbox::MailboxKind;
    use exogate_model::right::Right;
    use exogate_model::schema::AttributeRequest;
    use exogate_model::source::SourceOptions;
    use exogate_model::trustee::{Principal, Trustee};
    use exogate_store::{Facet, GroupRef, HeldGrant, MailboxRow, UserRow};
    use jiff::Timestamp;

    use super::*;

    fn text(value: &str) -> AttributeValue {
        AttributeValue::Text(value.to_owned())
    }

    fn context() -> SourceContext {
        let requests = ["EXO_Alias", "EXO_ImapEnabled"].map(|n| AttributeRequest::Name(n.to_owned()));
        SourceContext {
            options: SourceOptions::default(),
            account_schema: Schema::account(&requests, true).unwrap(),
            group_schema: Schema::group(&[]).unwrap(),
        }
    }

    fn held(label: Option<&str>, right: Right, deny: bool) -> HeldGrant {
        let grant = Grant {
            mailbox: "m".into(),
            right,
            trustee: Trustee { text: "kim".into(), sid: None },
            principal: Principal::User { id: "u".into() },
            deny,
            inherited: false,
        };
        let (label, primary_smtp) = (label.map(str::to_owned), "m@contoso.com".to_owned());
        HeldGrant { grant, facet: Facet::MailboxPermission, label, primary_smtp }
    }

    fn record() -> AccountRecord {
        let of = |id: &str, kind| GroupRef { id: id.into(), name: id.into(), kind };
        AccountRecord {
            user: UserRow {
                id: "u".into(),
                upn: "kim@contoso.com".into(),
                disabled: true,
                attributes: [("displayName".into(), text("Kim")), ("city".into(), text("Oslo"))].into(),
                ..UserRow::default()
            },
            read_at: Timestamp::UNIX_EPOCH,
            mailbox: Some(MailboxRow {
                key: "u".into(),
                kind: MailboxKind::User,
                display_name: "Kim".into(),
                primary_smtp: "kim@contoso.com".into(),
                exchange_guid: None,
                name: None,
                alias: None,
                distinguished_name: None,
                legacy_dn: None,
                upn: None,
                attributes: [("EXO_Alias".into(), text("kim"))].into(),
            }),
            cas: Some([("EXO_ImapEnabled".into(), AttributeValue::Boolean(true))].into()),
            groups: vec![
                of("z", GroupKind::Security),
                of("dl", GroupKind::DistributionList),
                of("a", GroupKind::MailEnabledSecurity),
            ],
            grants: vec![
                held(Some("O365Support"), Right::SendAs, false),
                held(Some("O365Support"), Right::FullAccess, false),
                held(Some("O365Support"), Right::FullAccess, false),
                held(Some("O365Support"), Right::DeleteItem, true),
                held(None, Right::FullAccess, false),
            ],
        }
    }

    #[test]
    fn an_account_shows_its_schema_and_nothing_else() {
        let many = |values: &[&str]| AttributeValue::Many(values.iter().map(|v| (*v).to_owned()).collect());
        let account = account(record(), &context());
        assert!(account.disabled);
        assert_eq!(
            account.attributes.into_iter().collect::<Vec<_>>(),
            [
                ("EXO_Alias".to_owned(), text("kim")),
                ("EXO_ImapEnabled".to_owned(), AttributeValue::Boolean(true)),
                ("displayName".to_owned(), text("Kim")),
                ("groups".to_owned(), many(&["a", "z"])),
                ("sharedMailbox".to_owned(), many(&["O365Support: FullAccess", "O365Support: SendAs"])),
            ]
        );
    }

    #[test]
    fn without_exchange_there_are_neither_mailbox_attributes_nor_rights() {
        let context = SourceContext { account_schema: Schema::account(&[], false).unwrap(), ..context() };
        let account = account(record(), &context);
        assert_eq!(account.attributes.keys().collect::<Vec<_>>(), ["displayName", "groups"]);
    }
}
