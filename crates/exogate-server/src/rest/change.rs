//! A change as this door shows it: what happened to which object, and who made it.

use exogate_model::change::{AttributeChange as ModelAttributeChange, Author, Happened, ObjectKind};
use exogate_model::value::AttributeValue;
use exogate_store::ChangeRecord;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kind of object that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangedObject {
    /// An account.
    User,
    /// A mailbox, or a right on it.
    Mailbox,
    /// A group, or a place in it.
    Group,
}

impl From<ChangedObject> for ObjectKind {
    fn from(object: ChangedObject) -> Self {
        match object {
            ChangedObject::User => Self::User,
            ChangedObject::Mailbox => Self::Mailbox,
            ChangedObject::Group => Self::Group,
        }
    }
}

impl From<ObjectKind> for ChangedObject {
    fn from(kind: ObjectKind) -> Self {
        match kind {
            ObjectKind::User => Self::User,
            ObjectKind::Mailbox => Self::Mailbox,
            ObjectKind::Group => Self::Group,
        }
    }
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Happening {
    /// It is new.
    Created,
    /// Attributes differ: `attributes`.
    Modified,
    /// It is gone.
    Deleted,
    /// Somebody was given a right on the mailbox, or is now denied it: `right`, `trustee`.
    Granted,
    /// Somebody lost a right on the mailbox, or is no longer denied it: `right`, `trustee`.
    Revoked,
    /// Somebody joined the group: `role`, `member`.
    Joined,
    /// Somebody left the group: `role`, `member`.
    Left,
}

/// An attribute before and after.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AttributeChange {
    /// Its name.
    attribute: String,
    /// Its value before; absent if it had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<super::value::AttributeValue>, nullable = false)]
    before: Option<AttributeValue>,
    /// Its value after; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<super::value::AttributeValue>, nullable = false)]
    after: Option<AttributeValue>,
}

impl From<ModelAttributeChange> for AttributeChange {
    fn from(change: ModelAttributeChange) -> Self {
        let ModelAttributeChange { attribute, before, after } = change;
        Self { attribute, before, after }
    }
}

/// Who made a change.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct By {
    /// `ours` (exogate carried out a plan), `someoneElse` (as an audit record says) or `unknown`.
    who: String,
    /// The operation of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    /// The user, as the audit record names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The application that it was done with.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    /// The cmdlet that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<String>,
    /// The id of the audit record.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    /// When it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
}

impl From<Author> for By {
    fn from(author: Author) -> Self {
        let plain = |who: &str| Self {
            who: who.to_owned(),
            operation: None,
            user: None,
            app: None,
            call: None,
            record: None,
            at: None,
        };
        match author {
            Author::Ours { plan, operation } => {
                Self { operation: Some(format!("{plan}.{operation}")), ..plain("ours") }
            }
            Author::SomeoneElse { user, app, call, record, at } => Self {
                user,
                app,
                call: Some(call),
                record: Some(record),
                at: Some(at),
                ..plain("someoneElse")
            },
            Author::Unknown => plain("unknown"),
        }
    }
}

/// One change of one object.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The cursor of one who has taken this change and all before it.
    cursor: String,
    /// The kind of object.
    object: ChangedObject,
    /// Id of the object.
    id: String,
    /// Its name at the time.
    name: String,
    /// What happened.
    what: Happening,
    /// The attributes that differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Vec<AttributeChange>>,
    /// The right.
    #[serde(skip_serializing_if = "Option::is_none")]
    right: Option<String>,
    /// The trustee as Exchange renders it.
    #[serde(skip_serializing_if = "Option::is_none")]
    trustee: Option<String>,
    /// Object id of the trustee, where it is a user or group.
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    /// Whether the entry denies the right instead of allowing it.
    #[serde(skip_serializing_if = "Option::is_none")]
    deny: Option<bool>,
    /// `member` or `owner`.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// Object id of the one who joined or left.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    /// How it was learnt: `full`, `directory`, `changeTime`, `activity`, `sweep`, `reread` or `provisioned`.
    learnt: String,
    /// Who made it.
    by: By,
    /// The run that learnt it.
    #[schema(format = Uuid)]
    run: String,
    /// When it was learnt.
    at: Timestamp,
}

impl From<ChangeRecord> for Change {
    fn from(record: ChangeRecord) -> Self {
        let learnt = serde_json::to_value(record.learnt).ok();
        let mut change = Self {
            cursor: record.sequence.to_string(),
            object: record.object.into(),
            id: record.id,
            name: record.name,
            what: Happening::Created,
            attributes: None,
            right: None,
            trustee: None,
            principal: None,
            deny: None,
            role: None,
            member: None,
            learnt: learnt.as_ref().and_then(|name| name.as_str()).unwrap_or("unknown").to_owned(),
            by: record.by.into(),
            run: record.run.to_string(),
            at: record.at,
        };
        match record.happened {
            Happened::Created => {}
            Happened::Deleted => change.what = Happening::Deleted,
            Happened::Modified { attributes } => {
                change.what = Happening::Modified;
                change.attributes = Some(attributes.into_iter().map(AttributeChange::from).collect());
            }
            Happened::Granted { right, trustee, principal, deny } => {
                change.what = Happening::Granted;
                change.of_right(right, trustee, principal, deny);
            }
            Happened::Revoked { right, trustee, principal, deny } => {
                change.what = Happening::Revoked;
                change.of_right(right, trustee, principal, deny);
            }
            Happened::Joined { role, member } => {
                change.what = Happening::Joined;
                (change.role, change.member) = (Some(role), Some(member));
            }
            Happened::Left { role, member } => {
                change.what = Happening::Left;
                (change.role, change.member) = (Some(role), Some(member));
            }
        }
        change
    }
}

impl Change {
    fn of_right(&mut self, right: String, trustee: String, principal: Option<String>, deny: bool) {
        (self.right, self.trustee) = (Some(right), Some(trustee));
        (self.principal, self.deny) = (principal, Some(deny));
    }
}
