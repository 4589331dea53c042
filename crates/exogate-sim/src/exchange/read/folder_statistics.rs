//! The folders that every mailbox has, what they hold, and Get-MailboxFolderStatistics over them.
//!
//! Folders have no items of their own here: each holds a fixed share of what the mailbox's statistics say.

use super::Cells;
use crate::exchange::bind::Bound;
use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::forms::size_text;
use crate::exchange::identity::{is_mailbox, is_unified_group};
use crate::exchange::reader::Reader;
use crate::exchange::rows::RecipientRow;
use crate::exchange::schema::RowClass;
use crate::exchange::value::Value;
use crate::state::{Idx, Object};

/// A folder that every mailbox has: path, type, share of the items in percent.
pub(in crate::exchange) struct Folder {
    pub path: &'static str,
    pub kind: &'static str,
    share: u64,
}

const fn folder(path: &'static str, kind: &'static str, share: u64) -> Folder {
    Folder { path, kind, share }
}

/// Every folder, the root first.
pub(in crate::exchange) const FOLDERS: [Folder; 14] = [
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

impl Folder {
    /// Its name alone.
    pub(in crate::exchange) fn name(&self) -> &'static str {
        if self.is_root() { "Top of Information Store" } else { self.path.trim_start_matches('\\') }
    }

    pub(in crate::exchange) fn is_root(&self) -> bool {
        self.kind == "Root"
    }

    /// The id of the folder: opaque to clients, which hand it back.
    pub(in crate::exchange) fn id(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(self.path)
    }

    /// What the folder is for, as clients of the store name it.
    pub(in crate::exchange) fn container_class(&self) -> &'static str {
        match self.kind {
            "Calendar" => "IPF.Appointment",
            "Contacts" => "IPF.Contact",
            "Tasks" => "IPF.Task",
            "Notes" => "IPF.StickyNote",
            "Journal" => "IPF.Journal",
            _ => "IPF.Note",
        }
    }

    /// `mailbox\folder`.
    pub(in crate::exchange) fn identity(&self, mailbox: &str) -> String {
        format!("{mailbox}{}", if self.is_root() { "\\Top of Information Store" } else { self.path })
    }

    /// Items or bytes of the folder: its share, the inbox taking what rounding leaves over.
    pub(in crate::exchange) fn share_of(&self, total: u64) -> u64 {
        let part = |folder: &Folder| total / 100 * folder.share;
        if self.kind == "Inbox" {
            total - FOLDERS.iter().filter(|other| other.kind != "Inbox").map(part).sum::<u64>()
        } else {
            part(self)
        }
    }
}

/// Items and bytes of a mailbox.
pub(in crate::exchange) fn totals(
    reader: &Reader<'_>,
    class: RowClass,
    idx: Idx,
    object: &Object,
) -> (u64, u64) {
    RecipientRow::new(reader, class, idx, object).figures()
}

/// `Get-MailboxFolderStatistics`
pub(super) fn statistics(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    let Some(identity) = bound.text("Identity") else {
        return Err(ExchangeError::new(Condition::NullParameter, ["Identity"]));
    };
    let (idx, object) = reader.target(identity, |object| is_mailbox(object) || is_unified_group(object))?;
    let totals = totals(reader, RowClass::MailboxStatistics, idx, object);
    let scope = bound.text("FolderScope").unwrap_or("All");
    let skip = match bound.get("SkipCount") {
        Some(crate::exchange::bind::Arg::Int(number)) => usize::try_from(*number).unwrap_or(0),
        _ => 0,
    };
    let wanted = FOLDERS
        .iter()
        .filter(|folder| scope.eq_ignore_ascii_case("All") || folder.kind.eq_ignore_ascii_case(scope))
        .skip(skip);
    let oldest = bound.switch("IncludeOldestAndNewestItems");
    for (at, folder) in wanted.enumerate().skip(page.from().at as usize) {
        let cells = cells(reader, object, folder, totals, oldest);
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        if !page.push(RowClass::MailboxFolderStatistics, at, 0, &cells) {
            break;
        }
    }
    Ok(())
}

fn cells<'a>(
    reader: &Reader<'_>,
    object: &Object,
    folder: &'a Folder,
    totals: (u64, u64),
    oldest: bool,
) -> Cells<'a> {
    let (items, size) = (folder.share_of(totals.0), folder.share_of(totals.1));
    let (all_items, all_size) = if folder.is_root() { totals } else { (items, size) };
    let count = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let mut cells = vec![
        ("Date", Value::Time(object.created)),
        ("Name", Value::text(folder.name())),
        ("CreationTime", Value::Time(object.created)),
        ("LastModifiedTime", Value::Time(object.created)),
        ("FolderPath", Value::owned(format!("/{}", folder.name()))),
        ("FolderId", Value::owned(folder.id())),
        ("Identity", Value::owned(folder.identity(object.name()))),
        ("FolderType", Value::text(folder.kind)),
        ("Movable", Value::Bool(!folder.is_root())),
        ("ContainerClass", Value::text(folder.container_class())),
        ("ItemsInFolder", count(items)),
        ("VisibleItemsInFolder", count(items)),
        ("FolderSize", Value::owned(size_text(size))),
        ("ItemsInFolderAndSubfolders", count(all_items)),
        ("FolderAndSubfolderSize", Value::owned(size_text(all_size))),
    ];
    if let Some(mailbox) = object.mailbox() {
        cells.push(("ContentMailboxGuid", Value::Guid(mailbox.exchange_guid)));
    }
    if oldest && items > 0 {
        cells.push(("OldestItemReceivedDate", Value::Time(object.created)));
        cells.push(("NewestItemReceivedDate", Value::Time(reader.now)));
    }
    Cells(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_together_hold_the_mailbox() {
        for total in [0, 1, 99, 12_345, 8_000_000_000] {
            assert_eq!(FOLDERS.iter().map(|folder| folder.share_of(total)).sum::<u64>(), total);
        }
        assert_eq!(FOLDERS.iter().map(|folder| folder.share).sum::<u64>(), 100);
    }
}
