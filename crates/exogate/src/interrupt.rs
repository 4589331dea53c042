//! Ctrl-C and SIGTERM: the first asks to stop at a checkpoint, the second stops at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::console::Console;
use crate::exit::Exit;

/// Watches for signals; the token is cancelled by the first.
pub fn watch(console: &Console, what_stops: &'static str) -> CancellationToken {
    let token = CancellationToken::new();
    let cancel = token.clone();
    let console = console.clone();
    tokio::spawn(async move {
        let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
        let Ok(mut interrupt) = signal(SignalKind::interrupt()) else { return };
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        console.note(what_stops);
        cancel.cancel();
        next().await;
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    token
}
