//! Trustees that are nobody's: the mailbox itself, the system, the role groups of Exchange.
//!
//! Knows names and identifiers that are the same in every tenant, and nothing of any one tenant.

use exogate_model::trustee::Principal;

/// Role groups and built-in accounts that Exchange lists as trustees by their bare name, or behind
/// the name of its forest (Microsoft Learn, "Permissions in Exchange Online").
const EXCHANGE_ROLES: &[&str] = &[
    "Administrator",
    "Communication Compliance Administrators",
    "Compliance Administrator",
    "Compliance Management",
    "Delegated Setup",
    "Discovery Management",
    "Domain Admins",
    "Enterprise Admins",
    "Exchange Servers",
    "Exchange Services",
    "Exchange Trusted Subsystem",
    "Exchange Windows Permissions",
    "Help Desk",
    "Hygiene Management",
    "Managed Availability Servers",
    "Organization Management",
    "Public Folder Management",
    "Recipient Management",
    "Records Management",
    "Security Administrator",
    "Security Operator",
    "Security Reader",
    "Server Management",
    "View-Only Organization Management",
];

/// Whether the text is a security identifier.
pub(super) fn is_sid(text: &str) -> bool {
    let Some(rest) = text.get(..4).filter(|p| p.eq_ignore_ascii_case("S-1-")).and(text.get(4..)) else {
        return false;
    };
    !rest.is_empty()
        && rest.split('-').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// What a security identifier says by itself; those of accounts and groups say nothing.
pub(super) fn by_sid(sid: &str) -> Option<Principal> {
    if sid == "s-1-5-10" {
        return Some(Principal::OwnMailbox);
    }
    let account = ["s-1-5-21-", "s-1-12-1-"].iter().any(|domain| sid.starts_with(domain));
    (is_sid(sid) && !account).then_some(Principal::System)
}

/// What a name with an authority in front says by itself, where the authority is the system's.
pub(super) fn by_authority(text: &str) -> Option<Principal> {
    let (authority, name) = text.split_once('\\')?;
    let system = ["NT AUTHORITY", "NT SERVICE", "BUILTIN"].iter().any(|a| authority.eq_ignore_ascii_case(a));
    if !system {
        return None;
    }
    Some(if name.eq_ignore_ascii_case("SELF") { Principal::OwnMailbox } else { Principal::System })
}

/// Whether the name, bare or behind a forest, is a role group or built-in account of Exchange.
pub(super) fn is_exchange_role(text: &str) -> bool {
    let name = text.rsplit_once('\\').map_or(text, |(_, name)| name);
    EXCHANGE_ROLES.iter().any(|role| role.eq_ignore_ascii_case(name))
}

/// The domain of an account's security identifier: all but its last number.
pub(super) fn domain(sid: &str) -> &str {
    sid.rsplit_once('-').map_or(sid, |(domain, _)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sids_are_told_from_names() {
        for sid in ["S-1-5-10", "s-1-5-21-1-2-3-4", "S-1-12-1-5"] {
            assert!(is_sid(sid), "{sid}");
        }
        for text in ["", "S-1-", "S-1-5-", "S-1-x", "S-10 Support", "Sé-1-5", "kim@contoso.com"] {
            assert!(!is_sid(text), "{text}");
        }
    }

    #[test]
    fn only_accounts_are_left_open() {
        assert_eq!(by_sid("s-1-5-10"), Some(Principal::OwnMailbox));
        assert_eq!(by_sid("s-1-5-18"), Some(Principal::System));
        assert_eq!(by_sid("s-1-5-20"), Some(Principal::System));
        assert_eq!(by_sid("s-1-1-0"), Some(Principal::System));
        assert_eq!(by_sid("s-1-5-21-1-2-3-4"), None);
        assert_eq!(by_sid("s-1-12-1-1-2-3-4"), None);
    }
}
