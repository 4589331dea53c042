//! App registrations as tests and administrators ask for them: made, granted, given credentials,
//! revoked. Tokens and what grants permit are the services' business.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::clock::Time;
use crate::state::app::{resource, role};
use crate::state::{App, AppCertificate, AppKind, AppSecret, Consent, Face, ResourceRole, State};

/// An app to be registered.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppSpec {
    pub display_name: String,
    /// Made up when absent.
    pub client_id: Option<Uuid>,
    pub kind: AppKind,
    /// A client secret to be made up and returned.
    pub generate_secret: bool,
    /// A client secret of the caller's choice.
    pub secret: Option<String>,
    /// Certificates in DER (base64 in files and over the control API).
    #[serde(deserialize_with = "base64_list")]
    pub certificates: Vec<Vec<u8>>,
    /// Application permissions by value, such as `User.Read.All`; a resource other than the
    /// usual one is written before a slash.
    pub roles: Vec<String>,
    /// Directory roles by display name or template id.
    pub directory_roles: Vec<String>,
    /// Exchange role groups by name.
    pub role_groups: Vec<String>,
    /// Delegated permissions consented to for all users, written like `roles`.
    pub scopes: Vec<String>,
    /// `mi_res_id` of a managed identity.
    pub managed_resource: Option<String>,
}

impl fmt::Debug for AppSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppSpec")
            .field("display_name", &self.display_name)
            .field("client_id", &self.client_id)
            .field("kind", &self.kind)
            .field("certificates", &self.certificates.len())
            .field("roles", &self.roles)
            .field("directory_roles", &self.directory_roles)
            .finish_non_exhaustive()
    }
}

impl AppSpec {
    /// An app with every grant that reading and changing a tenant takes.
    #[must_use]
    pub fn exogate() -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
        Self {
            display_name: "exogate".to_owned(),
            roles: owned(&[
                "User.Read.All",
                "User.ReadWrite.All",
                "Group.Read.All",
                "Group.ReadWrite.All",
                "Group.Create",
                "GroupMember.Read.All",
                "GroupMember.ReadWrite.All",
                "Directory.Read.All",
                "Organization.Read.All",
                "OrgContact.Read.All",
                "User.DeleteRestore.All",
                "User.RevokeSessions.All",
                "LicenseAssignment.ReadWrite.All",
                "AuditLog.Read.All",
                "Member.Read.Hidden",
                "Exchange.ManageAsApp",
                "ActivityFeed.Read",
            ]),
            directory_roles: owned(&["Exchange Administrator"]),
            ..Self::default()
        }
    }

    /// An app with every grant that clients of this tenant may make use of.
    #[must_use]
    pub fn everything() -> Self {
        let mut app = Self::exogate();
        let more = [
            "User.EnableDisableAccount.All",
            "User-LifeCycleInfo.Read.All",
            "User-Mail.ReadWrite.All",
            "User-PasswordProfile.ReadWrite.All",
            "User-Phone.ReadWrite.All",
            "Application.Read.All",
            "AppRoleAssignment.ReadWrite.All",
            "Domain.Read.All",
            "MailboxSettings.Read",
            "RoleManagement.ReadWrite.Directory",
            "Exchange.ManageAsAppV2",
        ];
        app.roles.extend(more.map(str::to_owned));
        // Some properties of users take a directory role beside the permission.
        app.directory_roles.push("User Administrator".to_owned());
        app
    }

    #[must_use]
    pub fn with_certificate(mut self, der: Vec<u8>) -> Self {
        self.certificates.push(der);
        self
    }

    #[must_use]
    pub fn with_generated_secret(mut self) -> Self {
        self.generate_secret = true;
        self
    }
}

fn base64_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<u8>>, D::Error> {
    Vec::<String>::deserialize(deserializer)?
        .iter()
        .map(|text| der_of(text).map_err(serde::de::Error::custom))
        .collect()
}

/// A certificate from base64, with or without PEM lines around it.
pub(crate) fn der_of(text: &str) -> Result<Vec<u8>, String> {
    let bare: String =
        text.lines().filter(|line| !line.starts_with("-----")).flat_map(str::split_whitespace).collect();
    STANDARD.decode(bare).map_err(|e| format!("a certificate is not base64 of DER: {e}"))
}

