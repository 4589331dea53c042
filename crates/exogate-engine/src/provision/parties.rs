//! Those whom a plan names, as the directory knows them now: a stored address may have passed to
//! somebody else since, and the immutable id decides.

use std::collections::{BTreeSet, HashMap};

use exogate_microsoft::WireError;
use exogate_model::operation::{Action, GroupDefinition, Operation, Party};

use crate::tenant::Tenant;

/// Today's address by object id; `None` for one that is gone.
pub(super) struct Parties {
    addresses: HashMap<String, Option<Known>>,
}

struct Known {
    address: String,
    names: Vec<String>,
}

impl Parties {
    /// Asks the directory for everybody the operations name.
    pub(super) async fn fresh(tenant: &Tenant, operations: &[Operation]) -> Result<Self, WireError> {
        let mut ids = BTreeSet::new();
        for operation in operations {
            each(&operation.action, &mut |party| {
                if uuid::Uuid::try_parse(&party.id).is_ok() {
                    ids.insert(party.id.to_lowercase());
                }
            });
        }
        if ids.is_empty() {
            return Ok(Self { addresses: HashMap::new() });
        }
        let ids: Vec<String> = ids.into_iter().collect();
        let select = ["id", "userPrincipalName", "mail", "displayName"];
        let found = tenant.graph.get_by_ids(&ids, &["user", "group", "orgContact"], &select).await?;
        let mut addresses: HashMap<String, Option<Known>> = ids.into_iter().map(|id| (id, None)).collect();
        for record in found {
            let Some(id) = record.id() else { continue };
            let address = record.text("userPrincipalName").or_else(|| record.text("mail")).unwrap_or(id);
            let names = ["userPrincipalName", "mail", "displayName"];
            let known = Known {
                address: address.to_owned(),
                names: names.iter().filter_map(|name| record.text(name)).map(str::to_owned).collect(),
            };
            addresses.insert(id.to_lowercase(), Some(known));
        }
        Ok(Self { addresses })
    }

    /// The action with today's addresses; names in the error who is gone.
    pub(super) fn in_action(&self, action: &Action) -> (Action, Vec<String>) {
        let mut action = action.clone();
        let mut gone = Vec::new();
        let mut correct = |party: &mut Party| match self.addresses.get(&party.id.to_lowercase()) {
            Some(Some(known)) => {
                if party.address != known.address {
                    party.known_as.push(std::mem::replace(&mut party.address, known.address.clone()));
                }
                for name in &known.names {
                    if !party.known_as.contains(name) {
                        party.known_as.push(name.clone());
                    }
                }
            }
            Some(None) => gone.push(party.name.clone()),
            None => {}
        };
        each_mut(&mut action, &mut correct);
        (action, gone)
    }
}

fn each(action: &Action, visit: &mut dyn FnMut(&Party)) {
    // One walk serves both: actions are small.
    each_mut(&mut action.clone(), &mut |party| visit(party));
}

fn each_mut(action: &mut Action, visit: &mut dyn FnMut(&mut Party)) {
    match action {
        Action::GrantRights { trustee, .. }
        | Action::RevokeRights { trustee, .. }
        | Action::GrantSendAs { trustee }
        | Action::RevokeSendAs { trustee } => visit(trustee),
        Action::ChangeSendOnBehalf { add, remove } | Action::ChangeOwners { add, remove } => {
            add.iter_mut().chain(remove).for_each(visit);
        }
        Action::CreateGroup { definition: GroupDefinition { owners, members, .. } } => {
            owners.iter_mut().chain(members).for_each(visit);
        }
        Action::AddMember { who, .. } | Action::RemoveMember { who, .. } => visit(who),
        Action::SetAttributes { .. }
        | Action::DeleteGroup
        | Action::CreateUser { .. }
        | Action::DeleteUser
        | Action::SetPassword => {}
    }
}
