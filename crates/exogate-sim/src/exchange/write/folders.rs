//! Rights on folders: one entry per user and folder.

use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::read::folders::{folder_cells, folder_target, folder_user};
use crate::exchange::schema::RowClass;
use crate::state::{FolderPermission, FolderUser, Idx, Text};

use super::session::Session;

type Shows = Result<bool, ExchangeError>;

struct Target {
    idx: Idx,
    folder: String,
    user: FolderUser,
    /// The user has an entry already (Default and Anonymous always do).
    exists: bool,
}

fn target(session: &mut Session<'_>) -> Result<Target, ExchangeError> {
    let identity = session.identity()?.to_owned();
    session.object.clone_from(&identity);
    let text = session.bound.text("User").unwrap_or_default().to_owned();
    let reader = session.reader();
    let found = folder_target(&reader, &identity)?;
    let user = folder_user(&reader, &text)?;
    let exists = found.entries().iter().any(|entry| entry.user == user);
    Ok(Target { idx: found.idx, folder: found.folder, user, exists })
}

fn texts(list: Vec<&str>) -> Vec<Text> {
    list.into_iter().map(Into::into).collect()
}

fn put(session: &mut Session<'_>, target: &Target) -> Result<bool, ExchangeError> {
    let rights = texts(session.bound.list("AccessRights"));
    let sharing_flags = texts(session.bound.list("SharingPermissionFlags"));
    let sharing_flags: Vec<Text> =
        sharing_flags.into_iter().filter(|flag| !flag.eq_ignore_ascii_case("None")).collect();
    if !sharing_flags.is_empty() && target.folder != "\\Calendar" {
        return Err(ExchangeError::new(
            Condition::Validation,
            ["The SharingPermissionFlags parameter can be used on the Calendar folder only."],
        ));
    }
    if !sharing_flags.is_empty() && !rights.iter().any(|right| right.eq_ignore_ascii_case("Editor")) {
        return Err(ExchangeError::new(
            Condition::Validation,
            ["The SharingPermissionFlags parameter needs the AccessRights value Editor."],
        ));
    }
    let entry = FolderPermission {
        folder: target.folder.as_str().into(),
        user: target.user.clone(),
        rights,
        sharing_flags,
    };
    session.update(target.idx, |object| {
        let Some(mailbox) = object.mailbox_mut() else { return };
        match mailbox
            .folders
            .iter_mut()
            .find(|held| held.user == entry.user && held.folder.eq_ignore_ascii_case(&entry.folder))
        {
            Some(held) => *held = entry,
            None => mailbox.folders.push(entry),
        }
    })
}

pub(super) fn add(session: &mut Session<'_>, page: &mut Page) -> Shows {
    let target = target(session)?;
    if target.exists {
        return Err(ExchangeError::new(
            Condition::FolderPermissionExists,
            [session.bound.text("User").unwrap_or_default()],
        ));
    }
    put(session, &target)?;
    let identity = session.identity()?.to_owned();
    let reader = session.reader();
    let found = folder_target(&reader, &identity)?;
    if let Some(entry) = found.entries().iter().find(|entry| entry.user == target.user)
        && let Some(cells) = folder_cells(&reader, &found, entry)
    {
        page.single(RowClass::MailboxFolderPermission, &cells);
    }
    Ok(true)
}

pub(super) fn set(session: &mut Session<'_>) -> Shows {
    let target = target(session)?;
    if !target.exists {
        return Err(missing(session));
    }
    if !put(session, &target)? {
        session.warn_unchanged(target.idx);
    }
    Ok(false)
}

fn missing(session: &Session<'_>) -> ExchangeError {
    ExchangeError::new(Condition::FolderPermissionMissing, [session.bound.text("User").unwrap_or_default()])
}

pub(super) fn remove(session: &mut Session<'_>) -> Shows {
    if session.bound.switch("ResetDelegateUserCollection") {
        let identity = session.identity()?.to_owned();
        session.object.clone_from(&identity);
        let idx = folder_target(&session.reader(), &identity)?.idx;
        session.update(idx, |object| {
            if let Some(mailbox) = object.mailbox_mut() {
                for entry in &mut mailbox.folders {
                    entry.sharing_flags.clear();
                }
            }
        })?;
        return Ok(false);
    }
    let target = target(session)?;
    if matches!(target.user, FolderUser::Default | FolderUser::Anonymous) {
        return Err(ExchangeError::new(
            Condition::Validation,
            ["The permission entries of Default and Anonymous can't be removed. Set them to None instead."],
        ));
    }
    if !target.exists {
        return Err(missing(session));
    }
    session.update(target.idx, |object| {
        if let Some(mailbox) = object.mailbox_mut() {
            mailbox.folders.retain(|held| {
                !(held.user == target.user && held.folder.eq_ignore_ascii_case(&target.folder))
            });
        }
    })?;
    Ok(false)
}
