//! The principals that a set of trustees may stand for, found by any of their keys.
//!
//! Holds only what the trustees ask for, so its size follows the number of distinct trustees and
//! not that of the tenant. Where principals are looked up is not its business.

use std::collections::{BTreeSet, HashMap};

use exogate_model::trustee::{Principal, Trustee};

use super::well_known;

/// What kind of key a principal was found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Security identifier.
    Sid,
    /// User principal name.
    Upn,
    /// Mail address.
    Address,
    /// Object id, Exchange GUID, distinguished name: unique in the tenant.
    Identifier,
    /// Name or display name.
    Name,
}

/// The keys that are unique in a tenant, the surest first.
const UNIQUE: [Key; 3] = [Key::Upn, Key::Address, Key::Identifier];

/// The index. Make it from the trustees, look [`Index::wanted`] up, and [`Index::offer`] what was
/// found.
#[derive(Debug, Default)]
pub struct Index {
    hits: HashMap<String, BTreeSet<(Key, Principal)>>,
    sids: HashMap<Principal, BTreeSet<String>>,
}

impl Index {
    /// An index that will hold whatever these trustees may stand for.
    pub fn for_trustees<'a>(trustees: impl IntoIterator<Item = &'a Trustee>) -> Self {
        let mut hits: HashMap<String, BTreeSet<(Key, Principal)>> = HashMap::new();
        for trustee in trustees {
            for key in std::iter::once(trustee.text.as_str()).chain(trustee.sid.as_deref()) {
                let key = normal(key);
                if !key.is_empty() {
                    hits.entry(key).or_default();
                }
            }
        }
        Self { hits, sids: HashMap::new() }
    }

    /// The keys to look up, in lower case.
    pub fn wanted(&self) -> impl Iterator<Item = &str> {
        self.hits.keys().map(String::as_str)
    }

    /// Takes that `principal` answers to `text` as a key of this kind; a text nobody asked for is
    /// ignored. The same principal may be offered several times, as a user and as a mailbox.
    pub fn offer(&mut self, text: &str, key: Key, principal: Principal) {
        let text = normal(text);
        let Some(hits) = self.hits.get_mut(&text) else { return };
        if key == Key::Sid {
            self.sids.entry(principal.clone()).or_default().insert(text);
        }
        hits.insert((key, principal));
    }

    pub(super) fn by_sid(&self, sid: &str) -> Option<Principal> {
        one(self.hits_of(sid, Key::Sid).cloned())
    }

    /// By the first kind of unique key that anybody answers to.
    pub(super) fn by_unique_key(&self, text: &str, sid: Option<&str>) -> Option<Principal> {
        UNIQUE.iter().find_map(|key| one(self.agreeing(text, *key, sid)))
    }

    /// By name or display name.
    pub(super) fn by_name(&self, text: &str, sid: Option<&str>) -> Option<Principal> {
        one(self.agreeing(text, Key::Name, sid))
    }

    fn hits_of(&self, text: &str, key: Key) -> impl Iterator<Item = &Principal> {
        self.hits
            .get(&normal(text))
            .into_iter()
            .flatten()
            .filter(move |(found_by, _)| *found_by == key)
            .map(|(_, principal)| principal)
    }

    /// The hits whose known identifiers do not contradict the one beside the text.
    fn agreeing(&self, text: &str, key: Key, sid: Option<&str>) -> impl Iterator<Item = Principal> {
        self.hits_of(text, key).filter(move |principal| !self.contradicts(principal, sid)).cloned()
    }

    /// Identifiers of two domains (a tenant's and that of its origin on premises) cannot be
    /// compared; two different ones of one domain are two principals.
    fn contradicts(&self, principal: &Principal, sid: Option<&str>) -> bool {
        let (Some(sid), Some(known)) = (sid, self.sids.get(principal)) else { return false };
        !known.contains(sid) && known.iter().any(|k| well_known::domain(k) == well_known::domain(sid))
    }
}

/// One principal, however often it was hit; several are ambiguous.
fn one(hits: impl Iterator<Item = Principal>) -> Option<Principal> {
    let distinct: BTreeSet<Principal> = hits.collect();
    if distinct.len() < 2 {
        return distinct.into_iter().next();
    }
    let candidates: BTreeSet<String> = distinct.iter().filter_map(Principal::id).map(str::to_owned).collect();
    Some(Principal::Ambiguous { candidates: candidates.into_iter().collect() })
}

/// Trimmed, without the braces that some cmdlets put around a GUID, in lower case.
fn normal(key: &str) -> String {
    let key = key.trim();
    key.strip_prefix('{').and_then(|k| k.strip_suffix('}')).unwrap_or(key).to_lowercase()
}
