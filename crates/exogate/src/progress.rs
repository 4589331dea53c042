//! Showing how far an aggregation is: bars on a terminal, a line every few seconds elsewhere with `--verbose`.
//!
//! Reads the engine's shared progress and the governors; influences neither.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use exogate_engine::Tenant;
use exogate_engine::aggregate::{Progress, Stage, StreamSnapshot, StreamState};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use crate::console::Console;

const REDRAW: Duration = Duration::from_millis(120);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// A display that runs beside the work until it is dropped or finished.
pub struct Display {
    task: Option<JoinHandle<()>>,
    stop: tokio_util::sync::CancellationToken,
}

impl Display {
    /// Begins to show, where showing is welcome.
    pub fn start(console: &Console, progress: Arc<Progress>, tenant: Tenant) -> Self {
        let stop = tokio_util::sync::CancellationToken::new();
        let task = if console.shows_progress() {
            Some(tokio::spawn(draw(progress, tenant, stop.clone())))
        } else if console.tells_progress() {
            Some(tokio::spawn(tell(console.clone(), progress, tenant, stop.clone())))
        } else {
            None
        };
        Self { task, stop }
    }

    /// Removes the display; results may be written after this.
    pub async fn finish(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // A display that broke down must not fail the work.
            let _ = task.await;
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn draw(progress: Arc<Progress>, tenant: Tenant, stop: tokio_util::sync::CancellationToken) {
    let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    let line = |screen: &MultiProgress| {
        let bar = screen.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        bar
    };
    let mut bars: Vec<(&'static str, ProgressBar)> = Vec::new();
    let foot = line(&screen);
    let begun = Instant::now();
    let mut rates = Rates::default();
    loop {
        for stream in progress.streams() {
            let bar = match bars.iter().find(|(name, _)| *name == stream.name) {
                Some((_, bar)) => bar.clone(),
                None => {
                    let bar = screen.insert_before(&foot, ProgressBar::new_spinner());
                    if let Ok(style) = ProgressStyle::with_template("{msg}") {
                        bar.set_style(style);
                    }
                    bars.push((stream.name, bar.clone()));
                    bar
                }
            };
            bar.set_message(stream_line(&stream, rates.of(&stream, begun.elapsed())));
        }
        foot.set_message(format!("{} · {}", stage_words(progress.stage()), governors(&tenant)));
        tokio::select! {
            () = tokio::time::sleep(REDRAW) => {}
            () = stop.cancelled() => break,
        }
    }
    // What was done is told by the summary.
    let _ = screen.clear();
}

async fn tell(
    console: Console,
    progress: Arc<Progress>,
    tenant: Tenant,
    stop: tokio_util::sync::CancellationToken,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LINE_EVERY) => {}
            () = stop.cancelled() => return,
        }
        let mut text = stage_words(progress.stage()).to_owned();
        for stream in progress.streams().iter().filter(|stream| stream.state != StreamState::Waiting) {
            let _ = write!(text, " · {} {}", stream.name, amount(stream));
        }
        console.note(&format!("{text} · {}", governors(&tenant)));
    }
}

/// Objects a second of each stream, over the last second or so.
#[derive(Default)]
struct Rates(Vec<(&'static str, u64, Duration, f64)>);

impl Rates {
    fn of(&mut self, stream: &StreamSnapshot, now: Duration) -> f64 {
        let Some((_, objects, at, rate)) = self.0.iter_mut().find(|(name, ..)| *name == stream.name) else {
            self.0.push((stream.name, stream.objects, now, 0.0));
            return 0.0;
        };
        let passed = now.saturating_sub(*at).as_secs_f64();
        if passed >= 1.0 {
            #[expect(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
            let grown = stream.objects.saturating_sub(*objects) as f64;
            (*objects, *at, *rate) = (stream.objects, now, grown / passed);
        }
        *rate
    }
}

fn stream_line(stream: &StreamSnapshot, rate: f64) -> String {
    let state = match stream.state {
        StreamState::Off | StreamState::Waiting => "…",
        StreamState::Reading => "▸",
        StreamState::Complete => "✓",
        StreamState::Failed => "✗",
    };
    let rate = if stream.state == StreamState::Reading { format!("{rate:.0}/s") } else { String::new() };
    let note = stream.note.as_deref().unwrap_or_default();
    format!("{state} {:<20} {:>18} {rate:>9}  {note}", stream.name, amount(stream))
}

fn amount(stream: &StreamSnapshot) -> String {
    match stream.total {
        Some(total) => format!("{} of {total}", stream.objects),
        None => stream.objects.to_string(),
    }
}

fn stage_words(stage: Stage) -> &'static str {
    match stage {
        Stage::Starting => "signing in",
        Stage::Reading => "reading",
        Stage::Resolving => "resolving trustees",
        Stage::Finishing => "settling the store",
        Stage::Done => "done",
    }
}

fn governors(tenant: &Tenant) -> String {
    let mut text = String::new();
    for (name, snapshot) in tenant.governors() {
        if !text.is_empty() {
            text.push_str(" · ");
        }
        let _ = write!(text, "{name} {} of {} in flight", snapshot.in_flight, snapshot.limit);
        if snapshot.throttled > 0 {
            let _ = write!(text, ", {} throttled", snapshot.throttled);
        }
        if let Some(pause) = snapshot.paused_for {
            let _ = write!(text, ", pausing {} s", pause.as_secs().max(1));
        }
    }
    text
}
