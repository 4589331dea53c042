//! What a group holds.

use exogate_model::group::GroupKind;
use exogate_model::policy::PolicyKind;
use exogate_model::source::SourceOptions;

use super::own::{own_attributes, shown_elsewhere};
use super::{Attribute, Kind, Mutability, ResourceKind, ResourceType, Schema};
use crate::gateway::Source;
use crate::scim::urn;

/// The kinds of group that can be made in a source; the first is made where none is named.
pub fn creatable(options: &SourceOptions) -> Vec<GroupKind> {
    let mut kinds = vec![GroupKind::Security];
    if options.manage_exchange_online {
        kinds.push(GroupKind::MailEnabledSecurity);
        if options.aggregate_all_groups {
            kinds.push(GroupKind::DistributionList);
        }
    }
    if options.manage_microsoft_365_groups {
        kinds.push(GroupKind::Microsoft365);
    }
    kinds
}

/// What the members of a group are called.
pub const MEMBERS: &str = "members";
/// What its owners are called, in the extension.
pub const OWNERS: &str = "owners";

/// Attributes of Entra that can be set on groups that Entra masters.
pub const ENTRA_SETTABLE: [&str; 2] = ["description", "visibility"];

fn parties(name: &str, description: &str) -> Attribute {
    Attribute::complex(
        name,
        description,
        vec![
            Attribute::text("value", "Id; an address or name is understood as well.")
                .exact()
                .mutability(Mutability::Immutable),
            Attribute::new("$ref", Kind::Reference, "Address of the user or group.")
                .refers_to(&["Group", "User"])
                .mutability(Mutability::Immutable),
            Attribute::text("type", "User or Group.")
                .one_of(["User", "Group"])
                .mutability(Mutability::Immutable),
        ],
    )
    .many()
}

/// Groups of a source.
pub fn resource_type(source: &Source) -> ResourceType {
    let core = vec![
        Attribute::text("displayName", "Display name.").required().writable(true),
        parties(MEMBERS, "Direct members.").writable(true),
    ];
    let options = &source.context.options;
    let kinds = creatable(options).into_iter().map(GroupKind::name);
    let mut own = vec![
        Attribute::text("kind", "What kind of group it is.")
            .exact()
            .one_of(kinds)
            .mutability(Mutability::Immutable),
        // Groups of Exchange cannot be made without one.
        parties(OWNERS, "Owners; a group always keeps one if it has any.")
            .writable(options.manage_exchange_online),
    ];
    let mut settable: Vec<&str> = ENTRA_SETTABLE.to_vec();
    if !options.manage_microsoft_365_groups {
        // Entra takes it for Microsoft 365 groups alone.
        settable.retain(|name| *name != "visibility");
    }
    for kind in
        [PolicyKind::DistributionList, PolicyKind::MailEnabledSecurityGroup, PolicyKind::Microsoft365Group]
    {
        settable.extend(source.policy.attributes(kind).iter().map(|one| one.definition.name.as_str()));
    }
    own.extend(own_attributes(&source.context.group_schema, shown_elsewhere(ResourceKind::Group), &settable));
    ResourceType::new(
        ResourceKind::Group,
        "Groups with their members.",
        Schema { id: urn::GROUP, name: "Group", description: "Group", attributes: core },
        vec![Schema {
            id: urn::EXOGATE_GROUP,
            name: "ExogateGroup",
            description: "Kind, owners, and the attributes of Entra and Exchange that the source's schema names",
            attributes: own,
        }],
    )
}
