//! Rights on mailboxes as entitlements.

use exogate_engine::view::Entitlement;
use exogate_model::right::Right;
use serde_json::json;

use super::{Resource, begin, end, put_object, version_of_all};
use crate::scim::schema::ResourceType;
use crate::scim::urn;

/// The id of an entitlement: stays the same when the mailbox is renamed.
pub fn entitlement_id(mailbox: &str, right: &Right) -> String {
    format!("{mailbox}:{right}")
}

/// Mailbox and right of an id.
pub fn split_entitlement_id(id: &str) -> Option<(&str, Right)> {
    let (mailbox, right) = id.rsplit_once(':')?;
    let right: Right = right.parse().ok()?;
    (!mailbox.is_empty()).then_some((mailbox, right))
}

/// A right on a mailbox.
pub fn entitlement(entitlement: &Entitlement, of: &ResourceType, base: &str) -> Resource {
    let mut out = begin(&entitlement_id(&entitlement.mailbox, &entitlement.right), None);
    out.insert("value".into(), json!(entitlement.value));
    out.insert("display".into(), json!(format!("{} on {}", entitlement.right, entitlement.address)));
    out.insert("type".into(), json!(entitlement.right.name()));
    out.insert("supported".into(), json!(true));
    out.insert("limitedAssignmentsPermitted".into(), json!(false));
    out.insert("totalAssignmentsUsed".into(), json!(entitlement.holders));
    let mut own = Resource::new();
    own.insert("mailbox".into(), json!(entitlement.mailbox));
    own.insert("address".into(), json!(entitlement.address));
    own.insert("right".into(), json!(entitlement.right.name()));
    put_object(&mut out, urn::EXOGATE_ENTITLEMENT, own);
    let version = version_of_all(&out);
    end(out, of, base, None, &version)
}
