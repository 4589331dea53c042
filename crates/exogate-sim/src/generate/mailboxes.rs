//! Mailboxes that nobody signs in to: shared ones (some converted from people), rooms, equipment,
//! and the system's own.

use super::{GenerateError, Making, words};
use crate::state::{Ace, Body, Idx, RecipientTypeDetails, Rights, Trustee, User};

/// The shared mailbox of the fixed example.
pub(super) const EXAMPLE: &str = "O365Support";

impl Making {
    pub(super) fn shared_mailboxes(&mut self) -> Result<(), GenerateError> {
        let wanted = self.sizes.shared.max(1) as usize;
        let example = self.resource_mailbox(EXAMPLE, EXAMPLE, RecipientTypeDetails::SharedMailbox, false)?;
        self.shared.push(example);
        for n in 1..wanted {
            let display_name = self.shared_name(n);
            // Some were people once: their names stay, their licences sometimes too.
            let converted = self.random.percent(12);
            let display_name = if converted {
                format!("{} {}", self.random.one_of(&words::FIRST), self.random.one_of(&words::LAST))
            } else {
                display_name
            };
            let idx = self.resource_mailbox(
                &display_name,
                &display_name,
                RecipientTypeDetails::SharedMailbox,
                converted,
            )?;
            self.shared.push(idx);
        }
        Ok(())
    }

    fn shared_name(&mut self, n: usize) -> String {
        let base = words::SHARED[n % words::SHARED.len()];
        let (city, ..) = words::PLACES[self.random.below(words::PLACES.len())];
        match n / words::SHARED.len() {
            0 => base.to_owned(),
            // Two mailboxes of one name: governance must tell them apart.
            1 if n % words::SHARED.len() == 12 => base.to_owned(),
            1..5 => format!("{base} {city}"),
            round => format!("{base} {city} {round}"),
        }
    }

    fn resource_mailbox(
        &mut self,
        display_name: &str,
        wanted: &str,
        details: RecipientTypeDetails,
        converted: bool,
    ) -> Result<Idx, GenerateError> {
        let created = self.days_ago(4 * 365);
        let alias = self.alias(wanted);
        let typed = if alias.eq_ignore_ascii_case(wanted) { wanted.to_owned() } else { alias.clone() };
        let domain = self.domains[if self.random.percent(85) { 0 } else { 1 }].clone();
        let initial = self.state.tenant.initial_domain().to_owned();
        let user = User {
            upn: format!("{alias}@{domain}").into(),
            // Sign-in of a shared mailbox is often left enabled by mistake.
            account_enabled: converted || self.random.percent(6),
            usage_location: Some(self.state.word("IE")),
            licences: if converted && self.random.percent(30) { vec![0] } else { Vec::new() },
            ..User::default()
        };
        let mut object = self.state.new_object(display_name, &alias, Body::User(Box::new(user)), created);
        object.changed = self.days_ago(200).max(created);
        object.addresses.push(format!("SMTP:{typed}@{domain}").into());
        object.addresses.push(format!("smtp:{alias}@{initial}").into());
        let newer = display_name != EXAMPLE && self.random.percent(50);
        let name = self.name(object.id, display_name, &alias, newer);
        let mut recipient = self.state.new_recipient(&name, details, created);
        recipient.hidden_from_address_lists = display_name != EXAMPLE && self.random.percent(8);
        if let Some(mailbox) = recipient.mailbox.as_deref_mut() {
            mailbox.self_twice = self.random.percent(10);
        }
        object.recipient = Some(Box::new(recipient));
        if converted && self.random.percent(40) {
            self.synchronise(&mut object, display_name, &alias, &domain);
        }
        Ok(self.state.load().insert(object)?)
    }

    pub(super) fn rooms(&mut self) -> Result<(), GenerateError> {
        for n in 0..self.sizes.rooms {
            let (city, ..) = words::PLACES[n as usize % words::PLACES.len()];
            let (display_name, details) = match n % 6 {
                4 => (format!("Car {city} {}", n + 1), RecipientTypeDetails::EquipmentMailbox),
                _ => (format!("Room {city} {}", n + 1), RecipientTypeDetails::RoomMailbox),
            };
            let idx = self.resource_mailbox(&display_name, &display_name, details, false)?;
            if details == RecipientTypeDetails::RoomMailbox {
                self.rooms.push(idx);
            }
        }
        self.resource_mailbox(
            "Customer appointments",
            "appointments",
            RecipientTypeDetails::SchedulingMailbox,
            false,
        )?;
        let discovery = self.resource_mailbox(
            "Discovery Search Mailbox",
            "DiscoverySearchMailbox",
            RecipientTypeDetails::DiscoveryMailbox,
            false,
        )?;
        let manager =
            Trustee::Known { name: "Discovery Management".into(), sid: self.state.tenant.sid(601).into() };
        self.state.load().update(discovery, |object| {
            if let Some(mailbox) = object.mailbox_mut() {
                mailbox.aces.push(Ace::allow(manager, Rights::FULL_ACCESS));
            }
        })?;
        Ok(())
    }
}
