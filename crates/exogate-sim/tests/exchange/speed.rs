//! Pages must cost little. The bound is that of an unoptimised build on a busy machine.

use std::time::{Duration, Instant};

use exogate_sim::clock::Time;
use exogate_sim::generate::{self, Sizes};
use exogate_sim::options::Scenario;
use exogate_sim::state::app::role;
use serde_json::json;

use crate::tenant::{Bench, START, app};

#[test]
fn a_page_of_a_thousand_full_mailboxes_is_cheap() {
    let sizes = Sizes { users: 1500, ..Sizes::default() };
    let mut state = generate::tenant(&sizes, Time::from_seconds(START)).unwrap();
    state.apps.insert(0, app(1, true, &[role::EXCHANGE_ADMINISTRATOR], &[]));
    let bench = Bench::around(state, std::collections::HashMap::new(), Scenario::default());
    bench.ok("Get-AcceptedDomain", json!({}));
    let mut best = Duration::MAX;
    let mut bytes = 0;
    for _ in 0..3 {
        let begun = Instant::now();
        let answer = bench.ok("Get-Mailbox", json!({"ResultSize": "Unlimited"}));
        best = best.min(begun.elapsed());
        bytes = answer.body.len();
        assert!(answer.body.ends_with(b"}]}"));
    }
    assert!(bytes > 5_000_000, "{bytes}");
    eprintln!("SPEED {bytes} {best:?}");
    assert!(best < Duration::from_secs(2), "{bytes} bytes took {best:?}");
}
