//! How a path names the tenant.

use uuid::Uuid;

use super::error::SignInError;
use crate::state::State;

/// A tenant segment that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantName {
    /// This tenant, by id or domain.
    Own,
    /// `organizations`
    Organizations,
    /// `common`
    Common,
    /// `consumers`
    Consumers,
}

/// What `segment` names.
///
/// # Errors
/// AADSTS90002 for a tenant that is not here, AADSTS900023 for what is no tenant name.
pub fn resolve(state: &State, segment: &str) -> Result<TenantName, SignInError> {
    match segment.to_ascii_lowercase().as_str() {
        "common" => return Ok(TenantName::Common),
        "organizations" => return Ok(TenantName::Organizations),
        "consumers" => return Ok(TenantName::Consumers),
        _ => {}
    }
    if let Ok(id) = Uuid::try_parse(segment) {
        return if id == state.tenant.id {
            Ok(TenantName::Own)
        } else {
            Err(SignInError::tenant_not_found(segment))
        };
    }
    if state.tenant.domain(segment).is_some() {
        return Ok(TenantName::Own);
    }
    let domain_like = segment.contains('.')
        && segment.chars().all(|character| character.is_alphanumeric() || matches!(character, '.' | '-'));
    Err(if domain_like {
        SignInError::tenant_not_found(segment)
    } else {
        SignInError::tenant_malformed(segment)
    })
}

/// Every name of the tenant: id and domains.
#[must_use]
pub fn names(state: &State) -> Vec<String> {
    std::iter::once(state.tenant.id.to_string())
        .chain(state.tenant.domains.iter().map(|domain| domain.name.clone()))
        .collect()
}
