//! Folders of a mailbox as entities: their rights and their sizes. Mobile devices are here too, because there are none.

use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{is_mailbox, is_unified_group};
use crate::exchange::page::Cursor;
use crate::exchange::read::folder_statistics::{FOLDERS, Folder, totals};
use crate::exchange::read::folders::{FolderTarget, folder_target, folder_user};
use crate::exchange::reader::Reader;
use crate::exchange::schema::{RowClass, WireType};
use crate::exchange::value::Value;
use crate::json::push_text;
use crate::state::{FolderPermission, FolderUser, Object};

use super::Call;
use super::entity::{Level, decoded, key_segment, write_edm};
use super::path::Step;
use super::reply::Answer;
use super::types::model;

fn mailbox_of(call: &Call<'_>) -> Result<String, ExchangeError> {
    call.key().ok_or_else(|| ExchangeError::new(Condition::NullParameter, ["Identity"]))
}

fn parent_of(call: &Call<'_>) -> String {
    let key = call.resource.steps.first().and_then(|step| step.key.as_deref()).unwrap_or_default();
    format!("Mailbox{}", key_segment(key))
}

/// `Mailbox('…')/MailboxFolder('…')/MailboxFolderPermission`, of one user with a key.
pub(super) fn permissions(
    call: &Call<'_>,
    reader: &Reader<'_>,
    folder: &Step,
    user: &Step,
) -> Result<Answer, ExchangeError> {
    let mailbox = mailbox_of(call)?;
    let key = folder.key.as_deref().unwrap_or_default();
    let mut path = call.text(key);
    // Clients name the folder by its path or by the id that the folder statistics gave them.
    if !path.is_empty() && !path.starts_with('\\') {
        let read = decoded(&path);
        path = if read.starts_with('\\') { read } else { format!("\\{path}") };
    }
    let target = folder_target(reader, &format!("{mailbox}:{path}"))?;
    let parent = format!("{}/MailboxFolder{}", parent_of(call), key_segment(key));
    let context = format!("{parent}/MailboxFolderPermission");
    let entries = target.entries();
    if let Some(key) = &user.key {
        let text = call.text(key);
        let wanted = folder_user(reader, &text)?;
        let entry = entries.iter().find(|entry| entry.user == wanted);
        let Some(entry) = entry else {
            return Err(ExchangeError::new(Condition::FolderPermissionMissing, [text]));
        };
        let mut row = Vec::new();
        if !write_permission(call, reader, &target, &parent, entry, &mut row) {
            return Err(ExchangeError::new(Condition::FolderPermissionMissing, [text]));
        }
        return Ok(Answer::One { context: format!("{context}/$entity"), row });
    }
    let window = call.window()?;
    let (mut rows, mut next, mut count) = (Vec::new(), None, 0);
    for (at, entry) in entries.iter().enumerate().skip(window.from.at as usize) {
        if count >= window.page {
            next = Some(Cursor { at: u32::try_from(at).unwrap_or(u32::MAX), ..Cursor::default() });
            break;
        }
        let mut row = Vec::new();
        if write_permission(call, reader, &target, &parent, entry, &mut row) {
            if count > 0 {
                rows.push(b',');
            }
            rows.append(&mut row);
            count += 1;
        }
    }
    Ok(Answer::Many { context, rows: vec![rows.into()], next })
}

/// Writes an entry; false when its holder cannot be shown any more.
fn write_permission(
    call: &Call<'_>,
    reader: &Reader<'_>,
    target: &FolderTarget<'_>,
    parent: &str,
    entry: &FolderPermission,
    out: &mut Vec<u8>,
) -> bool {
    let held = match &entry.user {
        FolderUser::Object(idx) => reader.state.get(*idx),
        _ => None,
    };
    let (name, kind) = match &entry.user {
        FolderUser::Default => ("Default".to_owned(), "Default"),
        FolderUser::Anonymous => ("Anonymous".to_owned(), "Anonymous"),
        FolderUser::Text(text) => (text.to_string(), "External"),
        FolderUser::Object(idx) => match (held, reader.state.sid(*idx)) {
            (Some(object), _) => (object.display_name.to_string(), "Internal"),
            (None, Some(sid)) => (format!("NT User:{sid}"), "Unknown"),
            (None, None) => return false,
        },
    };
    let upn = held.and_then(|object| object.upn().or_else(|| object.primary_smtp()));
    let level = call.level();
    out.push(b'{');
    if level == Level::Full {
        out.extend_from_slice(b"\"@odata.type\":\"#Exchange.MailboxFolderPermission\",");
    }
    if level != Level::None {
        let place = format!("{parent}/MailboxFolderPermission{}", key_segment(&name));
        out.extend_from_slice(b"\"@odata.id\":");
        push_text(out, &format!("{}/{place}", call.base));
        out.extend_from_slice(b",\"@odata.editLink\":");
        push_text(out, &place);
        out.push(b',');
    }
    let folder = format!("{}:{}", target.object.name(), target.folder);
    let mut text = |name: &str, value: Option<&str>| {
        out.extend_from_slice(format!("\"{name}\":").as_bytes());
        match value {
            Some(value) => push_text(out, value),
            None => out.extend_from_slice(b"null"),
        }
        out.push(b',');
    };
    text("Identity", Some(&name));
    text("MailboxFolderIdentity", Some(&folder));
    text("FolderName", Some(target.folder_name()));
    text("User", Some(&name));
    let flags = (!entry.sharing_flags.is_empty()).then(|| entry.sharing_flags.join(", "));
    text("SharingPermissionFlags", flags.as_deref());
    out.extend_from_slice(b"\"MailboxFolderUser\":{");
    if level == Level::Full {
        out.extend_from_slice(b"\"@odata.type\":\"#Exchange.MailboxFolderUserID\",");
    }
    out.extend_from_slice(b"\"UserPrincipalName\":");
    match upn {
        Some(upn) => push_text(out, upn),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(format!(",\"UserType\":\"{kind}\",\"DisplayName\":").as_bytes());
    push_text(out, &name);
    out.extend_from_slice(b"},");
    if level == Level::Full {
        out.extend_from_slice(b"\"AccessRights@odata.type\":\"#Collection(String)\",");
    }
    out.extend_from_slice(b"\"AccessRights\":[");
    for (at, right) in entry.rights.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_text(out, right);
    }
    out.extend_from_slice(b"]}");
    true
}

