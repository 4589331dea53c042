//! What an entitlement holds, after the draft on roles and entitlements
//! (draft-ietf-scim-roles-entitlements).

use super::{Attribute, Kind, ResourceKind, ResourceType, Schema};
use crate::scim::urn;

/// Rights on mailboxes.
pub fn resource_type() -> ResourceType {
    let core = vec![
        Attribute::text("value", "The value that users' entitlements carry, such as 'O365Support: SendAs'.")
            .unique(),
        Attribute::text("display", "In words."),
        Attribute::text("type", "The right."),
        Attribute::new("supported", Kind::Boolean, "Whether it can be given."),
        Attribute::new("limitedAssignmentsPermitted", Kind::Boolean, "Whether only so many may hold it."),
        Attribute::new("totalAssignmentsUsed", Kind::Integer, "How many hold it."),
    ];
    let own = vec![
        Attribute::text("mailbox", "Id of the mailbox.").exact(),
        Attribute::text("address", "Primary address of the mailbox."),
        Attribute::text("right", "The right."),
    ];
    ResourceType::new(
        ResourceKind::Entitlement,
        "Rights on mailboxes that can be given and taken.",
        Schema { id: urn::ENTITLEMENT, name: "Entitlement", description: "Entitlement", attributes: core },
        vec![Schema {
            id: urn::EXOGATE_ENTITLEMENT,
            name: "ExogateEntitlement",
            description: "Which right on which mailbox",
            attributes: own,
        }],
    )
}
