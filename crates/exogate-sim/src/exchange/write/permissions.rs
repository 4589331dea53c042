//! Rights on mailboxes and recipients: given, taken, already there, not there.

use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{is_mailbox, is_recipient, is_unified_group};
use crate::exchange::read::{mailbox_permission_cells, recipient_permission_cells};
use crate::exchange::schema::RowClass;
use crate::exchange::trustee::{Rendered, Shown};
use crate::state::{Ace, GroupKind, Idx, Inheritance, Object, Rights, Trustee};

use super::session::Session;

type Shows = Result<bool, ExchangeError>;

/// Whether the object can hold rights at all.
fn is_security_principal(object: &Object) -> bool {
    match object.group() {
        // A group without mail can be chosen, though it gives nobody access.
        Some(group) => matches!(group.kind, GroupKind::MailEnabledSecurity | GroupKind::Security),
        None => object.user().is_some(),
    }
}

/// The trustee of a grant, which must exist and be able to hold rights.
fn grantee(session: &Session<'_>, text: &str) -> Result<Trustee, ExchangeError> {
    if let [Trustee::Itself] = session.reader().trustees_named(text).as_slice() {
        return Ok(Trustee::Itself);
    }
    let (idx, object) = session.reader().lookup(text, |_| true)?;
    if !is_security_principal(object) {
        return Err(ExchangeError::new(Condition::NotSecurityPrincipal, [text]));
    }
    Ok(Trustee::Object(idx))
}

/// The trustees that a text of a removal may mean: resolved, deleted, or as the entries show them.
fn holders<'a>(
    session: &Session<'_>,
    text: &str,
    entries: impl Iterator<Item = &'a Ace>,
) -> Result<Vec<Trustee>, ExchangeError> {
    let reader = session.reader();
    let named = reader.trustees_named(text);
    let mut shown: Vec<Trustee> = entries
        .map(|ace| &ace.trustee)
        .filter(|trustee| named.contains(trustee) || reader.trustee_is_called(trustee, text))
        .cloned()
        .collect();
    shown.dedup();
    if named.len() > 1 {
        return Err(ExchangeError::new(Condition::RecipientAmbiguous, [text]));
    }
    if shown.is_empty() && named.is_empty() {
        return Err(ExchangeError::new(Condition::LookupNotFound, [text]));
    }
    Ok(if shown.is_empty() { named } else { shown })
}

fn rights(session: &Session<'_>) -> Rights {
    let list = session.bound.list("AccessRights");
    let words = list.iter().flat_map(|text| text.split(','));
    words.filter_map(|word| Rights::named(word.trim())).fold(Rights::NONE, |all, right| all | right)
}

fn inheritance(session: &Session<'_>) -> Inheritance {
    match session.bound.text("InheritanceType") {
        Some("None") => Inheritance::None,
        Some("Children") => Inheritance::Children,
        Some("Descendents") => Inheritance::Descendents,
        Some("SelfAndChildren") => Inheritance::SelfAndChildren,
        _ => Inheritance::All,
    }
}

fn mailbox_target(session: &mut Session<'_>) -> Result<Idx, ExchangeError> {
    if session.bound.switch("SoftDeletedMailbox") {
        let identity = session.identity()?.to_owned();
        session.object.clone_from(&identity);
        let found = session.reader().deleted_named(&identity);
        let mailboxes: Vec<Idx> =
            found.iter().filter(|(_, object)| object.mailbox().is_some()).map(|(idx, _)| *idx).collect();
        return match mailboxes.as_slice() {
            [idx] => {
                session.name_target(*idx);
                Ok(*idx)
            }
            [] => Err(ExchangeError::new(Condition::NotFound, [identity])),
            _ => Err(ExchangeError::new(Condition::Ambiguous, [identity])),
        };
    }
    let accepts = if session.bound.switch("GroupMailbox") { is_unified_group } else { is_mailbox };
    session.target(accepts)
}

fn shown_name(rendered: Option<Rendered>, text: &str) -> String {
    rendered.map_or_else(|| text.to_owned(), |trustee| trustee.name)
}

