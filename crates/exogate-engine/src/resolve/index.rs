//! The principals that a set of trustees may stand for, found by any of their keys.
//!
//! Holds only what the trustees ask for, so its size follows the number of distinct trustees and
//! not that of the tenant.

use std::collections::{BTreeSet, HashMap};

use exogate_model::trustee::{Principal, Trustee};

use super::well_known;

/// Whether a candidate is a user or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateKind {
    /// A user, with or without a mailbox.
    User,
    /// A group of any kind.
    Group,
}

/// A principal with every key it is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Entra object id.
    pub id: String,
    /// User or group.
    pub kind: CandidateKind,
    /// User principal names.
    pub upns: Vec<String>,
    /// Mail addresses, with or without their `smtp:` prefix.
    pub addresses: Vec<String>,
    /// Security identifiers.
    pub sids: Vec<String>,
    /// Other object identifiers, and distinguished names: unique in the tenant.
    pub identifiers: Vec<String>,
    /// Names and display names.
    pub names: Vec<String>,
}

impl Candidate {
    /// A candidate without keys other than its id.
    pub fn new(id: impl Into<String>, kind: CandidateKind) -> Self {
        Self {
            id: id.into(),
            kind,
            upns: Vec::new(),
            addresses: Vec::new(),
            sids: Vec::new(),
            identifiers: Vec::new(),
            names: Vec::new(),
        }
    }

    fn principal(&self) -> Principal {
        match self.kind {
            CandidateKind::User => Principal::User { id: self.id.clone() },
            CandidateKind::Group => Principal::Group { id: self.id.clone() },
        }
    }
}

/// Which of its keys a candidate was found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Facet {
    Upn,
    Address,
    Identifier,
    Name,
    Sid,
}

/// The facets whose values are unique in a tenant, the surest first.
const UNIQUE: [Facet; 3] = [Facet::Upn, Facet::Address, Facet::Identifier];

/// The index. Make it from the trustees, then offer it every candidate.
#[derive(Debug, Default)]
pub struct Index {
    hits: HashMap<String, Vec<(Facet, Principal)>>,
    sids: HashMap<Principal, BTreeSet<String>>,
}

impl Index {
    /// An index that will hold whatever these trustees may stand for.
    pub fn for_trustees<'a>(trustees: impl IntoIterator<Item = &'a Trustee>) -> Self {
        let mut hits = HashMap::new();
        for trustee in trustees {
            for key in std::iter::once(trustee.text.as_str()).chain(trustee.sid.as_deref()) {
                hits.entry(normal(key)).or_default();
            }
        }
        Self { hits, sids: HashMap::new() }
    }

    /// The keys in their normal form (trimmed, lower case): what a store has to look for.
    pub fn wanted(&self) -> impl Iterator<Item = &str> {
        self.hits.keys().map(String::as_str)
    }

    /// Takes what is of use of a candidate. The same principal may be offered several times, as a
    /// user and as the mailbox of that user.
    pub fn offer(&mut self, candidate: &Candidate) {
        let principal = candidate.principal();
        let keys = std::iter::once((Facet::Identifier, candidate.id.as_str()))
            .chain(candidate.upns.iter().map(|k| (Facet::Upn, k.as_str())))
            .chain(candidate.addresses.iter().map(|k| (Facet::Address, bare_address(k))))
            .chain(candidate.identifiers.iter().map(|k| (Facet::Identifier, k.as_str())))
            .chain(candidate.names.iter().map(|k| (Facet::Name, k.as_str())))
            .chain(candidate.sids.iter().map(|k| (Facet::Sid, k.as_str())));
        let mut wanted = false;
        for (facet, key) in keys {
            if let Some(hits) = self.hits.get_mut(&normal(key)) {
                let hit = (facet, principal.clone());
                if !hits.contains(&hit) {
                    hits.push(hit);
                }
                wanted = true;
            }
        }
        if wanted && !candidate.sids.is_empty() {
            self.sids.entry(principal).or_default().extend(candidate.sids.iter().map(|sid| normal(sid)));
        }
    }

    pub(super) fn by_sid(&self, sid: &str) -> Option<Principal> {
        one(self.hits_of(sid, Facet::Sid).cloned())
    }

    /// By the first unique facet that anybody answers to.
    pub(super) fn by_unique_key(&self, text: &str, sid: Option<&str>) -> Option<Principal> {
        UNIQUE.iter().find_map(|facet| one(self.agreeing(text, *facet, sid)))
    }

    /// By name or display name.
    pub(super) fn by_name(&self, text: &str, sid: Option<&str>) -> Option<Principal> {
        one(self.agreeing(text, Facet::Name, sid))
    }

    fn hits_of(&self, key: &str, facet: Facet) -> impl Iterator<Item = &Principal> {
        self.hits
            .get(&normal(key))
            .into_iter()
            .flatten()
            .filter(move |(found_by, _)| *found_by == facet)
            .map(|(_, principal)| principal)
    }

    /// The hits whose known identifiers do not contradict the one beside the text.
    fn agreeing(&self, text: &str, facet: Facet, sid: Option<&str>) -> impl Iterator<Item = Principal> {
        self.hits_of(text, facet).filter(move |principal| !self.contradicts(principal, sid)).cloned()
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

/// `smtp:a@b` and `SMTP:a@b` are the address `a@b`.
fn bare_address(address: &str) -> &str {
    match address.split_once(':') {
        Some((kind, bare)) if kind.eq_ignore_ascii_case("smtp") => bare,
        _ => address,
    }
}

fn normal(key: &str) -> String {
    let key = key.trim();
    // GUIDs come with braces from some cmdlets.
    let key = key.strip_prefix('{').and_then(|k| k.strip_suffix('}')).unwrap_or(key);
    key.to_lowercase()
}
