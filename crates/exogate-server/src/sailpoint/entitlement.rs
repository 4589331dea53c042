//! Entitlements: groups of every aggregated kind, and rights on mailboxes, one for each right and
//! mailbox.

use std::collections::BTreeSet;

use exogate_engine::view::Entitlement;
use exogate_model::account::{Attributes, SHARED_MAILBOX};
use exogate_model::change::{Happened, ObjectKind};
use exogate_model::entitlement;
use exogate_model::group::Group;
use exogate_model::right::{KNOWN, Right};
use exogate_model::value::AttributeValue;
use exogate_store::Found;
use serde::Serialize;

use super::account::{Key, WithId};
use super::answer::{Out, Stop};
use super::command::Job;
use super::delta;
use super::permission::{self, Permission};
use super::refusal::Refusal;
use super::request;
use super::state::{Since, State};

/// Groups read at once; few, for each brings its members along.
const GROUPS: usize = 50;
/// Mailboxes read at once.
const MAILBOXES: usize = 200;

/// The attribute of a group that says of which kind it is.
pub(super) const KIND: &str = "kind";
/// The attribute of a group that names its owners.
pub(super) const OWNERS: &str = "owners";

/// A type of entitlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Group,
    SharedMailbox,
}

impl Type {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::SharedMailbox => SHARED_MAILBOX,
        }
    }

    fn of(job: &Job) -> Result<Self, Refusal> {
        let name: Option<String> = request::part(&job.input, "type")?;
        let mailboxes = job.source.context.options.manage_exchange_online;
        match name.as_deref() {
            Some(name) if name.eq_ignore_ascii_case("group") => Ok(Self::Group),
            Some(name) if name.eq_ignore_ascii_case(SHARED_MAILBOX) && mailboxes => Ok(Self::SharedMailbox),
            Some(name) if name.eq_ignore_ascii_case(SHARED_MAILBOX) => Err(Refusal::bad(
                "this source does not manage Exchange (options.manage_exchange_online is false), so it has \
                 no rights on mailboxes",
            )),
            Some(name) => Err(Refusal::bad(format!(
                "there is no entitlement type {name:?}; the types are group and sharedMailbox"
            ))),
            None => Err(Refusal::bad("the input names no type; set \"type\" to group or sharedMailbox")),
        }
    }
}

/// An entitlement in an answer.
#[derive(Debug, Serialize)]
struct EntitlementOut<'a> {
    identity: &'a str,
    uuid: &'a str,
    key: Key<'a>,
    r#type: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    attributes: WithId<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Vec<Permission>>,
}

impl<'a> EntitlementOut<'a> {
    fn of(r#type: Type, id: &'a str, attributes: &'a Attributes) -> Self {
        Self {
            identity: id,
            uuid: id,
            key: Key::of(id),
            r#type: r#type.name(),
            deleted: false,
            attributes: WithId { id, attributes },
            permissions: None,
        }
    }

    fn gone(self) -> Self {
        Self { deleted: true, ..self }
    }
}

/// `std:entitlement:list`.
pub(super) async fn list(job: &Job, out: &mut Out) -> Result<(), Stop> {
    let of = Type::of(job)?;
    if !request::part(&job.input, "stateful")?.unwrap_or(false) {
        return all(job, of, out).await;
    }
    let position = job.source.store.feed_position().await?;
    let context = &job.source.context;
    match State::of(&job.input)? {
        None => all(job, of, out).await?,
        Some(state) => {
            let since = state.since(&position, context)?;
            match of {
                Type::Group => changed_groups(job, &since, position.head, out).await?,
                Type::SharedMailbox => changed_mailboxes(job, &since, position.head, out).await?,
            }
            if since.reshaped {
                all(job, of, out).await?;
            }
        }
    }
    if position.complete {
        out.state(&State::at(&position, context)).await?;
    }
    Ok(())
}

async fn all(job: &Job, of: Type, out: &mut Out) -> Result<(), Stop> {
    let view = &job.source.view;
    let mut after = None;
    loop {
        after = match of {
            Type::Group => {
                let page = view.groups_page(after, GROUPS).await?;
                for group in page.items {
                    one_group(job, group, out).await?;
                }
                page.next
            }
            Type::SharedMailbox => {
                let page = view.entitlements_page(after, MAILBOXES).await?;
                for right in &page.items {
                    one_right(right, out).await?;
                }
                page.next
            }
        };
        if after.is_none() {
            return Ok(());
        }
    }
}

/// `std:entitlement:read`.
pub(super) async fn read(job: &Job, out: &mut Out) -> Result<(), Stop> {
    let id = request::object(&job.input)?;
    match Type::of(job)? {
        Type::Group => one_group(job, job.source.view.group(id).await?, out).await,
        Type::SharedMailbox => {
            let (label, right) =
                entitlement::parse(id).map_err(|error| Refusal::not_found(error.to_string()))?;
            let found = match job.source.store.find_mailbox(label).await? {
                Found::One(mailbox) if mailbox.label.is_some() => rights_of(job, &mailbox.key).await?,
                Found::Many(_) => {
                    let text =
                        format!("several mailboxes answer to {label:?}; ask for one by its label or address");
                    return Err(Refusal::new(axum::http::StatusCode::CONFLICT, text).into());
                }
                _ => Vec::new(),
            };
            match found.iter().find(|entitlement| entitlement.right == right) {
                Some(entitlement) => one_right(entitlement, out).await,
                None => Err(Refusal::not_found(format!("there is no entitlement {id:?}")).into()),
            }
        }
    }
}

