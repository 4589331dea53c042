//! Sparse attributes: what differs from a default, by name. Which defaults there are and what a
//! name means is the business of the face that writes and reads it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One attribute's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttrValue {
    Null,
    Bool(bool),
    Int(i64),
    Text(Box<str>),
    List(Vec<Box<str>>),
    /// Anything structured (Graph complex types, extension data).
    Json(Box<serde_json::Value>),
}

impl AttrValue {
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(value) = self { Some(*value) } else { None }
    }

    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(value) = self { Some(value) } else { None }
    }

    #[must_use]
    pub fn as_list(&self) -> Option<&[Box<str>]> {
        if let Self::List(value) = self { Some(value) } else { None }
    }
}

impl From<bool> for AttrValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for AttrValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for AttrValue {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for AttrValue {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<Vec<String>> for AttrValue {
    fn from(value: Vec<String>) -> Self {
        Self::List(value.into_iter().map(String::into_boxed_str).collect())
    }
}

/// A bag of attributes, few per object; names compare without case and keep the case they were
/// first written in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attrs(Vec<(Arc<str>, AttrValue)>);

impl Attrs {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&AttrValue> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    pub fn set(&mut self, name: &str, value: impl Into<AttrValue>) {
        let value = value.into();
        match self.0.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((name.into(), value)),
        }
    }

    /// Back to the default.
    pub fn unset(&mut self, name: &str) -> Option<AttrValue> {
        let at = self.0.iter().position(|(n, _)| n.eq_ignore_ascii_case(name))?;
        Some(self.0.remove(at).1)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &AttrValue)> {
        self.0.iter().map(|(n, v)| (&**n, v))
    }
}

/// The bags of one object, by the family of cmdlets or the face that owns them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Extra {
    /// Get-/Set-Mailbox, Get-/Set-DistributionGroup, Get-/Set-MailContact … of this recipient.
    #[serde(skip_serializing_if = "Attrs::is_empty")]
    pub exchange: Attrs,
    /// Get-/Set-User and Get-/Set-Group beyond the typed fields.
    #[serde(skip_serializing_if = "Attrs::is_empty")]
    pub directory: Attrs,
    /// Get-/Set-CASMailbox.
    #[serde(skip_serializing_if = "Attrs::is_empty")]
    pub cas: Attrs,
    /// Get-/Set-MailboxAutoReplyConfiguration.
    #[serde(skip_serializing_if = "Attrs::is_empty")]
    pub auto_reply: Attrs,
    /// Get-/Set-MailboxRegionalConfiguration.
    #[serde(skip_serializing_if = "Attrs::is_empty")]
    pub regional: Attrs,
    /// Get-/Set-CalendarProcessing.
    #[serde(skip_serializing_if = "Attrs::is_empty")]
    pub calendar: Attrs,
    /// Get-/Set-MailboxCalendarConfiguration.
    #[serde(skip_serializing_if = "Attrs::is_empty")]
    pub calendar_view: Attrs,
    /// Get-/Set-MailboxMessageConfiguration.
    #[serde(skip_serializing_if = "Attrs::is_empty")]
    pub messages: Attrs,
    /// Get-/Set-MailboxJunkEmailConfiguration.
    #[serde(skip_serializing_if = "Attrs::is_empty")]
    pub junk: Attrs,
    /// Get-MailboxStatistics.
    #[serde(skip_serializing_if = "Attrs::is_empty")]
    pub statistics: Attrs,
    /// Graph properties beyond the typed fields.
    #[serde(skip_serializing_if = "Attrs::is_empty")]
    pub graph: Attrs,
}
