//! One fact about access, as read from Exchange.

use serde::{Deserialize, Serialize};

use crate::right::Right;
use crate::trustee::{Principal, Trustee};

/// (mailbox, right, trustee, allow or deny, inherited or direct).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// Key of the mailbox.
    pub mailbox: String,
    /// The right.
    pub right: Right,
    /// The trustee as rendered.
    pub trustee: Trustee,
    /// Whom the trustee stands for.
    pub principal: Principal,
    /// A negative fact: the right is denied.
    pub deny: bool,
    /// Comes from a container, not from the mailbox itself.
    pub inherited: bool,
}

impl Grant {
    /// Whether governance can give and take this grant: direct, allowed, of a known right, and
    /// not the mailbox's own or the system's.
    pub fn is_entitlement(&self) -> bool {
        !self.deny && self.is_governed()
    }

    /// Whether the grant was made on this very mailbox (direct), is of a known right, and is not
    /// the mailbox's own or the system's. Whether it allows or denies is left open: both matter to
    /// whoever follows changes.
    pub fn is_governed(&self) -> bool {
        !self.inherited
            && self.right.is_known()
            && !matches!(self.principal, Principal::OwnMailbox | Principal::System)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_direct_allowed_foreign_grants_are_entitlements() {
        let grant = Grant {
            mailbox: "m".into(),
            right: Right::FullAccess,
            trustee: Trustee { text: "kim@contoso.com".into(), sid: None },
            principal: Principal::User { id: "u".into() },
            deny: false,
            inherited: false,
        };
        assert!(grant.is_entitlement());
        assert!(!Grant { deny: true, ..grant.clone() }.is_entitlement());
        assert!(Grant { deny: true, ..grant.clone() }.is_governed());
        assert!(!Grant { inherited: true, deny: true, ..grant.clone() }.is_governed());
        assert!(!Grant { inherited: true, ..grant.clone() }.is_entitlement());
        assert!(!Grant { principal: Principal::OwnMailbox, ..grant.clone() }.is_entitlement());
        assert!(!Grant { right: Right::Other("Brew".into()), ..grant.clone() }.is_entitlement());
        assert!(Grant { principal: Principal::Orphan, ..grant }.is_entitlement());
    }
}
