//! Sending one call, and what its answer means for the operation.

use exogate_microsoft::exchange::{Warning, missing_object};
use exogate_microsoft::graph::Change;
use exogate_microsoft::{ErrorKind, Service, WireError};
use exogate_model::operation::{Action, Fault, Outcome, Target};

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::call::Call;
use super::observe::exchange;
use super::secrets;
use crate::tenant::Tenant;

/// What became of one sending.
#[derive(Debug, Clone)]
pub(super) enum Sent {
    /// The service took it; its remarks. The id of a group that was made, where the answer shows it.
    Taken { remarks: Vec<String>, made: Option<String> },
    /// It was so already.
    AlreadySo(String),
    /// It was certainly not carried out, and may be sent again.
    NotDone(WireError),
    /// It may have been carried out: reading must tell.
    Unclear(WireError),
    /// It was refused.
    Refused(WireError),
}

/// How the journal begins to say that the service took a call.
pub(super) const ACCEPTED: &str = "accepted";
/// How the journal begins to say that it was so already.
pub(super) const ALREADY_SO: &str = "already so";

impl Sent {
    /// In words, for the journal.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Taken { remarks, .. } if remarks.is_empty() => ACCEPTED.to_owned(),
            Self::Taken { remarks, .. } => format!("{ACCEPTED}, with the remark: {}", remarks.join("; ")),
            Self::AlreadySo(why) => format!("{ALREADY_SO}: {why}"),
            Self::NotDone(error) => format!("not carried out: {error}"),
            Self::Unclear(error) => format!("unclear: {error}"),
            Self::Refused(error) => format!("refused: {error}"),
        }
    }
}

/// Sends a call.
pub(super) async fn send(
    tenant: &Tenant,
    target: &Target,
    action: &Action,
    call: &Call,
    password: Option<&SecretString>,
) -> Sent {
    match perform(tenant, call, password).await {
        Ok(sent) => sent,
        Err(error) => judge(target, action, error),
    }
}

async fn perform(tenant: &Tenant, call: &Call, password: Option<&SecretString>) -> Result<Sent, WireError> {
    let change = |change: Change| match change {
        Change::Done => Sent::Taken { remarks: Vec::new(), made: None },
        Change::AlreadySo => Sent::AlreadySo("the directory says so".to_owned()),
    };
    Ok(match call {
        Call::Exchange(cmdlet) => {
            let answer = exchange(tenant)?.invoke(cmdlet).await?;
            let remark = |warning: &Warning| match warning {
                Warning::AceAbsent => "the right was not there".to_owned(),
                Warning::AceAlreadyPresent => "the right was there already".to_owned(),
                Warning::NothingChanged => "nothing had to be changed".to_owned(),
                Warning::MoreResults => "the answer was cut off".to_owned(),
                Warning::Other(text) => text.clone(),
            };
            let made = answer.records.first().and_then(|record| record.id()).map(str::to_owned);
            Sent::Taken {
                remarks: answer.warnings.iter().map(remark).collect(),
                made: made.filter(|_| cmdlet.name().starts_with("New-")),
            }
        }
        Call::CreateGroup(body) => {
            let made = tenant.graph.create_group(body).await?;
            Sent::Taken { remarks: Vec::new(), made: made.id().map(str::to_owned) }
        }
        Call::CreateUser(body) => {
            let unknown = password.is_none().then(secrets::unknown);
            let password = password.or(unknown.as_ref()).map(ExposeSecret::expose_secret);
            let mut body = body.clone();
            if let Some(object) = body.as_object_mut() {
                let profile = json!({ "forceChangePasswordNextSignIn": true, "password": password });
                object.insert("passwordProfile".to_owned(), profile);
            }
            let made = tenant.graph.create_user(&body).await?;
            Sent::Taken { remarks: Vec::new(), made: made.id().map(str::to_owned) }
        }
        Call::UpdateUser(id, body) => {
            tenant.graph.update_user(id, body).await?;
            Sent::Taken { remarks: Vec::new(), made: None }
        }
        Call::SetPassword(id) => {
            let password = password.ok_or_else(no_password)?.expose_secret();
            let profile = json!({ "forceChangePasswordNextSignIn": false, "password": password });
            tenant.graph.update_user(id, &json!({ "passwordProfile": profile })).await?;
            Sent::Taken { remarks: Vec::new(), made: None }
        }
        Call::DeleteUser(id) => change(tenant.graph.delete_user(id).await?),
        Call::UpdateGroup(id, body) => {
            tenant.graph.update_group(id, body).await?;
            Sent::Taken { remarks: Vec::new(), made: None }
        }
        Call::DeleteGroup(id) => change(tenant.graph.delete_group(id).await?),
        Call::AddToGroup(group, role, who) => change(tenant.graph.add_to_group(group, *role, who).await?),
        Call::RemoveFromGroup(group, role, who) => {
            change(tenant.graph.remove_from_group(group, *role, who).await?)
        }
    })
}

fn no_password() -> WireError {
    WireError::new(ErrorKind::InvalidRequest, Service::Graph, "PATCH /users/{id}")
        .with_sentence("no password was handed in")
        .with_remedy("Passwords never stand in a plan; hand one in beside it.")
}

fn judge(target: &Target, action: &Action, error: WireError) -> Sent {
    let removes = matches!(
        action,
        Action::RevokeRights { .. } | Action::RevokeSendAs { .. } | Action::RemoveMember { .. }
    );
    match &error.kind {
        ErrorKind::LostAnswer | ErrorKind::Transient | ErrorKind::NotMicrosoft | ErrorKind::Protocol => {
            Sent::Unclear(error)
        }
        ErrorKind::Throttled | ErrorKind::Unreachable => Sent::NotDone(error),
        ErrorKind::AlreadyMember if matches!(action, Action::AddMember { .. }) => {
            Sent::AlreadySo("the member is one already".to_owned())
        }
        ErrorKind::NotMember if removes => Sent::AlreadySo("the member is none".to_owned()),
        ErrorKind::NotFound if matches!(action, Action::DeleteGroup | Action::DeleteUser) => {
            Sent::AlreadySo("it is gone".to_owned())
        }
        // The one who is to lose it is gone; a mailbox or group that is gone is another matter.
        ErrorKind::NotFound if removes => {
            let object = missing_object(&error).is_none_or(|name| {
                name.eq_ignore_ascii_case(&target.id) || name.eq_ignore_ascii_case(&target.name)
            });
            if object { Sent::Refused(error) } else { Sent::AlreadySo("who held it is gone".to_owned()) }
        }
        _ => Sent::Refused(error),
    }
}

/// How an operation ends that failed with this error.
pub(super) fn failure(error: &WireError) -> Outcome {
    let fault = match &error.kind {
        ErrorKind::SignIn(_) if error.is_retryable() => Fault::Service,
        ErrorKind::SignIn(_)
        | ErrorKind::Unauthorized
        | ErrorKind::Forbidden
        | ErrorKind::NotGroupManager
        | ErrorKind::DirectorySynced
        | ErrorKind::LimitReached
        | ErrorKind::NotTrusted => Fault::Tenant,
        ErrorKind::NotFound
        | ErrorKind::Ambiguous
        | ErrorKind::AlreadyExists
        | ErrorKind::AlreadyMember
        | ErrorKind::NotMember
        | ErrorKind::AddressInUse
        | ErrorKind::InvalidRequest
        | ErrorKind::Refused => Fault::Request,
        _ => Fault::Service,
    };
    Outcome::Failed {
        why: error.to_string(),
        fault,
        retry: error.is_retryable(),
        remedy: error.remedy().to_owned(),
    }
}
