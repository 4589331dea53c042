//! Fresh readings of what an action changes: the before-image, the verification, and the settling of
//! what is unclear all look through here.

mod groups;
mod rights;

use std::collections::BTreeMap;

use exogate_microsoft::exchange::{Cmdlet, ExchangeClient};
use exogate_microsoft::graph::ListQuery;
use exogate_microsoft::record::Record;
use exogate_microsoft::{ErrorKind, Service, WireError};
use exogate_model::account::Attributes;
use exogate_model::group::MembershipRole;
use exogate_model::operation::{Action, Edit, Image, Party, Target, TargetKind};
use exogate_model::right::Right;
use exogate_model::trustee::Trustee;
use exogate_model::value::{self, AttributeValue};

pub(super) use self::groups::directory_list;
use self::groups::{find_group, group, is_member, list};
use self::rights::{held, is_party, named, permissions, send_as};
use crate::read::grants::Fact;
use crate::tenant::Tenant;

/// What was read of one object; read once, however many actions ask.
#[derive(Default)]
pub(super) struct Seen {
    permissions: Option<Vec<Fact>>,
    send_as: Option<Vec<Fact>>,
    records: BTreeMap<(String, Vec<String>), Record>,
    lists: BTreeMap<MembershipRole, Vec<Record>>,
}

impl Seen {
    /// How the tenant renders somebody who holds a right, if it does.
    pub(super) fn rendered(&self, right: &Right, party: &Party) -> Option<Trustee> {
        let facts = if *right == Right::SendAs { &self.send_as } else { &self.permissions };
        let holds = |fact: &&Fact| fact.0 == *right && !fact.2 && !fact.3 && is_party(&fact.1, party);
        facts.as_ref()?.iter().find(holds).map(|fact| fact.1.clone())
    }

    /// What the last reading by this cmdlet showed of a property, if it was asked for.
    pub(super) fn shown(&self, by: &str, property: &str) -> Option<&Record> {
        let asked = |(name, properties): &&(String, Vec<String>)| {
            name == by && properties.iter().any(|asked| asked == property)
        };
        self.records.keys().find(asked).and_then(|key| self.records.get(key))
    }

    /// Somebody was taken off a list that was read before: who counts the rest counts without them.
    pub(super) fn taken(&mut self, action: &Action) {
        if let Action::RemoveMember { role, who } = action
            && let Some(list) = self.lists.get_mut(role)
        {
            list.retain(|member| !is_member(member, who));
        }
    }
}

/// Reads what the action changes.
pub(super) async fn observe(
    tenant: &Tenant,
    target: &Target,
    action: &Action,
    seen: &mut Seen,
) -> Result<Image, WireError> {
    match action {
        Action::GrantRights { trustee, rights, .. } | Action::RevokeRights { trustee, rights } => {
            let facts = permissions(exchange(tenant)?, target, seen).await?;
            Ok(Image::Rights { held: held(facts, trustee, rights) })
        }
        Action::GrantSendAs { trustee } | Action::RevokeSendAs { trustee } => {
            let facts = send_as(exchange(tenant)?, target, seen).await?;
            Ok(Image::Rights { held: held(facts, trustee, &[Right::SendAs]) })
        }
        Action::ChangeSendOnBehalf { add, remove } => {
            let record =
                record(exchange(tenant)?, target, "Get-Mailbox", &["GrantSendOnBehalfTo"], seen).await?;
            Ok(named(&record.texts("GrantSendOnBehalfTo"), add.iter().chain(remove)))
        }
        Action::ChangeOwners { add, remove } => {
            let record =
                record(exchange(tenant)?, target, "Get-DistributionGroup", &["ManagedBy"], seen).await?;
            Ok(named(&record.texts("ManagedBy"), add.iter().chain(remove)))
        }
        Action::SetAttributes { edits, .. } => attributes(tenant, target, edits, seen).await,
        Action::AddMember { role, who } | Action::RemoveMember { role, who } => {
            let list = list(tenant, target, *role, seen).await?;
            let there = list.iter().any(|member| is_member(member, who));
            let present = if there { vec![who.id.clone()] } else { Vec::new() };
            Ok(Image::Parties { others: list.len() as u64 - u64::from(there), present })
        }
        Action::CreateGroup { definition } => {
            Ok(Image::Group { id: find_group(tenant, definition).await?, definition: None })
        }
        Action::DeleteGroup => group(tenant, target, seen).await,
        Action::CreateUser { definition } => {
            Ok(Image::User { id: find_user(tenant, &definition.name).await?, password_changed: None })
        }
        Action::DeleteUser | Action::SetPassword => {
            const CHANGED: &str = "lastPasswordChangeDateTime";
            match tenant.graph.user(&target.id, &["id", CHANGED]).await {
                Ok(record) => Ok(Image::User {
                    id: record.id().map(str::to_owned),
                    password_changed: record.text(CHANGED).map(str::to_owned),
                }),
                Err(error) if error.is_not_found() && *action == Action::DeleteUser => {
                    Ok(Image::User { id: None, password_changed: None })
                }
                Err(error) => Err(error),
            }
        }
    }
}

