//! Rights as entities: mailbox rights gathered per user, SendAs inside its recipient.

use std::collections::HashMap;

use crate::exchange::emit::Window;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{is_mailbox, is_recipient, is_unified_group};
use crate::exchange::opath::compile;
use crate::exchange::page::Cursor;
use crate::exchange::reader::Reader;
use crate::exchange::render::Projection;
use crate::exchange::rows::RecipientRow;
use crate::exchange::schema::{self, RowClass};
use crate::exchange::trustee::Shown;
use crate::json::push_text;
use crate::state::{Ace, Idx, Object, Recipient, RecipientTypeDetails, Trustee};

use super::entity::{Layout, Level, Shape, key_segment};
use super::path::Step;
use super::reply::Answer;
use super::{Call, filter, sets};

/// One user of a mailbox with everything that was granted or denied.
struct Holder {
    name: String,
    sid: String,
    entries: Vec<Ace>,
}

/// `Mailbox('…')/MailboxPermission`, of one user with a key.
pub(super) fn mailbox(call: &Call<'_>, reader: &Reader<'_>, step: &Step) -> Result<Answer, ExchangeError> {
    let Some(identity) = call.key() else {
        return Err(ExchangeError::new(Condition::NullParameter, ["Identity"]));
    };
    let (_, object) = reader.target(&identity, |object| is_mailbox(object) || is_unified_group(object))?;
    let parent =
        format!("Mailbox{}", key_segment(call.resource.steps[0].key.as_deref().unwrap_or(&identity)));
    let shape = sets::shape(call, "MailboxPermission");
    let context = format!("{parent}/MailboxPermission");
    let owner_wanted = call
        .option("$filter")
        .is_some_and(|text| text.to_ascii_lowercase().split_ascii_whitespace().eq(["isowner", "eq", "true"]));
    if owner_wanted {
        let owner = Holder { name: "NT AUTHORITY\\SELF".to_owned(), sid: String::new(), entries: Vec::new() };
        let mut rows = Vec::new();
        write_holder(&mut rows, &shape, &parent, object.name(), &owner, true);
        return Ok(Answer::Many { context, rows: vec![rows.into()], next: None });
    }
    let holders = holders(reader, object);
    if let Some(key) = &step.key {
        let user = call.text(key);
        let trustees = reader.trustees_named(&user);
        let found = holders.iter().find(|holder| {
            holder.name.eq_ignore_ascii_case(&user)
                || holder.sid.eq_ignore_ascii_case(&user)
                || holder.entries.iter().any(|ace| trustees.contains(&ace.trustee))
        });
        let Some(holder) = found else { return Err(ExchangeError::new(Condition::LookupNotFound, [user])) };
        let mut row = Vec::new();
        write_holder(&mut row, &shape, &parent, object.name(), holder, false);
        return Ok(Answer::One { context: format!("{context}/$entity"), row });
    }
    let window = call.window()?;
    let (mut rows, mut next) = (Vec::new(), None);
    for (at, holder) in holders.iter().enumerate().skip(window.from.at as usize) {
        if (at - window.from.at as usize) as u64 >= window.page {
            next = Some(Cursor { at: place(at), ..Cursor::default() });
            break;
        }
        if !rows.is_empty() {
            rows.push(b',');
        }
        write_holder(&mut rows, &shape, &parent, object.name(), holder, false);
    }
    Ok(Answer::Many { context, rows: vec![rows.into()], next })
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Entries gathered per user, in the order in which users first appear.
fn holders(reader: &Reader<'_>, object: &Object) -> Vec<Holder> {
    let mut holders: Vec<Holder> = Vec::new();
    let mut known: HashMap<Trustee, usize> = HashMap::new();
    for ace in object.mailbox().into_iter().flat_map(crate::state::Mailbox::rows) {
        if let Some(at) = known.get(&ace.trustee) {
            holders[*at].entries.push(ace);
            continue;
        }
        let Some(shown) = reader.mailbox_trustee(&ace.trustee, Shown::default()) else { continue };
        known.insert(ace.trustee.clone(), holders.len());
        holders.push(Holder { name: shown.name, sid: shown.sid, entries: vec![ace] });
    }
    holders
}

fn write_holder(out: &mut Vec<u8>, shape: &Shape, parent: &str, mailbox: &str, holder: &Holder, owner: bool) {
    let full = shape.level == Level::Full;
    out.push(b'{');
    links(out, shape, &format!("{parent}/MailboxPermission{}", key_segment(&holder.name)));
    out.extend_from_slice(b"\"PermissionId\":");
    push_text(out, &holder.name);
    out.extend_from_slice(b",\"MailboxIdentity\":");
    push_text(out, mailbox);
    out.extend_from_slice(b",\"User\":");
    push_text(out, &holder.name);
    out.extend_from_slice(format!(",\"IsOwner\":{owner},").as_bytes());
    if full {
        out.extend_from_slice(
            b"\"PermissionList@odata.type\":\"#Collection(Exchange.MailboxPermissionInfo)\",",
        );
    }
    out.extend_from_slice(b"\"PermissionList\":[");
    for (at, ace) in holder.entries.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{" } else { b"{" });
        if full {
            out.extend_from_slice(
                b"\"@odata.type\":\"#Exchange.MailboxPermissionInfo\",\"AccessRights@odata.type\":\"#Collection(String)\",",
            );
        }
        out.extend_from_slice(b"\"AccessRights\":[");
        for (at, right) in ace.rights.names().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            push_text(out, right);
        }
        out.extend_from_slice(
            format!(
                "],\"IsInherited\":{},\"Deny\":{},\"InheritanceType\":\"{}\"}}",
                ace.inherited,
                ace.deny,
                ace.inheritance.as_str()
            )
            .as_bytes(),
        );
    }
    out.extend_from_slice(b"]}");
}

fn links(out: &mut Vec<u8>, shape: &Shape, place: &str) {
    if shape.level == Level::None {
        return;
    }
    if shape.level == Level::Full {
        out.extend_from_slice(format!("\"@odata.type\":\"#Exchange.{}\",", shape.set).as_bytes());
    }
    out.extend_from_slice(b"\"@odata.id\":");
    push_text(out, &format!("{}/{place}", shape.base));
    out.extend_from_slice(b",\"@odata.editLink\":");
    push_text(out, place);
    out.push(b',');
}

/// Whose SendAs entries are shown.
struct Narrow {
    trustee: Option<(String, Vec<Trustee>)>,
}

/// `Recipient?$expand=RecipientPermission`, of one recipient with a key.
pub(super) fn recipients(
    call: &Call<'_>,
    reader: &Reader<'_>,
    key: Option<&str>,
) -> Result<Answer, ExchangeError> {
    let everything = Narrow { trustee: None };
    let writer = Writer::new(call, &everything);
    if let Some(key) = key {
        let (idx, object) = reader.target(key, is_recipient)?;
        let mut row = Vec::new();
        writer.write(reader, idx, object, &mut row);
        return Ok(Answer::One { context: "Recipient/$entity".to_owned(), row });
    }
    let filter = match call.option("$filter") {
        Some(text) => {
            let text = filter::to_opath(text, schema::unfilterable("Get-EXORecipient"))?;
            Some(compile(&text, "Get-Recipient")?)
        }
        None => None,
    };
    let named = |option: &str| -> Vec<String> {
        call.option(option)
            .unwrap_or_default()
            .split(',')
            .map(|name| name.trim().to_ascii_lowercase())
            .filter(|name| !name.is_empty())
            .collect()
    };
    let (details, types) = (named("RecipientTypeDetails"), named("RecipientType"));
    let Window { from, page, .. } = call.window()?;
    let (mut rows, mut next, mut count) = (Vec::new(), None, 0);
    for (idx, object) in reader.view.recipients(&RecipientTypeDetails::ALL, Idx(from.at)) {
        let Some(kind) = object.details() else { continue };
        let among = |list: &[String], name: &str| {
            list.is_empty() || list.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        if !among(&details, kind.as_str()) || !among(&types, kind.recipient_type()) {
            continue;
        }
        let row = RecipientRow::new(reader, RowClass::Recipient, idx, object);
        if filter.as_ref().is_some_and(|filter| !filter.matches(&row)) {
            continue;
        }
        if count >= page {
            next = Some(Cursor { at: idx.0, ..Cursor::default() });
            break;
        }
        if count > 0 {
            rows.push(b',');
        }
        count += 1;
        writer.write(reader, idx, object, &mut rows);
    }
    Ok(Answer::Many { context: "Recipient".to_owned(), rows: vec![rows.into()], next })
}

/// `Recipient/Exchange.GetRecipientPermissionByFilters(…)`
pub(super) fn by_filters(call: &Call<'_>, reader: &Reader<'_>, step: &Step) -> Result<Answer, ExchangeError> {
    let argument = |name: &str| {
        step.argument(name).map(|text| call.text(text)).filter(|text| !text.is_empty() && text != "null")
    };
    let Some(identity) = argument("identity") else {
        return Err(ExchangeError::new(Condition::NullParameter, ["Identity"]));
    };
    let (idx, object) = reader.target(&identity, is_recipient)?;
    let trustee = match argument("trustee") {
        Some(text) => {
            let named = reader.trustees_named(&text);
            let sid = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("S-1-"));
            if named.is_empty() && !sid && !text.contains('\\') {
                return Err(ExchangeError::new(Condition::NotSecurityPrincipal, [text]));
            }
            Some((text, named))
        }
        None => None,
    };
    let rights = step.argument("accessRights").unwrap_or_default();
    let names: Vec<&str> =
        rights.split(['[', ']', ',', '"', '\'', ' ']).filter(|name| !name.is_empty()).collect();
    if let Some(unknown) = names.iter().find(|name| !name.eq_ignore_ascii_case("SendAs")) {
        return Err(ExchangeError::new(
            Condition::BadBody,
            [format!(
                "The value '{unknown}' is not a member of the enumeration 'Exchange.RecipientAccessRight'."
            )],
        ));
    }
    let narrow = Narrow { trustee };
    let writer = Writer::new(call, &narrow);
    let mut rows = Vec::new();
    writer.write(reader, idx, object, &mut rows);
    Ok(Answer::Many { context: "Recipient".to_owned(), rows: vec![rows.into()], next: None })
}

/// Writes recipients with their SendAs entries inside.
struct Writer<'a> {
    layout: Layout,
    shape: Shape,
    narrow: &'a Narrow,
}

