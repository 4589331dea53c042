//! The fields whose values are made for each row, written as JSON without being made first.
//!
//! It says nothing that the values themselves do not say; a test compares the two.

use uuid::fmt::{Hyphenated, Simple};

use super::{Field, RecipientRow};
use crate::exchange::schema::WireType;
use crate::json::{push_escaped, push_id, push_texts};
use crate::state::{Body, GroupKind};

impl RecipientRow<'_> {
    /// Writes the field if it is one of them.
    pub(super) fn write_own(&self, field: Field, wire: WireType, out: &mut Vec<u8>) -> bool {
        use Field as F;
        match (field, wire) {
            (F::EmailAddresses, WireType::List) => {
                push_texts(out, self.object.addresses.iter().map(|address| &**address));
            }
            (F::ExternalDirectoryObjectId, WireType::Text) => match &self.object.body {
                Body::Group(group) if group.kind == GroupKind::DynamicDistribution => return false,
                _ => push_id(out, self.object.id),
            },
            (F::DistinguishedName, WireType::Text) => {
                let name = self.name();
                if self.reader.dn_needs_escapes(name) {
                    return false;
                }
                out.extend_from_slice(b"\"CN=");
                push_escaped(out, name);
                push_escaped(out, self.reader.dn_suffix());
                out.push(b'"');
            }
            (F::LegacyExchangeDN | F::LegacyDN, WireType::Text) => {
                let guid = self.recipient.map_or(self.object.id, |recipient| recipient.guid);
                let mut buffer = [0; Simple::LENGTH];
                out.push(b'"');
                out.extend_from_slice(crate::state::tenant::LEGACY_RECIPIENTS.as_bytes());
                out.extend_from_slice(guid.simple().encode_lower(&mut buffer).as_bytes());
                out.push(b'-');
                push_escaped(out, &self.object.alias);
                out.push(b'"');
            }
            (F::NetID, WireType::Text) => {
                let mut buffer = [0; Simple::LENGTH];
                let digits = self.object.id.simple().encode_upper(&mut buffer);
                out.push(b'"');
                out.extend_from_slice(&digits.as_bytes()[..16]);
                out.push(b'"');
            }
            (F::MailboxLocations, WireType::List) => {
                let Some(mailbox) = self.recipient.and_then(|recipient| recipient.mailbox.as_deref()) else {
                    return false;
                };
                let mut buffer = [0; Hyphenated::LENGTH];
                out.extend_from_slice(b"[\"1;");
                out.extend_from_slice(
                    mailbox.exchange_guid.hyphenated().encode_lower(&mut buffer).as_bytes(),
                );
                out.extend_from_slice(super::PRIMARY_LOCATION.as_bytes());
                out.extend_from_slice(b"\"]");
            }
            _ => return false,
        }
        true
    }
}
