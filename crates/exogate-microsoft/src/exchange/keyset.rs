//! Listing by sorted key ranges, for tenants that refuse their own page links.
//!
//! Pure: which cmdlets allow it, what the next question is, which answers are new. A key need not
//! be unique: each range begins *at* the last key, and the objects of that key that were already
//! seen are dropped by their ids.

use super::cmdlet::Cmdlet;
use crate::record::Record;

/// How many objects one range asks for.
pub(super) const RANGE: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keyset {
    /// Sortable, filterable and shown by the cmdlet.
    property: &'static str,
}

/// Cmdlets that sort and filter by one property. `Alias` is unique among recipients in practice;
/// the two cmdlets that do not show it sort by `Name`.
const SORTABLE: [(&str, &str); 9] = [
    ("Get-Mailbox", "Alias"),
    ("Get-Recipient", "Alias"),
    ("Get-DistributionGroup", "Alias"),
    ("Get-DynamicDistributionGroup", "Alias"),
    ("Get-UnifiedGroup", "Alias"),
    ("Get-MailUser", "Alias"),
    ("Get-MailContact", "Alias"),
    ("Get-CASMailbox", "Name"),
    ("Get-Group", "Name"),
];

/// Where a range begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct From {
    pub(super) key: String,
    pub(super) seen: Vec<String>,
}

/// The ranges do not get ahead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stuck(pub(super) String);

impl Keyset {
    /// Only whole listings can be cut into ranges, and only by our own order.
    pub(super) fn of(cmdlet: &Cmdlet) -> Option<Keyset> {
        let (_, property) = SORTABLE.iter().find(|(name, _)| name.eq_ignore_ascii_case(cmdlet.name()))?;
        let unlimited =
            cmdlet.text_of("ResultSize").is_some_and(|size| size.eq_ignore_ascii_case("Unlimited"));
        let free = ["Identity", "Anr", "SortBy"].iter().all(|name| cmdlet.parameter(name).is_none());
        (unlimited && free).then_some(Keyset { property })
    }

    /// The question for one range.
    pub(super) fn cmdlet(self, listing: &Cmdlet, from: Option<&From>) -> Cmdlet {
        let property = self.property;
        let mut range = listing.clone().text("SortBy", property).number("ResultSize", RANGE as i64);
        if let Some(from) = from {
            let key = from.key.replace('\'', "''");
            let here = format!("({property} -eq '{key}') -or ({property} -gt '{key}')");
            let filter = match listing.text_of("Filter") {
                Some(own) => format!("({own}) -and ({here})"),
                None => here,
            };
            range = range.text("Filter", filter);
        }
        if !listing.selected().is_empty() {
            let mut select = listing.selected().to_vec();
            for needed in [property, "Guid"] {
                if !select.iter().any(|name| name.eq_ignore_ascii_case(needed)) {
                    select.push(needed.to_owned());
                }
            }
            range = range.select(select);
        }
        range
    }

    /// What is new in an answer, and where the next range begins. `more`: whether the service
    /// said that there is more than it gave.
    pub(super) fn advance(
        self,
        from: Option<&From>,
        records: Vec<Record>,
        more: bool,
    ) -> Result<(Vec<Record>, Option<From>), Stuck> {
        let more = more || records.len() >= RANGE;
        let last = records.last().and_then(|record| record.text(self.property));
        let next = match (more, last) {
            (false, _) => None,
            (true, None) => {
                return Err(Stuck(format!("the last object of a page has no {}", self.property)));
            }
            (true, Some(key)) => Some(self.place(from, &records, key)?),
        };
        let fresh = records.into_iter().filter(|record| !is_seen(from, record)).collect();
        Ok((fresh, next))
    }

    fn place(self, from: Option<&From>, records: &[Record], key: &str) -> Result<From, Stuck> {
        let same = |other: &str| other.to_lowercase() == key.to_lowercase();
        let mut seen: Vec<String> =
            records.iter().filter(|record| record.text(self.property).is_some_and(same)).map(id).collect();
        if let Some(from) = from.filter(|from| same(&from.key)) {
            // Nothing but the key it began with: the next answer would be the same again.
            return Err(Stuck(format!(
                "more than {RANGE} objects have the {} '{}'",
                self.property, from.key
            )));
        }
        seen.sort();
        Ok(From { key: key.to_owned(), seen })
    }
}

fn is_seen(from: Option<&From>, record: &Record) -> bool {
    from.is_some_and(|from| from.seen.contains(&id(record)))
}

