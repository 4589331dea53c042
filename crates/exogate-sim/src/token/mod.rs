//! The sign-in service: tokens by every grant, discovery documents, signing keys, managed identities, and the
//! gate that the other services put in front of themselves. Directory data is read, never written.

pub mod assertion;
pub mod claims;
pub mod client;
pub mod discovery;
pub mod endpoint;
pub mod error;
pub mod gate;
pub mod grant;
pub mod imds;
pub mod interactive;
pub mod keys;
mod knobs;
mod principal;
pub mod resource;
pub mod tenant;
pub mod time;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

pub use keys::{KeyError, SigningKey};
pub use knobs::TokenKnobs;
pub use principal::{Principal, PrincipalKind};
pub use resource::Resource;

use crate::clock::Time;
use crate::server::{Reply, Request};
use crate::world::World;

/// How many verified tokens are remembered.
const REMEMBERED: usize = 4096;

/// What the sign-in service keeps beside the directory.
#[derive(Debug)]
pub struct TokenService {
    key: Arc<SigningKey>,
    /// Tokens whose signature has been checked: checking again would cost more than the request.
    verified: Mutex<HashMap<String, Principal>>,
    challenged: Mutex<HashMap<Uuid, Time>>,
    ids: AtomicU64,
}

impl TokenService {
    /// A service with the key of `state_dir` (made there if it has none).
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn new(state_dir: Option<&Path>) -> Result<Self, KeyError> {
        Ok(Self {
            key: SigningKey::load(state_dir)?,
            verified: Mutex::default(),
            challenged: Mutex::default(),
            ids: AtomicU64::new(0),
        })
    }

    /// Modulus and exponent of the key with which clients seal secrets, in base64.
    #[must_use]
    pub fn sealing_key(&self) -> [String; 2] {
        self.key.public_parts()
    }

    /// A secret that was sealed with [`TokenService::sealing_key`].
    #[must_use]
    pub fn unseal(&self, sealed: &str) -> Option<String> {
        self.key.unseal(sealed)
    }

    /// A fresh id for traces and correlations.
    #[must_use]
    pub fn next_id(&self) -> Uuid {
        let n = self.ids.fetch_add(1, Ordering::Relaxed);
        crate::state::tenant::derived_id(0x7261_6365, n)
    }

    /// The principal of a token of this tenant; times are not checked here.
    fn open(&self, token: &str) -> Option<Principal> {
        let known = self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned();
        if known.is_some() {
            return known;
        }
        let principal = Principal::from_claims(&self.key.open(token)?)?;
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(token.to_owned(), principal.clone());
        Some(principal)
    }

    /// Since when an app is challenged; notes `now` the first time and answers `None`.
    fn challenged(&self, app: Uuid, now: Time) -> Option<Time> {
        let mut challenged = self.challenged.lock().unwrap_or_else(PoisonError::into_inner);
        match challenged.entry(app) {
            std::collections::hash_map::Entry::Occupied(known) => Some(*known.get()),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(now);
                None
            }
        }
    }
}

/// Answers a request to the sign-in service.
pub async fn handle(world: &Arc<World>, request: Request) -> Reply {
    let scenario = world.scenario();
    let state = world.state();
    endpoint::respond(&world.services.token, &state, &scenario.token, &request, world.now())
}

/// Answers a request to a managed-identity endpoint.
pub async fn handle_imds(world: &Arc<World>, request: Request) -> Reply {
    let scenario = world.scenario();
    let state = world.state();
    imds::respond(&world.services.token, &state, &scenario.token, &request, world.now())
}

/// The caller behind a request to `resource`.
///
/// # Errors
/// The service's own 401, to be sent as it is.
pub fn authenticate(world: &World, request: &Request, resource: Resource) -> Result<Principal, Reply> {
    let scenario = world.scenario();
    let state = world.state();
    gate::check(&world.services.token, &state, &scenario.token, request, resource, world.now())
}
