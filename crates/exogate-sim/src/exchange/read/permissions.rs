//! Rights on mailboxes and recipients, one row per entry.

use std::borrow::Cow;

use crate::state::{Ace, Idx, Object, RecipientTypeDetails, Rights, Trustee};

use super::mailboxes::gone_mailboxes_named;
use super::{Asked, Cells, asked};
use crate::exchange::bind::Bound;
use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{is_mailbox, is_recipient, is_unified_group};
use crate::exchange::knobs::ExchangeKnobs;
use crate::exchange::reader::Reader;
use crate::exchange::schema::RowClass;
use crate::exchange::trustee::{Rendered, Shown};
use crate::exchange::value::Value;

fn rights<'a>(rights: Rights, knobs: &ExchangeKnobs) -> Value<'a> {
    if knobs.split_rights {
        Value::List(rights.names().map(Cow::Borrowed).collect())
    } else {
        Value::List(vec![Cow::Owned(rights.to_string())])
    }
}

fn truth<'a>(value: bool, knobs: &ExchangeKnobs) -> Value<'a> {
    if knobs.deny_as_text { Value::text(if value { "True" } else { "False" }) } else { Value::Bool(value) }
}

/// A row of Get-MailboxPermission.
#[must_use]
pub fn mailbox_permission_cells<'a>(
    knobs: &ExchangeKnobs,
    identity: &'a str,
    ace: &Ace,
    trustee: Rendered,
    with_names: bool,
) -> Cells<'a> {
    let (address, display) =
        if with_names { (trustee.address, trustee.display_name) } else { Default::default() };
    Cells(vec![
        ("Identity", Value::text(identity)),
        ("User", Value::owned(trustee.name)),
        ("AccessRights", rights(ace.rights, knobs)),
        ("IsInherited", truth(ace.inherited, knobs)),
        ("Deny", truth(ace.deny, knobs)),
        ("InheritanceType", Value::text(ace.inheritance.as_str())),
        ("UserSid", Value::owned(trustee.sid)),
        ("PrimarySmtpAddress", Value::owned(address)),
        ("UserDisplayName", Value::owned(display)),
    ])
}

/// A row of Get-RecipientPermission.
#[must_use]
pub fn recipient_permission_cells<'a>(
    knobs: &ExchangeKnobs,
    identity: &'a str,
    ace: &Ace,
    trustee: Rendered,
    with_address: bool,
) -> Cells<'a> {
    let mut cells = vec![
        ("Identity", Value::text(identity)),
        ("Trustee", Value::owned(trustee.name)),
        ("AccessControlType", Value::text(if ace.deny { "Deny" } else { "Allow" })),
        ("AccessRights", Value::List(vec![Cow::Borrowed("SendAs")])),
        ("InheritanceType", Value::text(crate::state::Inheritance::None.as_str())),
        ("TrusteeSidString", Value::owned(trustee.sid)),
        (
            "TrusteeWithPrimarySmtpAddress",
            Value::owned(if with_address { trustee.address } else { String::new() }),
        ),
    ];
    if knobs.recipient_rows_inherited {
        cells.push(("IsInherited", Value::Bool(ace.inherited)));
    }
    Cells(cells)
}

/// Narrows rows to one trustee; texts that no longer resolve are compared with what the rows show.
struct Wanted {
    text: String,
    trustees: Vec<Trustee>,
}

impl Wanted {
    fn new(reader: &Reader<'_>, text: &str) -> Self {
        Self { text: text.to_owned(), trustees: reader.trustees_named(text) }
    }

    fn is(&self, reader: &Reader<'_>, trustee: &Trustee) -> bool {
        self.trustees.contains(trustee) || reader.trustee_is_called(trustee, &self.text)
    }
}

