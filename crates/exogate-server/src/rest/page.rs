//! Pages: how many, and where the next one begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};

use super::problem::Problem;

/// A whole number between bounds; where nothing is asked for, the usual one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounded<const LEAST: u16, const MOST: u16, const USUAL: u16>(u16);

/// How many items a page may hold.
pub type Limit = Bounded<1, 1000, 100>;

impl<const LEAST: u16, const MOST: u16, const USUAL: u16> Bounded<LEAST, MOST, USUAL> {
    pub fn get(self) -> u16 {
        self.0
    }
}

impl<const LEAST: u16, const MOST: u16, const USUAL: u16> Default for Bounded<LEAST, MOST, USUAL> {
    fn default() -> Self {
        Self(USUAL)
    }
}

impl<'de, const LEAST: u16, const MOST: u16, const USUAL: u16> Deserialize<'de>
    for Bounded<LEAST, MOST, USUAL>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        match u16::try_from(number) {
            Ok(number) if (LEAST..=MOST).contains(&number) => Ok(Self(number)),
            _ => Err(D::Error::custom(format!("it is a number from {LEAST} to {MOST}, not {number}"))),
        }
    }
}

/// A text parameter that must not be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            Err(D::Error::custom("it is empty; leave it out instead"))
        } else {
            Ok(Self(text))
        }
    }
}

/// A place in a listing, as it is handed out.
pub fn encode(place: &impl Serialize) -> Result<String, Problem> {
    let json = serde_json::to_vec(place).map_err(|error| {
        super::problem::logged(&error);
        Problem::internal()
    })?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

/// A place in a listing, as it comes back.
pub fn decode<T: DeserializeOwned>(cursor: Option<&Text>) -> Result<Option<T>, Problem> {
    let Some(Text(cursor)) = cursor else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    place.map(Some).ok_or_else(foreign)
}

/// A cursor of something else.
pub fn foreign() -> Problem {
    Problem::unprocessable("`cursor` is not one of this listing: send `next` of the page before, unchanged.")
}

/// Where a listing goes on that makes several items of each thing stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Within<C> {
    /// The page of things stored.
    #[serde(rename = "a", default = "none")]
    pub after: Option<C>,
    /// How many items of it were given out.
    #[serde(rename = "s")]
    pub skip: usize,
}

fn none<C>() -> Option<C> {
    None
}

impl<C> Default for Within<C> {
    fn default() -> Self {
        Self { after: None, skip: 0 }
    }
}

impl<C> Within<C> {
    /// The part of a page that is to be given out, and where the next one begins.
    pub fn cut<T>(self, items: Vec<T>, next: Option<C>, limit: usize) -> (Vec<T>, Option<Self>) {
        let all = items.len();
        let part: Vec<T> = items.into_iter().skip(self.skip).take(limit).collect();
        let given = self.skip.saturating_add(part.len());
        let goes_on = if given < all {
            Some(Self { after: self.after, skip: given })
        } else {
            next.map(|next| Self { after: Some(next), skip: 0 })
        };
        (part, goes_on)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cutting_gives_every_item_once_whatever_the_sizes(sizes in proptest::collection::vec(0usize..6, 1..8), limit in 1usize..9) {
            let pages: Vec<Vec<usize>> = sizes.iter().enumerate().map(|(page, size)| (0..*size).map(|n| page * 10 + n).collect()).collect();
            let wanted: Vec<usize> = pages.concat();
            let mut found = Vec::new();
            let mut place = Some(Within::<usize>::default());
            while let Some(within) = place {
                let page = within.after.unwrap_or_default();
                let next = (page + 1 < pages.len()).then_some(page + 1);
                let (items, goes_on) = within.cut(pages[page].clone(), next, limit);
                prop_assert!(items.len() <= limit);
                found.extend(items);
                place = goes_on;
            }
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn no_cursor_is_a_panic(text in ".{0,60}") {
            let _ = decode::<Within<i64>>(Some(&Text(text)));
        }
    }

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let cursor = encode(&Within { after: Some(7), skip: 3 }).unwrap_or_else(|_| panic!("it encodes"));
        let back: Within<i64> =
            decode(Some(&Text(cursor))).ok().flatten().unwrap_or_else(|| panic!("it decodes"));
        assert_eq!((back.after, back.skip), (Some(7), 3));
    }
}
