//! Tokens of our own: made, shown once, kept as a hash, judged.
//!
//! `exg_<public part>_<256 random bits>`: the public part finds the token in lists and logs and
//! proves nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use exogate_model::clock::Clock;
use exogate_store::{NewToken, TokenRecord, Tokens};
use jiff::{SignedDuration, Timestamp};
use rand::RngCore;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::Unrecognised;
use crate::caller::{Caller, CallerKind, Scope};

/// What every token begins with.
const MARK: &str = "exg_";
/// Length of the public part.
const PUBLIC: usize = 10;
/// How long a judgement is remembered: a revoked token is refused after this at the latest.
const REMEMBERED: Duration = Duration::from_secs(1);
/// Judgements remembered at most; forged tokens are not remembered at all.
const MOST: usize = 1024;
/// How exact the time of the last use is.
const USE_NOTED: SignedDuration = SignedDuration::from_secs(60);

/// Whether a text has the form of our tokens.
pub fn is_ours(text: &str) -> bool {
    text.starts_with(MARK)
}

/// A new token, and what is kept of it.
pub fn mint(
    name: &str,
    scope: Scope,
    sources: Option<BTreeSet<String>>,
    expires: Option<Timestamp>,
) -> (SecretString, NewToken) {
    let mut random = [0_u8; 32 + PUBLIC];
    rand::rng().fill_bytes(&mut random);
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let id: String = random[32..].iter().map(|byte| LETTERS[usize::from(byte % 32)] as char).collect();
    let whole = format!("{MARK}{id}_{}", URL_SAFE_NO_PAD.encode(&random[..32]));
    let kept = NewToken {
        id,
        name: name.to_owned(),
        hash: hash(&whole),
        scope: scope.name().to_owned(),
        sources: sources.map(|sources| sources.into_iter().collect()),
        expires,
    };
    (SecretString::from(whole), kept)
}

fn hash(whole: &str) -> Vec<u8> {
    Sha256::digest(whole.as_bytes()).to_vec()
}

