//! One object on its way into the store: its columns, its attributes, its hash. Made ready off
//! the writer's thread.

use exogate_model::account::Attributes;
use exogate_model::value::AttributeValue;
use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::statements::{Identity, Statements};
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::rows::{GroupExchangeRow, GroupRow, MailboxRow, UserRow};

/// An object of any part.
#[derive(Debug)]
pub(crate) enum Object {
    User(UserRow),
    Mailbox(MailboxRow),
    Cas(String, Attributes),
    Group(GroupRow),
    GroupExchange(GroupExchangeRow),
}

/// An object, ready to be compared and stored.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Without its attributes: they are rarely needed again, and take more memory than their text.
    pub(crate) object: Object,
    pub(crate) id: String,
    /// The attributes.
    pub(crate) json: String,
    pub(crate) hash: [u8; 16],
}

impl Prepared {
    /// As [`Object::comparable`].
    pub(crate) fn comparable(&self) -> Result<Attributes, Fault> {
        let mut all = codec::attributes(&self.json)?;
        self.object.add_columns(&mut all);
        Ok(all)
    }
}

impl Object {
    pub(crate) fn part(&self) -> Part {
        match self {
            Self::User(_) => Part::Users,
            Self::Mailbox(_) => Part::Mailboxes,
            Self::Cas(..) => Part::Cas,
            Self::Group(group) => Part::of_group(group.kind),
            Self::GroupExchange(_) => Part::GroupExchange,
        }
    }

    pub(crate) fn attributes(&self) -> &Attributes {
        match self {
            Self::User(user) => &user.attributes,
            Self::Mailbox(mailbox) => &mailbox.attributes,
            Self::Cas(_, attributes) => attributes,
            Self::Group(group) => &group.attributes,
            Self::GroupExchange(group) => &group.attributes,
        }
    }

    fn attributes_mut(&mut self) -> &mut Attributes {
        match self {
            Self::User(user) => &mut user.attributes,
            Self::Mailbox(mailbox) => &mut mailbox.attributes,
            Self::Cas(_, attributes) => attributes,
            Self::Group(group) => &mut group.attributes,
            Self::GroupExchange(group) => &mut group.attributes,
        }
    }

    fn id(&self) -> &str {
        match self {
            Self::User(user) => &user.id,
            Self::Mailbox(mailbox) => &mailbox.key,
            Self::Cas(key, _) => key,
            Self::Group(group) => &group.id,
            Self::GroupExchange(group) => &group.id,
        }
    }

