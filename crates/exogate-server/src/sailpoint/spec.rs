//! The connector specification of a source: what its schema and policy come to in SailPoint's words,
//! and what an administrator fills in.

use exogate_model::policy::PolicyKind;
use serde_json::{Value, json};

use super::command::COMMANDS;
use super::schema::{self, NAME};
use crate::gateway::Source;

/// `std:spec:read`.
pub(super) fn read(source: &Source) -> Value {
    json!({ "specification": spec(source) })
}

/// The specification, as `connector-spec.json` holds it.
pub(super) fn spec(source: &Source) -> Value {
    json!({
        "name": "exogate",
        "keyType": "simple",
        "commands": COMMANDS.map(super::command::Command::name),
        "supportsStatefulCommands": true,
        "sourceConfigInitialValues": {
            "source": source.name,
            "changesAreReviewed": false,
            "spConnEnableStatefulCommands": true,
        },
        "sourceConfig": [{
            "type": "menu",
            "label": "Gateway",
            "items": [{
                "type": "section",
                "sectionTitle": "Connection to exogate",
                "sectionHelpMessage": "The gateway that manages the tenant. It needs a token of the scope provision for this source; read is enough where nothing is changed.",
                "items": [
                    { "key": "url", "label": "Gateway URL", "type": "url", "required": true,
                      "helpKey": "For example https://exogate.example.com:8443" },
                    { "key": "token", "label": "Token", "type": "secret", "required": true,
                      "helpKey": "Made by: exogate token create" },
                    { "key": "source", "label": "Source", "type": "text", "required": true,
                      "helpKey": "Name of the source in exogate.toml" },
                ],
            }, {
                "type": "section",
                "sectionTitle": "Changes",
                "sectionHelpMessage": "",
                "items": [
                    { "key": "changesAreReviewed", "label": "Changes are reviewed", "type": "checkbox",
                      "required": false,
                      "helpKey": "Attributes that the gateway's policy marks review_required are changed only if this is on" },
                ],
            }],
        }],
        "accountSchema": schema::account(source),
        "entitlementSchemas": schema::entitlements(source),
        "accountCreateTemplate": { "fields": fields(source) },
    })
}

/// What is asked for when an account is made: its name, what Entra needs for a new user, and what the
/// policy lets be set.
fn fields(source: &Source) -> Vec<Value> {
    let field = |name: &str, kind: &str, required: bool, value: Value| json!({ "key": name, "label": name, "type": kind, "required": required, "initialValue": value });
    let identity = |name: &str| json!({ "type": "identityAttribute", "attributes": { "name": name } });
    let mut fields = vec![field(NAME, "string", true, identity("email"))];
    if source.context.options.manage_users {
        fields.push(field("displayName", "string", true, identity("displayName")));
        fields.push(field("givenName", "string", false, identity("firstname")));
        fields.push(field("surname", "string", false, identity("lastname")));
        let generated = json!({ "type": "generator", "attributes": { "name": "Create Password" } });
        fields.push(field("password", "string", false, generated));
    }
    for settable in source.policy.attributes(PolicyKind::Account) {
        let definition = &settable.definition;
        let kind = if definition.multi_valued { "array" } else { definition.kind.name() };
        fields.push(field(&definition.name, kind, false, json!({ "type": "static", "attributes": {} })));
    }
    fields
}