/// The public part of a token, if it has one.
fn public_part(whole: &str) -> Option<&str> {
    let rest = whole.strip_prefix(MARK)?;
    let (id, secret) = rest.split_at_checked(PUBLIC)?;
    (secret.starts_with('_') && id.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(id)
}

/// Judges tokens against their record. Clones share what is remembered.
#[derive(Clone)]
pub struct TokenJudge {
    inner: Arc<Inner>,
}

struct Inner {
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    remembered: Mutex<HashMap<String, Remembered>>,
}

struct Remembered {
    at: Instant,
    record: Arc<TokenRecord>,
}

impl TokenJudge {
    /// A judge over these records.
    pub fn new(tokens: Tokens, clock: Arc<dyn Clock>) -> Self {
        Self { inner: Arc::new(Inner { tokens, clock, remembered: Mutex::default() }) }
    }

    /// Whose token it is.
    pub async fn judge(&self, whole: &str) -> Result<Caller, Unrecognised> {
        let id = public_part(whole).ok_or(Unrecognised::Invalid)?;
        let record = self.record(id).await?.ok_or(Unrecognised::Invalid)?;
        let now = self.inner.clock.now();
        let lives = record.revoked.is_none() && record.expires.is_none_or(|end| now < end);
        if !same(&record.hash, &hash(whole)) || !lives {
            return Err(Unrecognised::Invalid);
        }
        let scope = Scope::named(&record.scope).ok_or(Unrecognised::Invalid)?;
        self.note_use(&record, now);
        Ok(Caller {
            name: record.name.clone(),
            kind: CallerKind::Token,
            scope,
            sources: record.sources.as_ref().map(|sources| sources.iter().cloned().collect()),
        })
    }

    async fn record(&self, id: &str) -> Result<Option<Arc<TokenRecord>>, Unrecognised> {
        let known = self.remembered(|map| {
            map.get(id).filter(|it| it.at.elapsed() < REMEMBERED).map(|it| it.record.clone())
        });
        if known.is_some() {
            return Ok(known);
        }
        let found = self.inner.tokens.find(id).await.map_err(|error| {
            tracing::error!(%error, "tokens cannot be read");
            Unrecognised::Unavailable
        })?;
        let Some(found) = found.map(Arc::new) else { return Ok(None) };
        self.remembered(|map| {
            if map.len() >= MOST {
                map.clear();
            }
            map.insert(id.to_owned(), Remembered { at: Instant::now(), record: Arc::clone(&found) });
        });
        Ok(Some(found))
    }

    /// Notes the use, unless that was done within the last minute.
    fn note_use(&self, record: &Arc<TokenRecord>, now: Timestamp) {
        if record.last_used.is_some_and(|last| now.duration_since(last).abs() < USE_NOTED) {
            return;
        }
        // Known at once, so that a burst writes once.
        self.remembered(|map| {
            if let Some(it) = map.get_mut(&record.id) {
                it.record = Arc::new(TokenRecord { last_used: Some(now), ..(**record).clone() });
            }
        });
        let (tokens, id) = (self.inner.tokens.clone(), record.id.clone());
        tokio::spawn(async move {
            if let Err(error) = tokens.used(vec![id]).await {
                tracing::warn!(%error, "the last use of a token could not be noted");
            }
        });
    }

    fn remembered<T>(&self, work: impl FnOnce(&mut HashMap<String, Remembered>) -> T) -> T {
        work(&mut self.inner.remembered.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Compares without telling by the time it takes where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Locked;

    use secrecy::ExposeSecret;

    use super::*;

    struct Moved(Locked<Timestamp>);

    impl Clock for Moved {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_good_until_it_expires_or_is_revoked_and_a_forged_one_never() {
        let folder = tempfile::tempdir().unwrap();
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Arc::new(Moved(Locked::new(start)));
        let tokens = Tokens::open(folder.path().join("t.tokens"), clock.clone()).unwrap();
        let end = start + SignedDuration::from_hours(1);
        let (short, kept) = mint("midpoint", Scope::Provision, Some(["a".to_owned()].into()), Some(end));
        tokens.add(kept).await.unwrap();
        let (long, kept) = mint("other", Scope::Read, None, None);
        tokens.add(kept).await.unwrap();

        let judge = TokenJudge::new(tokens.clone(), clock.clone());
        let caller = judge.judge(short.expose_secret()).await.unwrap();
        assert!(caller.may(Scope::Provision, "a") && !caller.may(Scope::Read, "b"));
        assert!(!caller.may(Scope::Admin, "a"));

        let forged = format!("{}{}", &short.expose_secret()[..15], &long.expose_secret()[15..]);
        let unknown = mint("unknown", Scope::Admin, None, None).0;
        for bad in [forged.as_str(), unknown.expose_secret(), "exg_", "exg_ä", "exg_aaaaaaaaaa", ""] {
            assert_eq!(judge.judge(bad).await, Err(Unrecognised::Invalid), "{bad}");
        }

        *clock.0.lock().unwrap() = end;
        assert_eq!(judge.judge(short.expose_secret()).await, Err(Unrecognised::Invalid));
        assert!(judge.judge(long.expose_secret()).await.is_ok());
        tokens.revoke("other").await.unwrap().unwrap();
        tokio::time::advance(REMEMBERED).await;
        assert_eq!(judge.judge(long.expose_secret()).await, Err(Unrecognised::Invalid));
    }

    #[test]
    fn a_token_is_not_in_its_record_and_no_two_are_alike() {
        let (one, kept) = mint("x", Scope::Read, None, None);
        let (other, _) = mint("x", Scope::Read, None, None);
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert_eq!(public_part(one.expose_secret()), Some(kept.id.as_str()));
        let secret = one.expose_secret().rsplit_once(&kept.id).unwrap().1;
        assert_eq!(secret.len(), 44);
        assert!(!format!("{kept:?}").contains(secret));
    }
}
