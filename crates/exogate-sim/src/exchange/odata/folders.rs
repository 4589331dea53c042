//! Folders of a mailbox as entities: their rights and their sizes. Mobile devices are here too, because there are none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{is_mailbox, is_unified_group};
use crate::exchange::page::Cursor;
use crate::exchange::read::folders::{FolderTarget, folder_target, folder_user};
use crate::exchange::reader::Reader;
use crate::exchange::render::{Row, write_string};
use crate::exchange::rows::RecipientRow;
use crate::exchange::schema::{self, RowClass, WireType};
use crate::exchange::value::Value;
use crate::state::{FolderPermission, FolderUser, Object};

use super::Call;
use super::entity::{Level, decoded, key_segment, write_edm};
use super::path::Step;
use super::reply::Answer;
use super::types::{EdmType, model};

/// A folder that every mailbox has: path, type, share of the items in percent.
struct Folder {
    path: &'static str,
    kind: &'static str,
    share: i64,
}

const fn folder(path: &'static str, kind: &'static str, share: i64) -> Folder {
    Folder { path, kind, share }
}

const FOLDERS: [Folder; 14] = [
    folder("\\", "Root", 0),
    folder("\\Archive", "Archive", 4),
    folder("\\Calendar", "Calendar", 6),
    folder("\\Contacts", "Contacts", 2),
    folder("\\Conversation History", "ConversationHistory", 0),
    folder("\\Deleted Items", "DeletedItems", 8),
    folder("\\Drafts", "Drafts", 1),
    folder("\\Inbox", "Inbox", 48),
    folder("\\Journal", "Journal", 0),
    folder("\\Junk Email", "JunkEmail", 1),
    folder("\\Notes", "Notes", 1),
    folder("\\Outbox", "Outbox", 0),
    folder("\\Sent Items", "SentItems", 27),
    folder("\\Tasks", "Tasks", 2),
];

/// The id of a folder: opaque to clients, which hand it back.
fn folder_id(path: &str) -> String {
    STANDARD.encode(path)
}

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
    Ok(Answer::Many { context, rows, next })
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
        write_string(out, &format!("{}/{place}", call.base));
        out.extend_from_slice(b",\"@odata.editLink\":");
        write_string(out, &place);
        out.push(b',');
    }
    let folder = format!("{}:{}", target.object.name(), target.folder);
    let mut text = |name: &str, value: Option<&str>| {
        out.extend_from_slice(format!("\"{name}\":").as_bytes());
        match value {
            Some(value) => write_string(out, value),
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
        Some(upn) => write_string(out, upn),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(format!(",\"UserType\":\"{kind}\",\"DisplayName\":").as_bytes());
    write_string(out, &name);
    out.extend_from_slice(b"},");
    if level == Level::Full {
        out.extend_from_slice(b"\"AccessRights@odata.type\":\"#Collection(String)\",");
    }
    out.extend_from_slice(b"\"AccessRights\":[");
    for (at, right) in entry.rights.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_string(out, right);
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
    let row = RecipientRow::new(reader, RowClass::MailboxStatistics, idx, object);
    let figure = |name: &str| {
        let property = schema::find(RowClass::MailboxStatistics, name)?;
        let mut text = Vec::new();
        write_edm(&mut text, &row.cell(property)?, &EdmType::Int64, property.wire);
        std::str::from_utf8(&text).ok()?.parse::<i64>().ok()
    };
    let totals = (figure("ItemCount").unwrap_or(0), figure("TotalItemSize").unwrap_or(0));
    let wanted =
        |folder: &&Folder| scope.eq_ignore_ascii_case("All") || folder.kind.eq_ignore_ascii_case(scope);
    let mut rows = Vec::new();
    for folder in FOLDERS.iter().filter(wanted) {
        if !rows.is_empty() {
            rows.push(b',');
        }
        write_statistics(call, object, folder, totals, &mut rows);
    }
    Ok(Answer::Many { context: "Collection(Exchange.MailboxFolderStatistics)".to_owned(), rows, next: None })
}

/// Items and bytes of a folder: its share, the inbox taking what rounding leaves over.
fn share_of(folder: &Folder, total: i64) -> i64 {
    let part = |folder: &Folder| total / 100 * folder.share;
    if folder.kind == "Inbox" {
        total - FOLDERS.iter().filter(|other| other.kind != "Inbox").map(part).sum::<i64>()
    } else {
        part(folder)
    }
}

fn write_statistics(
    call: &Call<'_>,
    object: &Object,
    folder: &Folder,
    totals: (i64, i64),
    out: &mut Vec<u8>,
) {
    let name =
        if folder.path == "\\" { "Top of Information Store" } else { folder.path.trim_start_matches('\\') };
    let path = format!("/{name}");
    let root = folder.kind == "Root";
    let (items, size) = (share_of(folder, totals.0), share_of(folder, totals.1));
    let (all_items, all_size) = if root { totals } else { (items, size) };
    let mut created = Vec::new();
    object.created.write_exchange_local(&mut created);
    let created = String::from_utf8_lossy(&created).into_owned();
    let identity =
        format!("{}{}", object.name(), if root { "\\Top of Information Store" } else { folder.path });
    let value = |property: &str| -> Value<'_> {
        match property {
            "Name" => Value::text(name),
            "FolderPath" => Value::text(&path),
            "FolderId" => Value::owned(folder_id(folder.path)),
            "Identity" => Value::text(&identity),
            "FolderType" => Value::text(folder.kind),
            "CreationTime" | "LastModifiedTime" => Value::text(&created),
            "SearchFolder" | "RecoverableItemsFolder" => Value::Bool(false),
            "ContentFolder" => Value::Bool(true),
            "Movable" => Value::Bool(!root),
            "ContainerClass" => Value::text(match folder.kind {
                "Calendar" => "IPF.Appointment",
                "Contacts" => "IPF.Contact",
                "Tasks" => "IPF.Task",
                "Notes" => "IPF.StickyNote",
                "Journal" => "IPF.Journal",
                _ => "IPF.Note",
            }),
            "TargetQuota" => Value::text("User"),
            "ItemsInFolder" | "VisibleItemsInFolder" => Value::Int(items),
            "ItemsInFolderAndSubfolders" => Value::Int(all_items),
            "FolderSize" => Value::Int(size),
            "FolderAndSubfolderSize" => Value::Int(all_size),
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
    fn folders_together_hold_the_mailbox() {
        for total in [0, 1, 99, 12_345, 8_000_000_000] {
            assert_eq!(FOLDERS.iter().map(|folder| share_of(folder, total)).sum::<i64>(), total);
            assert!(FOLDERS.iter().all(|folder| share_of(folder, total) >= 0));
        }
        assert_eq!(FOLDERS.iter().map(|folder| folder.share).sum::<i64>(), 100);
    }

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
