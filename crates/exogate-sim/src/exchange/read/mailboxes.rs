//! Mailboxes and what hangs on them: client access, statistics, automatic replies, regional settings.

use crate::state::{Class, Idx, Object, RecipientTypeDetails};

use super::listing::{Narrow, by_identity, emit, list, merged, start};
use crate::exchange::bind::Bound;
use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{is_mailbox, is_unified_group};
use crate::exchange::reader::Reader;
use crate::exchange::rows::RecipientRow;
use crate::exchange::schema::RowClass;

const INCLUDES: [&str; 6] = [
    "IncludeAcceptMessagesOnlyFromDLMembersWithDisplayNames",
    "IncludeAcceptMessagesOnlyFromSendersOrMembersWithDisplayNames",
    "IncludeAcceptMessagesOnlyFromWithDisplayNames",
    "IncludeEmailAddressDisplayNames",
    "IncludeForwardingAddressWithDisplayNames",
    "IncludeGrantSendOnBehalfToWithDisplayNames",
];

fn show(bound: &Bound, page: &mut Page) {
    for switch in INCLUDES {
        if bound.switch(switch) {
            page.show(switch);
        }
    }
}

pub(super) fn mailboxes(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    show(bound, page);
    let class = RowClass::Mailbox;
    if bound.switch("GroupMailbox") {
        return list(reader, bound, page, class, &[RecipientTypeDetails::GroupMailbox], is_unified_group);
    }
    if bound.switch("PublicFolder") || bound.switch("Migration") {
        return Ok(());
    }
    let soft_deleted = bound.switch("SoftDeletedMailbox");
    let inactive_only = bound.switch("InactiveMailboxOnly");
    let include_inactive = bound.switch("IncludeInactiveMailbox");
    if !(soft_deleted || inactive_only || include_inactive) {
        if bound.switch("Archive") {
            let narrow = Narrow::new(bound)?;
            let rows = reader.view.recipients(&RecipientTypeDetails::MAILBOXES, start(page, &narrow));
            let archived = rows.filter(|(_, object)| has_archive(object));
            emit(
                page,
                &narrow,
                class,
                archived.map(|(idx, object)| RecipientRow::new(reader, class, idx, object)),
            );
            return Ok(());
        }
        return list(reader, bound, page, class, &RecipientTypeDetails::MAILBOXES, is_mailbox);
    }
    let narrow = Narrow::new(bound)?;
    let wanted = move |row: &RecipientRow<'_>| {
        if row.is_inactive() { inactive_only || include_inactive } else { soft_deleted && !inactive_only }
    };
    if let Some(identity) = bound.text("Identity") {
        let rows = gone_mailboxes_named(reader, identity, class).into_iter().filter(wanted);
        let live = (include_inactive && !soft_deleted && !inactive_only)
            .then(|| reader.candidates(identity, is_mailbox));
        let live =
            live.into_iter().flatten().map(|(idx, object)| RecipientRow::new(reader, class, idx, object));
        let found: Vec<_> = live.chain(rows).collect();
        if found.is_empty() {
            return Err(ExchangeError::new(Condition::NotFound, [identity]));
        }
        emit(page, &narrow, class, found.into_iter());
        return Ok(());
    }
    let from = start(page, &narrow);
    let gone = reader
        .view
        .list(Class::SoftDeletedMailboxes, from)
        .map(|(idx, object)| gone_row(reader, class, idx, object))
        .filter(wanted);
    if include_inactive && !soft_deleted && !inactive_only {
        let live = reader.view.recipients(&RecipientTypeDetails::MAILBOXES, from);
        let live = live.map(|(idx, object)| RecipientRow::new(reader, class, idx, object));
        emit(page, &narrow, class, merged(live, gone));
    } else {
        emit(page, &narrow, class, gone);
    }
    Ok(())
}

fn has_archive(object: &Object) -> bool {
    let held = object.extra().and_then(|extra| extra.exchange.get("ArchiveStatus"));
    held.and_then(crate::state::AttrValue::as_str).is_some_and(|status| status == "Active")
}

