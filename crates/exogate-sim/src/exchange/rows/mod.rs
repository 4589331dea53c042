//! Recipients as rows: where the value of each property comes from.
//!
//! Sparse attributes win over the state, the state over defaults. How values are written is `render`'s business.

mod address;
mod field;
mod filter;
mod own;
mod people;
mod shape;

use std::borrow::Cow;
use std::time::Duration;

use crate::state::{AttrValue, Attrs, Body, GroupKind, Idx, Life, Object, Recipient, RecipientTypeDetails};

use super::reader::Reader;
use super::render::Row;
use super::schema::{Property, RowClass};
use super::value::Value;

pub(super) use address::sam_account_name;
pub use field::Field;
pub use people::reference_property;

/// What follows the store's id in the place of a primary mailbox.
const PRIMARY_LOCATION: &str = ";Primary;eurprd01.prod.outlook.com;9d3b2a51-6c74-4f0e-9b1d-1f6f3c3d8b10";

/// A recipient, seen as one kind of row.
pub struct RecipientRow<'a> {
    /// Through what it is read.
    pub reader: &'a Reader<'a>,
    /// As what it is shown.
    pub class: RowClass,
    /// Which object.
    pub idx: Idx,
    /// The object.
    pub object: &'a Object,
    /// The Exchange side to show; of a disconnected mailbox not the current one.
    recipient: Option<&'a Recipient>,
    disconnected: bool,
}

impl<'a> RecipientRow<'a> {
    /// A row of an object.
    #[must_use]
    pub fn new(reader: &'a Reader<'a>, class: RowClass, idx: Idx, object: &'a Object) -> Self {
        Self { reader, class, idx, object, recipient: object.recipient.as_deref(), disconnected: false }
    }

    /// The disconnected mailbox of an object that lives on.
    #[must_use]
    pub fn disconnected(reader: &'a Reader<'a>, class: RowClass, idx: Idx, object: &'a Object) -> Self {
        let kept = object.disconnected.as_deref();
        Self { reader, class, idx, object, recipient: kept.map(|kept| &kept.recipient), disconnected: true }
    }

