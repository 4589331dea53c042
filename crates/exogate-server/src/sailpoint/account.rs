//! Accounts: all of them, those that changed, and one.

use exogate_model::account::{Account, Attributes};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::answer::{Out, Stop};
use super::command::Job;
use super::permission::{self, Permission};
use super::{delta, request};

/// Accounts read at once.
pub(super) const PAGE: usize = 500;

/// The key of an object, of the simple type.
#[derive(Debug, Serialize)]
pub(super) struct Key<'a> {
    simple: Id<'a>,
}

#[derive(Debug, Serialize)]
struct Id<'a> {
    id: &'a str,
}

impl<'a> Key<'a> {
    pub(super) fn of(id: &'a str) -> Self {
        Self { simple: Id { id } }
    }
}

/// Attributes with the id among them, as schemas want it.
#[derive(Debug)]
pub(super) struct WithId<'a> {
    pub(super) id: &'a str,
    pub(super) attributes: &'a Attributes,
}

impl Serialize for WithId<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.attributes.len() + 1))?;
        map.serialize_entry("id", self.id)?;
        for (name, value) in self.attributes {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// An account in an answer.
#[derive(Debug, Serialize)]
pub(super) struct AccountOut<'a> {
    identity: &'a str,
    uuid: &'a str,
    key: Key<'a>,
    disabled: bool,
    locked: bool,
    attributes: WithId<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Vec<Permission>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    results: &'a [super::change::AttributeResult],
}

impl<'a> AccountOut<'a> {
    pub(super) fn of(account: &'a Account) -> Self {
        Self {
            identity: &account.id,
            uuid: &account.id,
            key: Key::of(&account.id),
            disabled: account.disabled,
            locked: false,
            attributes: WithId { id: &account.id, attributes: &account.attributes },
            permissions: None,
            results: &[],
        }
    }

    pub(super) fn with_results(self, results: &'a [super::change::AttributeResult]) -> Self {
        Self { results, ..self }
    }

    pub(super) fn with_permissions(self, wanted: bool) -> Self {
        let permissions = wanted.then(|| permission::of_account(self.attributes.attributes));
        Self { permissions, ..self }
    }
}

/// `std:account:list`.
pub(super) async fn list(job: &Job, out: &mut Out) -> Result<(), Stop> {
    if request::part(&job.input, "stateful")?.unwrap_or(false) {
        return delta::accounts(job, out).await;
    }
    all(job, out).await
}

/// Every account.
pub(super) async fn all(job: &Job, out: &mut Out) -> Result<(), Stop> {
    let permissions = request::wants_permissions(&job.input);
    let mut after = None;
    loop {
        let page = job.source.view.accounts_page(after, PAGE).await?;
        for account in &page.items {
            out.output(&AccountOut::of(account).with_permissions(permissions)).await?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// `std:account:read`.
pub(super) async fn read(job: &Job, out: &mut Out) -> Result<(), Stop> {
    let account = job.source.view.account(request::object(&job.input)?).await?;
    let permissions = request::wants_permissions(&job.input);
    out.output(&AccountOut::of(&account).with_permissions(permissions)).await
}