/// `Mailbox('…')/MailboxFolder/Exchange.GetMailboxFolderStatistics(folderscope=…)`
pub(super) fn statistics(call: &Call<'_>, reader: &Reader<'_>, step: &Step) -> Result<Answer, ExchangeError> {
    let identity = mailbox_of(call)?;
    let (idx, object) = reader.target(&identity, |object| is_mailbox(object) || is_unified_group(object))?;
    let scope = step.argument("folderscope").unwrap_or("All");
    let scope = scope.split('\'').nth(1).unwrap_or(scope);
    let known = model().enums.get("ElcFolderType").map_or(&[][..], Vec::as_slice);
    if !known.iter().any(|(name, value)| name.eq_ignore_ascii_case(scope) || value.to_string() == scope) {
        return Err(ExchangeError::new(
            Condition::BadBody,
            [format!("The value '{scope}' is not a member of the enumeration 'Exchange.ElcFolderType'.")],
        ));
    }
    let scope = known.iter().find(|(_, value)| value.to_string() == scope).map_or(scope, |(name, _)| name);
    let totals = totals(reader, RowClass::MailboxStatistics, idx, object);
    let wanted =
        |folder: &&Folder| scope.eq_ignore_ascii_case("All") || folder.kind.eq_ignore_ascii_case(scope);
    let mut rows = Vec::new();
    for folder in FOLDERS.iter().filter(wanted) {
        if !rows.is_empty() {
            rows.push(b',');
        }
        write_statistics(call, object, folder, totals, &mut rows);
    }
    Ok(Answer::Many {
        context: "Collection(Exchange.MailboxFolderStatistics)".to_owned(),
        rows: vec![rows.into()],
        next: None,
    })
}

fn write_statistics(
    call: &Call<'_>,
    object: &Object,
    folder: &Folder,
    totals: (u64, u64),
    out: &mut Vec<u8>,
) {
    let name = folder.name();
    let path = format!("/{name}");
    let root = folder.is_root();
    let (items, size) = (folder.share_of(totals.0), folder.share_of(totals.1));
    let (all_items, all_size) = if root { totals } else { (items, size) };
    let count = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let mut created = Vec::new();
    object.created.write_exchange_local(&mut created);
    let created = String::from_utf8_lossy(&created).into_owned();
    let identity = folder.identity(object.name());
    let value = |property: &str| -> Value<'_> {
        match property {
            "Name" => Value::text(name),
            "FolderPath" => Value::text(&path),
            "FolderId" => Value::owned(folder.id()),
            "Identity" => Value::text(&identity),
            "FolderType" => Value::text(folder.kind),
            "CreationTime" | "LastModifiedTime" => Value::text(&created),
            "SearchFolder" | "RecoverableItemsFolder" => Value::Bool(false),
            "ContentFolder" => Value::Bool(true),
            "Movable" => Value::Bool(!root),
            "ContainerClass" => Value::text(folder.container_class()),
            "TargetQuota" => Value::text("User"),
            "ItemsInFolder" | "VisibleItemsInFolder" => count(items),
            "ItemsInFolderAndSubfolders" => count(all_items),
            "FolderSize" => count(size),
            "FolderAndSubfolderSize" => count(all_size),
            "HiddenItemsInFolder" | "DeletedItemsInFolder" | "DeletedItemsInFolderAndSubfolders" => {
                Value::Int(0)
            }
            _ => Value::Null,
        }
    };
    out.push(b'{');
    let full = call.level() == Level::Full;
    let properties =
        model().complex.get("MailboxFolderStatistics").map_or(&[][..], |kind| kind.properties.as_slice());
    for (at, (property, edm)) in properties.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        if let Some(annotation) = edm.annotation().filter(|_| full) {
            out.extend_from_slice(format!("\"{property}@odata.type\":\"{annotation}\",").as_bytes());
        }
        out.extend_from_slice(format!("\"{property}\":").as_bytes());
        write_edm(out, &value(property), edm, WireType::Text);
    }
    out.push(b'}');
}

/// Mobile devices, of which this tenant has none.
pub(super) fn no_devices(
    call: &Call<'_>,
    reader: &Reader<'_>,
    statistics: bool,
) -> Result<Answer, ExchangeError> {
    let identity = mailbox_of(call)?;
    reader.target(&identity, is_mailbox)?;
    let context = if statistics {
        "Collection(Exchange.MobileDeviceStatistics)".to_owned()
    } else {
        format!("{}/MobileDevice", parent_of(call))
    };
    Ok(Answer::Many { context, rows: Vec::new(), next: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_type_is_one_of_the_model() {
        for folder in FOLDERS.iter().filter(|folder| folder.kind != "Root") {
            assert!(
                model().enums["ElcFolderType"].iter().any(|(name, _)| name == folder.kind),
                "{}",
                folder.kind
            );
        }
    }
}