pub(super) fn add_mailbox_permission(session: &mut Session<'_>, page: &mut Page) -> Shows {
    let idx = mailbox_target(session)?;
    if let Some(owner) = session.bound.text("Owner") {
        let (_, object) = session.reader().lookup(owner, is_security_principal)?;
        let owner = object.id.to_string();
        session.update(idx, |object| object.extra_mut().exchange.set("Owner", owner))?;
        return Ok(false);
    }
    let text = session.bound.text("User").unwrap_or_default().to_owned();
    let trustee = grantee(session, &text)?;
    let (wanted, deny, inheritance) = (rights(session), session.bound.switch("Deny"), inheritance(session));
    let object = session.object(idx)?;
    let Some(mailbox) = object.mailbox() else { return Err(ExchangeError::plain(Condition::MailboxGone)) };
    let same = |ace: &Ace| {
        ace.trustee == trustee && ace.deny == deny && !ace.inherited && ace.inheritance == inheritance
    };
    let held = mailbox.rows().filter(|ace| same(ace)).fold(Rights::NONE, |all, ace| all | ace.rights);
    if held.contains(wanted) {
        let name = object.name();
        let warning = format!(
            "The appropriate access control entry is already present on the object \"{name}\" for account \"{text}\"."
        );
        session.warnings.push(warning);
        return Ok(false);
    }
    let exists = mailbox.aces.iter().any(same);
    if !exists && mailbox.ace_count() >= session.knobs.max_aces as usize {
        return Err(ExchangeError::new(Condition::AclFull, [object.name()]));
    }
    let maps = wanted.contains(Rights::FULL_ACCESS)
        && !deny
        && session.bound.bool("AutoMapping") != Some(false)
        && matches!(&trustee, Trustee::Object(user) if session.state.get(*user).is_some_and(|user| user.user().is_some()));
    let new = Ace { trustee: trustee.clone(), rights: wanted, deny, inherited: false, inheritance };
    session.update(idx, |object| {
        let Some(mailbox) = object.mailbox_mut() else { return };
        match mailbox.aces.iter_mut().find(|ace| {
            ace.trustee == new.trustee && ace.deny == deny && !ace.inherited && ace.inheritance == inheritance
        }) {
            Some(ace) => ace.rights |= wanted,
            None => mailbox.aces.push(new.clone()),
        }
        if let (true, Trustee::Object(user)) = (maps, &new.trustee)
            && !mailbox.auto_map.contains(user)
        {
            mailbox.auto_map.push(*user);
        }
    })?;
    let reader = session.reader();
    let object = session.object(idx)?;
    let ace = object.mailbox().and_then(|mailbox| {
        mailbox.aces.iter().find(|ace| ace.trustee == trustee && ace.deny == deny && !ace.inherited)
    });
    let all = Shown { soft_deleted: true, unresolved: true };
    if let (Some(ace), Some(rendered)) = (ace, reader.mailbox_trustee(&trustee, all)) {
        let cells = mailbox_permission_cells(session.knobs, object.name(), ace, rendered, false);
        page.single(RowClass::MailboxPermission, &cells);
    }
    Ok(true)
}

