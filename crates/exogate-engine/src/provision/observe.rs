//! Fresh readings of what an action changes: the before-image, the verification, and the settling of
//! what is unclear all look through here.

use std::collections::{BTreeMap, BTreeSet};

use exogate_microsoft::exchange::{Cmdlet, ExchangeClient};
use exogate_microsoft::graph::ListQuery;
use exogate_microsoft::record::Record;
use exogate_microsoft::{ErrorKind, Service, WireError};
use exogate_model::account::Attributes;
use exogate_model::catalogue::{self, ExchangeObject};
use exogate_model::group::{GroupKind, MemberKind, MembershipRole};
use exogate_model::operation::{
    Action, Edit, GroupDefinition, Image, Party, Target, TargetKind, ValueChange,
};
use exogate_model::right::Right;
use exogate_model::trustee::Trustee;
use exogate_model::value::{self, AttributeValue};

use crate::read::grants::{self, Fact};
use crate::read::groups::member_kind;
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

async fn permissions<'a>(
    exchange: &ExchangeClient,
    target: &Target,
    seen: &'a mut Seen,
) -> Result<&'a [Fact], WireError> {
    if seen.permissions.is_none() {
        let cmdlet =
            Cmdlet::new("Get-MailboxPermission").text("Identity", &target.id).text("ResultSize", "Unlimited");
        seen.permissions = Some(facts(&cmdlet, exchange).await?);
    }
    Ok(seen.permissions.as_deref().unwrap_or_default())
}

async fn send_as<'a>(
    exchange: &ExchangeClient,
    target: &Target,
    seen: &'a mut Seen,
) -> Result<&'a [Fact], WireError> {
    if seen.send_as.is_none() {
        let cmdlet = Cmdlet::new("Get-RecipientPermission")
            .text("Identity", &target.id)
            .text("ResultSize", "Unlimited");
        seen.send_as = Some(facts(&cmdlet, exchange).await?);
    }
    Ok(seen.send_as.as_deref().unwrap_or_default())
}

async fn facts(cmdlet: &Cmdlet, exchange: &ExchangeClient) -> Result<Vec<Fact>, WireError> {
    let answer = exchange.invoke(cmdlet).await?;
    let protocol = |error: crate::read::Unreadable| {
        WireError::new(ErrorKind::Protocol, Service::Exchange, cmdlet.name()).with_message(error.to_string())
    };
    if cmdlet.name() == "Get-MailboxPermission" {
        return grants::mailbox_permissions(&answer.records).map_err(protocol);
    }
    let rows = grants::recipient_permissions(&answer.records).map_err(protocol)?;
    Ok(rows.into_iter().flatten().collect())
}

fn held(facts: &[Fact], trustee: &Party, rights: &[Right]) -> Vec<Right> {
    let holds = |right: &Right| {
        facts.iter().any(|(held, who, deny, inherited)| {
            held == right && !deny && !inherited && is_party(who, trustee)
        })
    };
    let mut held: Vec<Right> = rights.iter().filter(|right| holds(right)).cloned().collect();
    held.sort();
    held
}

/// Whether a rendered trustee is this party. Identifiers decide where both are of one domain; names
/// decide otherwise.
pub(super) fn is_party(trustee: &Trustee, party: &Party) -> bool {
    let domain = |sid: &str| sid.rsplit_once('-').map(|(domain, _)| domain.to_ascii_lowercase());
    if let (Some(a), Some(b)) = (trustee.sid.as_deref(), party.sid.as_deref()) {
        if a.eq_ignore_ascii_case(b) {
            return true;
        }
        if domain(a) == domain(b) {
            return false;
        }
    }
    is_named(&trustee.text, party)
}

fn is_named(text: &str, party: &Party) -> bool {
    let same = |name: &str| !name.is_empty() && name.eq_ignore_ascii_case(text.trim());
    same(&party.id)
        || same(&party.name)
        || same(&party.address)
        || party.sid.as_deref().is_some_and(same)
        || party.known_as.iter().any(|name| same(name))
}

fn named<'a>(texts: &[String], parties: impl Iterator<Item = &'a Party>) -> Image {
    let mut present: Vec<String> = Vec::new();
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for party in parties {
        for text in texts.iter().filter(|text| is_named(text, party)) {
            known.insert(text);
            if !present.contains(&party.id) {
                present.push(party.id.clone());
            }
        }
    }
    present.sort();
    Image::Parties { present, others: (texts.len() - known.len()) as u64 }
}

