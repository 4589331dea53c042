//! Mailboxes come and go: creation, archives, deletion, recovery.

use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{is_mailbox, is_user};
use crate::exchange::rows::RecipientRow;
use crate::exchange::schema::RowClass;
use crate::state::{Body, Idx, Object, RecipientTypeDetails, User};

use super::groups::alias_from;
use super::session::Session;

type Shows = Result<bool, ExchangeError>;

fn rule(text: impl Into<String>) -> ExchangeError {
    ExchangeError::new(Condition::RecipientTask, [text.into()])
}

fn show(session: &Session<'_>, page: &mut Page, idx: Idx) -> Shows {
    let reader = session.reader();
    let row = RecipientRow::new(&reader, RowClass::Mailbox, idx, session.object(idx)?);
    page.single(RowClass::Mailbox, &row);
    Ok(true)
}

pub(super) fn create(session: &mut Session<'_>, page: &mut Page) -> Shows {
    let bound = session.bound;
    let given = bound.text("Name").unwrap_or_default().trim().to_owned();
    session.object.clone_from(&given);
    if given.is_empty() {
        return Err(rule("The property 'Name' can't be empty."));
    }
    let details = if bound.switch("Shared") {
        RecipientTypeDetails::SharedMailbox
    } else if bound.switch("Room") {
        RecipientTypeDetails::RoomMailbox
    } else if bound.switch("Equipment") {
        RecipientTypeDetails::EquipmentMailbox
    } else if bound.switch("Discovery") {
        RecipientTypeDetails::DiscoveryMailbox
    } else if bound.switch("PublicFolder")
        || bound.switch("Migration")
        || bound.has("InactiveMailbox")
        || bound.has("RemovedMailbox")
    {
        return Err(rule("Mailboxes of this kind can't be created in this organization."));
    } else {
        RecipientTypeDetails::UserMailbox
    };
    let alias = match bound.text("Alias") {
        Some(alias) => alias.to_owned(),
        None => session.state.free_alias(&alias_from(&given)),
    };
    let domain = session.state.tenant.default_domain().to_owned();
    let primary = bound
        .text("PrimarySmtpAddress")
        .or(bound.text("MicrosoftOnlineServicesID"))
        .filter(|text| !text.is_empty());
    let primary = primary.map_or_else(|| format!("{alias}@{domain}"), str::to_owned);
    session.accepted(&primary)?;
    let upn =
        bound.text("MicrosoftOnlineServicesID").map_or_else(|| format!("{alias}@{domain}"), str::to_owned);
    let display = bound.text("DisplayName").unwrap_or(&given).to_owned();
    let user = User {
        upn: upn.into(),
        // Only people sign in; the others get an account that nobody knows the password of.
        account_enabled: details == RecipientTypeDetails::UserMailbox
            || bound.bool("EnableRoomMailboxAccount") == Some(true),
        given_name: bound.text("FirstName").map(Into::into),
        surname: bound.text("LastName").map(Into::into),
        office: bound.text("Office").map(|text| session.state.word(text)),
        business_phone: bound.text("Phone").map(Into::into),
        password: bound.text("Password").or(bound.text("RoomMailboxPassword")).map(Into::into),
        ..User::default()
    };
    let at = session.at;
    let mut object = session.state.new_object(&display, &alias, Body::User(Box::new(user)), at);
    let name = if session.state.tenant.guid_names { object.id.to_string() } else { given };
    object.recipient = Some(Box::new(session.state.new_recipient(&name, details, at)));
    let initial = session.state.tenant.initial_domain();
    object.addresses = vec![format!("SMTP:{primary}").into()];
    if !primary.to_ascii_lowercase().ends_with(&format!("@{}", initial.to_ascii_lowercase())) {
        object.addresses.push(format!("smtp:{alias}@{initial}").into());
    }
    if bound.switch("Archive") {
        enable_archive(&mut object);
    }
    let outcome = session.edit().insert(object);
    let idx = outcome.map_err(|error| session.refused(error))?;
    session.name_target(idx);
    show(session, page, idx)
}

fn enable_archive(object: &mut Object) {
    let name = format!("In-Place Archive - {}", object.display_name);
    // The archive's id follows from the object's, so that it is the same in every run.
    let guid = uuid::Uuid::new_v5(&object.id, b"archive").to_string();
    let bag = &mut object.extra_mut().exchange;
    bag.set("ArchiveStatus", "Active");
    bag.set("ArchiveState", "Local");
    bag.set("ArchiveRelease", "E15");
    bag.set("ArchiveDatabase", "EURPR01DG001-db001");
    bag.set("ArchiveGuid", guid);
    bag.set("ArchiveName", vec![name]);
}

