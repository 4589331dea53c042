//! Groups of Entra, in the slices in which a delta sweep shows them, and what Exchange adds.

use exogate_microsoft::record::Record;
use exogate_model::group::{GroupKind, MemberKind, MembershipRole};
use exogate_store::{GroupExchangeRow, GroupRow, MembershipRow};

use super::attributes::{AttributeReader, Misfits};
use super::{Unreadable, owned, required, unreadable};

/// Properties that every group is read with, whatever the schema.
pub const PROPERTIES: [&str; 7] =
    ["id", "displayName", "mail", "mailEnabled", "securityEnabled", "groupTypes", "securityIdentifier"];

/// Properties of Exchange groups that are read whatever the schema.
pub const EXCHANGE_PROPERTIES: [&str; 8] = [
    "ExternalDirectoryObjectId",
    "Guid",
    "Name",
    "Alias",
    "DisplayName",
    "DistinguishedName",
    "PrimarySmtpAddress",
    "RecipientTypeDetails",
];

/// One appearance of a group in a sweep. A large group appears several times, each time with
/// other members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSlice {
    /// The group; absent where a later slice repeats nothing but the id.
    pub group: Option<GroupRow>,
    /// Members and owners of this slice.
    pub memberships: Vec<MembershipRow>,
}

/// Reads one slice; `None` for the trace of a deleted group, which even a first sweep may show.
pub fn slice(
    record: &Record,
    reader: &AttributeReader,
    misfits: &mut Misfits,
) -> Result<Option<GroupSlice>, Unreadable> {
    const LISTING: &str = "the listing of groups";
    let id = required(record, "id", LISTING)?.to_owned();
    if record.is_removed() {
        return Ok(None);
    }
    let mut memberships = Vec::new();
    for (property, role) in
        [("members@delta", MembershipRole::Member), ("owners@delta", MembershipRole::Owner)]
    {
        for member in record.children(property).iter().filter(|member| !member.is_removed()) {
            let Some(id_of_member) = member.text("id") else {
                return Err(unreadable(member, "id", "the list of a group's members"));
            };
            memberships.push(MembershipRow {
                group: id.clone(),
                role,
                member: id_of_member.to_owned(),
                member_kind: kind_of_member(member.kind()),
            });
        }
    }
    let group = if record.has("mailEnabled") || record.has("securityEnabled") {
        Some(GroupRow {
            kind: GroupKind::classify(
                record.texts("groupTypes").iter().any(|t| t.eq_ignore_ascii_case("Unified")),
                record.flag("mailEnabled").unwrap_or(false),
                record.flag("securityEnabled").unwrap_or(false),
            ),
            display_name: record.text("displayName").unwrap_or(&id).to_owned(),
            mail: owned(record, "mail"),
            sid: owned(record, "securityIdentifier"),
            attributes: reader.read(record, misfits),
            id,
        })
    } else {
        None
    };
    Ok(Some(GroupSlice { group, memberships }))
}

/// What kind of object a member is.
pub fn member_kind(member: &Record) -> MemberKind {
    kind_of_member(member.kind())
}

fn kind_of_member(kind: Option<&str>) -> MemberKind {
    match kind {
        Some("user") => MemberKind::User,
        Some("group") => MemberKind::Group,
        Some("orgContact") => MemberKind::Contact,
        Some("device") => MemberKind::Device,
        Some("servicePrincipal") => MemberKind::ServicePrincipal,
        _ => MemberKind::Other,
    }
}

/// What Exchange adds to a group that Entra knows; `None` for one that has no Entra object yet.
pub fn exchange(
    record: &Record,
    reader: &AttributeReader,
    misfits: &mut Misfits,
) -> Option<GroupExchangeRow> {
    let id = record.text("ExternalDirectoryObjectId")?.to_owned();
    Some(exchange_row(id, record, reader, misfits))
}

fn exchange_row(
    id: String,
    record: &Record,
    reader: &AttributeReader,
    misfits: &mut Misfits,
) -> GroupExchangeRow {
    GroupExchangeRow {
        id,
        exchange_guid: record.exchange_guid().map(str::to_owned),
        name: owned(record, "Name"),
        alias: owned(record, "Alias"),
        distinguished_name: owned(record, "DistinguishedName"),
        attributes: reader.read(record, misfits),
    }
}

/// A dynamic distribution group: Exchange alone knows it, under its own GUID.
pub fn dynamic(
    record: &Record,
    reader: &AttributeReader,
    misfits: &mut Misfits,
) -> Result<(GroupRow, GroupExchangeRow), Unreadable> {
    const LISTING: &str = "Get-DynamicDistributionGroup";
    let id = record.exchange_guid().ok_or_else(|| unreadable(record, "Guid", LISTING))?.to_owned();
    let name = record.text("DisplayName").or_else(|| record.text("Name")).unwrap_or(&id).to_owned();
    let row = GroupRow {
        id: id.clone(),
        kind: GroupKind::DynamicDistribution,
        display_name: name,
        mail: owned(record, "PrimarySmtpAddress"),
        sid: None,
        attributes: exogate_model::account::Attributes::new(),
    };
    Ok((row, exchange_row(id, record, reader, misfits)))
}

#[cfg(test)]
mod tests {
    use exogate_model::schema::Schema;

    use super::*;

    fn read(json: &str) -> Result<Option<GroupSlice>, Unreadable> {
        let reader = AttributeReader::entra(&Schema::group(&[]).unwrap());
        slice(&Record::from_slice(json.as_bytes()).unwrap(), &reader, &mut Misfits::default())
    }

    #[test]
    fn a_slice_has_kind_members_and_owners() {
        let slice = read(
            r##"{"id":"g","displayName":"Back office","mailEnabled":true,"securityEnabled":false,"groupTypes":[],
            "members@delta":[{"@odata.type":"#microsoft.graph.user","id":"u"},
              {"@odata.type":"#microsoft.graph.orgContact","id":"c"},
              {"@odata.type":"#microsoft.graph.user","id":"gone","@removed":{"reason":"deleted"}}],
            "owners@delta":[{"@odata.type":"#microsoft.graph.user","id":"u"}]}"##,
        )
        .unwrap()
        .unwrap();
        assert_eq!(slice.group.as_ref().unwrap().kind, GroupKind::DistributionList);
        let of = |role, member: &str, member_kind| MembershipRow {
            group: "g".into(),
            role,
            member: member.into(),
            member_kind,
        };
        assert_eq!(
            slice.memberships,
            [
                of(MembershipRole::Member, "u", MemberKind::User),
                of(MembershipRole::Member, "c", MemberKind::Contact),
                of(MembershipRole::Owner, "u", MemberKind::User),
            ]
        );
    }

    #[test]
    fn a_later_slice_need_not_repeat_the_group() {
        let slice = read(r#"{"id":"g","members@delta":[{"id":"x"}]}"#).unwrap().unwrap();
        assert_eq!(slice.group, None);
        assert_eq!(slice.memberships[0].member_kind, MemberKind::Other);
    }

    #[test]
    fn a_trace_of_a_deleted_group_is_no_group_and_one_without_id_is_an_error() {
        assert_eq!(read(r#"{"id":"g","@removed":{"reason":"changed"}}"#), Ok(None));
        let error = read(r#"{"displayName":"Back office"}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the listing of groups shows an object without id: displayName \"Back office\""
        );
    }
}
