//! Permissions beside the attributes: which rights on which mailbox, in SailPoint's own form.

use std::collections::BTreeMap;

use exogate_model::account::{Attributes, SHARED_MAILBOX};
use exogate_model::entitlement;
use exogate_model::grant::Grant;
use exogate_model::value::AttributeValue;
use serde::Serialize;

use super::refusal::Refusal;
use crate::gateway::Source;

/// The rights on one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Permission {
    /// The mailbox, by its label.
    target: String,
    /// The rights, in the order of their names.
    rights: String,
}

fn permissions(rights: BTreeMap<String, Vec<String>>) -> Vec<Permission> {
    rights
        .into_iter()
        .map(|(target, mut rights)| {
            rights.sort_unstable();
            rights.dedup();
            Permission { target, rights: rights.join(",") }
        })
        .collect()
}

/// The rights that an account holds.
pub(super) fn of_account(attributes: &Attributes) -> Vec<Permission> {
    let mut rights: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if let Some(AttributeValue::Many(values)) = attributes.get(SHARED_MAILBOX) {
        for (label, right) in values.iter().filter_map(|value| entitlement::parse(value).ok()) {
            rights.entry(label.to_owned()).or_default().push(right.to_string());
        }
    }
    permissions(rights)
}

/// The rights that a group holds.
pub(super) async fn of_group(source: &Source, id: &str) -> Result<Vec<Permission>, Refusal> {
    let grants = source.store.grants_of_principals(vec![id.to_owned()]).await?;
    let governed = grants.into_iter().map(|stored| stored.grant).filter(Grant::is_entitlement);
    let governed: Vec<_> = governed.collect();
    let mailboxes = governed.iter().map(|grant| grant.mailbox.clone()).collect();
    let labels = source.store.mailbox_refs(mailboxes).await?;
    let mut rights: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for grant in governed {
        if let Some(label) = labels.get(&grant.mailbox).and_then(|mailbox| mailbox.label.clone()) {
            rights.entry(label).or_default().push(grant.right.to_string());
        }
    }
    Ok(permissions(rights))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_gathered_by_mailbox() {
        let values = ["O365Support: SendAs", "O365Support: FullAccess", "Info: ReadPermission"];
        let values = AttributeValue::Many(values.map(str::to_owned).to_vec());
        let found = of_account(&Attributes::from([(SHARED_MAILBOX.to_owned(), values)]));
        let texts: Vec<_> = found.iter().map(|p| format!("{}={}", p.target, p.rights)).collect();
        assert_eq!(texts, ["Info=ReadPermission", "O365Support=FullAccess,SendAs"]);
    }
}
