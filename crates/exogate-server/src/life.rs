//! The life of the service: what stops it, and what must come to its end before it is over.

use std::future::Future;
use std::sync::Arc;

use exogate_engine::carried;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Shared by everything that lives in one service.
#[derive(Debug, Clone, Default)]
pub struct Life {
    /// Cancelled when the service begins to stop: nothing new begins, runs stop at their checkpoints.
    pub stopping: CancellationToken,
    /// Cancelled when its patience ends: changes under way stop after the operation they are at.
    pub leaving: CancellationToken,
    /// What must not be torn down in the middle.
    pub tasks: Tasks,
}

/// Tasks that outlive the request they began with.
#[derive(Debug, Clone)]
pub struct Tasks {
    alive: Arc<watch::Sender<usize>>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { alive: Arc::new(watch::Sender::new(0)) }
    }
}

struct Alive(Arc<watch::Sender<usize>>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.send_modify(|alive| *alive = alive.saturating_sub(1));
    }
}

impl Tasks {
    /// Runs a future to its end, whether or not anybody still waits for it. It still belongs to the
    /// request that it came with.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.alive.send_modify(|alive| *alive += 1);
        let alive = Alive(Arc::clone(&self.alive));
        tokio::spawn(carried(async move {
            let _alive = alive;
            work.await
        }))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        *self.alive.borrow()
    }

    /// Waits until there is none.
    pub async fn idle(&self) {
        // The sender lives as long as `self`: waiting cannot fail.
        let _ = self.alive.subscribe().wait_for(|alive| *alive == 0).await;
    }
}

#[cfg(test)]
mod tests {
    use exogate_engine::{correlated, correlation};

    use super::*;

    #[tokio::test]
    async fn a_task_goes_on_without_its_handle_and_is_waited_for() {
        let tasks = Tasks::default();
        let (done, mut heard) = tokio::sync::mpsc::channel(1);
        let request = uuid::Uuid::new_v4();
        let work = async move {
            tokio::task::yield_now().await;
            done.send(correlation()).await.unwrap();
        };
        correlated(request, async { drop(tasks.spawn(work)) }).await;
        assert_eq!(tasks.count(), 1);
        tasks.idle().await;
        assert_eq!(heard.try_recv().unwrap(), Some(request), "it still belongs to its request");
    }
}