/// What tells two objects of one key apart.
fn id(record: &Record) -> String {
    record
        .exchange_guid()
        .or_else(|| record.id())
        .or_else(|| record.text("DistinguishedName"))
        .or_else(|| record.text("Identity"))
        .unwrap_or_default()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn listing() -> Cmdlet {
        Cmdlet::new("Get-Mailbox").text("ResultSize", "Unlimited")
    }

    #[test]
    fn only_whole_listings_qualify() {
        assert!(Keyset::of(&listing()).is_some());
        assert!(Keyset::of(&listing().text("Identity", "x")).is_none());
        assert!(Keyset::of(&listing().text("SortBy", "Office")).is_none());
        assert!(Keyset::of(&listing().number("ResultSize", 2000)).is_none());
        assert!(Keyset::of(&Cmdlet::new("Get-Mailbox")).is_none());
        assert!(
            Keyset::of(&Cmdlet::new("Get-RecipientPermission").text("ResultSize", "Unlimited")).is_none()
        );
    }

    #[test]
    fn the_question_keeps_the_callers_filter_and_quotes_the_key() {
        let own = listing().text("Filter", "RecipientTypeDetails -eq 'SharedMailbox'").select(["Name"]);
        let keyset = Keyset::of(&own).expect("sortable");
        let first = keyset.cmdlet(&own, None);
        assert_eq!(first.text_of("Filter"), Some("RecipientTypeDetails -eq 'SharedMailbox'"));
        assert_eq!(first.text_of("SortBy"), Some("Alias"));
        let from = From { key: "o'brien".into(), seen: vec![] };
        let next = keyset.cmdlet(&own, Some(&from));
        assert_eq!(
            next.text_of("Filter"),
            Some(
                "(RecipientTypeDetails -eq 'SharedMailbox') -and ((Alias -eq 'o''brien') -or (Alias -gt 'o''brien'))"
            )
        );
        assert_eq!(next.result_size(), Some(1000));
        assert_eq!(next.selected(), ["Name", "Alias", "Guid"]);
    }

    #[test]
    fn a_page_full_of_one_key_is_reported() {
        let keyset = Keyset { property: "Alias" };
        let page: Vec<Record> = (0..RANGE)
            .map(|n| Record::from_value(&json!({"Alias": "x", "Guid": format!("{n}")})).expect("object"))
            .collect();
        let (_, from) = keyset.advance(None, page.clone(), true).expect("first page is fine");
        assert!(keyset.advance(from.as_ref(), page, true).is_err());
        let nameless = vec![Record::new()];
        assert!(keyset.advance(None, nameless, true).is_err());
    }

    proptest! {
        /// Against a service that sorts without regard to case and cuts at any size, every object
        /// is given exactly once as long as fewer objects share a key than fit a page.
        #[test]
        fn every_object_comes_exactly_once(
            keys in prop::collection::vec("[aAbBcC]{1,3}", 0..60),
            cut in 1usize..9,
        ) {
            let mut objects: Vec<(String, usize)> = keys.iter().cloned().zip(0..).collect();
            objects.sort_by_key(|(key, n)| (key.to_lowercase(), *n));
            let most = objects.chunk_by(|a, b| a.0.to_lowercase() == b.0.to_lowercase()).map(<[_]>::len).max().unwrap_or(0);
            let size = cut + most;
            let keyset = Keyset { property: "Alias" };
            let (mut got, mut from) = (Vec::new(), None::<From>);
            for _ in 0..200 {
                let at = from.as_ref().map(|from| from.key.to_lowercase());
                let hits: Vec<_> = objects.iter()
                    .filter(|(key, _)| at.as_ref().is_none_or(|at| key.to_lowercase() >= *at))
                    .collect();
                let page = hits.iter().take(size)
                    .map(|(key, n)| Record::from_value(&json!({"Alias": key, "Guid": format!("g{n}")})).expect("object"))
                    .collect();
                let (fresh, next) = keyset.advance(from.as_ref(), page, hits.len() > size)
                    .map_err(|stuck| TestCaseError::fail(stuck.0))?;
                got.extend(fresh.iter().map(|record| record.text("Guid").unwrap_or_default().to_owned()));
                from = next;
                if from.is_none() { break; }
            }
            prop_assert!(from.is_none(), "did not end");
            let all: Vec<String> = objects.iter().map(|(_, n)| format!("g{n}")).collect();
            prop_assert_eq!(got, all);
        }
    }
}