pub(super) fn mailbox_permissions(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let Asked::One(identity) = asked(reader, bound, "Identity")? else {
        return Err(ExchangeError::new(Condition::NullParameter, ["Identity"]));
    };
    let object = if bound.switch("SoftDeletedMailbox") {
        match gone_mailboxes_named(reader, identity, RowClass::Mailbox).as_slice() {
            [one] => one.object,
            [] => return Err(ExchangeError::new(Condition::NotFound, [identity])),
            _ => return Err(ExchangeError::new(Condition::Ambiguous, [identity])),
        }
    } else if bound.switch("GroupMailbox") {
        reader.target(identity, is_unified_group)?.1
    } else {
        reader.target(identity, is_mailbox)?.1
    };
    if bound.switch("Owner") {
        let cells = Cells(vec![
            ("Identity", Value::text(object.name())),
            ("Owner", Value::text("NT AUTHORITY\\SELF")),
        ]);
        page.single(RowClass::MailboxOwner, &cells);
        return Ok(());
    }
    let kept = object.disconnected.as_deref().and_then(|kept| kept.recipient.mailbox.as_deref());
    let Some(mailbox) =
        (if bound.switch("SoftDeletedMailbox") && object.is_live() { kept } else { object.mailbox() })
    else {
        return Ok(());
    };
    let shown = Shown {
        soft_deleted: bound.switch("IncludeSoftDeletedUserPermissions"),
        unresolved: bound.switch("IncludeUnresolvedPermissions"),
    };
    let with_names = bound.switch("IncludeUserWithDisplayName");
    if with_names {
        page.show("IncludeUserWithDisplayName");
    }
    let wanted = bound.text("User").map(|text| Wanted::new(reader, text));
    if let Some(wanted) = &wanted
        && wanted.trustees.is_empty()
        && !mailbox.rows().any(|ace| wanted.is(reader, &ace.trustee))
    {
        return Err(ExchangeError::new(Condition::LookupNotFound, [wanted.text.as_str()]));
    }
    let from = page.from().at;
    for (at, ace) in mailbox.rows().enumerate().skip(from as usize) {
        if wanted.as_ref().is_some_and(|wanted| !wanted.is(reader, &ace.trustee)) {
            continue;
        }
        let Some(trustee) = reader.mailbox_trustee(&ace.trustee, shown) else { continue };
        let cells = mailbox_permission_cells(reader.knobs, object.name(), &ace, trustee, with_names);
        if !page.push(RowClass::MailboxPermission, u32::try_from(at).unwrap_or(u32::MAX), 0, &cells) {
            break;
        }
    }
    Ok(())
}

/// Kinds whose SendAs entries a listing of the tenant holds.
const SENDERS: [RecipientTypeDetails; 14] = RecipientTypeDetails::ALL;

pub(super) fn recipient_permissions(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let with_address = bound.switch("IncludeTrusteeWithPrimarySmtpAddress");
    let wanted = match bound.text("Trustee") {
        Some(text) => {
            let wanted = Wanted::new(reader, text);
            let sid = text.trim().get(..4).is_some_and(|start| start.eq_ignore_ascii_case("S-1-"));
            if wanted.trustees.is_empty() && !sid && !text.contains('\\') {
                return Err(ExchangeError::new(Condition::NotSecurityPrincipal, [text]));
            }
            Some(wanted)
        }
        None => None,
    };
    let from = page.from();
    let one_object = |idx: Idx, object: &Object, page: &mut Page| -> bool {
        let Some(recipient) = object.recipient.as_deref() else { return true };
        let first = if idx.0 == from.at { from.skip } else { 0 };
        for (skip, ace) in recipient.send_as_rows().enumerate().skip(first as usize) {
            if wanted.as_ref().is_some_and(|wanted| !wanted.is(reader, &ace.trustee)) {
                continue;
            }
            let Some(trustee) = reader.recipient_trustee(&ace.trustee) else { continue };
            let cells = recipient_permission_cells(reader.knobs, object.name(), &ace, trustee, with_address);
            let skip = u32::try_from(skip).unwrap_or(u32::MAX);
            if !page.push(RowClass::RecipientPermission, idx.0, skip, &cells) {
                return false;
            }
        }
        true
    };
    if let Asked::One(identity) = asked(reader, bound, "Identity")? {
        let (idx, object) = reader.target(identity, is_recipient)?;
        one_object(idx, object, page);
        return Ok(());
    }
    for (idx, object) in reader.view.recipients(&SENDERS, Idx(from.at)) {
        if !one_object(idx, object, page) {
            break;
        }
    }
    Ok(())
}
