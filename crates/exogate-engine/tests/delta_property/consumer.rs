//! One who follows the feed of changes: who takes every change onto the first state must have the
//! last one, and no change may be told without cause.

use std::collections::{BTreeMap, BTreeSet};

use exogate_model::account::Attributes;
use exogate_model::change::{AttributeChange, Happened, ObjectKind};
use exogate_model::value::AttributeValue;
use exogate_store::{AccountRecord, ChangeRecord, GroupRecord, MailboxRecord, SourceStore};

type Object = (&'static str, String);

/// What is known of an object's attributes. Of one that came into being, only what was told since.
#[derive(Debug, Default, PartialEq)]
struct Known {
    whole: bool,
    values: BTreeMap<String, Option<AttributeValue>>,
}

#[derive(Debug, Default)]
pub struct Consumer {
    objects: BTreeMap<Object, Known>,
    /// It read the state after a run that did not come to its end: what that run had seen, the feed
    /// tells later.
    pub ahead: bool,
    grants: BTreeSet<(String, String, String, bool)>,
    places: BTreeSet<(String, String, String)>,
}

impl Consumer {
    /// One who reads the whole state.
    pub async fn of(store: &SourceStore) -> Self {
        let mut consumer = Self::default();
        for account in store.accounts(None, 10_000).await.unwrap().items {
            consumer.know("user", &account.user.id, user(&account));
        }
        for key in store.mailbox_keys().await.unwrap() {
            for stored in store.grants_of_mailbox(&key).await.unwrap() {
                let grant = stored.grant;
                if let (true, Some(who)) = (grant.is_governed(), grant.principal.id()) {
                    let right = grant.right.name().to_owned();
                    consumer.grants.insert((key.clone(), right, who.to_owned(), grant.deny));
                }
            }
            let record = store.mailbox(&key).await.unwrap().unwrap();
            consumer.know("mailbox", &key, mailbox(&record));
        }
        for group in store.groups(None, 10_000).await.unwrap().items {
            consumer.know("group", &group.group.id, self::group(&group));
            let id = group.group.id;
            for (role, members) in [("member", group.members), ("owner", group.owners)] {
                for member in members {
                    consumer.places.insert((id.clone(), role.to_owned(), member.id));
                }
            }
        }
        consumer
    }

    fn know(&mut self, kind: &'static str, id: &str, attributes: Attributes) {
        let values = attributes.into_iter().map(|(name, value)| (name, Some(value))).collect();
        self.objects.insert((kind, id.to_owned()), Known { whole: true, values });
    }

    /// Takes a change; it must be news.
    pub fn take(&mut self, change: &ChangeRecord) -> Result<(), String> {
        let kind = match change.object {
            ObjectKind::User => "user",
            ObjectKind::Mailbox => "mailbox",
            ObjectKind::Group => "group",
        };
        let object = (kind, change.id.clone());
        let id = || change.id.clone();
        let news = match &change.happened {
            Happened::Created => self.objects.insert(object, Known::default()).is_none(),
            Happened::Deleted => self.objects.remove(&object).is_some(),
            Happened::Modified { attributes } => {
                let known = self.objects.get_mut(&object);
                let known = known.ok_or_else(|| format!("nobody told of this object: {change:?}"))?;
                for one in attributes {
                    known.modify(one).map_err(|why| format!("{why}: {change:?}"))?;
                }
                !attributes.is_empty()
            }
            Happened::Granted { right, principal: Some(who), deny, .. } => {
                self.grants.insert((id(), right.clone(), who.clone(), *deny))
            }
            Happened::Revoked { right, principal: Some(who), deny, .. } => {
                self.grants.remove(&(id(), right.clone(), who.clone(), *deny))
            }
            Happened::Granted { .. } | Happened::Revoked { .. } => true,
            Happened::Joined { role, member } => self.places.insert((id(), role.clone(), member.clone())),
            Happened::Left { role, member } => self.places.remove(&(id(), role.clone(), member.clone())),
        };
        let again = matches!(
            change.happened,
            Happened::Created | Happened::Granted { .. } | Happened::Revoked { .. } | Happened::Joined { .. }
        );
        if news || (self.ahead && again) {
            Ok(())
        } else {
            Err(format!("told twice or without cause: {change:?}"))
        }
    }

    /// What differs from one who read the whole state just now.
    pub fn differences(&self, state: &Self) -> Vec<String> {
        let mut found = Vec::new();
        compare("right", &self.grants, &state.grants, &mut found);
        compare("place", &self.places, &state.places, &mut found);
        let keys = |consumer: &Self| consumer.objects.keys().cloned().collect();
        compare("object", &keys(self), &keys(state), &mut found);
        for (object, known) in &self.objects {
            let Some(now) = state.objects.get(object) else { continue };
            for (name, value) in &known.values {
                let is = now.values.get(name).cloned().flatten();
                if *value != is {
                    found.push(format!("{object:?} {name}: told {value:?}, is {is:?}"));
                }
            }
            if known.whole {
                for name in now.values.keys().filter(|name| !known.values.contains_key(*name)) {
                    found.push(format!("{object:?} {name}: never told, is {:?}", now.values[name]));
                }
            }
        }
        found
    }
}

impl Known {
    fn modify(&mut self, change: &AttributeChange) -> Result<(), String> {
        let AttributeChange { attribute, before, after } = change;
        if before == after {
            return Err(format!("{attribute} is told without a difference"));
        }
        match self.values.insert(attribute.clone(), after.clone()) {
            Some(held) if held != *before => Err(format!("{attribute} was told to be {held:?}")),
            None if self.whole && before.is_some() => Err(format!("{attribute} was not there")),
            _ => Ok(()),
        }
    }
}

fn compare<T: Ord + std::fmt::Debug>(
    what: &str,
    told: &BTreeSet<T>,
    is: &BTreeSet<T>,
    found: &mut Vec<String>,
) {
    found.extend(told.difference(is).map(|extra| format!("{what} told, but not there: {extra:?}")));
    found.extend(is.difference(told).map(|missing| format!("{what} never told: {missing:?}")));
}

fn with<const N: usize>(attributes: &Attributes, columns: [(&str, Option<&str>); N]) -> Attributes {
    let mut all = attributes.clone();
    for (name, value) in columns {
        if let Some(value) = value {
            all.entry(name.to_owned()).or_insert_with(|| AttributeValue::Text(value.to_owned()));
        }
    }
    all
}

fn user(account: &AccountRecord) -> Attributes {
    let user = &account.user;
    let mut all = with(
        &user.attributes,
        [
            ("userPrincipalName", Some(&user.upn)),
            ("displayName", user.display_name.as_deref()),
            ("mail", user.mail.as_deref()),
            ("securityIdentifier", user.sid.as_deref()),
        ],
    );
    all.entry("accountEnabled".to_owned()).or_insert(AttributeValue::Boolean(!user.disabled));
    all
}

fn mailbox(record: &MailboxRecord) -> Attributes {
    let mailbox = &record.mailbox;
    let mut all = with(
        &mailbox.attributes,
        [
            ("EXO_RecipientTypeDetails", Some(mailbox.kind.recipient_type_details())),
            ("EXO_DisplayName", Some(&mailbox.display_name)),
            ("EXO_PrimarySmtpAddress", Some(&mailbox.primary_smtp)),
            ("EXO_ExchangeGuid", mailbox.exchange_guid.as_deref()),
            ("EXO_Name", mailbox.name.as_deref()),
            ("EXO_Alias", mailbox.alias.as_deref()),
            ("EXO_DistinguishedName", mailbox.distinguished_name.as_deref()),
            ("EXO_LegacyExchangeDN", mailbox.legacy_dn.as_deref()),
            ("EXO_UserPrincipalName", mailbox.upn.as_deref()),
        ],
    );
    all.extend(record.cas.clone().unwrap_or_default());
    all
}

fn group(record: &GroupRecord) -> Attributes {
    let group = &record.group;
    let mut all = with(
        &group.attributes,
        [
            ("kind", Some(group.kind.name())),
            ("displayName", Some(&group.display_name)),
            ("mail", group.mail.as_deref()),
            ("securityIdentifier", group.sid.as_deref()),
        ],
    );
    if let Some(exchange) = &record.exchange {
        all.extend(with(
            &exchange.attributes,
            [
                ("EXO_Guid", exchange.exchange_guid.as_deref()),
                ("EXO_Name", exchange.name.as_deref()),
                ("EXO_Alias", exchange.alias.as_deref()),
                ("EXO_DistinguishedName", exchange.distinguished_name.as_deref()),
            ],
        ));
    }
    all
}
