//! Listings of recipients: by identity, by kind, by filter, by ANR text, sorted or in directory order.

use std::cmp::Ordering;

use crate::state::{Body, Class, Idx, Object, RecipientTypeDetails};

use super::{Asked, asked};
use crate::exchange::bind::Bound;
use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{Accepts, is_contact, is_mail_contact, is_mail_user, is_recipient, is_user};
use crate::exchange::knobs::UnknownIdentity;
use crate::exchange::opath::{Compiled, compile};
use crate::exchange::reader::Reader;
use crate::exchange::render::Row;
use crate::exchange::rows::RecipientRow;
use crate::exchange::schema::{self, RowClass};
use crate::exchange::value::Value;

/// How a listing is narrowed, beside its kinds.
pub(super) struct Narrow {
    filter: Option<Compiled>,
    anr: Option<String>,
    kinds: Vec<String>,
    types: Vec<String>,
    sort: Option<String>,
}

impl Narrow {
    pub(super) fn new(bound: &Bound) -> Result<Self, ExchangeError> {
        let lower = |name: &str| bound.list(name).iter().map(|text| text.to_ascii_lowercase()).collect();
        Ok(Self {
            filter: match bound.text("Filter") {
                Some(text) => Some(compile(text, &bound.cmdlet.name)?),
                None => None,
            },
            anr: bound.text("Anr").map(str::to_lowercase),
            kinds: lower("RecipientTypeDetails"),
            types: lower("RecipientType"),
            sort: bound.text("SortBy").map(str::to_owned),
        })
    }

    pub(super) fn lets_through(&self, row: &RecipientRow<'_>) -> bool {
        let details = row.recipient().map(|recipient| recipient.details);
        let among = |list: &[String], name: &str| {
            list.is_empty() || list.iter().any(|want| want.eq_ignore_ascii_case(name))
        };
        among(&self.kinds, details.map_or_else(|| plain_details(row.object), RecipientTypeDetails::as_str))
            && among(
                &self.types,
                details.map_or_else(|| plain_type(row.object), RecipientTypeDetails::recipient_type),
            )
            && self.anr.as_deref().is_none_or(|text| anr_matches(row.object, text))
            && self.filter.as_ref().is_none_or(|filter| filter.matches(row))
    }
}

/// What `RecipientTypeDetails` says of an object without mail.
pub(super) fn plain_details(object: &Object) -> &'static str {
    match &object.body {
        Body::User(user) if !user.account_enabled => "DisabledUser",
        Body::User(_) => "User",
        Body::Contact(_) => "Contact",
        Body::Group(_) => "UniversalSecurityGroup",
        Body::Principal(_) => "ServicePrincipal",
    }
}

fn plain_type(object: &Object) -> &'static str {
    match &object.body {
        Body::User(_) => "User",
        Body::Contact(_) => "Contact",
        Body::Group(_) => "Group",
        Body::Principal(_) => "ServicePrincipal",
    }
}

/// Ambiguous name resolution: the text begins one of the names.
#[must_use]
pub fn anr_matches(object: &Object, lower: &str) -> bool {
    let begins = |text: &str| text.to_lowercase().starts_with(lower);
    begins(&object.display_name)
        || begins(&object.alias)
        || begins(object.name())
        || object
            .addresses
            .iter()
            .any(|address| begins(address.split_once(':').map_or(address, |(_, bare)| bare)))
        || object.user().is_some_and(|user| {
            user.given_name.as_deref().is_some_and(begins) || user.surname.as_deref().is_some_and(begins)
        })
}

