//! What a user holds.

use super::own::{own_attributes, shown_elsewhere};
use super::{Attribute, Kind, Mutability, ResourceKind, ResourceType, Schema};
use crate::gateway::Source;
use crate::scim::urn;
use exogate_model::policy::PolicyKind;

/// Users of a source.
pub fn resource_type(source: &Source) -> ResourceType {
    let schema = &source.context.account_schema;
    let has = |name: &str| schema.get(name).is_some();
    let users = source.context.options.manage_users;
    let text = |name: &str, description: &str, from: &str| {
        has(from).then(|| Attribute::text(name, description).writable(users))
    };
    let user_name = Attribute::text("userName", "User principal name.").required().unique();
    let mut core =
        vec![user_name.mutability(if users { Mutability::Immutable } else { Mutability::ReadOnly })];
    let names: Vec<Attribute> =
        [text("familyName", "Surname.", "surname"), text("givenName", "Given name.", "givenName")]
            .into_iter()
            .flatten()
            .collect();
    core.push(Attribute::complex("name", "The person's name.", names).writable(users));
    // Entra changes these, and never takes them away.
    let kept = |attribute: Attribute| if users { attribute.writable(true).required() } else { attribute };
    core.push(kept(Attribute::text("displayName", "Display name.")));
    core.extend(text("title", "Job title.", "jobTitle"));
    core.extend(has("userType").then(|| Attribute::text("userType", "Member or guest.")));
    core.extend(
        has("preferredLanguage").then(|| Attribute::text("preferredLanguage", "Preferred language.")),
    );
    core.push(kept(Attribute::new("active", Kind::Boolean, "Whether sign-in is allowed.")));
    let value = |description: &str| Attribute::text("value", description);
    core.push(
        Attribute::complex(
            "emails",
            "The primary address of the mailbox, or the mail address where there is no mailbox.",
            vec![
                value("The address."),
                Attribute::text("type", "Always work.").one_of(["work"]),
                Attribute::new("primary", Kind::Boolean, "Always true."),
            ],
        )
        .many(),
    );
    if ["businessPhones", "mobilePhone", "faxNumber"].into_iter().any(has) {
        let kinds = Attribute::text("type", "What it is for.").one_of(["work", "mobile", "fax"]);
        core.push(
            Attribute::complex("phoneNumbers", "Phone numbers.", vec![value("The number."), kinds]).many(),
        );
    }
    if ["streetAddress", "city", "state", "postalCode", "country"].into_iter().any(has) {
        let parts = [
            ("streetAddress", "Street."),
            ("locality", "City."),
            ("region", "State or province."),
            ("postalCode", "Postal code."),
            ("country", "Country or region."),
        ];
        let mut parts: Vec<Attribute> = parts.map(|(name, text)| Attribute::text(name, text)).into();
        parts.push(Attribute::text("type", "Always work.").one_of(["work"]));
        core.push(Attribute::complex("addresses", "The postal address.", parts).many());
    }
    core.push(
        Attribute::complex(
            "groups",
            "The groups that the user is a direct member of; changed through the groups.",
            vec![
                value("Id of the group.").exact(),
                Attribute::new("$ref", Kind::Reference, "Address of the group.").refers_to(&["Group"]),
                Attribute::text("type", "Always direct.").one_of(["direct"]),
            ],
        )
        .many(),
    );
    if source.context.options.manage_exchange_online {
        core.push(
            Attribute::complex(
                "entitlements",
                "Rights on mailboxes. Adding one grants it, removing one revokes it.",
                vec![
                    value("The entitlement, such as 'O365Support: SendAs', or its id.")
                        .mutability(Mutability::Immutable),
                    Attribute::text("type", "The right.").on_request(),
                    Attribute::text("display", "The entitlement in words.").on_request(),
                ],
            )
            .many()
            .writable(true),
        );
    }
    let extensions = vec![enterprise(source), own(source)];
    ResourceType::new(
        ResourceKind::User,
        "Accounts: Entra users with their mailbox attributes and rights.",
        Schema { id: urn::USER, name: "User", description: "User account", attributes: core },
        extensions,
    )
}

fn enterprise(source: &Source) -> Schema {
    let schema = &source.context.account_schema;
    let users = source.context.options.manage_users;
    let mut attributes = Vec::new();
    if schema.get("employeeId").is_some() {
        attributes.push(Attribute::text("employeeNumber", "Employee id."));
    }
    if schema.get("companyName").is_some() {
        attributes.push(Attribute::text("organization", "Company.").writable(users));
    }
    if schema.get("department").is_some() {
        attributes.push(Attribute::text("department", "Department.").writable(users));
    }
    if schema.get("manager").is_some() {
        attributes.push(Attribute::complex(
            "manager",
            "Who the user reports to.",
            vec![
                Attribute::text("value", "Id of the manager.").exact(),
                Attribute::new("$ref", Kind::Reference, "Address of the manager.").refers_to(&["User"]),
            ],
        ));
    }
    Schema { id: urn::ENTERPRISE, name: "EnterpriseUser", description: "Enterprise user", attributes }
}

fn own(source: &Source) -> Schema {
    let policy: Vec<&str> = source
        .policy
        .attributes(PolicyKind::Account)
        .iter()
        .map(|attribute| attribute.definition.name.as_str())
        .collect();
    let attributes =
        own_attributes(&source.context.account_schema, shown_elsewhere(ResourceKind::User), &policy);
    Schema {
        id: urn::EXOGATE_USER,
        name: "ExogateUser",
        description: "Attributes of Entra and Exchange that the source's schema names",
        attributes,
    }
}
