//! New objects with their ids, so that everybody makes them alike. Nothing is inserted here.

use super::{Body, DirSync, Life, Mailbox, Object, Recipient, RecipientTypeDetails, State};
use crate::clock::Time;

impl State {
    /// A live cloud object without addresses and without an Exchange side.
    pub fn new_object(&mut self, display_name: &str, alias: &str, body: Body, at: Time) -> Object {
        Object {
            id: self.next_id(),
            rid: self.next_rid(),
            life: Life::Live,
            sync: DirSync::Never,
            created: at,
            changed: at,
            display_name: display_name.into(),
            alias: alias.into(),
            addresses: Vec::new(),
            on_premises: None,
            recipient: None,
            disconnected: None,
            body,
            extra: None,
        }
    }

    /// An Exchange side; kinds that are mailboxes get one.
    pub fn new_recipient(&mut self, name: &str, details: RecipientTypeDetails, at: Time) -> Recipient {
        let guid = self.next_id();
        let mailbox = details.is_mailbox().then(|| Box::new(Mailbox::new(self.next_id(), at)));
        Recipient {
            guid,
            name: name.into(),
            details,
            hidden_from_address_lists: false,
            send_as: Vec::new(),
            send_on_behalf: Vec::new(),
            external_address: None,
            mailbox,
        }
    }

    /// `wanted`, or `wanted` with the first number behind it that makes it a free alias and
    /// recipient name.
    #[must_use]
    pub fn free_alias(&self, wanted: &str) -> String {
        let taken = |text: &str| {
            !self.live_by_text(super::KeyKind::Alias, text).is_empty()
                || !self.live_by_text(super::KeyKind::Name, text).is_empty()
        };
        if !taken(wanted) {
            return wanted.to_owned();
        }
        let mut n = 2_u32;
        loop {
            let text = format!("{wanted}{n}");
            if !taken(&text) {
                return text;
            }
            n += 1;
        }
    }
}
