//! Writing: each change becomes a plan, which is carried out and read back before the answer.

use exogate_model::plan::Plan;
use exogate_model::source::AccountDeletion;
use http::{Method, StatusCode};
use serde_json::Value;

use super::context::{Answer, Context};
use super::error::ScimError;
use super::resource::{Resource, id_of, version_of};
use super::schema::group::creatable;
use super::schema::{ResourceKind, ResourceType};
use super::{body, change, patch};

/// What a client says about the version that it means.
#[derive(Debug, Clone, Default)]
pub struct Precondition {
    /// `If-Match`, or the version of a bulk operation.
    pub if_match: Option<String>,
}

impl Precondition {
    fn check(&self, current: &Resource) -> Result<(), ScimError> {
        let Some(wanted) = &self.if_match else { return Ok(()) };
        let current = version_of(current).unwrap_or_default();
        if matches_version(wanted, current) {
            return Ok(());
        }
        Err(ScimError::new(
            StatusCode::PRECONDITION_FAILED,
            format!("the resource is at version {current} now; read it again"),
        ))
    }
}

/// Whether a list of versions, as in a header, names this one. All versions here are weak ones.
pub fn matches_version(header: &str, version: &str) -> bool {
    let bare = |text: &str| text.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    header.split(',').any(|one| one.trim() == "*" || bare(one) == bare(version))
}

impl Context {
    /// POST.
    pub async fn create(&self, kind: ResourceKind, body: Value) -> Result<Answer, ScimError> {
        let of = self.of(kind)?;
        if kind == ResourceKind::Entitlement {
            return Err(fixed());
        }
        let mut wanted = body::read(body, of)?;
        body::required(&wanted, kind)?;
        let external_id = external_id(&wanted);
        let id = match kind {
            ResourceKind::User => return self.create_user(&wanted).await,
            _ => {
                wanted.remove("externalId");
                let plan = change::new_group(&wanted, of, &creatable(&self.source.context.options))?;
                self.carry_out(plan).await?
            }
        };
        let Some(id) = id else {
            return Err(ScimError::new(StatusCode::GATEWAY_TIMEOUT, "the service did not say what it made"));
        };
        if let Some(value) = external_id {
            self.source.store.set_external_id(&id, Some(value)).await?;
        }
        let made = self.existing(kind, &id.to_ascii_lowercase()).await?;
        Ok(Answer::resource(StatusCode::CREATED, made))
    }

    /// Accounts come from Entra.
    async fn create_user(&self, wanted: &Resource) -> Result<Answer, ScimError> {
        let name = wanted.get("userName").and_then(Value::as_str).unwrap_or_default().trim();
        let name = self.source.context.options.principal_name(name);
        let name = name.as_str();
        if !self.users_named(name).await?.is_empty() {
            return Err(ScimError::conflict(format!("there is a user {name:?} already")));
        }
        if !self.source.context.options.manage_users {
            return Err(ScimError::new(
                StatusCode::FORBIDDEN,
                "accounts come from Entra: make the user there and aggregate, or let the source make users \
                 (options.manage_users)",
            ));
        }
        self.carry_out(change::new_user(name, wanted)).await?;
        let of = self.of(ResourceKind::User)?;
        let mut made = self.users_named(name).await?;
        let Some(made) = made.pop() else {
            return Err(ScimError::new(StatusCode::GATEWAY_TIMEOUT, "the new user is not to be seen yet"));
        };
        // What Graph does not set with the user itself: rights, and the id of the client.
        let mut rest = wanted.clone();
        rest.retain(|name, _| name != "userName");
        let after = body::replace(&made, rest, of)?;
        let mut answer = self.become_so(ResourceKind::User, made, after).await.map_err(|error| {
            ScimError { detail: format!("the user was made, but not all of it: {}", error.detail), ..error }
        })?;
        answer.status = StatusCode::CREATED;
        Ok(answer)
    }