    /// The recipient behind it.
    #[must_use]
    pub fn recipient(&self) -> Option<&'a Recipient> {
        self.recipient
    }

    fn bag(&self) -> Option<&'a Attrs> {
        let extra = self.object.extra()?;
        Some(match self.class {
            RowClass::CasMailbox => &extra.cas,
            RowClass::User | RowClass::Group | RowClass::Contact => &extra.directory,
            RowClass::AutoReply => &extra.auto_reply,
            RowClass::Regional => &extra.regional,
            RowClass::CalendarProcessing => &extra.calendar,
            RowClass::MailboxCalendar => &extra.calendar_view,
            RowClass::MailboxMessage => &extra.messages,
            RowClass::MailboxJunk => &extra.junk,
            RowClass::MailboxStatistics => &extra.statistics,
            _ => &extra.exchange,
        })
    }

    fn name(&self) -> &'a str {
        self.recipient.map_or(&*self.object.display_name, |recipient| &*recipient.name)
    }

    fn details(&self) -> Option<RecipientTypeDetails> {
        self.recipient.map(|recipient| recipient.details)
    }

    fn value(&self, field: Field) -> Option<Value<'a>> {
        use Field as F;
        let object = self.object;
        Some(match field {
            F::Identity | F::Id | F::Name | F::MailboxOwnerId => Value::text(self.name()),
            F::DisplayName => Value::text(&object.display_name),
            F::Alias => Value::text(&object.alias),
            F::DistinguishedName => Value::owned(self.reader.dn_of(self.name())),
            F::ExternalDirectoryObjectId => match &object.body {
                // Dynamic distribution groups live in Exchange alone.
                Body::Group(group) if group.kind == GroupKind::DynamicDistribution => Value::text(""),
                _ => Value::owned(object.id.hyphenated().to_string()),
            },
            F::Guid | F::ExchangeObjectId | F::OwnerADGuid => {
                Value::Guid(self.recipient.map_or(object.id, |recipient| recipient.guid))
            }
            F::IsValid => Value::Bool(true),
            F::WhenCreated | F::WhenCreatedUTC => Value::Time(object.created),
            F::WhenChanged | F::WhenChangedUTC => Value::Time(object.changed),
            F::OrganizationalUnit => Value::text(&self.reader.organizational_unit),
            F::OrganizationalUnitRoot => Value::text(self.reader.state.tenant.initial_domain()),
            F::OrganizationId => Value::text(&self.reader.organization_id),
            F::OriginatingServer => Value::text(&self.reader.controller),
            F::ObjectCategory => Value::text(self.category()),
            F::ObjectClass => Value::List(self.classes().iter().map(|class| Cow::Borrowed(*class)).collect()),
            F::IsDirSynced => Value::Bool(object.is_dir_synced()),
            F::RecipientTypeDetails => {
                Value::text(self.details().map_or_else(|| self.plain_kind(), |kind| kind.as_str()))
            }
            F::RecipientType => {
                Value::text(self.details().map_or_else(|| self.plain_kind(), |kind| kind.recipient_type()))
            }
            F::HiddenFromAddressListsEnabled => Value::Bool(self.recipient?.hidden_from_address_lists),
            F::AddressListMembership => self.address_lists()?,
            F::WhenSoftDeleted => match (object.life, self.disconnected) {
                (_, true) => Value::Time(object.disconnected.as_deref()?.at),
                (Life::SoftDeleted(at), false) => Value::Time(at),
                (Life::Live, false) => return None,
            },
            F::IsSoftDeletedByRemove => Value::Bool(!object.is_live() && !self.disconnected),
            F::IsSoftDeletedByDisable => Value::Bool(self.disconnected),
            F::RecipientSoftDeletedStatus => {
                Value::Int(if self.disconnected { 2 } else { i64::from(!object.is_live()) })
            }
            F::ExchangeGuid | F::MailboxGuid => {
                Value::Guid(self.recipient?.mailbox.as_deref()?.exchange_guid)
            }
            F::WhenMailboxCreated => Value::Time(self.recipient?.mailbox.as_deref()?.created),
            F::LitigationHoldEnabled => Value::Bool(self.recipient?.mailbox.as_deref()?.litigation_hold),
            F::IsInactiveMailbox => Value::Bool(self.is_inactive()),
            F::IsShared => Value::Bool(self.details()? == RecipientTypeDetails::SharedMailbox),
            F::IsResource => Value::Bool(matches!(
                self.details()?,
                RecipientTypeDetails::RoomMailbox | RecipientTypeDetails::EquipmentMailbox
            )),
            F::ResourceType => match self.details()? {
                RecipientTypeDetails::RoomMailbox => Value::text("Room"),
                RecipientTypeDetails::EquipmentMailbox => Value::text("Equipment"),
                _ => return None,
            },
            F::MailboxTypeDetail => Value::text(self.details()?.as_str()),
            F::MailboxLocations => self.locations()?,
            F::ItemCount | F::DeletedItemCount | F::TotalItemSize | F::TotalDeletedItemSize => {
                self.size(field)?
            }
            F::LastLogonTime | F::LastUserActionTime | F::LastInteractionTime => {
                Value::Time(self.reader.now.minus(Duration::from_secs(u64::from(object.rid % 14) * 86_400)))
            }
            F::ExternalDirectoryOrganizationId => Value::owned(self.reader.state.tenant.id.to_string()),
            _ => return self.address(field).or_else(|| self.person(field)).or_else(|| self.group(field)),
        })
    }

    /// Whether it is a deleted mailbox on hold.
    #[must_use]
    pub fn is_inactive(&self) -> bool {
        !self.object.is_live()
            && self
                .recipient
                .and_then(|r| r.mailbox.as_deref())
                .is_some_and(|mailbox| mailbox.litigation_hold)
    }

    fn plain_kind(&self) -> &'static str {
        match &self.object.body {
            Body::User(_) => "User",
            Body::Contact(_) => "Contact",
            Body::Group(_) => "Group",
            Body::Principal(_) => "ServicePrincipal",
        }
    }

    fn category(&self) -> &'a str {
        let categories = &self.reader.categories;
        match &self.object.body {
            Body::Group(group) if group.kind == GroupKind::DynamicDistribution => &categories[2],
            Body::Group(_) => &categories[1],
            _ => &categories[0],
        }
    }

    fn classes(&self) -> &'static [&'static str] {
        match &self.object.body {
            Body::User(_) | Body::Principal(_) => &["top", "person", "organizationalPerson", "user"],
            Body::Contact(_) => &["top", "person", "organizationalPerson", "contact"],
            Body::Group(group) if group.kind == GroupKind::DynamicDistribution => {
                &["top", "msExchDynamicDistributionList"]
            }
            Body::Group(_) => &["top", "group"],
        }
    }

    fn address_lists(&self) -> Option<Value<'a>> {
        if self.recipient?.hidden_from_address_lists || !self.object.is_live() {
            return Some(Value::List(Vec::new()));
        }
        let own: &[&str] = match self.details()? {
            RecipientTypeDetails::UserMailbox => &["\\All Users", "\\All Mailboxes"],
            RecipientTypeDetails::RoomMailbox => &["\\All Rooms"],
            details if details.is_mailbox() => &["\\All Mailboxes"],
            RecipientTypeDetails::MailContact => &["\\All Contacts"],
            RecipientTypeDetails::GroupMailbox => &["\\All Groups", "\\Groups(VLV)"],
            details if details.is_group() => &["\\All Distribution Lists"],
            _ => &["\\All Users"],
        };
        let common =
            ["\\Default Global Address List", "\\Offline Global Address List", "\\All Recipients(VLV)"];
        Some(Value::List(own.iter().copied().chain(common).map(Cow::Borrowed).collect()))
    }

    fn locations(&self) -> Option<Value<'a>> {
        let guid = self.recipient?.mailbox.as_deref()?.exchange_guid;
        Some(Value::List(vec![format!("1;{guid}{PRIMARY_LOCATION}").into()]))
    }

    /// Items and bytes of the mailbox: they differ between mailboxes but never between two reads of one.
    #[must_use]
    pub fn figures(&self) -> (u64, u64) {
        let grain = u64::from(self.object.rid).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
        let items = grain % 90_000;
        (items, items * 91_377)
    }

    fn size(&self, field: Field) -> Option<Value<'a>> {
        self.recipient?.mailbox.as_deref()?;
        let (items, bytes) = self.figures();
        Some(match field {
            Field::ItemCount => Value::Int(i64::try_from(items).unwrap_or(0)),
            Field::DeletedItemCount => Value::Int(i64::try_from(items / 20).unwrap_or(0)),
            Field::TotalItemSize => Value::owned(super::forms::size_text(bytes)),
            _ => Value::owned(super::forms::size_text(items / 20 * 61_001)),
        })
    }
}

