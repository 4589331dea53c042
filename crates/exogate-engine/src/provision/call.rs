//! From an action to the one call that carries it out, and how that call is shown to people. Pure.

use exogate_microsoft::exchange::{Cmdlet, Parameter};
use exogate_microsoft::graph::MemberRole;
use exogate_model::group::{GroupKind, MembershipRole};
use exogate_model::operation::{
    Action, Edit, GroupDefinition, Party, Target, TargetKind, UserDefinition, ValueChange,
};
use exogate_model::right::Right;
use exogate_model::value::AttributeValue;
use serde_json::{Map, Value, json};

/// A call to be sent.
#[derive(Debug, Clone)]
pub enum Call {
    /// A cmdlet of Exchange.
    Exchange(Cmdlet),
    /// A group made by Graph.
    CreateGroup(Value),
    /// A user made by Graph, but for the password.
    CreateUser(Value),
    /// Properties of a user.
    UpdateUser(String, Value),
    /// A user deleted by Graph.
    DeleteUser(String),
    /// The password of a user.
    SetPassword(String),
    /// Properties of a group.
    UpdateGroup(String, Value),
    /// A group deleted by Graph.
    DeleteGroup(String),
    /// Somebody put into a group by Graph.
    AddToGroup(String, MemberRole, String),
    /// Somebody taken out of a group by Graph.
    RemoveFromGroup(String, MemberRole, String),
}

/// What `New-DistributionGroup` takes beside names, owners and members; all else is set afterwards.
const WITH_CREATION: [&str; 10] = [
    "BypassNestedModerationEnabled",
    "Description",
    "HiddenGroupMembershipEnabled",
    "MemberDepartRestriction",
    "MemberJoinRestriction",
    "ModeratedBy",
    "ModerationEnabled",
    "Notes",
    "RequireSenderAuthenticationEnabled",
    "SendModerationNotifications",
];

/// Whether a parameter (or Graph property) can be given when a group of this kind is made.
pub fn goes_with_creation(kind: GroupKind, parameter: &str) -> bool {
    if kind.is_exchange() {
        WITH_CREATION.contains(&parameter)
    } else {
        matches!(parameter, "description" | "visibility" | "displayName" | "mailNickname")
    }
}

/// The cmdlets that know `BypassSecurityGroupManagerCheck`, of those sent here.
const BYPASSING: [&str; 5] = [
    "Add-DistributionGroupMember",
    "Remove-DistributionGroupMember",
    "Set-DistributionGroup",
    "Remove-DistributionGroup",
    "Set-Group",
];

/// The call that carries an action out.
pub fn call(target: &Target, action: &Action, bypass: bool) -> Call {
    let id = target.id.as_str();
    // What is still to be made has no id; shown by its name.
    let identity = if id.is_empty() { target.name.as_str() } else { id };
    let on = |name: &str| Cmdlet::new(name).text("Identity", identity);
    let graph = matches!(target.kind, TargetKind::Group(kind) if !kind.is_exchange());
    let cmdlet = match action {
        Action::GrantRights { trustee, rights, auto_mapping } => {
            let cmdlet = on("Add-MailboxPermission")
                .text("User", &trustee.address)
                .texts("AccessRights", rights.iter().map(Right::name))
                .text("InheritanceType", "All");
            match auto_mapping {
                Some(auto_mapping) => cmdlet.flag("AutoMapping", *auto_mapping),
                None => cmdlet,
            }
        }
        Action::RevokeRights { trustee, rights } => on("Remove-MailboxPermission")
            .text("User", &trustee.address)
            .texts("AccessRights", rights.iter().map(Right::name))
            .text("InheritanceType", "All"),
        Action::GrantSendAs { trustee } => {
            on("Add-RecipientPermission").text("Trustee", &trustee.address).texts("AccessRights", ["SendAs"])
        }
        Action::RevokeSendAs { trustee } => on("Remove-RecipientPermission")
            .text("Trustee", &trustee.address)
            .texts("AccessRights", ["SendAs"]),
        Action::ChangeSendOnBehalf { add, remove } => {
            on("Set-Mailbox").add_remove("GrantSendOnBehalfTo", addresses(add), addresses(remove))
        }
        Action::ChangeOwners { add, remove } => {
            on("Set-DistributionGroup").add_remove("ManagedBy", addresses(add), addresses(remove))
        }
        Action::SetAttributes { cmdlet: Some(name), edits } => {
            edits.iter().fold(on(name), |cmdlet, edit| cmdlet.with(&edit.parameter, parameter(edit)))
        }
        Action::SetAttributes { cmdlet: None, edits } if target.kind == TargetKind::User => {
            return Call::UpdateUser(id.to_owned(), properties(edits));
        }
        Action::CreateUser { definition } => return Call::CreateUser(new_user(definition)),
        Action::DeleteUser => return Call::DeleteUser(id.to_owned()),
        Action::SetPassword => return Call::SetPassword(id.to_owned()),
        Action::SetAttributes { cmdlet: None, edits } => {
            return Call::UpdateGroup(id.to_owned(), properties(edits));
        }
        Action::CreateGroup { definition } if graph => return Call::CreateGroup(new_group(definition)),
        Action::CreateGroup { definition } => new_distribution_group(definition),
        Action::DeleteGroup if graph => return Call::DeleteGroup(id.to_owned()),
        Action::DeleteGroup => on("Remove-DistributionGroup"),
        Action::AddMember { role, who } if graph => {
            return Call::AddToGroup(id.to_owned(), role_of(*role), who.id.clone());
        }
        Action::RemoveMember { role, who } if graph => {
            return Call::RemoveFromGroup(id.to_owned(), role_of(*role), who.id.clone());
        }
        Action::AddMember { role: MembershipRole::Owner, who } => {
            on("Set-DistributionGroup").add_remove("ManagedBy", [who.address.as_str()], [""; 0])
        }
        Action::RemoveMember { role: MembershipRole::Owner, who } => {
            on("Set-DistributionGroup").add_remove("ManagedBy", [""; 0], [who.address.as_str()])
        }
        Action::AddMember { who, .. } => on("Add-DistributionGroupMember").text("Member", &who.address),
        Action::RemoveMember { who, .. } => on("Remove-DistributionGroupMember").text("Member", &who.address),
    };
    let cmdlet = if bypass && BYPASSING.contains(&cmdlet.name()) {
        cmdlet.flag("BypassSecurityGroupManagerCheck", true)
    } else {
        cmdlet
    };
    Call::Exchange(cmdlet.flag("Confirm", false))
}

