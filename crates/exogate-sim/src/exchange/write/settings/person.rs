//! Settings of people: contacts, users, mailboxes and what kind of mailbox it is.

use std::sync::Arc;

use crate::exchange::bind::Arg;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::schema::RowClass;
use crate::exchange::value::parse_time;
use crate::state::RecipientTypeDetails;

use super::{Change, Planned, Planner, change, rule};

impl Planner<'_> {
    pub(super) fn contact(&self, name: &str, value: &Arg, text: &str) -> Option<Change> {
        let word: Option<Arc<str>> = (!text.is_empty()).then(|| Arc::from(text));
        let own: Option<crate::state::Text> = (!text.is_empty()).then(|| text.into());
        let known = matches!(name, "FirstName" | "LastName" | "Title" | "Department" | "Company" | "Phone");
        if !known || !matches!(value, Arg::Text(_) | Arg::Null) {
            return None;
        }
        let name = name.to_owned();
        Some(Box::new(move |object| {
            let Some(contact) = object.contact_mut() else { return };
            match name.as_str() {
                "FirstName" => contact.given_name = own,
                "LastName" => contact.surname = own,
                "Title" => contact.job_title = word,
                "Department" => contact.department = word,
                "Company" => contact.company = word,
                _ => contact.phone = own,
            }
        }))
    }

    pub(super) fn person(&self, name: &str, value: &Arg, text: String, on: bool) -> Planned {
        let user_field = self.class == RowClass::User || name == "Office";
        let word = (!text.is_empty()).then(|| Arc::from(text.as_str()));
        let own = (!text.is_empty()).then(|| text.as_str().into());
        match name {
            "Type" => self.conversion(&text),
            "LitigationHoldEnabled" => {
                let at = self.session.at.exchange_utc();
                let who = self.session.caller.principal.upn.clone();
                let who = who.unwrap_or_else(|| self.session.caller.principal.app_name.clone());
                change(move |object| {
                    if let Some(mailbox) = object.mailbox_mut() {
                        mailbox.litigation_hold = on;
                    }
                    let bag = &mut object.extra_mut().exchange;
                    if on {
                        bag.set("LitigationHoldDate", at);
                        bag.set("LitigationHoldOwner", who);
                    } else {
                        bag.unset("LitigationHoldDate");
                        bag.unset("LitigationHoldOwner");
                    }
                })
            }
            "AccountDisabled" => change(move |object| {
                if let Some(user) = object.user_mut() {
                    user.account_enabled = !on;
                }
            }),
            "IsExchangeCloudManaged" => {
                if !self.object.is_dir_synced() {
                    return Err(rule(
                        "IsExchangeCloudManaged can be set on directory-synchronized mailboxes only.",
                    ));
                }
                change(move |object| {
                    object.on_premises.get_or_insert_with(Default::default).exchange_cloud_managed = on;
                })
            }
            "StsRefreshTokensValidFrom" => {
                let from = parse_time(&text);
                change(move |object| {
                    if let Some(user) = object.user_mut() {
                        user.sessions_valid_from = from;
                    }
                })
            }
            "Manager" if user_field => {
                let manager = match value {
                    Arg::Text(text) => Some(self.reader.lookup(text, |object| object.user().is_some())?.0),
                    _ => None,
                };
                if manager == Some(self.idx) {
                    return Err(rule("A user can't be the manager of himself."));
                }
                change(move |object| {
                    if let Some(user) = object.user_mut() {
                        user.manager = manager;
                    }
                })
            }
            "FirstName" if user_field => on_user(move |user| user.given_name = own),
            "LastName" if user_field => on_user(move |user| user.surname = own),
            "MobilePhone" if user_field => on_user(move |user| user.mobile_phone = own),
            "Phone" if user_field => on_user(move |user| user.business_phone = own),
            "Title" if user_field => on_user(move |user| user.job_title = word),
            "Department" if user_field => on_user(move |user| user.department = word),
            "Company" if user_field => on_user(move |user| user.company = word),
            "City" if user_field => on_user(move |user| user.city = word),
            "CountryOrRegion" if user_field => on_user(move |user| user.country = word),
            "Office" => on_user(move |user| user.office = word),
            "RoleAssignmentPolicy" if !text.eq_ignore_ascii_case("Default Role Assignment Policy") => {
                Err(ExchangeError::new(Condition::LookupNotFound, [text]))
            }
            "OwaMailboxPolicy"
                if !text.is_empty() && !text.eq_ignore_ascii_case("OwaMailboxPolicy-Default") =>
            {
                Err(ExchangeError::new(Condition::LookupNotFound, [text]))
            }
            _ => Ok(None),
        }
    }

    fn conversion(&self, kind: &str) -> Planned {
        if self.object.mailbox().is_none() {
            return Err(ExchangeError::plain(Condition::MailboxGone));
        }
        let (details, resource) = match kind {
            "Shared" => (RecipientTypeDetails::SharedMailbox, None),
            "Room" => (RecipientTypeDetails::RoomMailbox, None),
            "Equipment" => (RecipientTypeDetails::EquipmentMailbox, None),
            "Workspace" | "Desk" => (RecipientTypeDetails::RoomMailbox, Some(kind.to_owned())),
            _ => (RecipientTypeDetails::UserMailbox, None),
        };
        change(move |object| {
            if let Some(recipient) = &mut object.recipient {
                recipient.details = details;
            }
            let bag = &mut object.extra_mut().exchange;
            match resource {
                Some(resource) => bag.set("ResourceType", resource),
                None => {
                    bag.unset("ResourceType");
                }
            }
        })
    }
}

fn on_user(apply: impl FnOnce(&mut crate::state::User) + 'static) -> Planned {
    change(move |object| {
        if let Some(user) = object.user_mut() {
            apply(user);
        }
    })
}