fn gone_row<'a>(reader: &'a Reader<'a>, class: RowClass, idx: Idx, object: &'a Object) -> RecipientRow<'a> {
    if object.is_live() {
        RecipientRow::disconnected(reader, class, idx, object)
    } else {
        RecipientRow::new(reader, class, idx, object)
    }
}

/// Soft-deleted, disconnected and inactive mailboxes that bear the identity.
pub(in crate::exchange) fn gone_mailboxes_named<'a>(
    reader: &'a Reader<'a>,
    identity: &str,
    class: RowClass,
) -> Vec<RecipientRow<'a>> {
    let deleted = reader.deleted_named(identity).into_iter().filter(|(_, object)| object.mailbox().is_some());
    let disconnected = reader.named(identity).into_iter().filter(|(_, object)| object.disconnected.is_some());
    deleted.chain(disconnected).map(|(idx, object)| gone_row(reader, class, idx, object)).collect()
}

pub(super) fn cas_mailboxes(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    list(reader, bound, page, RowClass::CasMailbox, &RecipientTypeDetails::MAILBOXES, is_mailbox)
}

/// One mailbox by its mandatory identity.
pub(super) fn one(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
    class: RowClass,
) -> Result<(), ExchangeError> {
    let either = |object: &Object| is_mailbox(object) || is_unified_group(object);
    let found = by_identity(reader, bound, either)?.unwrap_or_default();
    match found.as_slice() {
        [(idx, object)] => {
            page.single(class, &RecipientRow::new(reader, class, *idx, object));
            Ok(())
        }
        [] => Err(ExchangeError::new(Condition::NotFound, [bound.text("Identity").unwrap_or_default()])),
        _ => Err(ExchangeError::new(Condition::Ambiguous, [bound.text("Identity").unwrap_or_default()])),
    }
}

pub(super) fn statistics(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    if bound.switch("IncludeSoftDeletedRecipients") {
        let identity = bound.text("Identity").unwrap_or_default();
        if let [row] = gone_mailboxes_named(reader, identity, RowClass::MailboxStatistics).as_slice() {
            page.single(RowClass::MailboxStatistics, row);
            return Ok(());
        }
    }
    one(reader, bound, page, RowClass::MailboxStatistics)
}

pub(super) fn auto_reply(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    if bound.text("Identity").is_none() {
        return list(reader, bound, page, RowClass::AutoReply, &RecipientTypeDetails::MAILBOXES, is_mailbox);
    }
    one(reader, bound, page, RowClass::AutoReply)
}

pub(super) fn regional(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    if bound.text("Identity").is_none() && bound.text("MailboxLocation").is_none() {
        return list(reader, bound, page, RowClass::Regional, &RecipientTypeDetails::MAILBOXES, is_mailbox);
    }
    located(reader, bound, page, RowClass::Regional)
}

/// One mailbox by its identity, or by one of its locations, which all have the same settings here.
pub(super) fn located(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
    class: RowClass,
) -> Result<(), ExchangeError> {
    if let Some(location) = bound.text("MailboxLocation") {
        // `mailbox\location id`
        let mailbox = location.split('\\').next().unwrap_or(location);
        let (idx, object) = reader.target(mailbox, is_mailbox)?;
        page.single(class, &RecipientRow::new(reader, class, idx, object));
        return Ok(());
    }
    one(reader, bound, page, class)
}

/// What no mailbox of this tenant has: rules and devices. The mailbox must exist all the same.
pub(super) fn none(reader: &Reader<'_>, bound: &Bound) -> Result<(), ExchangeError> {
    if let Some(mailbox) = bound.text("Mailbox") {
        reader.target(mailbox, |object| is_mailbox(object) || is_unified_group(object))?;
    } else if let Some(identity) = bound.text("Identity") {
        return Err(ExchangeError::new(Condition::NotFound, [identity]));
    }
    Ok(())
}