fn is_member(member: &Record, who: &Party) -> bool {
    let id = member.text("ExternalDirectoryObjectId").or_else(|| member.text("id"));
    match id {
        Some(id) => id.eq_ignore_ascii_case(&who.id),
        None => ["PrimarySmtpAddress", "WindowsLiveID", "Name", "Identity"]
            .iter()
            .filter_map(|name| member.text(name))
            .any(|text| is_named(text, who)),
    }
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
    match value::read(raw, kind, multi_valued) {
        Ok(Some(AttributeValue::Text(text))) if text.is_empty() => None,
        Ok(value) => value,
        // Shown in a form of its own; text is enough to see a change.
        Err(_) => record.scalar(property).filter(|text| !text.is_empty()).map(AttributeValue::Text),
    }
}

async fn list<'a>(
    tenant: &Tenant,
    target: &Target,
    role: MembershipRole,
    seen: &'a mut Seen,
) -> Result<&'a [Record], WireError> {
    if let std::collections::btree_map::Entry::Vacant(entry) = seen.lists.entry(role) {
        entry.insert(read_list(tenant, target, role).await?);
    }
    Ok(seen.lists.get(&role).map_or(&[], Vec::as_slice))
}

async fn read_list(tenant: &Tenant, target: &Target, role: MembershipRole) -> Result<Vec<Record>, WireError> {
    if matches!(target.kind, TargetKind::Group(kind) if kind.is_exchange()) {
        let cmdlet = Cmdlet::new("Get-DistributionGroupMember")
            .text("Identity", &target.id)
            .text("ResultSize", "Unlimited");
        return Ok(exchange(tenant)?.invoke(&cmdlet).await?.records);
    }
    directory_list(tenant, &target.id, role).await
}

/// Members or owners as the directory shows them.
pub(super) async fn directory_list(
    tenant: &Tenant,
    group: &str,
    role: MembershipRole,
) -> Result<Vec<Record>, WireError> {
    let mut records = Vec::new();
    let mut at = None;
    loop {
        let page = match role {
            MembershipRole::Member => tenant.graph.members_page(group, &["id"], at.as_ref()).await?,
            MembershipRole::Owner => tenant.graph.owners_page(group, &["id"], at.as_ref()).await?,
        };
        records.extend(page.records);
        at = page.next;
        if at.is_none() {
            return Ok(records);
        }
    }
}

/// A group of this alias, or of this name where there is no alias to go by.
async fn find_group(tenant: &Tenant, definition: &GroupDefinition) -> Result<Option<String>, WireError> {
    let quoted = |text: &str| text.replace('\'', "''");
    if definition.kind.is_exchange() {
        let filter = format!("Alias -eq '{}'", quoted(&definition.alias));
        let cmdlet = Cmdlet::new("Get-DistributionGroup")
            .text("Filter", filter)
            .number("ResultSize", 2)
            .select(["ExternalDirectoryObjectId", "Alias"]);
        let answer = exchange(tenant)?.invoke(&cmdlet).await?;
        return Ok(answer.records.iter().find_map(|record| record.id().map(str::to_owned)));
    }
    let property = if definition.kind == GroupKind::Microsoft365 {
        format!("mailNickname eq '{}'", quoted(&definition.alias))
    } else {
        format!("displayName eq '{}'", quoted(&definition.name))
    };
    let query = ListQuery::new("groups").select(["id"]).filter(property).top(2);
    let page = tenant.graph.list_page(&query, None).await?;
    Ok(page.records.iter().find_map(|record| record.id().map(str::to_owned)))
}

/// The user of this principal name.
async fn find_user(tenant: &Tenant, name: &str) -> Result<Option<String>, WireError> {
    let filter = format!("userPrincipalName eq '{}'", name.replace('\'', "''"));
    let query = ListQuery::new("users").select(["id"]).filter(filter).top(2);
    let page = tenant.graph.list_page(&query, None).await?;
    Ok(page.records.iter().find_map(|record| record.id().map(str::to_owned)))
}

/// The group as it is, so that it can be made again.
async fn group(tenant: &Tenant, target: &Target, seen: &mut Seen) -> Result<Image, WireError> {
    let TargetKind::Group(kind) = target.kind else {
        return Err(gone("a group"));
    };
    let definition = if kind.is_exchange() {
        exchange_group(tenant, target, kind, seen).await
    } else {
        graph_group(tenant, target, kind).await
    };
    match definition {
        Ok(definition) => Ok(Image::Group { id: Some(target.id.clone()), definition: Some(definition) }),
        Err(error) if error.is_not_found() => Ok(Image::Group { id: None, definition: None }),
        Err(error) => Err(error),
    }
}

fn by_name(text: &str) -> Party {
    Party {
        id: text.to_owned(),
        kind: MemberKind::Other,
        name: text.to_owned(),
        address: text.to_owned(),
        known_as: Vec::new(),
        sid: None,
    }
}