pub(super) fn remove_mailbox_permission(session: &mut Session<'_>) -> Shows {
    let idx = mailbox_target(session)?;
    let object = session.object(idx)?;
    let Some(mailbox) = object.mailbox() else { return Err(ExchangeError::plain(Condition::MailboxGone)) };
    if session.bound.switch("ClearAutoMapping") {
        session.update(idx, |object| {
            if let Some(mailbox) = object.mailbox_mut() {
                mailbox.auto_map.clear();
            }
        })?;
        return Ok(false);
    }
    if session.bound.switch("ResetDefault") {
        session.update(idx, |object| {
            if let Some(mailbox) = object.mailbox_mut() {
                mailbox.aces.retain(|ace| ace.inherited || !ace.rights.contains(Rights::FULL_ACCESS));
                mailbox.auto_map.clear();
            }
        })?;
        return Ok(false);
    }
    let text = session.bound.text("User").unwrap_or_default().to_owned();
    let named = holders(session, &text, mailbox.aces.iter())?;
    let (unwanted, deny) = (rights(session), session.bound.switch("Deny"));
    let hit = |ace: &Ace| {
        named.contains(&ace.trustee) && ace.deny == deny && !ace.inherited && ace.rights.intersects(unwanted)
    };
    if !mailbox.aces.iter().any(hit) {
        let warning = format!(
            "Can't remove the access control entry on the object \"{}\" for the user account \"{text}\" because the ACE doesn't exist on the object.",
            session.reader().dn(object)
        );
        session.warnings.push(warning);
        return Ok(false);
    }
    session.update(idx, |object| {
        let Some(mailbox) = object.mailbox_mut() else { return };
        for ace in &mut mailbox.aces {
            if named.contains(&ace.trustee) && ace.deny == deny && !ace.inherited {
                ace.rights = ace.rights.without(unwanted);
            }
        }
        mailbox.aces.retain(|ace| !ace.rights.is_empty());
        if unwanted.contains(Rights::FULL_ACCESS) && !deny {
            mailbox.auto_map.retain(|user| !named.contains(&Trustee::Object(*user)));
        }
    })?;
    Ok(false)
}

pub(super) fn add_recipient_permission(session: &mut Session<'_>, page: &mut Page) -> Shows {
    let idx = session.target(is_recipient)?;
    let text = session.bound.text("Trustee").unwrap_or_default().to_owned();
    let trustee = grantee(session, &text)?;
    let object = session.object(idx)?;
    let Some(recipient) = object.recipient.as_deref() else {
        return Err(ExchangeError::plain(Condition::MailboxGone));
    };
    if recipient.send_as_rows().any(|ace| ace.trustee == trustee && !ace.deny && !ace.inherited) {
        let warning = format!(
            "The appropriate access control entry is already present on the object \"{}\" for account \"{text}\".",
            object.name()
        );
        session.warnings.push(warning);
        return Ok(false);
    }
    let new = Ace::allow(trustee.clone(), Rights::SEND_AS);
    session.update(idx, |object| {
        if let Some(recipient) = &mut object.recipient {
            recipient.send_as.push(new.clone());
        }
    })?;
    let reader = session.reader();
    let object = session.object(idx)?;
    if let Some(rendered) = reader.recipient_trustee(&trustee) {
        let cells = recipient_permission_cells(session.knobs, object.name(), &new, rendered, false);
        page.single(RowClass::RecipientPermission, &cells);
    }
    Ok(true)
}

pub(super) fn remove_recipient_permission(session: &mut Session<'_>) -> Shows {
    let idx = session.target(is_recipient)?;
    let mut texts: Vec<String> = session.bound.list("MultiTrustees").into_iter().map(str::to_owned).collect();
    if let Some(text) = session.bound.text("Trustee") {
        texts.insert(0, text.to_owned());
    }
    let deny = session.bound.switch("Deny");
    for text in texts {
        let object = session.object(idx)?;
        let Some(recipient) = object.recipient.as_deref() else {
            return Err(ExchangeError::plain(Condition::MailboxGone));
        };
        let named = holders(session, &text, recipient.send_as.iter())?;
        let hit = |ace: &Ace| named.contains(&ace.trustee) && ace.deny == deny && !ace.inherited;
        if !recipient.send_as.iter().any(hit) {
            let shown = named.first().and_then(|trustee| session.reader().recipient_trustee(trustee));
            let warning = format!(
                "Can't remove the access control entry on the object \"{}\" for account \"{}\" because the ACE isn't present.",
                object.name(),
                shown_name(shown, &text)
            );
            session.warnings.push(warning);
            continue;
        }
        session.update(idx, |object| {
            if let Some(recipient) = &mut object.recipient {
                recipient
                    .send_as
                    .retain(|ace| !(named.contains(&ace.trustee) && ace.deny == deny && !ace.inherited));
            }
        })?;
    }
    Ok(false)
}
