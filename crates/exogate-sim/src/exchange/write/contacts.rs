//! Mail contacts and mail users: recipients whose mail is delivered elsewhere. Their settings are `settings`' business.

use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{is_mail_contact, is_mail_user};
use crate::exchange::rows::RecipientRow;
use crate::exchange::schema::RowClass;
use crate::state::{Body, Contact, Idx, Object, RecipientTypeDetails, User};

use super::groups::alias_from;
use super::session::Session;

type Shows = Result<bool, ExchangeError>;

fn rule(text: impl Into<String>) -> ExchangeError {
    ExchangeError::new(Condition::RecipientTask, [text.into()])
}

/// What New-MailContact and New-MailUser share.
struct Common {
    name: String,
    display: String,
    alias: String,
    /// With its prefix.
    external: Option<String>,
}

fn common(session: &mut Session<'_>) -> Result<Common, ExchangeError> {
    let bound = session.bound;
    let name = bound.text("Name").unwrap_or_default().trim().to_owned();
    session.object.clone_from(&name);
    if name.is_empty() {
        return Err(rule("The property 'Name' can't be empty."));
    }
    let alias = match bound.text("Alias") {
        Some(alias) => alias.to_owned(),
        None => session.state.free_alias(&alias_from(&name)),
    };
    let external = bound
        .text("ExternalEmailAddress")
        .filter(|text| !text.is_empty())
        .map(|text| if text.contains(':') { text.to_owned() } else { format!("SMTP:{text}") });
    Ok(Common { display: bound.text("DisplayName").unwrap_or(&name).to_owned(), name, alias, external })
}

/// Attributes that are kept under their own name.
fn keep(session: &Session<'_>, object: &mut Object) {
    let bound = session.bound;
    for name in ["MacAttachmentFormat", "MessageBodyFormat", "MessageFormat", "SendModerationNotifications"] {
        if let Some(text) = bound.text(name) {
            object.extra_mut().exchange.set(name, text);
        }
    }
    for name in ["ModerationEnabled", "UsePreferMessageFormat"] {
        if let Some(value) = bound.bool(name) {
            object.extra_mut().exchange.set(name, value);
        }
    }
}

fn put(session: &mut Session<'_>, page: &mut Page, object: Object, class: RowClass) -> Shows {
    let outcome = session.edit().insert(object);
    let idx = outcome.map_err(|error| session.refused(error))?;
    session.name_target(idx);
    let reader = session.reader();
    let row = RecipientRow::new(&reader, class, idx, session.object(idx)?);
    page.single(class, &row);
    Ok(true)
}

pub(super) fn create_contact(session: &mut Session<'_>, page: &mut Page) -> Shows {
    let common = common(session)?;
    let bound = session.bound;
    let Some(external) = common.external else {
        return Err(rule("The property 'ExternalEmailAddress' can't be empty."));
    };
    let contact = Contact {
        given_name: bound.text("FirstName").map(Into::into),
        surname: bound.text("LastName").map(Into::into),
        ..Contact::default()
    };
    let at = session.at;
    let mut object =
        session.state.new_object(&common.display, &common.alias, Body::Contact(Box::new(contact)), at);
    // Mail to a contact goes to the address outside, which is also its primary one.
    object.addresses = vec![external.as_str().into()];
    let mut recipient = session.state.new_recipient(&common.name, RecipientTypeDetails::MailContact, at);
    recipient.external_address = Some(external.into());
    object.recipient = Some(Box::new(recipient));
    keep(session, &mut object);
    put(session, page, object, RowClass::MailContact)
}

pub(super) fn create_user(session: &mut Session<'_>, page: &mut Page) -> Shows {
    let common = common(session)?;
    let bound = session.bound;
    let domain = session.state.tenant.default_domain().to_owned();
    let upn = bound.text("MicrosoftOnlineServicesID").filter(|text| !text.is_empty());
    let upn = upn.map_or_else(|| format!("{}@{domain}", common.alias), str::to_owned);
    session.accepted(&upn)?;
    let primary = bound.text("PrimarySmtpAddress").filter(|text| !text.is_empty()).map(str::to_owned);
    if let Some(primary) = &primary {
        session.accepted(primary)?;
    }
    let user = User {
        upn: upn.into(),
        // Without a password nobody can sign in.
        account_enabled: bound.has("Password"),
        given_name: bound.text("FirstName").map(Into::into),
        surname: bound.text("LastName").map(Into::into),
        password: bound.text("Password").map(Into::into),
        ..User::default()
    };
    let at = session.at;
    let mut object = session.state.new_object(&common.display, &common.alias, Body::User(Box::new(user)), at);
    let external = common.external.or_else(|| primary.as_ref().map(|primary| format!("SMTP:{primary}")));
    object.addresses = match (&primary, &external) {
        (Some(primary), _) => vec![format!("SMTP:{primary}").into()],
        (None, Some(external)) => vec![external.as_str().into()],
        (None, None) => vec![format!("SMTP:{}@{domain}", common.alias).into()],
    };
    let mut recipient = session.state.new_recipient(&common.name, RecipientTypeDetails::MailUser, at);
    recipient.external_address = external.map(Into::into);
    object.recipient = Some(Box::new(recipient));
    keep(session, &mut object);
    put(session, page, object, RowClass::MailUser)
}

fn mastered_here(session: &Session<'_>, idx: Idx) -> Result<(), ExchangeError> {
    let object = session.object(idx)?;
    if object.is_dir_synced() {
        let cmdlet = session.bound.cmdlet.name.as_str();
        return Err(ExchangeError::new(Condition::DirSynced, [object.name(), cmdlet, "Identity"]));
    }
    Ok(())
}

/// A contact is gone at once.
pub(super) fn remove_contact(session: &mut Session<'_>) -> Shows {
    let idx = session.target(is_mail_contact)?;
    mastered_here(session, idx)?;
    let outcome = session.edit().purge(idx);
    outcome.map_err(|error| session.refused(error))?;
    Ok(false)
}

/// A mail user is a user and goes to the recycle bin.
pub(super) fn remove_user(session: &mut Session<'_>) -> Shows {
    let idx = session.target(is_mail_user)?;
    mastered_here(session, idx)?;
    let outcome = session.edit().soft_delete(idx);
    outcome.map_err(|error| session.refused(error))?;
    Ok(false)
}
