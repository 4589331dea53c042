//! Rights on folders of a mailbox.

use std::borrow::Cow;

use crate::state::{FolderPermission, FolderUser, Idx, Mailbox, Object};

use super::Cells;
use super::folder_statistics::FOLDERS;
use crate::exchange::bind::Bound;
use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{is_mailbox, is_unified_group};
use crate::exchange::reader::Reader;
use crate::exchange::schema::RowClass;
use crate::exchange::value::Value;

/// A folder of a mailbox, as `mailbox:\Folder` names it.
pub(in crate::exchange) struct FolderTarget<'a> {
    pub idx: Idx,
    pub object: &'a Object,
    pub mailbox: &'a Mailbox,
    /// `\Calendar`, in the folder's own casing.
    pub folder: String,
}

/// Finds the folder that an identity names.
pub(in crate::exchange) fn folder_target<'a>(
    reader: &Reader<'a>,
    identity: &str,
) -> Result<FolderTarget<'a>, ExchangeError> {
    let (mailbox, folder) = match identity.split_once(':') {
        Some((mailbox, folder)) => (mailbox, folder),
        None => (identity, "\\"),
    };
    let (idx, object) = reader.target(mailbox, |object| is_mailbox(object) || is_unified_group(object))?;
    let Some(kept) = object.mailbox() else {
        return Err(ExchangeError::new(Condition::NotFound, [identity]));
    };
    let wanted = folder.replace('/', "\\");
    let wanted = format!("\\{}", wanted.trim_matches('\\'));
    let known = FOLDERS
        .iter()
        .map(|folder| folder.path)
        .chain(kept.folders.iter().map(|permission| &*permission.folder))
        .find(|known| known.eq_ignore_ascii_case(&wanted))
        .ok_or_else(|| ExchangeError::new(Condition::FolderNotFound, [folder]))?;
    Ok(FolderTarget { idx, object, mailbox: kept, folder: known.to_owned() })
}

impl FolderTarget<'_> {
    /// Every entry of the folder, the two that always exist first.
    pub(in crate::exchange) fn entries(&self) -> Vec<FolderPermission> {
        let written: Vec<_> = self
            .mailbox
            .folders
            .iter()
            .filter(|entry| entry.folder.eq_ignore_ascii_case(&self.folder))
            .cloned()
            .collect();
        let mut all = Vec::with_capacity(written.len() + 2);
        for (user, rights) in [
            (FolderUser::Default, if self.folder == "\\Calendar" { "AvailabilityOnly" } else { "None" }),
            (FolderUser::Anonymous, "None"),
        ] {
            let own = written.iter().find(|entry| entry.user == user).cloned();
            all.push(own.unwrap_or_else(|| FolderPermission {
                folder: self.folder.as_str().into(),
                user,
                rights: vec![rights.into()],
                sharing_flags: Vec::new(),
            }));
        }
        all.extend(
            written
                .into_iter()
                .filter(|entry| !matches!(entry.user, FolderUser::Default | FolderUser::Anonymous)),
        );
        all
    }

    /// The name of the folder alone.
    pub(in crate::exchange) fn folder_name(&self) -> &str {
        match self.folder.rsplit('\\').next() {
            Some("") | None => "Top of Information Store",
            Some(name) => name,
        }
    }
}

/// A row of Get-MailboxFolderPermission.
pub(in crate::exchange) fn folder_cells<'a>(
    reader: &Reader<'_>,
    target: &FolderTarget<'_>,
    entry: &FolderPermission,
) -> Option<Cells<'a>> {
    let user = match &entry.user {
        FolderUser::Default => "Default".to_owned(),
        FolderUser::Anonymous => "Anonymous".to_owned(),
        FolderUser::Object(idx) => match reader.state.get(*idx) {
            Some(object) => object.display_name.to_string(),
            None => format!("NT User:{}", reader.state.sid(*idx)?),
        },
        FolderUser::Text(text) => text.to_string(),
    };
    let texts = |list: &[crate::state::Text]| {
        Value::List(list.iter().map(|text| Cow::Owned(text.to_string())).collect())
    };
    let mut cells = vec![
        ("Identity", Value::owned(format!("{}:{}", target.object.name(), target.folder))),
        ("FolderName", Value::owned(target.folder_name().to_owned())),
        ("User", Value::owned(user)),
        ("AccessRights", texts(&entry.rights)),
    ];
    if !entry.sharing_flags.is_empty() {
        cells.push(("SharingPermissionFlags", Value::owned(entry.sharing_flags.join(", "))));
    }
    Some(Cells(cells))
}

/// Whom a folder permission is for.
pub(in crate::exchange) fn folder_user(reader: &Reader<'_>, text: &str) -> Result<FolderUser, ExchangeError> {
    match text.trim().to_ascii_lowercase().as_str() {
        "default" => return Ok(FolderUser::Default),
        "anonymous" => return Ok(FolderUser::Anonymous),
        _ => {}
    }
    let found = reader.candidates(text, |object| object.recipient.is_some());
    match found.as_slice() {
        [(idx, _)] => Ok(FolderUser::Object(*idx)),
        [] => Err(ExchangeError::new(Condition::NotSecurityPrincipal, [text])),
        _ => Err(ExchangeError::new(Condition::RecipientAmbiguous, [text])),
    }
}

pub(super) fn folder_permissions(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let Some(identity) = bound.text("Identity") else {
        return Err(ExchangeError::new(Condition::NullParameter, ["Identity"]));
    };
    let target = folder_target(reader, identity)?;
    let user = match bound.text("User") {
        Some(text) => Some((text, folder_user(reader, text)?)),
        None => None,
    };
    let entries = target.entries();
    if let Some((text, user)) = &user
        && !entries.iter().any(|entry| entry.user == *user)
    {
        return Err(ExchangeError::new(Condition::FolderPermissionMissing, [*text]));
    }
    for (at, entry) in entries.iter().enumerate().skip(page.from().at as usize) {
        if user.as_ref().is_some_and(|(_, user)| *user != entry.user) {
            continue;
        }
        let Some(cells) = folder_cells(reader, &target, entry) else { continue };
        if !page.push(RowClass::MailboxFolderPermission, u32::try_from(at).unwrap_or(u32::MAX), 0, &cells) {
            break;
        }
    }
    Ok(())
}