fn member(record: &Record) -> Option<Party> {
    let id = record.text("ExternalDirectoryObjectId").or_else(|| record.text("id"));
    let address = record.text("PrimarySmtpAddress").or(id)?;
    let id = id.unwrap_or(address);
    let kind = match record.text("RecipientTypeDetails") {
        Some(details) => kind_of_recipient(details),
        None => member_kind(record),
    };
    Some(Party { id: id.to_owned(), kind, ..by_name(address) })
}

/// What the directory calls a recipient of this type.
fn kind_of_recipient(details: &str) -> MemberKind {
    if details.contains("Group") || details == "RoomList" {
        MemberKind::Group
    } else if details.contains("Contact") {
        MemberKind::Contact
    } else if details.ends_with("Mailbox") || details.ends_with("MailUser") {
        MemberKind::User
    } else {
        MemberKind::Other
    }
}

async fn exchange_group(
    tenant: &Tenant,
    target: &Target,
    kind: GroupKind,
    seen: &mut Seen,
) -> Result<GroupDefinition, WireError> {
    // Names are given at the making; what else can be set is put back after it.
    const NAMES: [&str; 8] = [
        "Alias",
        "DisplayName",
        "EmailAddresses",
        "GrantSendOnBehalfTo",
        "ManagedBy",
        "Name",
        "PrimarySmtpAddress",
        "WindowsEmailAddress",
    ];
    let settable: Vec<_> = catalogue::exchange_attributes(ExchangeObject::DistributionGroup)
        .filter(|attribute| !NAMES.contains(&attribute.name) && attribute.needs_switch.is_none())
        .filter_map(|attribute| {
            let own = attribute.setters.iter().find(|setter| setter.parameter == attribute.name)?;
            (own.cmdlet == "Set-DistributionGroup").then_some((attribute, own))
        })
        .collect();
    let mut properties: Vec<&str> = settable.iter().map(|(attribute, _)| attribute.name).collect();
    properties.extend(["Alias", "ManagedBy"]);
    let record = record(exchange(tenant)?, target, "Get-DistributionGroup", &properties, seen).await?;
    let edits = settable
        .into_iter()
        .filter_map(|(attribute, setter)| {
            let value = read(&record, attribute.name, attribute.kind, attribute.multi_valued)?;
            Some(Edit {
                attribute: format!("{}{}", exogate_model::account::EXCHANGE_PREFIX, attribute.name),
                parameter: setter.parameter.to_owned(),
                property: attribute.name.to_owned(),
                read_by: Some("Get-DistributionGroup".to_owned()),
                kind: attribute.kind,
                multi_valued: attribute.multi_valued,
                add_remove: setter.add_remove,
                change: ValueChange::Set(value),
            })
        })
        .collect();
    let members =
        list(tenant, target, MembershipRole::Member, seen).await?.iter().filter_map(member).collect();
    Ok(GroupDefinition {
        kind,
        name: record.text("DisplayName").or_else(|| record.text("Name")).unwrap_or(&target.name).to_owned(),
        alias: record.text("Alias").unwrap_or(&target.name).to_owned(),
        address: record.text("PrimarySmtpAddress").map(str::to_owned),
        owners: record.texts("ManagedBy").iter().map(|text| by_name(text)).collect(),
        members,
        edits,
    })
}

async fn graph_group(
    tenant: &Tenant,
    target: &Target,
    kind: GroupKind,
) -> Result<GroupDefinition, WireError> {
    let properties = ["id", "displayName", "mailNickname", "description", "visibility"];
    let record = tenant.graph.group(&target.id, &properties).await?;
    let edits = ["description", "visibility"]
        .iter()
        .filter_map(|name| {
            let text = record.text(name)?;
            Some(Edit {
                attribute: (*name).to_owned(),
                parameter: (*name).to_owned(),
                property: (*name).to_owned(),
                read_by: None,
                kind: value::AttributeType::String,
                multi_valued: false,
                add_remove: false,
                change: ValueChange::Set(AttributeValue::Text(text.to_owned())),
            })
        })
        .collect();
    let (members, owners) = (
        read_list(tenant, target, MembershipRole::Member).await?,
        read_list(tenant, target, MembershipRole::Owner).await?,
    );
    Ok(GroupDefinition {
        kind,
        name: record.text("displayName").unwrap_or(&target.name).to_owned(),
        alias: record.text("mailNickname").unwrap_or(&target.name).to_owned(),
        address: None,
        owners: owners.iter().filter_map(member).collect(),
        members: members.iter().filter_map(member).collect(),
        edits,
    })
}
