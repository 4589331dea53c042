//! Whom a trustee stands for: text and security identifier, against the principals of a tenant.
//!
//! Pure. Never guesses: a name that two principals bear is [`Principal::Ambiguous`], one that nobody
//! bears is [`Principal::Unknown`]. A security identifier beats the text beside it. Knows neither
//! where trustees were read nor where principals are stored.

mod index;
mod well_known;

use std::collections::HashMap;
use std::thread;

use exogate_model::trustee::{Principal, Trustee};

pub use index::{Index, Key};

/// Resolves every trustee against the index, in the order given.
///
/// Identifiers are learnt on the way: where one row names a user by address beside an identifier,
/// another row with that identifier and a bare display name is the same user.
pub fn resolve_all(trustees: &[Trustee], index: &Index) -> Vec<Principal> {
    let mut resolved = find_all(trustees, index);
    let learnt = Learnt::from(trustees, &resolved);
    for (trustee, found) in trustees.iter().zip(&mut resolved) {
        learnt.correct(trustee, found);
    }
    resolved.into_iter().map(|found| found.principal).collect()
}

/// Finds each for itself: of many, as many parts side by side as the machine has processors.
fn find_all(trustees: &[Trustee], index: &Index) -> Vec<Found> {
    /// Fewer are found sooner than a thread begins.
    const WORTH_A_THREAD: usize = 1024;
    let find_each = |part: &[Trustee]| part.iter().map(|trustee| find(trustee, index)).collect::<Vec<_>>();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let part = trustees.len().div_ceil(threads).max(WORTH_A_THREAD);
    let mut parts = trustees.chunks(part);
    let first = parts.next().unwrap_or_default();
    thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| (part, scope.spawn(move || find_each(part)))).collect();
        let mut found = find_each(first);
        for (part, other) in others {
            // Who breaks down elsewhere breaks down here as well, where it is told of.
            found.extend(other.join().unwrap_or_else(|_| find_each(part)));
        }
        found
    })
}

/// How firmly a principal was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// By the identifier, or by a key that is unique in the tenant.
    Firm,
    /// By a name that happens to be borne once, or not at all.
    Loose,
}

struct Found {
    principal: Principal,
    ground: Ground,
}

fn firm(principal: Principal) -> Found {
    Found { principal, ground: Ground::Firm }
}

fn loose(principal: Principal) -> Found {
    Found { principal, ground: Ground::Loose }
}

/// The identifier of a trustee, in lower case, whether it came beside the text or as the text.
fn sid_of(trustee: &Trustee) -> Option<String> {
    trustee
        .sid
        .as_deref()
        .map(str::trim)
        .filter(|sid| well_known::is_sid(sid))
        .or_else(|| Some(trustee.text.trim()).filter(|text| well_known::is_sid(text)))
        .map(str::to_lowercase)
}

fn find(trustee: &Trustee, index: &Index) -> Found {
    let text = trustee.text.trim();
    let sid = sid_of(trustee);
    if let Some(sid) = &sid {
        if let Some(principal) = well_known::by_sid(sid) {
            return firm(principal);
        }
        if let Some(principal) = index.by_sid(sid) {
            return firm(principal);
        }
    }
    if well_known::is_sid(text) {
        return loose(Principal::Orphan);
    }
    if let Some(principal) = well_known::by_authority(text) {
        // An account's identifier beside a system name contradicts it.
        return if sid.is_some() { loose(Principal::Unknown) } else { firm(principal) };
    }
    if let Some(principal) = index.by_unique_key(text, sid.as_deref()) {
        return firm(principal);
    }
    let named = index.by_name(text, sid.as_deref());
    if well_known::is_exchange_role(text) {
        return match named {
            // A group or person of the tenant bears the name of a role group: either may be meant.
            Some(principal) => loose(Principal::Ambiguous { candidates: candidates(&principal) }),
            None => firm(Principal::System),
        };
    }
    loose(named.unwrap_or(Principal::Unknown))
}

fn candidates(principal: &Principal) -> Vec<String> {
    match principal {
        Principal::Ambiguous { candidates } => candidates.clone(),
        other => other.id().map(str::to_owned).into_iter().collect(),
    }
}

/// Which identifier belongs to whom, as far as the rows themselves tell.
#[derive(Default)]
struct Learnt {
    /// `None` where two firm rows disagree.
    bearer: HashMap<String, Option<Principal>>,
    sids: HashMap<String, Vec<String>>,
}

impl Learnt {
    fn from(trustees: &[Trustee], resolved: &[Found]) -> Self {
        let mut learnt = Self::default();
        for (trustee, found) in trustees.iter().zip(resolved) {
            let (Ground::Firm, Some(id), Some(sid)) = (found.ground, found.principal.id(), sid_of(trustee))
            else {
                continue;
            };
            learnt.sids.entry(id.to_owned()).or_default().push(sid.clone());
            learnt
                .bearer
                .entry(sid)
                .and_modify(|known| {
                    if known.as_ref() != Some(&found.principal) {
                        *known = None;
                    }
                })
                .or_insert_with(|| Some(found.principal.clone()));
        }
        learnt
    }

    /// Applies what was learnt to a row that was found by name or not at all.
    fn correct(&self, trustee: &Trustee, found: &mut Found) {
        if found.ground == Ground::Firm {
            return;
        }
        let Some(sid) = sid_of(trustee) else { return };
        if let Some(Some(principal)) = self.bearer.get(&sid) {
            *found = firm(principal.clone());
            return;
        }
        // The only bearer of the name is known under another identifier of the same domain.
        let contradicted = found.principal.id().and_then(|id| self.sids.get(id)).is_some_and(|known| {
            known.iter().any(|k| well_known::domain(k) == well_known::domain(&sid)) && !known.contains(&sid)
        });
        if contradicted {
            *found = loose(Principal::Unknown);
        }
    }
}

#[cfg(test)]
mod tests;
