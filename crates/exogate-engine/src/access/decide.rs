//! Which of several claims to one right counts.
//!
//! Pure. As Windows orders an access list: direct before inherited, and among equals denied before
//! allowed; of several ways to the same decision the shortest is shown.

use std::collections::BTreeMap;

/// One claim of somebody to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim<K, T> {
    /// Who claims what.
    pub key: K,
    /// Whether it denies.
    pub deny: bool,
    /// Whether it is inherited.
    pub inherited: bool,
    /// The groups it comes through: the one that holds the grant first.
    pub via: Vec<String>,
    /// What else belongs to it.
    pub of: T,
}

/// One claim for each key, in key order: the one that counts, and whether it overrules another of
/// the opposite sense.
pub fn decide<K: Ord + Clone, T>(claims: impl IntoIterator<Item = Claim<K, T>>) -> Vec<(Claim<K, T>, bool)> {
    let mut decided: BTreeMap<K, (Claim<K, T>, bool)> = BTreeMap::new();
    for claim in claims {
        match decided.remove(&claim.key) {
            None => {
                decided.insert(claim.key.clone(), (claim, false));
            }
            Some((best, overrules)) => {
                let overrules = overrules || best.deny != claim.deny;
                let winner = if rank(&claim) < rank(&best) { claim } else { best };
                decided.insert(winner.key.clone(), (winner, overrules));
            }
        }
    }
    decided.into_values().collect()
}

fn rank<K, T>(claim: &Claim<K, T>) -> (bool, bool, usize, &[String]) {
    (claim.inherited, !claim.deny, claim.via.len(), &claim.via)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claim(deny: bool, inherited: bool, via: &[&str]) -> Claim<u8, ()> {
        Claim { key: 0, deny, inherited, via: via.iter().map(|v| (*v).to_owned()).collect(), of: () }
    }

    #[test]
    fn deny_beats_allow_and_direct_beats_inherited() {
        let cases = [
            (claim(false, false, &[]), claim(true, false, &["g"]), true),
            (claim(false, false, &["g"]), claim(true, true, &[]), false),
            (claim(false, true, &[]), claim(true, true, &["g", "h"]), true),
        ];
        for (allow, deny, denied) in cases {
            let decided = decide([allow.clone(), deny.clone()]);
            assert_eq!(decided.len(), 1);
            assert_eq!(decided[0].0.deny, denied, "{allow:?} {deny:?}");
            assert!(decided[0].1, "one overrules the other");
        }
        let decided = decide([
            claim(false, false, &["b", "c"]),
            claim(false, false, &["d"]),
            claim(false, false, &["a"]),
        ]);
        assert_eq!(decided, [(claim(false, false, &["a"]), false)]);
    }

    proptest! {
        #[test]
        fn the_order_of_rows_decides_nothing(
            rows in proptest::collection::vec((0u8..3, any::<bool>(), any::<bool>(), proptest::collection::vec("[ab]", 0..3)), 0..10)
        ) {
            let claims: Vec<_> = rows
                .into_iter()
                .map(|(key, deny, inherited, via)| Claim { key, deny, inherited, via, of: () })
                .collect();
            let forwards = decide(claims.clone());
            let backwards = decide(claims.iter().rev().cloned());
            prop_assert_eq!(&forwards, &backwards);
            // Nobody who is directly denied is allowed.
            for (claim, _) in forwards {
                let denied = claims.iter().any(|c| c.key == claim.key && c.deny && !c.inherited);
                prop_assert!(!denied || claim.deny);
            }
        }
    }
}