/// Puts rows into the page, in the order in which they come or sorted by a property.
pub(super) fn emit<'a>(
    page: &mut Page,
    narrow: &Narrow,
    class: RowClass,
    rows: impl Iterator<Item = RecipientRow<'a>>,
) {
    let rows = rows.filter(|row| narrow.lets_through(row));
    let Some(property) = narrow.sort.as_deref().and_then(|name| schema::find(class, name)) else {
        for row in rows {
            if !page.push(class, row.idx.0, 0, &row) {
                return;
            }
        }
        return;
    };
    let mut sorted: Vec<(String, RecipientRow<'a>)> =
        rows.map(|row| (sort_key(row.cell(property).as_ref()), row)).collect();
    let order = |a: &(String, RecipientRow<'a>), b: &(String, RecipientRow<'a>)| {
        a.0.cmp(&b.0).then_with(|| a.1.idx.cmp(&b.1.idx))
    };
    // Only what this page shows, and the row after it, needs its place.
    let end = page.end_offset().saturating_add(1);
    if end < sorted.len() {
        sorted.select_nth_unstable_by(end, order);
        sorted.truncate(end);
    }
    sorted.sort_by(order);
    let from = page.from().at;
    for (at, (_, row)) in sorted.iter().enumerate().skip(from as usize) {
        if !page.push(class, u32::try_from(at).unwrap_or(u32::MAX), 0, row) {
            return;
        }
    }
}

fn sort_key(value: Option<&Value<'_>>) -> String {
    match value {
        Some(Value::Text(text)) => text.to_lowercase(),
        Some(Value::Int(number)) => format!("{number:020}"),
        _ => String::new(),
    }
}

/// Where a listing in directory order goes on; sorted ones start over.
pub(super) fn start(page: &Page, narrow: &Narrow) -> Idx {
    if narrow.sort.is_some() { Idx::FIRST } else { Idx(page.from().at) }
}

/// One recipient by identity, or all of some kinds.
pub(super) fn list(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
    class: RowClass,
    kinds: &[RecipientTypeDetails],
    accepts: Accepts,
) -> Result<(), ExchangeError> {
    let narrow = Narrow::new(bound)?;
    match by_identity(reader, bound, accepts)? {
        Some(found) => emit(
            page,
            &narrow,
            class,
            found.into_iter().map(|(idx, object)| RecipientRow::new(reader, class, idx, object)),
        ),
        None => {
            let from = start(page, &narrow);
            let rows = reader.view.recipients(kinds, from);
            emit(
                page,
                &narrow,
                class,
                rows.map(|(idx, object)| RecipientRow::new(reader, class, idx, object)),
            );
        }
    }
    Ok(())
}

/// The objects that Identity names; `None` when everything is asked for, be it by mistake.
pub(super) fn by_identity<'a>(
    reader: &Reader<'a>,
    bound: &Bound,
    accepts: Accepts,
) -> Result<Option<Vec<(Idx, &'a Object)>>, ExchangeError> {
    let Asked::One(identity) = asked(reader, bound, "Identity")? else { return Ok(None) };
    let found = reader.candidates(identity, accepts);
    if found.is_empty() {
        if reader.knobs.unknown_identity == UnknownIdentity::ReturnsAll {
            return Ok(None);
        }
        return Err(ExchangeError::new(Condition::NotFound, [identity]));
    }
    // Reads return every match, as the classic cmdlets do for names that are not unique.
    Ok(Some(found))
}

pub(super) fn recipients(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    let unified =
        bound.list("RecipientTypeDetails").iter().any(|kind| kind.eq_ignore_ascii_case("GroupMailbox"));
    let kinds: Vec<_> = RecipientTypeDetails::ALL
        .into_iter()
        .filter(|kind| unified || *kind != RecipientTypeDetails::GroupMailbox)
        .collect();
    list(reader, bound, page, RowClass::Recipient, &kinds, is_recipient)
}

pub(super) fn mail_users(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    let kinds = [RecipientTypeDetails::MailUser, RecipientTypeDetails::GuestMailUser];
    if bound.switch("SoftDeletedMailUser") {
        let narrow = Narrow::new(bound)?;
        let deleted = reader
            .view
            .list(Class::DeletedUsers, start(page, &narrow))
            .filter(|(_, object)| is_mail_user(object));
        emit(
            page,
            &narrow,
            RowClass::MailUser,
            deleted.map(|(idx, object)| RecipientRow::new(reader, RowClass::MailUser, idx, object)),
        );
        return Ok(());
    }
    list(reader, bound, page, RowClass::MailUser, &kinds, is_mail_user)
}

pub(super) fn mail_contacts(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    list(reader, bound, page, RowClass::MailContact, &[RecipientTypeDetails::MailContact], is_mail_contact)
}

/// Get-Contact knows every contact, mail-enabled or not.
pub(super) fn contacts(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    let narrow = Narrow::new(bound)?;
    let row = |(idx, object)| RecipientRow::new(reader, RowClass::Contact, idx, object);
    match by_identity(reader, bound, is_contact)? {
        Some(found) => emit(page, &narrow, RowClass::Contact, found.into_iter().map(row)),
        None => {
            let all = reader.view.list(Class::Contacts, start(page, &narrow));
            emit(page, &narrow, RowClass::Contact, all.map(row));
        }
    }
    Ok(())
}

pub(super) fn users(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Result<(), ExchangeError> {
    let narrow = Narrow::new(bound)?;
    let row = |(idx, object)| RecipientRow::new(reader, RowClass::User, idx, object);
    match by_identity(reader, bound, is_user)? {
        Some(found) => emit(page, &narrow, RowClass::User, found.into_iter().map(row)),
        None => {
            emit(
                page,
                &narrow,
                RowClass::User,
                reader.view.list(Class::Users, start(page, &narrow)).map(row),
            );
        }
    }
    Ok(())
}

/// Merges two listings that are each in directory order.
pub(super) fn merged<'a>(
    a: impl Iterator<Item = RecipientRow<'a>>,
    b: impl Iterator<Item = RecipientRow<'a>>,
) -> impl Iterator<Item = RecipientRow<'a>> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || {
        let first = match (a.peek(), b.peek()) {
            (Some(x), Some(y)) => x.idx.cmp(&y.idx) != Ordering::Greater,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if first { a.next() } else { b.next() }
    })
}
