//! The deletion guard: a run that finds too much gone asks before it believes it.

use exogate_model::count::counted;
use exogate_store::{Coverage, Forecast};

/// The parts that are guarded: what people would miss.
const GUARDED: [Coverage; 4] =
    [Coverage::Users, Coverage::Mailboxes, Coverage::Groups, Coverage::DynamicGroups];

/// The losses that go beyond `percent` of what was known. Where nothing was known before, there is
/// nothing to guard.
pub(crate) fn losses(forecasts: &[Forecast], percent: u8) -> Vec<Forecast> {
    forecasts
        .iter()
        .filter(|forecast| GUARDED.contains(&forecast.part))
        .filter(|f| u128::from(f.unseen) * 100 > u128::from(f.known) * u128::from(percent))
        .copied()
        .collect()
}

/// The sentence for a loss.
pub(crate) fn sentence(loss: &Forecast) -> String {
    let what = match loss.part {
        Coverage::Users => "account",
        Coverage::Mailboxes => "mailbox",
        Coverage::DynamicGroups => "dynamic distribution group",
        _ => "group",
    };
    format!("{} of {} gone", loss.unseen, counted(loss.known, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_share_is_refused_and_exactly_the_share_is_not() {
        let of = |part, known, unseen| Forecast { part, known, unseen };
        let refused =
            |known, unseen, percent| !losses(&[of(Coverage::Users, known, unseen)], percent).is_empty();
        assert!(!refused(0, 0, 10), "a first run");
        assert!(!refused(100, 10, 10));
        assert!(refused(100, 11, 10));
        assert!(refused(3, 1, 10));
        assert!(refused(100, 1, 0));
        assert!(!refused(100, 100, 100));
        assert!(refused(u64::MAX, u64::MAX, 99));
        assert!(losses(&[of(Coverage::Memberships, 10, 10)], 10).is_empty());
    }
}