fn addresses(parties: &[Party]) -> Vec<&str> {
    parties.iter().map(|party| party.address.as_str()).collect()
}

fn role_of(role: MembershipRole) -> MemberRole {
    match role {
        MembershipRole::Member => MemberRole::Member,
        MembershipRole::Owner => MemberRole::Owner,
    }
}

fn parameter(edit: &Edit) -> Parameter {
    match &edit.change {
        ValueChange::Clear if edit.multi_valued => Parameter::Clear,
        ValueChange::Clear => Parameter::Null,
        ValueChange::AddRemove { add, remove } => {
            Parameter::AddRemove { add: add.clone(), remove: remove.clone() }
        }
        ValueChange::Set(AttributeValue::Boolean(flag)) => Parameter::Flag(*flag),
        ValueChange::Set(AttributeValue::Integer(number)) => Parameter::Number(*number),
        ValueChange::Set(AttributeValue::Text(text)) => Parameter::Text(text.clone()),
        ValueChange::Set(AttributeValue::Many(values)) => Parameter::Texts(values.clone()),
    }
}

fn properties(edits: &[Edit]) -> Value {
    let mut body = Map::new();
    for edit in edits {
        let value = match &edit.change {
            ValueChange::Set(value) => serde_json::to_value(value).unwrap_or_default(),
            ValueChange::Clear => Value::Null,
            ValueChange::AddRemove { add, .. } => json!(add),
        };
        body.insert(edit.parameter.clone(), value);
    }
    Value::Object(body)
}

fn new_distribution_group(definition: &GroupDefinition) -> Cmdlet {
    let security = definition.kind == GroupKind::MailEnabledSecurity;
    let mut cmdlet = Cmdlet::new("New-DistributionGroup")
        .text("Name", &definition.name)
        .text("DisplayName", &definition.name)
        .text("Alias", &definition.alias)
        .text("Type", if security { "Security" } else { "Distribution" });
    if let Some(address) = &definition.address {
        cmdlet = cmdlet.text("PrimarySmtpAddress", address);
    }
    cmdlet = cmdlet.texts("ManagedBy", addresses(&definition.owners));
    if !definition.members.is_empty() {
        cmdlet = cmdlet.texts("Members", addresses(&definition.members));
    }
    definition.edits.iter().fold(cmdlet, |cmdlet, edit| cmdlet.with(&edit.parameter, parameter(edit)))
}

fn new_group(definition: &GroupDefinition) -> Value {
    let unified = definition.kind == GroupKind::Microsoft365;
    let mut body = json!({
        "displayName": definition.name,
        "mailNickname": definition.alias,
        "mailEnabled": unified,
        "securityEnabled": !unified,
        "groupTypes": if unified { vec!["Unified"] } else { vec![] },
    });
    let bind = |parties: &[Party]| -> Value {
        let links = parties
            .iter()
            .map(|party| format!("https://graph.microsoft.com/v1.0/directoryObjects/{}", party.id));
        links.collect::<Vec<_>>().into()
    };
    if let Some(object) = body.as_object_mut() {
        if let Value::Object(more) = properties(&definition.edits) {
            object.extend(more);
        }
        for (name, parties) in [("owners", &definition.owners), ("members", &definition.members)] {
            if !parties.is_empty() {
                object.insert(format!("{name}@odata.bind"), bind(parties));
            }
        }
    }
    body
}

fn new_user(definition: &UserDefinition) -> Value {
    let mut body = json!({
        "accountEnabled": definition.enabled,
        "displayName": definition.display_name,
        "mailNickname": definition.nickname,
        "userPrincipalName": definition.name,
    });
    if let (Some(object), Value::Object(more)) = (body.as_object_mut(), properties(&definition.edits)) {
        object.extend(more);
    }
    body
}

impl Call {
    /// What is sent, as an administrator would write it.
    pub fn shown(&self) -> String {
        let role = |role: &MemberRole| match role {
            MemberRole::Member => "members",
            MemberRole::Owner => "owners",
        };
        match self {
            Self::Exchange(cmdlet) => cmdlet.powershell(),
            Self::CreateUser(body) => format!("POST /users {body}"),
            Self::UpdateUser(id, body) => format!("PATCH /users/{id} {body}"),
            Self::DeleteUser(id) => format!("DELETE /users/{id}"),
            Self::SetPassword(id) => format!("PATCH /users/{id} {{passwordProfile}}"),
            Self::CreateGroup(body) => format!("POST /groups {body}"),
            Self::UpdateGroup(id, body) => format!("PATCH /groups/{id} {body}"),
            Self::DeleteGroup(id) => format!("DELETE /groups/{id}"),
            Self::AddToGroup(group, list, who) => {
                format!("POST /groups/{group}/{}/$ref {{directoryObjects/{who}}}", role(list))
            }
            Self::RemoveFromGroup(group, list, who) => {
                format!("DELETE /groups/{group}/{}/{who}/$ref", role(list))
            }
        }
    }
}
