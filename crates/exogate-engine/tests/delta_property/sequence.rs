//! One sequence: deeds and looks in turn, with whatever is odd about the tenant, then peace, and the
//! comparison.

use exogate_engine::aggregate::Outcome;
use exogate_store::Feed;

use crate::consumer::Consumer;
use crate::deeds::{Made, deed};
use crate::oddities::{self, Oddities};
use crate::random::Random;
use crate::rig::{Beginning, Kill, Rig};
use crate::support::assert_same;

/// What came to pass in a sequence: what never does is not tested.
#[derive(Debug, Default)]
pub struct Tally {
    /// Changes told to one who reads the feed.
    pub told: u64,
    /// Readers that fell behind what is kept.
    pub started_over: u64,
    /// Changes of which it became known who made them.
    pub ascribed: u64,
}

/// One who reads the feed now and then, and remembers how far.
struct Reader {
    consumer: Consumer,
    cursor: i64,
}

impl Reader {
    async fn of(rig: &Rig<'_>) -> Self {
        Self {
            consumer: Consumer::of(&rig.source.store).await,
            cursor: rig.source.store.feed_end().await.unwrap(),
        }
    }

    async fn read(&mut self, rig: &Rig<'_>, log: &mut Log<'_>) {
        let changes = match rig.feed(self.cursor).await {
            Feed::Changes(changes) => changes,
            Feed::StartOver { cursor } => {
                assert!(self.cursor < rig.forgotten, "nothing is lost to it\n{}", log.text());
                assert_eq!(cursor, rig.source.store.feed_end().await.unwrap());
                *self = Self::of(rig).await;
                self.consumer.ahead = !rig.settled;
                log.tally.started_over += 1;
                return;
            }
        };
        assert!(self.cursor >= rig.forgotten, "what it was not told is gone\n{}", log.text());
        for change in changes {
            assert!(change.sequence > self.cursor);
            self.cursor = change.sequence;
            log.tally.told += 1;
            if let Err(twice) = self.consumer.take(&change) {
                panic!("{twice}\n{}", log.text());
            }
        }
    }
}

/// Runs the sequence of a seed; panics where it fails.
pub async fn sequence(seed: u64, beginning: &Beginning) -> Tally {
    let mut random = Random::new(seed);
    let odd = Oddities::of(&mut random);
    let mut log = Log { seed, odd: &odd, lines: Vec::new(), tally: Tally::default() };
    let mut rig = Rig::new(beginning, &odd).await;
    let (mut eager, mut lazy) = (Reader::of(&rig).await, Reader::of(&rig).await);
    let mut made = Made::default();
    for _ in 0..random.between(4, 9) {
        for _ in 0..random.between(0, 4) {
            log.add(deed(&mut rig, &mut random, &mut made).await);
            rig.pass(random.below(90));
        }
        rig.pass(random.one(&[5, 120, 1200, 7200, 7200, 30_000]));
        if random.below(30) == 0 {
            // So long that links and content are not kept.
            rig.pass(8 * 86_400);
        }
        look(&mut rig, &odd, &mut random, &mut log).await;
        if random.chance(7) {
            eager.read(&rig, &mut log).await;
        }
        if random.chance(1) {
            let hours = random.one(&[0, 2, 24]);
            ascribed(&rig, &mut log).await;
            rig.compact(hours * 3600).await;
            log.add(format!("changes are kept for {hours} hours"));
        }
    }
    rig.world.adjust(|scenario| {
        scenario.graph.delta_tokens_void = false;
        scenario.graph.delta_loop = false;
        scenario.activity.requests_per_minute = 0;
    });
    // Records arrive, readers agree, and every mailbox has its turn.
    let turn = rig.options.freshness.as_secs() + 60;
    for seconds in [7200, turn, turn] {
        rig.pass(seconds);
        let summary = rig.delta().await;
        log.add(format!("delta: {:?} {:?}", summary.outcome, summary.notes));
        assert_eq!(summary.outcome, Outcome::Completed, "{:#?}\n{}", summary.streams, log.text());
    }
    rig.settled = true;
    if !(rig.options.sweep && rig.options.reread) {
        // What only these would have found, the next full aggregation does.
        let summary = rig.full().await;
        assert_eq!(summary.outcome, Outcome::Completed, "{:#?}\n{}", summary.streams, log.text());
    }
    assert_same(&rig.source.picture().await, &rig.fresh().await, &log.text());
    let state = Consumer::of(&rig.source.store).await;
    for reader in [&mut eager, &mut lazy] {
        reader.read(&rig, &mut log).await;
        let differences = reader.consumer.differences(&state);
        assert!(differences.is_empty(), "the feed and the state differ: {differences:#?}\n{}", log.text());
    }
    ascribed(&rig, &mut log).await;
    log.tally
}

/// Whoever a change is ascribed to made it.
async fn ascribed(rig: &Rig<'_>, log: &mut Log<'_>) {
    for change in rig.source.store.changes(0, 100_000).await.unwrap() {
        if let Err(wrong) = rig.witness.check(&change, rig.forgotten > 0) {
            panic!("{wrong}\n{}", log.text());
        }
        log.tally.ascribed += u64::from(!change.by.is_unknown());
    }
}

/// One look at the tenant, which may fail, be killed, or be a full aggregation.
async fn look(rig: &mut Rig<'_>, odd: &Oddities, random: &mut Random, log: &mut Log<'_>) {
    let (void, circle) = (random.chance(1), random.chance(1));
    rig.world.adjust(|scenario| {
        scenario.graph.delta_tokens_void = void;
        scenario.graph.delta_loop = circle;
    });
    if random.chance(3) {
        let faults = oddities::faults(random);
        log.add(format!("faults: {faults:?}"));
        rig.world.set_faults([odd.standing(), faults].concat());
    }
    match random.below(10) {
        0 => {
            let summary = rig.full().await;
            rig.settled = summary.outcome == Outcome::Completed;
            log.add(format!("full: {:?} {:?}", summary.outcome, summary.notes));
        }
        1 | 2 => {
            let (whole, requests) = (random.chance(2), random.below(60));
            let kill = Kill { whole, requests, after: random.chance(5), minus_nine: random.chance(5) };
            let killed = rig.killed(&kill).await;
            rig.settled = false;
            log.add(format!("{}: {kill:?}", if killed { "killed" } else { "not killed" }));
            // Until the lease of a dead process ends.
            rig.pass(15);
        }
        _ => {
            let summary = rig.delta().await;
            rig.settled &= summary.outcome == Outcome::Completed;
            log.add(format!("delta: void {void} circle {circle} {:?} {:?}", summary.outcome, summary.notes));
        }
    }
    rig.world.set_faults(odd.standing());
}

/// What happened, for whoever has to find out why.
struct Log<'a> {
    seed: u64,
    odd: &'a Oddities,
    lines: Vec<String>,
    tally: Tally,
}

impl Log<'_> {
    fn add(&mut self, line: String) {
        self.lines.push(line);
    }

    fn text(&self) -> String {
        let Self { seed, odd, lines, .. } = self;
        format!("EXOGATE_DELTA_SEED={seed}\n{odd:?}\n{}", lines.join("\n"))
    }
}
