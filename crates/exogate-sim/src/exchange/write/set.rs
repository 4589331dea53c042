//! The Set cmdlets: find the target, plan its parameters, apply them all or none.

use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{
    Accepts, is_contact, is_distribution_group, is_dynamic_group, is_group, is_mail_contact, is_mail_user,
    is_mailbox, is_unified_group, is_user,
};
use crate::exchange::schema::RowClass;
use crate::exchange::value::parse_time;
use crate::state::{Idx, Object};

use super::dynamic::{canned_filter, is_condition};
use super::groups::check_manager;
use super::session::Session;
use super::settings::{Bag, plan};

type Done = Result<(), ExchangeError>;

fn apply(session: &mut Session<'_>, idx: Idx, class: RowClass, bag: Bag) -> Done {
    let changes = plan(session, idx, class, bag)?;
    let changed = session.update(idx, |object| {
        for change in changes {
            change(object);
        }
        drop_empty(object);
    })?;
    if !changed {
        session.warn_unchanged(idx);
    }
    Ok(())
}

/// Bags that hold nothing compare like bags that never were.
fn drop_empty(object: &mut Object) {
    if object.extra.as_deref().is_some_and(|extra| *extra == crate::state::Extra::default()) {
        object.extra = None;
    }
}

fn simple(session: &mut Session<'_>, accepts: Accepts, class: RowClass, bag: Bag) -> Done {
    let idx = session.target(accepts)?;
    apply(session, idx, class, bag)
}

pub(super) fn mailbox(session: &mut Session<'_>) -> Done {
    if session.bound.switch("InactiveMailbox") {
        let identity = session.identity()?.to_owned();
        session.object.clone_from(&identity);
        let found: Vec<Idx> = session
            .reader()
            .deleted_named(&identity)
            .into_iter()
            .filter(|(_, object)| object.mailbox().is_some_and(|mailbox| mailbox.litigation_hold))
            .map(|(idx, _)| idx)
            .collect();
        return match found.as_slice() {
            [idx] => apply(session, *idx, RowClass::Mailbox, Bag::Exchange),
            [] => Err(ExchangeError::new(Condition::NotFound, [identity])),
            _ => Err(ExchangeError::new(Condition::Ambiguous, [identity])),
        };
    }
    let accepts = if session.bound.switch("GroupMailbox") { is_unified_group } else { is_mailbox };
    simple(session, accepts, RowClass::Mailbox, Bag::Exchange)
}

pub(super) fn cas_mailbox(session: &mut Session<'_>) -> Done {
    simple(session, is_mailbox, RowClass::CasMailbox, Bag::Cas)
}

pub(super) fn user(session: &mut Session<'_>) -> Done {
    simple(session, is_user, RowClass::User, Bag::Directory)
}

pub(super) fn mail_user(session: &mut Session<'_>) -> Done {
    simple(session, is_mail_user, RowClass::MailUser, Bag::Exchange)
}

pub(super) fn distribution_group(session: &mut Session<'_>) -> Done {
    let idx = session.target(is_distribution_group)?;
    check_manager(session, idx)?;
    apply(session, idx, RowClass::DistributionGroup, Bag::Exchange)
}

pub(super) fn dynamic_group(session: &mut Session<'_>) -> Done {
    let idx = session.target(is_dynamic_group)?;
    apply(session, idx, RowClass::DynamicDistributionGroup, Bag::Exchange)?;
    if session.bound.iter().any(|(name, _)| is_condition(name)) {
        let filter = canned_filter(session.object(idx)?);
        session.update(idx, |object| {
            if let Some(group) = object.group_mut() {
                group.recipient_filter = Some(filter.into());
            }
            object.extra_mut().exchange.set("RecipientFilterType", "Precanned");
        })?;
    }
    Ok(())
}

pub(super) fn unified_group(session: &mut Session<'_>) -> Done {
    simple(session, is_unified_group, RowClass::UnifiedGroup, Bag::Exchange)
}

pub(super) fn group(session: &mut Session<'_>) -> Done {
    let idx = session.target(is_group)?;
    check_manager(session, idx)?;
    apply(session, idx, RowClass::Group, Bag::Directory)
}

pub(super) fn auto_reply(session: &mut Session<'_>) -> Done {
    let time = |name: &str| session.bound.text(name).and_then(parse_time);
    if let (Some(start), Some(end)) = (time("StartTime"), time("EndTime"))
        && end <= start
    {
        return Err(ExchangeError::new(
            Condition::Validation,
            ["The start time must be earlier than the end time."],
        ));
    }
    simple(session, is_mailbox, RowClass::AutoReply, Bag::AutoReply)
}

pub(super) fn regional(session: &mut Session<'_>) -> Done {
    simple(session, is_mailbox, RowClass::Regional, Bag::Regional)
}

pub(super) fn mail_contact(session: &mut Session<'_>) -> Done {
    simple(session, is_mail_contact, RowClass::MailContact, Bag::Exchange)
}

pub(super) fn contact(session: &mut Session<'_>) -> Done {
    simple(session, is_contact, RowClass::Contact, Bag::Directory)
}

pub(super) fn calendar_processing(session: &mut Session<'_>) -> Done {
    simple(session, is_mailbox, RowClass::CalendarProcessing, Bag::Calendar)
}

pub(super) fn calendar(session: &mut Session<'_>) -> Done {
    simple(session, is_mailbox, RowClass::MailboxCalendar, Bag::CalendarView)
}

pub(super) fn messages(session: &mut Session<'_>) -> Done {
    simple(session, is_mailbox, RowClass::MailboxMessage, Bag::Messages)
}

pub(super) fn junk(session: &mut Session<'_>) -> Done {
    simple(session, is_mailbox, RowClass::MailboxJunk, Bag::Junk)
}
