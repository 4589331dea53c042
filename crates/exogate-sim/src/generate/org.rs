//! The organisation around the objects: domains, roles, role groups and the first-party apps that
//! command-line clients sign in with. Fixtures begin with it too.

use uuid::Uuid;

use super::Sizes;
use crate::clock::Time;
use crate::state::app::{resource, role};
use crate::state::{
    AcceptedDomain, App, AppKind, Consent, DirectoryRole, DomainType, RoleGroup, State, Tenant,
};

/// An organisation without people, and the domains that people have addresses in.
pub(super) fn organisation(sizes: &Sizes, now: Time) -> (State, Vec<String>) {
    let created = now.minus(std::time::Duration::from_secs(6 * 365 * 86_400));
    let mut tenant = Tenant::new(&sizes.organization, &sizes.domain, sizes.seed, created);
    let label = sizes.domain.split('.').next().unwrap_or("tenant");
    let mut domains = vec![sizes.domain.clone()];
    for name in [format!("eu.{}", sizes.domain), format!("{label}-services.com")] {
        tenant.domains.push(AcceptedDomain {
            name: name.clone(),
            default: false,
            initial: false,
            domain_type: DomainType::Authoritative,
            federated: false,
        });
        domains.push(name);
    }
    let mut state = State::new(tenant);
    furnish(&mut state);
    (state, domains)
}

const ROLE_GROUPS: [(&str, &[&str]); 6] = [
    (
        "Organization Management",
        &[
            "Audit Logs",
            "Distribution Groups",
            "Mail Recipient Creation",
            "Mail Recipients",
            "Organization Configuration",
            "Recipient Policies",
            "Role Management",
            "Security Group Creation and Membership",
            "View-Only Audit Logs",
            "View-Only Configuration",
            "View-Only Recipients",
        ],
    ),
    (
        "Recipient Management",
        &["Distribution Groups", "Mail Recipient Creation", "Mail Recipients", "Recipient Policies"],
    ),
    ("View-Only Organization Management", &["View-Only Configuration", "View-Only Recipients"]),
    ("Discovery Management", &["Legal Hold", "Mailbox Search"]),
    ("Help Desk", &["Reset Password", "User Options", "View-Only Recipients"]),
    ("Compliance Management", &["Audit Logs", "View-Only Audit Logs", "View-Only Recipients"]),
];

/// Whether every tenant has the role group of that name.
pub(crate) fn is_built_in_role_group(name: &str) -> bool {
    ROLE_GROUPS.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// The management roles that every tenant has; several role groups may carry one.
pub(crate) fn built_in_roles() -> impl Iterator<Item = &'static str> {
    ROLE_GROUPS.iter().flat_map(|(_, roles)| roles.iter().copied())
}

/// Public clients of Microsoft: id and name.
const PUBLIC_CLIENTS: [(u128, &str); 6] = [
    (0xfb78d390_0c51_40cd_8e17_fdbfab77341b, "Microsoft Exchange REST API Based PowerShell"),
    (0x14d82eec_204b_4c2f_b7e8_296a70dab67e, "Microsoft Graph Command Line Tools"),
    (0x04b07795_8ddb_461a_bbee_02f9e1bf7b46, "Microsoft Azure CLI"),
    (0x1950a258_227b_4e31_a9cf_717495945fc2, "Microsoft Azure PowerShell"),
    (0x31359c7f_bd7e_475c_86db_fdb8c937548e, "PnP Management Shell"),
    (0xd3590ed6_52b3_4102_aeff_aad2292ab01c, "Microsoft Office"),
];

/// Adds directory roles, role groups and first-party apps.
pub(crate) fn furnish(state: &mut State) {
    for (name, template) in role::ALL {
        let id = state.next_id();
        state.directory_roles.push(DirectoryRole {
            id,
            template,
            name: name.to_owned(),
            members: Vec::new(),
        });
    }
    for (name, roles) in ROLE_GROUPS {
        let id = state.next_id();
        state.role_groups.push(RoleGroup {
            id,
            name: name.to_owned(),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            members: Vec::new(),
        });
    }
    let scopes = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    for (id, name) in PUBLIC_CLIENTS {
        let app = App {
            client_id: Uuid::from_u128(id),
            object_id: state.next_id(),
            principal_id: state.next_id(),
            display_name: name.to_owned(),
            kind: AppKind::Public,
            enabled: true,
            secrets: Vec::new(),
            certificates: Vec::new(),
            roles: Vec::new(),
            directory_roles: Vec::new(),
            role_groups: Vec::new(),
            consents: vec![
                Consent {
                    resource: resource::GRAPH,
                    scopes: scopes(&[
                        "User.Read.All",
                        "User.ReadWrite.All",
                        "Group.ReadWrite.All",
                        "Directory.Read.All",
                        "AuditLog.Read.All",
                        "openid",
                        "profile",
                        "offline_access",
                    ]),
                },
                Consent {
                    resource: resource::EXCHANGE,
                    scopes: scopes(&[
                        "Exchange.Manage",
                        "AdminApi.AccessAsUser.All",
                        "FfoPowerShell.AccessAsUser.All",
                        "RemotePowerShell.AccessAsUser.All",
                    ]),
                },
            ],
            managed_resource: None,
            exchange_principal: false,
            tokens_valid_from: None,
        };
        state.apps.push(app);
    }
}