/// A registered app.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct RegisteredApp {
    pub tenant_id: Uuid,
    pub client_id: Uuid,
    /// Object id of the service principal.
    pub principal_id: Uuid,
    /// The secret that was made up, or the one that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl fmt::Debug for RegisteredApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredApp")
            .field("tenant_id", &self.tenant_id)
            .field("client_id", &self.client_id)
            .field("principal_id", &self.principal_id)
            .finish_non_exhaustive()
    }
}

const TWO_YEARS: Duration = Duration::from_secs(730 * 86_400);

/// Registers an app; one with the same client id is replaced.
pub(crate) fn register(state: &mut State, spec: AppSpec, now: Time) -> Result<RegisteredApp, String> {
    let certificates =
        spec.certificates.iter().map(|der| AppCertificate::from_der(der)).collect::<Result<_, _>>()?;
    let roles = spec.roles.iter().map(|text| resource_role(text)).collect::<Result<Vec<_>, _>>()?;
    let directory_roles =
        spec.directory_roles.iter().map(|text| directory_role(text)).collect::<Result<_, _>>()?;
    let mut consents: Vec<Consent> = Vec::new();
    for scope in &spec.scopes {
        let ResourceRole { resource, value } = resource_role(scope)?;
        match consents.iter_mut().find(|c| c.resource == resource) {
            Some(consent) => consent.scopes.push(value),
            None => consents.push(Consent { resource, scopes: vec![value] }),
        }
    }
    for name in &spec.role_groups {
        if !state.role_groups.iter().any(|g| g.name.eq_ignore_ascii_case(name)) {
            return Err(format!("there is no Exchange role group \"{name}\""));
        }
    }
    let client_id = spec.client_id.unwrap_or_else(|| state.next_id());
    let secret = match spec.secret {
        Some(secret) => Some(secret),
        None => spec.generate_secret.then(|| made_up_secret(state)),
    };
    let secrets = secret
        .iter()
        .map(|value| AppSecret {
            key_id: state.next_id(),
            value: value.clone(),
            starts: now,
            expires: now.plus(TWO_YEARS),
        })
        .collect();
    // An app that is registered anew stays who it is: groups may hold its principal.
    let held = state.app(client_id).map(|app| (app.object_id, app.principal_id, app.exchange_principal));
    let (object_id, principal_id, exchange_principal) =
        held.unwrap_or_else(|| (state.next_id(), state.next_id(), false));
    let app = App {
        client_id,
        object_id,
        principal_id,
        display_name: if spec.display_name.is_empty() { client_id.to_string() } else { spec.display_name },
        kind: spec.kind,
        enabled: true,
        secrets,
        certificates,
        roles,
        directory_roles,
        role_groups: spec.role_groups,
        consents,
        managed_resource: spec.managed_resource,
        exchange_principal,
        tokens_valid_from: None,
    };
    let registered =
        RegisteredApp { tenant_id: state.tenant.id, client_id, principal_id: app.principal_id, secret };
    state.apps.retain(|held| held.client_id != client_id);
    state.apps.push(app);
    Ok(registered)
}

/// A secret in the shape that Entra gives them.
fn made_up_secret(state: &mut State) -> String {
    let (a, b) = (state.next_id(), state.next_id());
    format!("sim8Q~{}{}", a.simple(), &b.simple().to_string()[..8])
}

/// Adds a made-up or given secret that lives for `life`.
pub(crate) fn add_secret(
    state: &mut State,
    client_id: Uuid,
    value: Option<String>,
    now: Time,
    life: Duration,
) -> Result<(Uuid, String), String> {
    let value = value.unwrap_or_else(|| made_up_secret(state));
    let key_id = state.next_id();
    let app = known(state, client_id)?;
    app.secrets.push(AppSecret { key_id, value: value.clone(), starts: now, expires: now.plus(life) });
    Ok((key_id, value))
}

/// Adds a certificate.
pub(crate) fn add_certificate(state: &mut State, client_id: Uuid, der: &[u8]) -> Result<Uuid, String> {
    let certificate = AppCertificate::from_der(der)?;
    let key_id = certificate.key_id;
    let app = known(state, client_id)?;
    app.certificates.retain(|held| held.key_id != key_id);
    app.certificates.push(certificate);
    Ok(key_id)
}