pub(super) fn exchange(tenant: &Tenant) -> Result<&ExchangeClient, WireError> {
    tenant.exchange.as_ref().ok_or_else(|| {
        WireError::new(ErrorKind::InvalidRequest, Service::Exchange, "Exchange")
            .with_sentence("the source does not manage Exchange")
            .with_remedy("Set options.manage_exchange_online to true.")
    })
}

/// Makes sure that the object is there and is the one that is meant.
pub(super) async fn check_target(tenant: &Tenant, target: &Target, seen: &mut Seen) -> Result<(), WireError> {
    match target.kind {
        TargetKind::Mailbox => record(exchange(tenant)?, target, "Get-Mailbox", &[], seen).await.map(drop),
        TargetKind::Group(kind) if kind.is_exchange() => {
            record(exchange(tenant)?, target, "Get-DistributionGroup", &[], seen).await.map(drop)
        }
        TargetKind::User => {
            let found = tenant.graph.user(&target.id, &["id"]).await?;
            match found.id().is_some_and(|id| id.eq_ignore_ascii_case(&target.id)) {
                true => Ok(()),
                false => Err(strayed(Service::Graph, "GET /users/{id}")),
            }
        }
        TargetKind::Group(_) => {
            let found = tenant.graph.group(&target.id, &["id"]).await?;
            match found.id().is_some_and(|id| id.eq_ignore_ascii_case(&target.id)) {
                true => Ok(()),
                false => Err(strayed(Service::Graph, "GET /groups/{id}")),
            }
        }
    }
}

fn strayed(service: Service, what: &str) -> WireError {
    WireError::new(ErrorKind::Protocol, service, what)
        .with_sentence("another object came back than the one that was asked for")
        .with_remedy("Nothing was changed. Aggregate again, then repeat the request.")
}

fn gone(what: &str) -> WireError {
    WireError::new(ErrorKind::NotFound, Service::Exchange, what)
}

/// The one record of the object.
async fn record(
    exchange: &ExchangeClient,
    target: &Target,
    name: &str,
    properties: &[&str],
    seen: &mut Seen,
) -> Result<Record, WireError> {
    let key = (name.to_owned(), properties.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>());
    if let Some(record) = seen.records.get(&key) {
        return Ok(record.clone());
    }
    const NAMING: [&str; 5] =
        ["ExternalDirectoryObjectId", "Guid", "Name", "DisplayName", "PrimarySmtpAddress"];
    let mut wanted: Vec<&str> = NAMING.to_vec();
    wanted.extend(properties.iter().filter(|property| !NAMING.contains(property)));
    let cmdlet = Cmdlet::new(name).text("Identity", &target.id).number("ResultSize", 2).select(wanted);
    let answer = exchange.invoke(&cmdlet).await?;
    let Some(record) = answer.records.into_iter().next() else { return Err(gone(name)) };
    let is = |property: &str| record.text(property).is_some_and(|id| id.eq_ignore_ascii_case(&target.id));
    if !is("ExternalDirectoryObjectId") && !is("Guid") {
        return Err(strayed(Service::Exchange, name));
    }
    seen.records.insert(key, record.clone());
    Ok(record)
}

async fn attributes(
    tenant: &Tenant,
    target: &Target,
    edits: &[Edit],
    seen: &mut Seen,
) -> Result<Image, WireError> {
    let mut by_reader: BTreeMap<Option<&str>, Vec<&Edit>> = BTreeMap::new();
    for edit in edits {
        by_reader.entry(edit.read_by.as_deref()).or_default().push(edit);
    }
    let mut values = Attributes::new();
    for (read_by, edits) in by_reader {
        let mut properties: Vec<&str> = edits.iter().map(|edit| edit.property.as_str()).collect();
        properties.sort_unstable();
        properties.dedup();
        let record = match read_by {
            Some(name) => record(exchange(tenant)?, target, name, &properties, seen).await?,
            None => {
                properties.push("id");
                match target.kind {
                    TargetKind::User => tenant.graph.user(&target.id, &properties).await?,
                    _ => tenant.graph.group(&target.id, &properties).await?,
                }
            }
        };
        for edit in edits {
            if let Some(value) = read(&record, &edit.property, edit.kind, edit.multi_valued) {
                values.insert(edit.attribute.clone(), value);
            }
        }
    }
    Ok(Image::Attributes { values })
}

/// A property as an attribute; none where it has no value.
pub(super) fn read(
    record: &Record,
    property: &str,
    kind: value::AttributeType,
    multi_valued: bool,
) -> Option<AttributeValue> {
    let raw = record.get(property)?;
    match value::read(&raw.to_value(), kind, multi_valued) {
        Ok(Some(AttributeValue::Text(text))) if text.is_empty() => None,
        Ok(value) => value,
        // Shown in a form of its own; text is enough to see a change.
        Err(_) => record.scalar(property).filter(|text| !text.is_empty()).map(AttributeValue::Text),
    }
}

/// The user of this principal name.
async fn find_user(tenant: &Tenant, name: &str) -> Result<Option<String>, WireError> {
    let filter = format!("userPrincipalName eq '{}'", name.replace('\'', "''"));
    let query = ListQuery::new("users").select(["id"]).filter(filter).top(2);
    let page = tenant.graph.list_page(&query, None).await?;
    Ok(page.records.iter().find_map(|record| record.id().map(str::to_owned)))
}