impl<'a> Writer<'a> {
    fn new(call: &Call<'_>, narrow: &'a Narrow) -> Self {
        let selected = call.option("$select").unwrap_or("ExternalDirectoryObjectId");
        let projection = Projection::new(Some(selected), false);
        let layout = Layout::compile(RowClass::Recipient, &projection, &sets::shape(call, "Recipient"));
        Self { layout, shape: sets::shape(call, "RecipientPermission"), narrow }
    }

    fn write(&self, reader: &Reader<'_>, idx: Idx, object: &Object, out: &mut Vec<u8>) {
        self.layout.write(&RecipientRow::new(reader, RowClass::Recipient, idx, object), out);
        // The list goes inside the entity that has just been closed.
        out.pop();
        out.extend_from_slice(b",\"RecipientPermission\":[");
        let Some(recipient) = object.recipient.as_deref() else {
            out.extend_from_slice(b"]}");
            return;
        };
        let parent = format!("Recipient{}", key_segment(&recipient.guid.to_string()));
        let mut first = true;
        for ace in self.entries(reader, recipient) {
            let Some(shown) = reader.recipient_trustee(&ace.trustee) else { continue };
            if !first {
                out.push(b',');
            }
            first = false;
            self.entry(out, &parent, object.name(), &ace, &shown.name, reader.knobs.recipient_rows_inherited);
        }
        out.extend_from_slice(b"]}");
    }

