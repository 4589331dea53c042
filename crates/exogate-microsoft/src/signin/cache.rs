//! One token per resource, renewed before it is needed and by one caller at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use exogate_model::clock::Clock;
use jiff::{SignedDuration, Timestamp};

use super::{AccessToken, TokenSource};
use crate::error::WireError;

/// After a failed early renewal the old token is used for this long before the next try.
const RENEWAL_REST: SignedDuration = SignedDuration::from_secs(30);
/// A token that expires within this time may expire under way.
const LAST_USE: SignedDuration = SignedDuration::from_secs(15);

/// The cache. Clones share it.
#[derive(Clone)]
pub struct TokenCache {
    source: Arc<dyn TokenSource>,
    clock: Arc<dyn Clock>,
    slots: Arc<Mutex<HashMap<String, Arc<Slot>>>>,
}

#[derive(Default)]
struct Slot {
    kept: Mutex<Kept>,
    /// Held by whoever signs in.
    signing_in: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    token: Option<AccessToken>,
    /// How many sign-ins have ended, so that who waited for one can tell that it was the one waited for.
    ended: u64,
    /// How the last one failed, if it did.
    failure: Option<WireError>,
    /// No early renewal before this.
    rest_until: Option<Timestamp>,
}

impl TokenCache {
    /// An empty cache before `source`.
    pub fn new(source: Arc<dyn TokenSource>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock, slots: Arc::default() }
    }

    /// A token for `resource` that is good now.
    pub async fn get(&self, resource: &str) -> Result<AccessToken, WireError> {
        let slot = self.slot(resource);
        let now = self.clock.now();
        let (token, seen, resting) = {
            let kept = slot.kept();
            (kept.token.clone(), kept.ended, kept.rest_until.is_some_and(|until| now < until))
        };
        let Some(token) = token.filter(|token| token.expires_at() - LAST_USE > now) else {
            return self.sign_in(&slot, resource, seen, None, None).await;
        };
        if now < token.renew_at() || resting {
            return Ok(token);
        }
        // It is good but old: one caller renews it, the others go on with it.
        let Ok(_turn) = slot.signing_in.try_lock() else {
            return Ok(token);
        };
        match self.source.token(resource, None).await {
            Ok(fresh) => {
                slot.keep(Ok(&fresh));
                Ok(fresh)
            }
            Err(_) => {
                slot.kept().rest_until = now.checked_add(RENEWAL_REST).ok();
                Ok(token)
            }
        }
    }

    /// A token other than `refused`, which the service did not accept, with the claims it demanded.
    pub async fn renew(
        &self,
        resource: &str,
        refused: &AccessToken,
        claims: Option<&str>,
    ) -> Result<AccessToken, WireError> {
        let slot = self.slot(resource);
        let seen = slot.kept().ended;
        self.sign_in(&slot, resource, seen, Some(refused), claims).await
    }

    /// Signs in, or shares the outcome of a sign-in that was under way.
    async fn sign_in(
        &self,
        slot: &Slot,
        resource: &str,
        seen: u64,
        refused: Option<&AccessToken>,
        claims: Option<&str>,
    ) -> Result<AccessToken, WireError> {
        let _turn = slot.signing_in.lock().await;
        {
            let now = self.clock.now();
            let kept = slot.kept();
            let usable = kept.token.as_ref().filter(|token| {
                token.expires_at() - LAST_USE > now && refused.is_none_or(|refused| !token.is(refused))
            });
            if let Some(token) = usable {
                return Ok(token.clone());
            }
            if let (true, Some(failure)) = (kept.ended != seen, &kept.failure) {
                return Err(failure.clone());
            }
        }
        let outcome = self.source.token(resource, claims).await;
        slot.keep(outcome.as_ref());
        outcome
    }

    fn slot(&self, resource: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(resource.to_owned()).or_default())
    }
}

impl Slot {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, outcome: Result<&AccessToken, &WireError>) {
        let mut kept = self.kept();
        kept.ended += 1;
        kept.failure = outcome.err().cloned();
        if let Ok(token) = outcome {
            kept.token = Some(token.clone());
            kept.rest_until = None;
        }
    }
}