/// Removes a secret or certificate by its key id.
pub(crate) fn remove_credential(state: &mut State, client_id: Uuid, key_id: Uuid) -> Result<(), String> {
    let app = known(state, client_id)?;
    let before = app.secrets.len() + app.certificates.len();
    app.secrets.retain(|s| s.key_id != key_id);
    app.certificates.retain(|c| c.key_id != key_id);
    if app.secrets.len() + app.certificates.len() == before {
        return Err(format!("the app has no credential {key_id}"));
    }
    Ok(())
}

/// Removes an app, and its service principal from the groups that it is in.
pub(crate) fn remove(state: &mut State, client_id: Uuid, now: Time) {
    let principal = state.app(client_id).map(|app| app.principal_id);
    state.apps.retain(|app| app.client_id != client_id);
    if let Some(place) = principal.and_then(|id| state.find(id)) {
        // It is there: it has just been found.
        let _ = state.edit(Face::Graph, now).purge(place);
    }
}

/// Grants to add and to take away.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GrantChange {
    pub add_roles: Vec<String>,
    pub remove_roles: Vec<String>,
    pub add_directory_roles: Vec<String>,
    pub remove_directory_roles: Vec<String>,
    pub add_role_groups: Vec<String>,
    pub remove_role_groups: Vec<String>,
    pub enabled: Option<bool>,
    /// Revokes tokens issued before now.
    pub revoke_tokens: bool,
}

pub(crate) fn change_grants(
    state: &mut State,
    client_id: Uuid,
    change: &GrantChange,
    now: Time,
) -> Result<(), String> {
    let parse = |texts: &[String]| texts.iter().map(|t| resource_role(t)).collect::<Result<Vec<_>, _>>();
    let (add, remove) = (parse(&change.add_roles)?, parse(&change.remove_roles)?);
    let parse = |texts: &[String]| texts.iter().map(|t| directory_role(t)).collect::<Result<Vec<_>, _>>();
    let (add_roles, remove_roles) =
        (parse(&change.add_directory_roles)?, parse(&change.remove_directory_roles)?);
    let app = known(state, client_id)?;
    app.roles.retain(|r| !remove.contains(r));
    for role in add {
        if !app.roles.contains(&role) {
            app.roles.push(role);
        }
    }
    app.directory_roles.retain(|r| !remove_roles.contains(r));
    for role in add_roles {
        if !app.directory_roles.contains(&role) {
            app.directory_roles.push(role);
        }
    }
    app.role_groups.retain(|g| !change.remove_role_groups.iter().any(|r| r.eq_ignore_ascii_case(g)));
    for group in &change.add_role_groups {
        if !app.role_groups.iter().any(|g| g.eq_ignore_ascii_case(group)) {
            app.role_groups.push(group.clone());
        }
    }
    if let Some(enabled) = change.enabled {
        app.enabled = enabled;
    }
    if change.revoke_tokens {
        app.tokens_valid_from = Some(now);
    }
    Ok(())
}

fn known(state: &mut State, client_id: Uuid) -> Result<&mut App, String> {
    state.app_mut(client_id).ok_or_else(|| format!("there is no app {client_id}"))
}

fn directory_role(text: &str) -> Result<Uuid, String> {
    role::named(text).ok_or_else(|| {
        let known: Vec<&str> = role::ALL.iter().map(|(name, _)| *name).collect();
        format!("there is no directory role \"{text}\"; known are {}", known.join(", "))
    })
}

/// `User.Read.All`, or `<resource>/User.Read.All` with an app id or one of graph, exchange,
/// management.
pub(crate) fn resource_role(text: &str) -> Result<ResourceRole, String> {
    let (resource, value) = match text.split_once('/') {
        Some((name, value)) => {
            let resource = match name.to_ascii_lowercase().as_str() {
                "graph" => resource::GRAPH,
                "exchange" => resource::EXCHANGE,
                "management" => resource::MANAGEMENT,
                id => Uuid::try_parse(id).map_err(|_| {
                    format!("\"{name}\" is not a resource; write graph, exchange, management or an app id")
                })?,
            };
            (resource, value)
        }
        None if text.starts_with("Exchange.") || text.eq_ignore_ascii_case("full_access_as_app") => {
            (resource::EXCHANGE, text)
        }
        None if text.starts_with("ActivityFeed.") || text.starts_with("ServiceHealth.") => {
            (resource::MANAGEMENT, text)
        }
        None => (resource::GRAPH, text),
    };
    Ok(ResourceRole { resource, value: value.to_owned() })
}
