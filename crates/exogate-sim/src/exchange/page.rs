//! Page tokens: opaque, bound to the request that they continue, good for a while.
//!
//! It knows how far a listing has come, not what is listed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::clock::Time;

use super::error::{Condition, ExchangeError};
use super::knobs::ExchangeKnobs;

/// How far a listing has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The place to go on at.
    pub at: u32,
    /// Rows of that place that were given already.
    pub skip: u32,
    /// Rows that all pages so far held.
    pub taken: u64,
    /// The listing ended because it held as many rows as were asked for.
    pub exhausted: bool,
}

/// What a token is bound to.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// The back end that answers.
    pub back_end: &'a str,
    /// The anchor that the client sent.
    pub anchor: &'a str,
    /// The body that the client sent.
    pub body: &'a [u8],
    /// A secret of the tenant.
    pub seed: u64,
}

impl Binding<'_> {
    fn hash(&self, part: &[u8]) -> u64 {
        let digest = Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(part).finalize();
        digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
    }

    /// The token with which the listing goes on.
    #[must_use]
    pub fn token(&self, cursor: Cursor, now: Time) -> String {
        let Cursor { at, skip, taken, exhausted } = cursor;
        let text = format!(
            "{}|{at}|{skip}|{taken}|{}|{}|{:016x}|{:016x}",
            self.back_end,
            u8::from(exhausted),
            now.millis(),
            self.hash(self.anchor.as_bytes()),
            self.hash(self.body),
        );
        let seal = self.hash(text.as_bytes());
        URL_SAFE_NO_PAD.encode(format!("{text}|{seal:016x}"))
    }

    /// Where a token says to go on.
    ///
    /// # Errors
    /// The pagination error, whatever is wrong with the token.
    pub fn open(&self, token: &str, now: Time, knobs: &ExchangeKnobs) -> Result<Cursor, ExchangeError> {
        self.read(token, now, knobs).ok_or_else(|| ExchangeError::plain(Condition::Pagination))
    }

    fn read(&self, token: &str, now: Time, knobs: &ExchangeKnobs) -> Option<Cursor> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok()?).ok()?;
        let (sealed, seal) = text.rsplit_once('|')?;
        if u64::from_str_radix(seal, 16).ok()? != self.hash(sealed.as_bytes()) || knobs.refuse_all_page_tokens
        {
            return None;
        }
        let mut parts = sealed.split('|');
        let back_end = parts.next()?;
        let at = parts.next()?.parse().ok()?;
        let skip = parts.next()?.parse().ok()?;
        let taken = parts.next()?.parse().ok()?;
        let exhausted = parts.next()? == "1";
        let issued = Time::from_millis(parts.next()?.parse().ok()?);
        let anchor = u64::from_str_radix(parts.next()?, 16).ok()?;
        let body = u64::from_str_radix(parts.next()?, 16).ok()?;
        let expired = now.since(issued).as_secs() > u64::from(knobs.page_token_life_seconds);
        if expired || back_end != self.back_end || (exhausted && knobs.refuse_link_after_result_size) {
            return None;
        }
        let strict = knobs.strict_paging;
        if strict && (anchor != self.hash(self.anchor.as_bytes()) || body != self.hash(self.body)) {
            return None;
        }
        Some(Cursor { at, skip, taken, exhausted })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_token_is_good_for_its_own_request_only() {
        let knobs = ExchangeKnobs::default();
        let now = Time::from_seconds(1_000_000);
        let binding = Binding { back_end: "DB9", anchor: "a", body: b"{}", seed: 7 };
        let cursor = Cursor { at: 1000, skip: 3, taken: 1000, exhausted: false };
        let token = binding.token(cursor, now);
        assert_eq!(binding.open(&token, now, &knobs), Ok(cursor));
        let later = now.plus(Duration::from_secs(1801));
        assert!(binding.open(&token, later, &knobs).is_err());
        assert!(Binding { anchor: "b", ..binding }.open(&token, now, &knobs).is_err());
        assert!(Binding { body: b"{ }", ..binding }.open(&token, now, &knobs).is_err());
        assert!(Binding { back_end: "AM6", ..binding }.open(&token, now, &knobs).is_err());
        assert!(Binding { seed: 8, ..binding }.open(&token, now, &knobs).is_err());
        let lax = ExchangeKnobs { strict_paging: false, ..knobs.clone() };
        assert_eq!(Binding { anchor: "b", ..binding }.open(&token, now, &lax), Ok(cursor));
        for bad in ["", "x", "AAAA", &token[1..]] {
            assert!(binding.open(bad, now, &lax).is_err());
        }
        let ended = binding.token(Cursor { exhausted: true, ..cursor }, now);
        assert!(binding.open(&ended, now, &knobs).is_err());
    }
}