async fn one_group(job: &Job, mut group: Group, out: &mut Out) -> Result<(), Stop> {
    let mut attributes = std::mem::take(&mut group.attributes);
    attributes.insert(KIND.to_owned(), AttributeValue::Text(group.kind.name().to_owned()));
    if !group.owners.is_empty() {
        let owners = group.owners.iter().map(|owner| owner.id.clone()).collect();
        attributes.insert(OWNERS.to_owned(), AttributeValue::Many(owners));
    }
    let mut entitlement = EntitlementOut::of(Type::Group, &group.id, &attributes);
    if request::wants_permissions(&job.input) {
        entitlement.permissions = Some(permission::of_group(&job.source, &group.id).await?);
    }
    out.output(&entitlement).await
}

async fn one_right(entitlement: &Entitlement, out: &mut Out) -> Result<(), Stop> {
    let label = entitlement::parse(&entitlement.value).map_or("", |(label, _)| label);
    let attributes = right_attributes(label, &entitlement.mailbox, &entitlement.address, &entitlement.right);
    out.output(&EntitlementOut::of(Type::SharedMailbox, &entitlement.value, &attributes)).await
}

fn right_attributes(label: &str, mailbox: &str, address: &str, right: &Right) -> Attributes {
    let text = |text: &str| AttributeValue::Text(text.to_owned());
    let description = match right {
        Right::SendAs => format!("Send as {label} <{address}>"),
        Right::SendOnBehalf => format!("Send on behalf of {label} <{address}>"),
        Right::FullAccess => format!("Open the mailbox {label} <{address}> and use its contents"),
        other => format!("{other} on the mailbox {label} <{address}>"),
    };
    Attributes::from([
        ("name".to_owned(), text(&entitlement::value(label, right))),
        ("description".to_owned(), AttributeValue::Text(description)),
        ("mailbox".to_owned(), text(label)),
        ("mailboxId".to_owned(), text(mailbox)),
        ("address".to_owned(), text(address)),
        ("right".to_owned(), text(right.name())),
    ])
}

/// Groups of which the feed tells that they came, changed or went.
async fn changed_groups(job: &Job, since: &Since, head: i64, out: &mut Out) -> Result<(), Stop> {
    let itself = |happened: &Happened| {
        matches!(happened, Happened::Created | Happened::Modified { .. } | Happened::Deleted)
    };
    let mut ids = BTreeSet::new();
    changed_ids(job, since, head, ObjectKind::Group, itself, &mut ids).await?;
    let none = Attributes::new();
    for id in ids {
        match job.source.view.group_by_id(&id).await? {
            Some(_) if since.reshaped => {}
            Some(group) => one_group(job, group, out).await?,
            None => out.output(&EntitlementOut::of(Type::Group, &id, &none).gone()).await?,
        }
    }
    Ok(())
}

/// Rights on mailboxes that came or went, or are called otherwise.
async fn changed_mailboxes(job: &Job, since: &Since, head: i64, out: &mut Out) -> Result<(), Stop> {
    let store = &job.source.store;
    let itself = |happened: &Happened| matches!(happened, Happened::Modified { .. });
    let mut there = BTreeSet::new();
    changed_ids(job, since, head, ObjectKind::Mailbox, itself, &mut there).await?;
    let none = Attributes::new();
    for relabelled in store.relabelled(since.run).await? {
        there.insert(relabelled.mailbox.clone());
        // Another mailbox may bear the label by now.
        let borne = store.labelled(&relabelled.label).await?.iter().any(|bearer| bearer.current);
        if !borne {
            for right in KNOWN.iter().filter(|right| offered(job, right)) {
                let value = entitlement::value(&relabelled.label, right);
                out.output(&EntitlementOut::of(Type::SharedMailbox, &value, &none).gone()).await?;
            }
        }
    }
    if !since.reshaped {
        for mailbox in there {
            for right in rights_of(job, &mailbox).await? {
                one_right(&right, out).await?;
            }
        }
    }
    Ok(())
}

fn offered(job: &Job, right: &Right) -> bool {
    job.source.context.options.send_on_behalf || *right != Right::SendOnBehalf
}

/// The rights that can be given on a mailbox; none where they are not governed.
async fn rights_of(job: &Job, mailbox: &str) -> Result<Vec<Entitlement>, Stop> {
    let found = job.source.store.mailbox_refs(vec![mailbox.to_owned()]).await?;
    let Some((label, mailbox)) = found.into_values().find_map(|m| Some((m.label.clone()?, m))) else {
        return Ok(Vec::new());
    };
    let entitlement = |right: &Right| Entitlement {
        value: entitlement::value(&label, right),
        mailbox: mailbox.key.clone(),
        address: mailbox.primary_smtp.clone(),
        right: right.clone(),
        holders: 0,
    };
    Ok(KNOWN.iter().filter(|right| offered(job, right)).map(entitlement).collect())
}

async fn changed_ids(
    job: &Job,
    since: &Since,
    head: i64,
    object: ObjectKind,
    wanted: impl Fn(&Happened) -> bool,
    ids: &mut BTreeSet<String>,
) -> Result<(), Stop> {
    let mut cursor = since.cursor;
    while cursor < head {
        let page = delta::changes(job, cursor).await?;
        let Some(last) = page.last() else { break };
        cursor = last.sequence;
        let changed = page.into_iter().filter(|change| change.object == object && wanted(&change.happened));
        ids.extend(changed.map(|change| change.id));
    }
    Ok(())
}
