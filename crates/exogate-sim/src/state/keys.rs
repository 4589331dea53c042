//! Look-up keys: by which texts an object is found, and a compact index from their hashes to
//! objects. A hit is always checked against the object, so a hash collision costs time, not truth.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use uuid::Uuid;

use super::{Idx, Object};

/// By what an object is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// Object id.
    Id,
    UserPrincipalName,
    /// Any proxy address: `smtp` ones bare, others with their prefix.
    Address,
    Alias,
    /// Exchange `Name`, unique among recipients.
    Name,
    /// Not unique.
    DisplayName,
    /// Relative id of the SID, in decimal.
    Rid,
    /// Exchange directory id (`Guid`, `ExchangeObjectId`).
    Guid,
    /// Store id of the mailbox.
    ExchangeGuid,
}

#[derive(Default)]
pub(super) struct Passthrough(u64);

impl Hasher for Passthrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// Hash → objects. Most hashes have one object, which sits in the map itself; the rest share a
/// side table.
#[derive(Debug, Default)]
pub(super) struct KeyIndex {
    map: HashMap<u64, u32, BuildHasherDefault<Passthrough>>,
    many: Vec<Vec<Idx>>,
}

const MANY: u32 = 1 << 31;

impl KeyIndex {
    pub(super) fn insert(&mut self, hash: u64, idx: Idx) {
        match self.map.get_mut(&hash) {
            None => {
                self.map.insert(hash, idx.0);
            }
            Some(slot) if *slot & MANY == 0 => {
                let first = Idx(*slot);
                if first == idx {
                    return;
                }
                let mut both = vec![first, idx];
                both.sort_unstable();
                *slot = MANY | u32::try_from(self.many.len()).unwrap_or(0);
                self.many.push(both);
            }
            Some(slot) => {
                let list = &mut self.many[(*slot & !MANY) as usize];
                if let Err(at) = list.binary_search(&idx) {
                    list.insert(at, idx);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, hash: u64, idx: Idx) {
        let Some(&slot) = self.map.get(&hash) else { return };
        if slot & MANY == 0 {
            if slot == idx.0 {
                self.map.remove(&hash);
            }
            return;
        }
        // A list that shrinks to nothing keeps its place; duplicates come and go rarely.
        self.many[(slot & !MANY) as usize].retain(|held| *held != idx);
    }

    pub(super) fn candidates(&self, hash: u64) -> &[Idx] {
        match self.map.get(&hash) {
            None => &[],
            Some(slot) if slot & MANY == 0 => &[],
            Some(slot) => &self.many[(slot & !MANY) as usize],
        }
    }

    pub(super) fn single(&self, hash: u64) -> Option<Idx> {
        self.map.get(&hash).filter(|slot| **slot & MANY == 0).map(|slot| Idx(*slot))
    }

    pub(super) fn reserve(&mut self, additional: usize) {
        self.map.reserve(additional);
    }

    #[cfg(test)]
    pub(super) fn pairs(&self) -> Vec<(u64, Idx)> {
        let mut all = Vec::new();
        for (hash, slot) in &self.map {
            if slot & MANY == 0 {
                all.push((*hash, Idx(*slot)));
            } else {
                all.extend(self.many[(slot & !MANY) as usize].iter().map(|idx| (*hash, *idx)));
            }
        }
        all.sort_unstable();
        all
    }
}

struct Folded<'a>(&'a str);

impl Hash for Folded<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.0.is_ascii() {
            let mut buffer = [0_u8; 64];
            for chunk in self.0.as_bytes().chunks(64) {
                let part = &mut buffer[..chunk.len()];
                part.copy_from_slice(chunk);
                part.make_ascii_lowercase();
                state.write(part);
            }
        } else {
            state.write(self.0.to_lowercase().as_bytes());
        }
        state.write_u8(0xff);
    }
}

/// Whether two texts are the same name, without regard to case.
pub(super) fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || (!(a.is_ascii() && b.is_ascii()) && a.to_lowercase() == b.to_lowercase())
}

#[expect(deprecated, reason = "a fixed hash: the default one may be seeded per process one day")]
pub(super) fn hash_text(kind: KeyKind, text: &str) -> u64 {
    let mut hasher = std::hash::SipHasher::new();
    (kind as u8).hash(&mut hasher);
    Folded(text).hash(&mut hasher);
    hasher.finish()
}

#[expect(deprecated, reason = "as above")]
pub(super) fn hash_uuid(kind: KeyKind, id: Uuid) -> u64 {
    let mut hasher = std::hash::SipHasher::new();
    (kind as u8).hash(&mut hasher);
    id.as_u128().hash(&mut hasher);
    hasher.finish()
}

#[expect(deprecated, reason = "as above")]
pub(super) fn hash_rid(rid: u32) -> u64 {
    let mut hasher = std::hash::SipHasher::new();
    (KeyKind::Rid as u8).hash(&mut hasher);
    rid.hash(&mut hasher);
    hasher.finish()
}

/// The text under which an address is found: bare for SMTP, whole for the rest.
pub(super) fn address_key(address: &str) -> &str {
    match address.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("smtp:") => &address[5..],
        _ => address,
    }
}

/// Every key of an object, hashed.
pub(super) fn hashes(object: &Object, out: &mut Vec<u64>) {
    out.push(hash_uuid(KeyKind::Id, object.id));
    out.push(hash_rid(object.rid));
    out.push(hash_text(KeyKind::DisplayName, &object.display_name));
    if let Some(upn) = object.upn() {
        out.push(hash_text(KeyKind::UserPrincipalName, upn));
    }
    for address in &object.addresses {
        out.push(hash_text(KeyKind::Address, address_key(address)));
    }
    if !object.alias.is_empty() {
        out.push(hash_text(KeyKind::Alias, &object.alias));
    }
    if let Some(recipient) = object.recipient.as_deref() {
        out.push(hash_text(KeyKind::Name, &recipient.name));
        out.push(hash_uuid(KeyKind::Guid, recipient.guid));
        if let Some(mailbox) = recipient.mailbox.as_deref() {
            out.push(hash_uuid(KeyKind::ExchangeGuid, mailbox.exchange_guid));
        }
    }
    out.sort_unstable();
    out.dedup();
}

/// Whether `object` really bears `text` as a key of this kind.
pub(super) fn bears_text(object: &Object, kind: KeyKind, text: &str) -> bool {
    match kind {
        KeyKind::UserPrincipalName => object.upn().is_some_and(|upn| same(upn, text)),
        KeyKind::Address => object.addresses.iter().any(|a| same(address_key(a), text)),
        KeyKind::Alias => same(&object.alias, text),
        KeyKind::Name => object.recipient.as_deref().is_some_and(|r| same(&r.name, text)),
        KeyKind::DisplayName => same(&object.display_name, text),
        KeyKind::Rid => text.parse() == Ok(object.rid),
        KeyKind::Id | KeyKind::Guid | KeyKind::ExchangeGuid => {
            Uuid::try_parse(text).is_ok_and(|id| bears_uuid(object, kind, id))
        }
    }
}

pub(super) fn bears_uuid(object: &Object, kind: KeyKind, id: Uuid) -> bool {
    match kind {
        KeyKind::Id => object.id == id,
        KeyKind::Guid => object.recipient.as_deref().is_some_and(|r| r.guid == id),
        KeyKind::ExchangeGuid => object.mailbox().is_some_and(|m| m.exchange_guid == id),
        _ => false,
    }
}
