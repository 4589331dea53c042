//! Groups with their members and owners.

use axum::Json;
use exogate_model::account::Attributes;
use exogate_model::group::{self, GroupKind as ModelKind, MemberKind as ModelMemberKind};
use exogate_store::{Cursor, GroupFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Answer, Path, Query, Reading};
use super::listing::{Listed, Listing, Page, Paging};
use super::page::Text;
use super::params::OfSource;
use super::refusals::Refusals;
use super::value::Fields;
use crate::gateway::Gateway;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// What kind of group it is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum GroupKind {
    /// A security group of Entra.
    Security,
    /// A mail-enabled security group.
    MailEnabledSecurity,
    /// A distribution list.
    DistributionList,
    /// A Microsoft 365 group.
    Microsoft365,
    /// A dynamic distribution group.
    DynamicDistribution,
}

impl From<ModelKind> for GroupKind {
    fn from(kind: ModelKind) -> Self {
        match kind {
            ModelKind::Security => Self::Security,
            ModelKind::MailEnabledSecurity => Self::MailEnabledSecurity,
            ModelKind::DistributionList => Self::DistributionList,
            ModelKind::Microsoft365 => Self::Microsoft365,
            ModelKind::DynamicDistribution => Self::DynamicDistribution,
        }
    }
}

impl From<GroupKind> for ModelKind {
    fn from(kind: GroupKind) -> Self {
        match kind {
            GroupKind::Security => Self::Security,
            GroupKind::MailEnabledSecurity => Self::MailEnabledSecurity,
            GroupKind::DistributionList => Self::DistributionList,
            GroupKind::Microsoft365 => Self::Microsoft365,
            GroupKind::DynamicDistribution => Self::DynamicDistribution,
        }
    }
}

/// What a member is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum MemberKind {
    /// A user.
    User,
    /// Another group.
    Group,
    /// A mail contact.
    Contact,
    /// A device.
    Device,
    /// A service principal.
    ServicePrincipal,
    /// Something else.
    Other,
}

impl From<ModelMemberKind> for MemberKind {
    fn from(kind: ModelMemberKind) -> Self {
        match kind {
            ModelMemberKind::User => Self::User,
            ModelMemberKind::Group => Self::Group,
            ModelMemberKind::Contact => Self::Contact,
            ModelMemberKind::Device => Self::Device,
            ModelMemberKind::ServicePrincipal => Self::ServicePrincipal,
            ModelMemberKind::Other => Self::Other,
        }
    }
}

/// A member or owner of a group.
#[derive(Serialize, ToSchema)]
struct Member {
    /// Entra object id.
    id: String,
    /// What it is.
    #[serde(rename = "type")]
    kind: MemberKind,
}

impl From<group::Member> for Member {
    fn from(member: group::Member) -> Self {
        Self { id: member.id, kind: member.kind.into() }
    }
}

/// A group.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Group {
    /// Entra object id; of a dynamic distribution group, its Exchange GUID.
    id: String,
    /// Display name.
    name: String,
    /// What kind it is.
    kind: GroupKind,
    /// The attributes of the group schema that have a value.
    #[schema(value_type = std::collections::BTreeMap<String, super::value::AttributeValue>)]
    attributes: Attributes,
    /// Direct members, sorted by id; absent where `fields` does not name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<Member>>,
    /// Owners, sorted by id; absent where `fields` does not name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    owners: Option<Vec<Member>>,
}

impl Group {
    fn of(group: group::Group, fields: &Fields) -> Self {
        let list = |name: &str, members: Vec<group::Member>| {
            fields.wants(name).then(|| members.into_iter().map(Member::from).collect())
        };
        Self {
            id: group.id,
            name: group.name,
            kind: group.kind.into(),
            attributes: fields.of_attributes(group.attributes),
            members: list(MEMBERS, group.members),
            owners: list(OWNERS, group.owners),
        }
    }
}

const MEMBERS: &str = "members";
const OWNERS: &str = "owners";

type GroupPage = Page<Group>;

impl Listed for Group {
    const PAGE: &'static str = "GroupPage";
    const ABOUT: &'static str = "A page of groups, in the order of their names.";
    const ITEMS: &'static str = "The groups.";
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// The attributes wanted, and `members` and `owners`, with commas between them; all where it is left
    /// out.
    #[param(value_type = Option<String>, min_length = 1, example = "displayName,members")]
    fields: Option<Text>,
    /// Part of the display name or mail address, without regard to case.
    #[param(value_type = Option<String>, min_length = 1)]
    search: Option<Text>,
    /// Only groups of this kind.
    #[param(inline)]
    kind: Option<GroupKind>,
    /// Only groups that the user or group with this id is a direct member of.
    #[param(value_type = Option<String>, min_length = 1)]
    member: Option<Text>,
}

/// List groups.
///
/// In the order of display names, page by page; only kinds that the source aggregates.
#[utoipa::path(
    get,
    path = "/sources/{source}/groups",
    operation_id = "listGroups",
    tag = "groups",
    params(OfSource, Paging, ListQuery),
    responses((status = 200, description = "A page of groups", body = GroupPage), Refusals)
)]
async fn list(
    Reading(source): Reading,
    Listing { filter: query, after, limit }: Listing<ListQuery, Cursor>,
) -> Answer<GroupPage> {
    let fields = Fields::of(query.fields.as_ref(), &source.context.group_schema, &[MEMBERS, OWNERS])?;
    let filter = GroupFilter {
        text: query.search.map(|text| text.0),
        kinds: query.kind.into_iter().map(ModelKind::from).collect(),
        member: query.member.map(|text| text.0),
    };
    let found = source.view.groups_where(filter, after, limit).await?;
    Page::of(found.items.into_iter().map(|group| Group::of(group, &fields)), found.next.as_ref())
}

/// One group.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct GroupPath {
    /// Id, mail address or display name
    group: String,
}

/// How much of a group is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct GroupFieldsQuery {
    /// The attributes wanted, and `members` and `owners`, with commas between them; all where it is left
    /// out.
    #[param(value_type = Option<String>, min_length = 1, example = "displayName,members")]
    fields: Option<Text>,
}

/// Show a group.
#[utoipa::path(
    get,
    path = "/sources/{source}/groups/{group}",
    operation_id = "getGroup",
    tag = "groups",
    params(OfSource, GroupPath, GroupFieldsQuery),
    responses((status = 200, description = "The group", body = Group), Refusals)
)]
async fn get(
    Reading(source): Reading,
    Path(path): Path<GroupPath>,
    Query(query): Query<GroupFieldsQuery>,
) -> Answer<Group> {
    let fields = Fields::of(query.fields.as_ref(), &source.context.group_schema, &[MEMBERS, OWNERS])?;
    Ok(Json(Group::of(source.view.group(&path.group).await?, &fields)))
}