impl Row for RecipientRow<'_> {
    fn cell(&self, property: &'static Property) -> Option<Value<'_>> {
        if let Some(held) = self.bag().and_then(|bag| bag.get(property.name)) {
            return Some(self.held(property.name, held));
        }
        self.value(property.field?)
    }

    fn shape(&self) -> Option<u64> {
        self.common()
    }

    fn is_own(&self, property: &'static Property) -> bool {
        property.field.is_some_and(shape::is_own)
    }

    fn write(&self, property: &'static Property, out: &mut Vec<u8>) -> bool {
        property.field.is_some_and(|field| self.write_own(field, property.wire, out))
    }
}

impl<'a> RecipientRow<'a> {
    /// A sparse attribute as a value; references are kept by id and shown as the settings say.
    fn held(&self, name: &str, held: &'a AttrValue) -> Value<'a> {
        if reference_property(name) {
            return self.references(held);
        }
        match held {
            AttrValue::Null => Value::Null,
            AttrValue::Bool(value) => Value::Bool(*value),
            AttrValue::Int(value) => Value::Int(*value),
            // Points in time are kept as text and written in the service's own form.
            AttrValue::Text(text) if is_time(name) => {
                super::value::parse_time(text).map_or(Value::text(text), Value::Time)
            }
            AttrValue::Text(text) => Value::text(text),
            AttrValue::List(list) => Value::List(list.iter().map(|text| Cow::Borrowed(&**text)).collect()),
            AttrValue::Json(json) => Value::owned(json.to_string()),
        }
    }
}

fn is_time(name: &str) -> bool {
    matches!(
        name,
        "StartTime"
            | "EndTime"
            | "EndDateForRetentionHold"
            | "StartDateForRetentionHold"
            | "LitigationHoldDate"
            | "StsRefreshTokensValidFrom"
    )
}

#[cfg(test)]
mod tests;
