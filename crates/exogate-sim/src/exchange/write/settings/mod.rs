//! From the parameters of a Set cmdlet to changes of an object: resolved, checked, ready to be applied at once.
//!
//! Nothing is written here, so that a refusal of one parameter leaves everything as it was.

mod person;
mod plain;

use std::sync::Arc;

use crate::exchange::bind::Arg;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::is_recipient;
use crate::exchange::reader::Reader;
use crate::exchange::rows::reference_property;
use crate::exchange::schema::RowClass;
use crate::state::{AttrValue, Attrs, Body, GroupKind, Idx, Object, RecipientTypeDetails};

use super::lists;
use super::session::Session;
use super::{addresses, synced};

/// One change of an object.
pub(super) type Change = Box<dyn FnOnce(&mut Object)>;

/// Where sparse attributes of a cmdlet family are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bag {
    Exchange,
    Directory,
    Cas,
    AutoReply,
    Regional,
    Calendar,
    CalendarView,
    Messages,
    Junk,
}

impl Bag {
    fn of(self, object: &mut Object) -> &mut Attrs {
        let extra = object.extra_mut();
        match self {
            Self::Exchange => &mut extra.exchange,
            Self::Directory => &mut extra.directory,
            Self::Cas => &mut extra.cas,
            Self::AutoReply => &mut extra.auto_reply,
            Self::Regional => &mut extra.regional,
            Self::Calendar => &mut extra.calendar,
            Self::CalendarView => &mut extra.calendar_view,
            Self::Messages => &mut extra.messages,
            Self::Junk => &mut extra.junk,
        }
    }

    fn held(self, object: &Object, name: &str) -> Option<AttrValue> {
        let extra = object.extra()?;
        let bag = match self {
            Self::Exchange => &extra.exchange,
            Self::Directory => &extra.directory,
            Self::Cas => &extra.cas,
            Self::AutoReply => &extra.auto_reply,
            Self::Regional => &extra.regional,
            Self::Calendar => &extra.calendar,
            Self::CalendarView => &extra.calendar_view,
            Self::Messages => &extra.messages,
            Self::Junk => &extra.junk,
        };
        bag.get(name).cloned()
    }
}

/// Plans every given parameter.
///
/// # Errors
/// What the first parameter that cannot be written says.
pub(super) fn plan(
    session: &Session<'_>,
    idx: Idx,
    class: RowClass,
    bag: Bag,
) -> Result<Vec<Change>, ExchangeError> {
    let object = session.object(idx)?;
    let bound = session.bound;
    if bound.has("PrimarySmtpAddress") && bound.has("EmailAddresses") {
        return Err(rule("The PrimarySmtpAddress and EmailAddresses parameters can't be used together."));
    }
    let planner = Planner { session, reader: session.reader(), idx, object, class, bag };
    let mut changes = Vec::new();
    for (name, value) in bound.iter() {
        if synced::refused(object, &bound.cmdlet.name, name, session.knobs) {
            let shown = object.name().to_owned();
            return Err(ExchangeError::new(Condition::DirSynced, [shown.as_str(), &bound.cmdlet.name, name]));
        }
        if let Some(change) = planner.special(name, value)? {
            changes.push(change);
        } else if let Some(change) = planner.generic(name, value) {
            changes.push(change);
        }
    }
    Ok(changes)
}

fn rule(text: &str) -> ExchangeError {
    ExchangeError::new(Condition::RecipientTask, [text])
}

/// The days of a time span: `31`, `31.00:00:00`, `04:00:00`.
fn whole_days(span: &str) -> u32 {
    let days = span.split_once('.').map_or(span, |(days, _)| days);
    days.trim().parse().unwrap_or(0)
}

struct Planner<'a> {
    session: &'a Session<'a>,
    reader: Reader<'a>,
    idx: Idx,
    object: &'a Object,
    class: RowClass,
    bag: Bag,
}

type Planned = Result<Option<Change>, ExchangeError>;

fn change(apply: impl FnOnce(&mut Object) + 'static) -> Planned {
    Ok(Some(Box::new(apply)))
}

/// Nothing to do for this parameter.
fn nothing() -> Planned {
    change(|_| {})
}

