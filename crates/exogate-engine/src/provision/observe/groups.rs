//! Groups as they are: their members and owners, one by its name, and everything that is needed to
//! make one again.

use exogate_microsoft::WireError;
use exogate_microsoft::exchange::Cmdlet;
use exogate_microsoft::graph::ListQuery;
use exogate_microsoft::record::Record;
use exogate_model::catalogue::{self, ExchangeObject};
use exogate_model::group::{GroupKind, MemberKind, MembershipRole};
use exogate_model::operation::{Edit, GroupDefinition, Image, Party, Target, TargetKind, ValueChange};
use exogate_model::value::{self, AttributeValue};

use super::rights::is_named;
use super::{Seen, exchange, gone, read, record};
use crate::read::groups::member_kind;
use crate::tenant::Tenant;

pub(super) fn is_member(member: &Record, who: &Party) -> bool {
    let id = member.text("ExternalDirectoryObjectId").or_else(|| member.text("id"));
    match id {
        Some(id) => id.eq_ignore_ascii_case(&who.id),
        None => ["PrimarySmtpAddress", "WindowsLiveID", "Name", "Identity"]
            .iter()
            .filter_map(|name| member.text(name))
            .any(|text| is_named(text, who)),
    }
}

pub(super) async fn list<'a>(
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
pub(in crate::provision) async fn directory_list(
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
pub(super) async fn find_group(
    tenant: &Tenant,
    definition: &GroupDefinition,
) -> Result<Option<String>, WireError> {
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

/// The group as it is, so that it can be made again.
pub(super) async fn group(tenant: &Tenant, target: &Target, seen: &mut Seen) -> Result<Image, WireError> {
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