    /// What to call it in the feed of changes, where it says so itself.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::User(user) => Some(&user.upn),
            Self::Mailbox(mailbox) => Some(&mailbox.display_name),
            Self::Group(group) => Some(&group.display_name),
            Self::Cas(..) | Self::GroupExchange(_) => None,
        }
    }

    /// Its columns, each under the name of the attribute that says the same.
    fn columns(&self) -> Vec<(&'static str, Option<&str>)> {
        match self {
            Self::User(user) => vec![
                ("userPrincipalName", Some(&user.upn)),
                ("displayName", user.display_name.as_deref()),
                ("mail", user.mail.as_deref()),
                ("accountEnabled", Some(if user.disabled { "false" } else { "true" })),
                ("securityIdentifier", user.sid.as_deref()),
            ],
            Self::Mailbox(mailbox) => vec![
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
            Self::Cas(..) => Vec::new(),
            Self::Group(group) => vec![
                ("kind", Some(group.kind.name())),
                ("displayName", Some(&group.display_name)),
                ("mail", group.mail.as_deref()),
                ("securityIdentifier", group.sid.as_deref()),
            ],
            Self::GroupExchange(group) => vec![
                ("EXO_Guid", group.exchange_guid.as_deref()),
                ("EXO_Name", group.name.as_deref()),
                ("EXO_Alias", group.alias.as_deref()),
                ("EXO_DistinguishedName", group.distinguished_name.as_deref()),
            ],
        }
    }

    /// Attributes and columns together, for comparing two states: a change must show even where
    /// the schema does not ask for the attribute that a column was read from.
    pub(crate) fn comparable(&self) -> Attributes {
        let mut all = self.attributes().clone();
        self.add_columns(&mut all);
        all
    }

    fn add_columns(&self, all: &mut Attributes) {
        for (name, value) in self.columns() {
            if let Some(value) = value {
                all.entry(name.to_owned()).or_insert_with(|| match (name, value) {
                    ("accountEnabled", "true") => AttributeValue::Boolean(true),
                    ("accountEnabled", _) => AttributeValue::Boolean(false),
                    _ => AttributeValue::Text(value.to_owned()),
                });
            }
        }
    }

    /// Computes everything that does not need the store.
    pub(crate) fn prepare(mut self) -> Result<Prepared, Fault> {
        let json = codec::to_json("attributes", self.attributes())?;
        drop(std::mem::take(self.attributes_mut()));
        Ok(self.prepare_as(json))
    }

    /// The same for one whose attributes are JSON already.
    pub(crate) fn prepare_as(self, json: String) -> Prepared {
        let mut hash = Sha256::new();
        for (_, value) in self.columns() {
            // Absent and empty differ, and no value can run into the next one.
            match value {
                Some(value) => {
                    hash.update((value.len() as u64 + 1).to_le_bytes());
                    hash.update(value.as_bytes());
                }
                None => hash.update(0u64.to_le_bytes()),
            }
        }
        hash.update(json.as_bytes());
        let mut short = [0; 16];
        short.copy_from_slice(&hash.finalize()[..16]);
        Prepared { id: codec::id(self.id()), json, hash: short, object: self }
    }

    /// Writes columns and attributes, over what was there.
    pub(crate) fn store(
        &self,
        statements: &mut Statements<'_>,
        (source, oid): (i64, i64),
        json: &str,
    ) -> Result<(), Fault> {
        let of_part = statements.of(self.part())?;
        let key = match &mut of_part.identity {
            Some(identity) => self.store_columns(identity, source, oid)?,
            None => oid,
        };
        of_part.attributes.execute((key, json))?;
        Ok(())
    }

    fn store_columns(&self, identity: &mut Identity<'_>, source: i64, oid: i64) -> Result<i64, Fault> {
        match self {
            Self::User(user) => {
                let (name, mail, sid) = (&user.display_name, &user.mail, &user.sid);
                identity.put(oid, (oid, source, &user.upn, name, mail, user.disabled, sid))
            }
            Self::Mailbox(mailbox) => identity.put(
                oid,
                (
                    oid,
                    source,
                    mailbox.kind.recipient_type_details(),
                    &mailbox.display_name,
                    &mailbox.primary_smtp,
                    &mailbox.exchange_guid,
                    &mailbox.name,
                    &mailbox.alias,
                    &mailbox.distinguished_name,
                    &mailbox.legacy_dn,
                    &mailbox.upn,
                ),
            ),
            Self::Cas(..) => Ok(oid),
            Self::Group(group) => {
                let (id, kind, name) = (codec::id(&group.id), group.kind.name(), &group.display_name);
                identity.put(oid, (oid, source, id, kind, name, &group.mail, &group.sid))
            }
            Self::GroupExchange(group) => {
                let (guid, name, alias) = (&group.exchange_guid, &group.name, &group.alias);
                identity.put(oid, (oid, source, guid, name, alias, &group.distinguished_name))
            }
        }
    }

    /// The state that is stored now of the same object.
    pub(crate) fn stored(&self, connection: &Connection, oid: i64) -> Result<Option<Self>, Fault> {
        use crate::read::load;
        Ok(match self {
            Self::User(_) => load::user(connection, oid)?.map(|(user, _)| Self::User(user)),
            Self::Mailbox(_) => load::mailbox(connection, oid)?.map(|(mailbox, _)| Self::Mailbox(mailbox)),
            Self::Cas(key, _) => {
                load::cas(connection, oid)?.map(|attributes| Self::Cas(key.clone(), attributes))
            }
            Self::Group(_) => load::group(connection, oid)?.map(|(group, _)| Self::Group(group)),
            Self::GroupExchange(_) => load::group_exchange(connection, oid)?.map(Self::GroupExchange),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_tells_columns_apart() {
        let hash = |display_name: Option<&str>, mail: Option<&str>| {
            Object::User(UserRow {
                id: "u".into(),
                upn: "u@contoso.com".into(),
                display_name: display_name.map(Into::into),
                mail: mail.map(Into::into),
                ..UserRow::default()
            })
            .prepare()
            .unwrap()
            .hash
        };
        let all = [
            hash(Some("a"), Some("b")),
            hash(Some("ab"), Some("")),
            hash(Some("ab"), None),
            hash(None, Some("ab")),
            hash(Some(""), Some("ab")),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn a_column_shows_unless_an_attribute_says_the_same() {
        let mut user = UserRow { id: "u".into(), upn: "u@contoso.com".into(), ..UserRow::default() };
        user.attributes.insert("userPrincipalName".into(), AttributeValue::Text("U@contoso.com".into()));
        let comparable = Object::User(user).comparable();
        assert_eq!(comparable["userPrincipalName"], AttributeValue::Text("U@contoso.com".into()));
        assert_eq!(comparable["accountEnabled"], AttributeValue::Boolean(true));
        assert!(!comparable.contains_key("mail"));
    }
}