impl Planner<'_> {
    fn special(&self, name: &str, value: &Arg) -> Planned {
        let text = match value {
            Arg::Text(text) => text.clone(),
            Arg::Int(number) => number.to_string(),
            _ => String::new(),
        };
        let on = *value == Arg::Bool(true);
        match name {
            "Identity"
            | "Confirm"
            | "WhatIf"
            | "Force"
            | "BypassSecurityGroupManagerCheck"
            | "IgnoreNamingPolicy"
            | "GroupMailbox"
            | "InactiveMailbox"
            | "PublicFolder"
            | "UseCustomRouting"
            | "IgnoreDefaultScope" => nothing(),
            "Password" | "RoomMailboxPassword" => change(move |object| {
                if let Some(user) = object.user_mut() {
                    user.password = Some(text).filter(|text| !text.is_empty()).map(Into::into);
                }
            }),
            "DisplayName" => change(move |object| object.display_name = text.into()),
            "Alias" => {
                if text.is_empty()
                    || !text.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
                {
                    return Err(rule(&format!("The value \"{text}\" isn't a valid alias.")));
                }
                change(move |object| object.alias = text.into())
            }
            "Name" if self.object.recipient.is_some() => {
                if text.trim().is_empty() {
                    return Err(rule("The property 'Name' can't be empty."));
                }
                change(move |object| {
                    if let Some(recipient) = &mut object.recipient {
                        recipient.name = text.into();
                    }
                })
            }
            "EmailAddresses" => self.addresses(addresses::changed(&self.object.addresses, value)?),
            "PrimarySmtpAddress" | "WindowsEmailAddress" if !text.is_empty() => {
                self.addresses(addresses::with_primary(&self.object.addresses, &text))
            }
            "MicrosoftOnlineServicesID" => {
                self.session.accepted(&text)?;
                change(move |object| {
                    if let Some(user) = object.user_mut() {
                        user.upn = text.into();
                    }
                })
            }
            "ExternalEmailAddress" => {
                let address = if text.contains(':') { text } else { format!("SMTP:{text}") };
                change(move |object| {
                    if let Some(recipient) = &mut object.recipient {
                        recipient.external_address = Some(address.into());
                    }
                })
            }
            "RetainDeletedItemsFor" if whole_days(&text) > 30 => {
                Err(rule("RetainDeletedItemsFor can't be more than 30 days."))
            }
            "HiddenFromAddressListsEnabled" => change(move |object| {
                if let Some(recipient) = &mut object.recipient {
                    recipient.hidden_from_address_lists = on;
                }
            }),
            "GrantSendOnBehalfTo" => {
                let held =
                    self.object.recipient.as_deref().map_or(&[][..], |recipient| &recipient.send_on_behalf);
                let list = lists::recipients(&self.reader, name, held, value, is_recipient)?;
                change(move |object| {
                    if let Some(recipient) = &mut object.recipient {
                        recipient.send_on_behalf = list;
                    }
                })
            }
            "ManagedBy" => self.owners(value),
            "AcceptMessagesOnlyFromSendersOrMembers" | "RejectMessagesFromSendersOrMembers" => {
                self.senders(name, value)
            }
            _ if reference_property(name) => self.references(name, value),
            _ => match &self.object.body {
                Body::Group(_) => self.group(name, value, text, on),
                Body::Contact(_) => Ok(self.contact(name, value, &text)),
                Body::Principal(_) => Ok(None),
                Body::User(_) => self.person(name, value, text, on),
            },
        }
    }

    fn addresses(&self, list: Vec<crate::state::Text>) -> Planned {
        for address in &list {
            if !self.object.addresses.iter().any(|held| held.eq_ignore_ascii_case(address)) {
                self.session.accepted(address)?;
            }
        }
        change(move |object| object.addresses = list)
    }

    fn owners(&self, value: &Arg) -> Planned {
        let Some(group) = self.object.group() else { return Ok(None) };
        let list = lists::recipients(&self.reader, "ManagedBy", &group.owners, value, may_own)?;
        if list.is_empty() && group.kind != GroupKind::DynamicDistribution {
            return Err(rule("You can't remove the last owner: a group must have at least one owner."));
        }
        change(move |object| {
            if let Some(group) = object.group_mut() {
                group.owners = list;
            }
        })
    }

    fn held_references(&self, name: &str) -> Vec<Idx> {
        let find =
            |text: &str| self.session.state.live_by_text(crate::state::KeyKind::Id, text).first().copied();
        match Bag::Exchange.held(self.object, name) {
            Some(AttrValue::Text(text)) => find(&text).into_iter().collect(),
            Some(AttrValue::List(list)) => list.iter().filter_map(|text| find(text)).collect(),
            _ => Vec::new(),
        }
    }

    fn ids(&self, list: &[Idx]) -> Vec<String> {
        list.iter()
            .filter_map(|idx| self.session.state.get(*idx))
            .map(|object| object.id.to_string())
            .collect()
    }

    fn references(&self, name: &str, value: &Arg) -> Planned {
        let held = self.held_references(name);
        let list = lists::recipients(&self.reader, name, &held, value, is_recipient)?;
        let ids = self.ids(&list);
        let name = name.to_owned();
        if name == "ForwardingAddress" || name == "ArbitrationMailbox" {
            let one = ids.into_iter().next();
            return change(move |object| match one {
                Some(id) => object.extra_mut().exchange.set(&name, id),
                None => {
                    object.extra_mut().exchange.unset(&name);
                }
            });
        }
        // The combined list shows whatever its two parts hold.
        let combined = combined_name(&name).map(|combined| {
            let other = if name.ends_with("DLMembers") {
                name.trim_end_matches("DLMembers").to_owned()
            } else {
                format!("{name}DLMembers")
            };
            let mut all = ids.clone();
            all.extend(self.ids(&self.held_references(&other)));
            (combined, all)
        });
        change(move |object| {
            let bag = &mut object.extra_mut().exchange;
            put_list(bag, &name, ids);
            if let Some((combined, all)) = combined {
                put_list(bag, combined, all);
            }
        })
    }

    /// The combined list splits into people and groups.
    fn senders(&self, name: &'_ str, value: &Arg) -> Planned {
        let list = lists::recipients(&self.reader, name, &self.held_references(name), value, is_recipient)?;
        let is_group =
            |idx: &Idx| self.session.state.get(*idx).is_some_and(|object| object.group().is_some());
        let (groups, people): (Vec<Idx>, Vec<Idx>) = list.iter().copied().partition(is_group);
        let base = name.trim_end_matches("SendersOrMembers").to_owned();
        let (all, people, groups) = (self.ids(&list), self.ids(&people), self.ids(&groups));
        let name = name.to_owned();
        change(move |object| {
            let bag = &mut object.extra_mut().exchange;
            put_list(bag, &name, all);
            put_list(bag, &format!("{base}DLMembers"), groups);
            put_list(bag, &base, people);
        })
    }

    fn group(&self, name: &str, value: &Arg, text: String, on: bool) -> Planned {
        let Some(group) = self.object.group() else { return Ok(None) };
        let secure = group.kind == GroupKind::MailEnabledSecurity;
        match name {
            "Notes" if self.class != RowClass::DynamicDistributionGroup => {
                change(move |object| set_description(object, Some(text)))
            }
            "Description" => {
                let lines = lists::texts(&[], value).join("\r\n");
                change(move |object| set_description(object, Some(lines)))
            }
            "HiddenGroupMembershipEnabled" if group.hidden_membership && !on => {
                Err(rule("HiddenGroupMembershipEnabled can't be turned off once it was turned on."))
            }
            "HiddenGroupMembershipEnabled" => change(move |object| {
                if let Some(group) = object.group_mut() {
                    group.hidden_membership = on;
                }
            }),
            "AccessType" => change(move |object| {
                if let Some(group) = object.group_mut() {
                    group.visibility = Some(Arc::from(text));
                }
            }),
            "MemberJoinRestriction" | "MemberDepartRestriction" if secure && text == "Open" => {
                Err(rule(&format!(
                    "The {name} value Open isn't valid for security groups. Use Closed{}.",
                    if name == "MemberJoinRestriction" { " or ApprovalRequired" } else { "" }
                )))
            }
            "RoomList" if on => {
                if secure {
                    return Err(rule("A security group can't become a room list."));
                }
                change(move |object| {
                    if let Some(recipient) = &mut object.recipient {
                        recipient.details = RecipientTypeDetails::RoomList;
                    }
                })
            }
            "RecipientFilter" => {
                crate::exchange::opath::compile(&text, "Get-Recipient")?;
                change(move |object| {
                    if let Some(group) = object.group_mut() {
                        group.recipient_filter = Some(text.into());
                    }
                    object.extra_mut().exchange.set("RecipientFilterType", "Custom");
                })
            }
            _ => Ok(None),
        }
    }
}

fn set_description(object: &mut Object, text: Option<String>) {
    if let Some(group) = object.group_mut() {
        group.description = text.filter(|text| !text.is_empty()).map(String::into_boxed_str);
    }
}

/// Mailboxes, mail users and mail-enabled security groups own groups.
pub(super) fn may_own(object: &Object) -> bool {
    object.details().is_some_and(|details| {
        details.is_mailbox()
            || matches!(
                details,
                RecipientTypeDetails::MailUser | RecipientTypeDetails::MailUniversalSecurityGroup
            )
    })
}

fn combined_name(name: &str) -> Option<&'static str> {
    match name {
        "AcceptMessagesOnlyFrom" | "AcceptMessagesOnlyFromDLMembers" => {
            Some("AcceptMessagesOnlyFromSendersOrMembers")
        }
        "RejectMessagesFrom" | "RejectMessagesFromDLMembers" => Some("RejectMessagesFromSendersOrMembers"),
        _ => None,
    }
}

fn put_list(bag: &mut Attrs, name: &str, list: Vec<String>) {
    if list.is_empty() {
        bag.unset(name);
    } else {
        bag.set(name, list);
    }
}
