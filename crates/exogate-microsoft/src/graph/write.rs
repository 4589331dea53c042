//! Changing users, groups and their members.
//!
//! Graph has no key against repetition, so a write is sent again only when it cannot have arrived.
//! What already is as asked is a success of its own kind.

use super::client::{GraphClient, invalid, named};
use super::judge::ObjectJudge;
use crate::caller::{CallSpec, Priority, Repeat};
use crate::cloud::Resource;
use crate::error::{ErrorKind, WireError};
use crate::record::Record;
use crate::transport::{WireRequest, WireResponse};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Done,
    /// It was so before.
    AlreadySo,
}

/// In which list of a group somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRole {
    Member,
    Owner,
}

impl MemberRole {
    fn segment(self) -> &'static str {
        match self {
            MemberRole::Member => "members",
            MemberRole::Owner => "owners",
        }
    }
}

impl GraphClient {
    /// Creates a user and gives it as created.
    ///
    /// # Errors
    /// [`ErrorKind::LostAnswer`] when it may have been created: look before repeating.
    pub async fn create_user(&self, user: &Value) -> Result<Record, WireError> {
        let what = "POST /users";
        let response = self.write(what, Method::POST, "users", Some(user)).await?;
        ObjectJudge::record(what, &response)
    }

    /// Changes properties of a user; a null value clears one.
    ///
    /// # Errors
    /// As the service refuses.
    pub async fn update_user(&self, id: &str, properties: &Value) -> Result<(), WireError> {
        let what = "PATCH /users/{id}";
        let path = format!("users/{}", named(what, id)?);
        self.write(what, Method::PATCH, &path, Some(properties)).await?;
        Ok(())
    }

    /// Deletes a user; one that is gone already is no error.
    ///
    /// # Errors
    /// As the service refuses.
    pub async fn delete_user(&self, id: &str) -> Result<Change, WireError> {
        let what = "DELETE /users/{id}";
        let path = format!("users/{}", named(what, id)?);
        settled(self.write(what, Method::DELETE, &path, None).await, &ErrorKind::NotFound)
    }

    /// Creates a group (security or Microsoft 365) and gives it as created.
    ///
    /// # Errors
    /// [`ErrorKind::LostAnswer`] when it may have been created: look before repeating.
    pub async fn create_group(&self, group: &Value) -> Result<Record, WireError> {
        let what = "POST /groups";
        let response = self.write(what, Method::POST, "groups", Some(group)).await?;
        ObjectJudge::record(what, &response)
    }

    /// Changes properties of a group; a null value clears one.
    ///
    /// # Errors
    /// As the service refuses.
    pub async fn update_group(&self, id: &str, properties: &Value) -> Result<(), WireError> {
        let what = "PATCH /groups/{id}";
        let path = format!("groups/{}", named(what, id)?);
        self.write(what, Method::PATCH, &path, Some(properties)).await?;
        Ok(())
    }

    /// Deletes a group; one that is gone already is no error.
    ///
    /// # Errors
    /// As the service refuses.
    pub async fn delete_group(&self, id: &str) -> Result<Change, WireError> {
        let what = "DELETE /groups/{id}";
        let path = format!("groups/{}", named(what, id)?);
        settled(self.write(what, Method::DELETE, &path, None).await, &ErrorKind::NotFound)
    }

    /// Adds an object to a group's members or owners.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the group or the object does not exist.
    pub async fn add_to_group(
        &self,
        group: &str,
        role: MemberRole,
        object: &str,
    ) -> Result<Change, WireError> {
        let what = format!("POST /groups/{{id}}/{}/$ref", role.segment());
        let path = format!("groups/{}/{}/$ref", named(&what, group)?, role.segment());
        let object = named(&what, object)?;
        let body = json!({ "@odata.id": format!("{}/directoryObjects/{object}", self.root) });
        settled(self.write(&what, Method::POST, &path, Some(&body)).await, &ErrorKind::AlreadyMember)
    }

    /// Removes an object from a group's members or owners. Where the object or the group does not
    /// exist, it is not a member either.
    ///
    /// # Errors
    /// As the service refuses.
    pub async fn remove_from_group(
        &self,
        group: &str,
        role: MemberRole,
        object: &str,
    ) -> Result<Change, WireError> {
        let what = format!("DELETE /groups/{{id}}/{}/{{id}}/$ref", role.segment());
        // Without `/$ref` this would address the object itself.
        let path =
            format!("groups/{}/{}/{}/$ref", named(&what, group)?, role.segment(), named(&what, object)?);
        settled(self.write(&what, Method::DELETE, &path, None).await, &ErrorKind::NotFound)
    }

    /// Any other POST; gives the answered object, or an empty one.
    ///
    /// # Errors
    /// As the service refuses.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Record, WireError> {
        self.change(Method::POST, path, Some(body)).await
    }

    /// Any other PATCH; gives the answered object, or an empty one.
    ///
    /// # Errors
    /// As the service refuses.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Record, WireError> {
        self.change(Method::PATCH, path, Some(body)).await
    }

    /// Any other DELETE.
    ///
    /// # Errors
    /// As the service refuses.
    pub async fn delete(&self, path: &str) -> Result<(), WireError> {
        self.change(Method::DELETE, path, None).await?;
        Ok(())
    }

    async fn change(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Record, WireError> {
        let what = format!("{method} /{}", path.trim_start_matches('/'));
        if path.trim_matches('/').is_empty() {
            return Err(invalid(&what, "the path is empty"));
        }
        let response = self.write(&what, method, path, body).await?;
        if response.body.is_empty() {
            return Ok(Record::new());
        }
        ObjectJudge::record(&what, &response)
    }

    async fn write(
        &self,
        what: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<WireResponse, WireError> {
        let url = self.url(what, path, "")?;
        let body = body.map(|body| Bytes::from(body.to_string()));
        let request = |_| match &body {
            Some(body) => WireRequest::json(method.clone(), url.clone(), body.clone()),
            None => WireRequest::new(method.clone(), url.clone()),
        };
        self.caller
            .call(CallSpec {
                resource: Resource::Graph,
                what,
                request: &request,
                repeat: Repeat::OnlyIfNotSent,
                priority: Priority::Write,
                judge: &ObjectJudge,
            })
            .await
    }
}

/// A refusal that says "it is so already" is a success.
fn settled(outcome: Result<WireResponse, WireError>, already: &ErrorKind) -> Result<Change, WireError> {
    match outcome {
        Ok(_) => Ok(Change::Done),
        Err(error) if error.kind == *already => Ok(Change::AlreadySo),
        Err(error) => Err(error),
    }
}