    /// PUT.
    pub async fn replace(
        &self,
        kind: ResourceKind,
        id: &str,
        body: Value,
        precondition: &Precondition,
    ) -> Result<Answer, ScimError> {
        self.modify(kind, id, precondition, |current, of| body::replace(current, body::read(body, of)?, of))
            .await
    }

    /// PATCH.
    pub async fn patch(
        &self,
        kind: ResourceKind,
        id: &str,
        body: Value,
        precondition: &Precondition,
    ) -> Result<Answer, ScimError> {
        self.modify(kind, id, precondition, |current, of| patch::apply(current, &patch::read(body)?, of))
            .await
    }

    /// Makes a resource what it is to be after a change.
    async fn modify(
        &self,
        kind: ResourceKind,
        id: &str,
        precondition: &Precondition,
        change: impl FnOnce(&Resource, &ResourceType) -> Result<Resource, ScimError>,
    ) -> Result<Answer, ScimError> {
        let of = self.of(kind)?;
        let current = self.existing(kind, id).await?;
        if kind == ResourceKind::Entitlement {
            return Err(fixed());
        }
        precondition.check(&current)?;
        let after = change(&current, of)?;
        self.become_so(kind, current, after).await
    }

    /// DELETE.
    pub async fn delete(
        &self,
        kind: ResourceKind,
        id: &str,
        precondition: &Precondition,
    ) -> Result<Answer, ScimError> {
        let current = self.existing(kind, id).await?;
        precondition.check(&current)?;
        let plan = match kind {
            ResourceKind::Entitlement => return Err(fixed()),
            ResourceKind::Group => change::group_deletion(&current),
            ResourceKind::User
                if self.source.context.options.manage_users && self.source.context.options.delete_users =>
            {
                change::user_deletion(&current)
            }
            ResourceKind::User => match self.source.context.options.account_deletion {
                AccountDeletion::Refuse => {
                    return Err(ScimError::new(
                        StatusCode::FORBIDDEN,
                        "accounts are not deleted here; options.delete_users lets the source delete them, and \
                         options.account_deletion = \"deprovision\" takes their rights and groups instead",
                    ));
                }
                AccountDeletion::Deprovision => change::deprovisioning(&current),
            },
        };
        self.carry_out(plan).await?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// Makes one state of a resource the other.
    async fn become_so(
        &self,
        kind: ResourceKind,
        before: Resource,
        mut after: Resource,
    ) -> Result<Answer, ScimError> {
        let of = self.of(kind)?;
        let id = id_of(&before).to_owned();
        if kind == ResourceKind::User {
            change::canonical_entitlements(&self.source, &mut after).await?;
        }
        self.carry_out(change::plan(&before, &after, of)).await?;
        let known_as = external_id(&after);
        if known_as != external_id(&before) {
            self.source.store.set_external_id(&id, known_as).await?;
        }
        Ok(Answer::resource(StatusCode::OK, self.existing(kind, &id).await?))
    }

    /// Carries a plan out; gives the id of what it made.
    async fn carry_out(&self, plan: Plan) -> Result<Option<String>, ScimError> {
        if plan.is_empty() {
            return Ok(None);
        }
        let cancel = self.cancel.clone();
        let result =
            self.source.change(plan, &self.caller.name, false, cancel).await.map_err(change::refused)?;
        match change::failed(&result) {
            Some(error) => Err(error),
            None => Ok(result.results.into_iter().find_map(|one| one.made)),
        }
    }
}

/// Entitlements cannot be made, changed or deleted.
pub fn fixed() -> ScimError {
    let detail = "entitlements follow from the mailboxes; give and take them through the users' entitlements";
    ScimError { detail: detail.to_owned(), ..ScimError::not_allowed(&Method::GET, &[Method::GET]) }
}

fn external_id(resource: &Resource) -> Option<String> {
    resource.get("externalId").and_then(Value::as_str).map(str::to_owned)
}