pub(super) fn enable(session: &mut Session<'_>, page: &mut Page) -> Shows {
    let bound = session.bound;
    let idx = session.target(is_user)?;
    if bound.switch("Archive") || bound.switch("AutoExpandingArchive") {
        let object = session.object(idx)?;
        if !is_mailbox(object) {
            return Err(ExchangeError::plain(Condition::MailboxGone));
        }
        let active = object.extra().and_then(|extra| extra.exchange.get("ArchiveStatus")).is_some();
        if bound.switch("AutoExpandingArchive") {
            if !active {
                return Err(rule("The mailbox doesn't have an archive. Enable the archive first."));
            }
            session
                .update(idx, |object| object.extra_mut().exchange.set("AutoExpandingArchiveEnabled", true))?;
        } else {
            if active {
                return Err(rule(format!("The mailbox \"{}\" already has an archive.", object.name())));
            }
            session.update(idx, enable_archive)?;
        }
        return show(session, page, idx);
    }
    let object = session.object(idx)?;
    if object.mailbox().is_some() {
        return Err(rule(format!("\"{}\" already has a mailbox.", object.name())));
    }
    let outcome = session.edit().connect_mailbox(idx, RecipientTypeDetails::UserMailbox);
    outcome.map_err(|error| session.refused(error))?;
    show(session, page, idx)
}

/// Takes the mailbox, or its archive, from a user who lives on.
pub(super) fn disable(session: &mut Session<'_>) -> Shows {
    let idx = session.target(is_mailbox)?;
    let object = session.object(idx)?;
    if session.bound.switch("Archive") {
        if object.extra().and_then(|extra| extra.exchange.get("ArchiveStatus")).is_none() {
            return Err(rule(format!("The mailbox \"{}\" doesn't have an archive.", object.name())));
        }
        session.update(idx, |object| {
            let bag = &mut object.extra_mut().exchange;
            if let Some(guid) = bag.unset("ArchiveGuid") {
                bag.set("DisabledArchiveGuid", guid);
            }
            for name in ["ArchiveStatus", "ArchiveState", "ArchiveRelease", "ArchiveDatabase", "ArchiveName"]
            {
                bag.unset(name);
            }
        })?;
        return Ok(false);
    }
    if object.mailbox().is_some_and(|mailbox| mailbox.litigation_hold)
        && !session.bound.switch("IgnoreLegalHold")
    {
        return Err(rule(format!("The mailbox \"{}\" is on hold and can't be disabled.", object.name())));
    }
    let outcome = session.edit().disconnect_mailbox(idx);
    outcome.map_err(|error| session.refused(error))?;
    Ok(false)
}

pub(super) fn remove(session: &mut Session<'_>) -> Shows {
    if session.bound.switch("PermanentlyDelete") {
        let identity = session.identity()?.to_owned();
        session.object.clone_from(&identity);
        let found = session.reader().deleted_named(&identity);
        let mailboxes: Vec<(Idx, bool)> = found
            .iter()
            .filter_map(|(idx, object)| object.mailbox().map(|kept| (*idx, kept.litigation_hold)))
            .collect();
        return match mailboxes.as_slice() {
            [(_, true)] => Err(rule("The mailbox is on hold and can't be deleted permanently.")),
            [(idx, false)] => {
                let idx = *idx;
                session.name_target(idx);
                let outcome = session.edit().purge(idx);
                outcome.map_err(|error| session.refused(error))?;
                Ok(false)
            }
            [] => Err(ExchangeError::new(Condition::NotFound, [identity])),
            _ => Err(ExchangeError::new(Condition::Ambiguous, [identity])),
        };
    }
    let idx = session.target(is_mailbox)?;
    let object = session.object(idx)?;
    if object.is_dir_synced() {
        return Err(ExchangeError::new(Condition::DirSynced, [object.name(), "Remove-Mailbox", "Identity"]));
    }
    let outcome = session.edit().soft_delete(idx);
    outcome.map_err(|error| session.refused(error))?;
    Ok(false)
}

pub(super) fn undo(session: &mut Session<'_>, page: &mut Page) -> Shows {
    let identity = session.bound.text("SoftDeletedObject").unwrap_or_default().to_owned();
    session.object.clone_from(&identity);
    let reader = session.reader();
    let deleted =
        reader.deleted_named(&identity).into_iter().filter(|(_, object)| object.mailbox().is_some());
    let kept = reader.named(&identity).into_iter().filter(|(_, object)| object.disconnected.is_some());
    let found: Vec<(Idx, bool)> = deleted.chain(kept).map(|(idx, object)| (idx, object.is_live())).collect();
    let (idx, live) = match found.as_slice() {
        [one] => *one,
        [] => return Err(ExchangeError::new(Condition::NotFound, [identity])),
        _ => return Err(ExchangeError::new(Condition::Ambiguous, [identity])),
    };
    let outcome = if live {
        session.edit().connect_mailbox(idx, RecipientTypeDetails::UserMailbox)
    } else {
        session.edit().restore(idx)
    };
    outcome.map_err(|error| session.refused(error))?;
    let display = session.bound.text("DisplayName").map(str::to_owned);
    let upn = session.bound.text("WindowsLiveID").map(str::to_owned);
    let name = session.bound.text("Name").map(str::to_owned);
    session.update(idx, |object| {
        if let Some(display) = display {
            object.display_name = display.into();
        }
        if let (Some(name), Some(recipient)) = (name, &mut object.recipient) {
            recipient.name = name.into();
        }
        if let (Some(upn), Some(user)) = (upn, object.user_mut()) {
            user.upn = upn.into();
        }
    })?;
    session.name_target(idx);
    show(session, page, idx)
}
