//! Whatever happens in the tenant, in whatever order and however often it is told, late, twice or
//! never, with stops and failures in between: once the means of finding differences have caught up,
//! the state is that of a fresh full aggregation, and the feed has told every difference once.
//!
//! `./test` runs thousands of them beside the other tests. `EXOGATE_DELTA_SEQUENCES` runs more
//! sequences, `EXOGATE_DELTA_FIRST` others, `EXOGATE_DELTA_SEED` a single one;
//! `EXOGATE_DELTA_UNTIL` names a file with whose appearance no more begin, and
//! `EXOGATE_DELTA_VERBOSE=1` tells how long each took.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may fail, and are steered by the environment"
)]

mod consumer;
mod deeds;
#[path = "../support/direct.rs"]
mod direct;
mod oddities;
mod random;
mod rig;
mod sequence;
#[path = "../support/mod.rs"]
mod support;
mod witness;

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sequences of an ordinary run.
const SEQUENCES: u64 = 100;
/// How often a long run tells how far it is.
const TELLS: std::time::Duration = std::time::Duration::from_secs(30);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Tells at once, also from a test whose output is kept back.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[test]
fn the_state_after_deltas_is_that_of_a_fresh_full_aggregation() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/contoso.toml");
    let first = number("EXOGATE_DELTA_FIRST").unwrap_or(1);
    let seeds = match number("EXOGATE_DELTA_SEED") {
        Some(seed) => seed..seed + 1,
        None => first..first + number("EXOGATE_DELTA_SEQUENCES").unwrap_or(SEQUENCES),
    };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let beginning = runtime().block_on(rig::Beginning::new(fixture));
    let until = std::env::var_os("EXOGATE_DELTA_UNTIL").map(std::path::PathBuf::from);
    let is_enough = || until.as_deref().is_some_and(Path::exists);
    let (next, done) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    let failed = AtomicU64::new(0);
    let (told, ascribed, started_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let verbose = number("EXOGATE_DELTA_VERBOSE").is_some();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let begun = std::time::Instant::now();
    let tell = |done: u64| {
        let of = seeds.end - seeds.start;
        say(&format!("{done} of {of} sequences in {} s", begun.elapsed().as_secs()));
    };
    let last_told = std::sync::Mutex::new(begun);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) || is_enough() {
                        return;
                    }
                    let one = std::panic::AssertUnwindSafe(|| {
                        runtime().block_on(sequence::sequence(seed, &beginning))
                    });
                    let began = std::time::Instant::now();
                    let outcome = std::panic::catch_unwind(one);
                    done.fetch_add(1, Ordering::Relaxed);
                    if verbose {
                        say(&format!("{seed}: {:?}", began.elapsed()));
                    }
                    match outcome {
                        Ok(tally) => {
                            told.fetch_add(tally.told, Ordering::Relaxed);
                            ascribed.fetch_add(tally.ascribed, Ordering::Relaxed);
                            started_over.fetch_add(tally.started_over, Ordering::Relaxed);
                        }
                        Err(_) => {
                            say(&format!("EXOGATE_DELTA_SEED={seed} fails"));
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    let mut last = last_told.lock().unwrap();
                    if last.elapsed() >= TELLS {
                        *last = std::time::Instant::now();
                        tell(done.load(Ordering::Relaxed));
                    }
                }
            });
        }
    });
    let (failed, done) = (failed.into_inner(), done.into_inner());
    tell(done);
    let [told, ascribed, started_over] = [told, ascribed, started_over].map(AtomicU64::into_inner);
    say(&format!(
        "{told} changes were told, {ascribed} looks knew who made one, {started_over} readers had to start over"
    ));
    if done >= 100 {
        assert!(told > 0 && ascribed > 0 && started_over > 0, "what never comes to pass is not tested");
    }
    assert_eq!(failed, 0, "{failed} of {done} sequences failed; their seeds are above");
}
