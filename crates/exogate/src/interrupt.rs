//! Ctrl-C and SIGTERM: where work can stop in good order the first asks for that, else it abandons the work, as the
//! second always does. Abandoned work still removes its temporary files; whoever asks once more ends the process.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::console::Console;
use crate::exit::Exit;

/// What is to happen at a signal.
#[derive(Clone, Default)]
pub struct Interrupts {
    graceful: Arc<Mutex<Option<Graceful>>>,
    abandon: CancellationToken,
}

struct Graceful {
    token: CancellationToken,
    told: &'static str,
}

impl Interrupts {
    /// Watches for signals; must be called within the runtime.
    pub fn watch(&self, console: Console) {
        let interrupts = self.clone();
        tokio::spawn(async move {
            let (Ok(mut terminate), Ok(mut interrupt)) =
                (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
            else {
                return;
            };
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                let graceful = interrupts.graceful.lock().unwrap_or_else(PoisonError::into_inner).take();
                match graceful {
                    Some(Graceful { token, told }) => {
                        console.note(told);
                        token.cancel();
                    }
                    None if interrupts.abandon.is_cancelled() => {
                        std::process::exit(i32::from(Exit::Interrupted.code()))
                    }
                    None => interrupts.abandon.cancel(),
                }
            }
        });
    }

    /// Returns when the work is to be abandoned.
    pub async fn abandoned(&self) {
        self.abandon.cancelled().await;
    }

    /// From now on the next signal cancels the token and tells `told`, until the guard is dropped.
    pub fn gracefully(&self, told: &'static str) -> Guard {
        let token = CancellationToken::new();
        let graceful = Graceful { token: token.clone(), told };
        *self.graceful.lock().unwrap_or_else(PoisonError::into_inner) = Some(graceful);
        Guard { interrupts: self.clone(), token }
    }
}

/// As long as it lives, a signal is answered in good order.
pub struct Guard {
    interrupts: Interrupts,
    token: CancellationToken,
}

impl Guard {
    /// Cancelled by the signal.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Returns at the signal.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        *self.interrupts.graceful.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