    fn entries<'r>(
        &'r self,
        reader: &'r Reader<'_>,
        recipient: &'r Recipient,
    ) -> impl Iterator<Item = Ace> + 'r {
        recipient.send_as_rows().filter(|ace| match &self.narrow.trustee {
            Some((text, named)) => {
                named.contains(&ace.trustee) || reader.trustee_is_called(&ace.trustee, text)
            }
            None => true,
        })
    }

    fn entry(
        &self,
        out: &mut Vec<u8>,
        parent: &str,
        identity: &str,
        ace: &Ace,
        trustee: &str,
        inherited: bool,
    ) {
        out.push(b'{');
        links(out, &self.shape, &format!("{parent}/RecipientPermission{}", key_segment(trustee)));
        out.extend_from_slice(b"\"Identity\":");
        push_text(out, identity);
        out.extend_from_slice(b",\"Trustee\":");
        push_text(out, trustee);
        out.extend_from_slice(
            format!(",\"AccessControlType\":\"{}\",", if ace.deny { "Deny" } else { "Allow" }).as_bytes(),
        );
        if self.shape.level == Level::Full {
            out.extend_from_slice(
                b"\"AccessRights@odata.type\":\"#Collection(Exchange.RecipientAccessRight)\",",
            );
        }
        out.extend_from_slice(b"\"AccessRights\":[\"SendAs\"]");
        if inherited {
            out.extend_from_slice(format!(",\"IsInherited\":{}", ace.inherited).as_bytes());
        }
        out.extend_from_slice(b",\"InheritanceType\":\"None\"}");
    }
}
