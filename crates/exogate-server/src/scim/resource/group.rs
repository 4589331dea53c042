//! Groups.

use exogate_engine::view::View;
use exogate_model::group::{Member, MemberKind};
use exogate_store::{Dated, GroupRecord};
use serde_json::{Value, json};

use super::{Resource, begin, end, location, own, put_list, put_object, version_of_all};
use crate::scim::schema::group::{MEMBERS, OWNERS};
use crate::scim::schema::{ResourceKind, ResourceType};
use crate::scim::urn;

/// A group, with its members if they were read.
pub fn group(dated: Dated<GroupRecord>, view: &View, of: &ResourceType, base: &str) -> Resource {
    let Dated { record, created, changed, external_id, parties: tally } = dated;
    let group = view.group_of(record);
    let mut out = begin(&group.id, external_id);
    out.insert("displayName".into(), json!(group.name));
    let mut extension = Resource::new();
    extension.insert("kind".into(), json!(group.kind.name()));
    extension.extend(own(of, urn::EXOGATE_GROUP, &group.attributes));
    // The version must not depend on whether the members were read.
    let mut rest = out.clone();
    rest.insert("parties".into(), json!(tally));
    rest.insert(urn::EXOGATE_GROUP.into(), Value::Object(extension.clone()));
    let version = version_of_all(&rest);
    put_list(&mut out, MEMBERS, parties(&group.members, base));
    put_list(&mut extension, OWNERS, parties(&group.owners, base));
    put_object(&mut out, urn::EXOGATE_GROUP, extension);
    end(out, of, base, Some((created, changed)), &version)
}

/// Members that are neither users nor groups are shown by their id alone.
fn parties(members: &[Member], base: &str) -> Vec<Value> {
    members
        .iter()
        .map(|member| {
            let kind = match member.kind {
                MemberKind::User => ResourceKind::User,
                MemberKind::Group => ResourceKind::Group,
                _ => return json!({"value": member.id}),
            };
            json!({"value": member.id, "$ref": location(base, kind, &member.id), "type": kind.name()})
        })
        .collect()
}
