//! Makes tenants from a seed and sizes: the same inputs give the same tenant, byte for byte.

mod groups;
mod mailboxes;
pub mod org;
mod people;
mod random;
mod rights;
mod words;

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::clock::Time;
use crate::state::{Idx, State, StateError};
use random::Random;

/// How large a generated tenant is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sizes {
    /// People, the named ones included.
    pub users: u32,
    /// Shared mailboxes.
    pub shared: u32,
    /// Groups of all kinds.
    pub groups: u32,
    /// Memberships over all groups; by default eight per group or so.
    pub memberships: Option<u32>,
    /// Rights on each shared mailbox, on average.
    pub rights_per_shared: u32,
    pub rooms: u32,
    pub contacts: u32,
    pub seed: u64,
    /// Default domain.
    pub domain: String,
    /// Display name of the organisation.
    pub organization: String,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            users: 500,
            shared: 40,
            groups: 60,
            memberships: None,
            rights_per_shared: 6,
            rooms: 12,
            contacts: 15,
            seed: 1,
            domain: "contoso.com".to_owned(),
            organization: "Contoso".to_owned(),
        }
    }
}

/// Why no tenant could be made.
#[derive(Debug, Error)]
pub enum GenerateError {
    #[error("an object of the generated tenant was refused")]
    Refused(#[from] StateError),
    #[error("\"{0}\" is not a domain name")]
    Domain(String),
}

/// A tenant in the making.
struct Making {
    state: State,
    random: Random,
    sizes: Sizes,
    now: Time,
    /// Domains that people have addresses in, the default one first.
    domains: Vec<String>,
    /// How often each alias was wanted, so that numbers are found without searching.
    aliases: HashMap<String, u32>,
    /// Users with a mailbox of their own, without the person of the fixed example.
    people: Vec<Idx>,
    /// The person of the fixed example, who gets no rights by chance.
    example: Idx,
    shared: Vec<Idx>,
    rooms: Vec<Idx>,
    contacts: Vec<Idx>,
    deleted: Vec<Idx>,
}

impl Making {
    /// A moment in the past, up to so many days ago.
    fn days_ago(&mut self, most: usize) -> Time {
        let seconds = self.random.below(most.saturating_mul(86_400).max(1)) as u64;
        self.now.minus(Duration::from_secs(seconds))
    }

    /// `wanted` without what no alias may hold, with a number behind it when taken.
    fn alias(&mut self, wanted: &str) -> String {
        let base: String = wanted
            .to_lowercase()
            .chars()
            .map(|c| if c == ' ' { '.' } else { c })
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
            .take(56)
            .collect();
        if !self.aliases.contains_key(&base) {
            self.aliases.insert(base.clone(), 1);
            return base;
        }
        loop {
            let count = self.aliases.entry(base.clone()).or_default();
            *count += 1;
            // `team.1` with 2 behind it may be somebody's alias already.
            let numbered = format!("{base}{count}");
            if !self.aliases.contains_key(&numbered) {
                self.aliases.insert(numbered.clone(), 1);
                return numbered;
            }
        }
    }

    /// A recipient name: the object id in newer objects, else a readable one that is free.
    fn name(&mut self, id: uuid::Uuid, display_name: &str, alias: &str, newer: bool) -> String {
        if newer {
            return id.to_string();
        }
        let free = self.state.live_by_text(crate::state::KeyKind::Name, display_name).is_empty();
        if free { display_name.to_owned() } else { alias.to_owned() }
    }
}

/// The tenant of these sizes, with times before `now`.
///
/// # Errors
/// [`GenerateError::Domain`] when the domain cannot be one.
pub fn tenant(sizes: &Sizes, now: Time) -> Result<State, GenerateError> {
    let valid = sizes.domain.contains('.')
        && sizes
            .domain
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    if !valid {
        return Err(GenerateError::Domain(sizes.domain.clone()));
    }
    // Whole seconds: the directory keeps no finer times.
    let now = Time::from_seconds(now.seconds());
    let (state, domains) = org::organisation(sizes, now);
    let mut making = Making {
        state,
        random: Random::new(sizes.seed),
        sizes: sizes.clone(),
        now,
        domains,
        aliases: HashMap::new(),
        people: Vec::with_capacity(sizes.users as usize),
        example: Idx::FIRST,
        shared: Vec::new(),
        rooms: Vec::new(),
        contacts: Vec::new(),
        deleted: Vec::new(),
    };
    let objects = [sizes.users, sizes.shared, sizes.groups, sizes.rooms, sizes.contacts];
    making.state.reserve(objects.iter().map(|n| *n as usize).sum::<usize>() + 64);
    making.people()?;
    making.contacts()?;
    making.shared_mailboxes()?;
    making.rooms()?;
    let trustees = making.groups()?;
    making.rights(&trustees)?;
    Ok(making.state)
}

#[cfg(test)]
mod tests;
