//! The webhooks of a service at work, each by itself: a slow receiver holds up no other. Of several services
//! over one store, one delivers to a webhook, and another takes over when that one is gone.

use std::sync::Arc;
use std::time::Duration;

use exogate_store::{SourceStore, StoreError};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Courier, Step, Webhook};
use crate::gateway::{Gateway, Source};

/// How often the feed is looked at. Whoever writes to it need not be this process.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is seen to that the turn at a webhook stays here.
const KEPT: Duration = Duration::from_secs(5);
/// After a fault of the store.
const TROUBLE: Duration = Duration::from_secs(10);

/// Delivers until the service stops. What is under way then has until its patience ends.
pub fn keep(gateway: &Gateway) {
    for source in gateway.sources.values() {
        for hook in &source.webhooks {
            let kept = keep_one(gateway.clone(), Arc::clone(source), Arc::clone(hook));
            drop(gateway.life.tasks.spawn(kept));
        }
    }
}

async fn keep_one(gateway: Gateway, source: Arc<Source>, hook: Arc<Webhook>) {
    let turn =
        Turn { store: source.store.clone(), name: hook.name.clone(), token: Uuid::new_v4().to_string() };
    deliver(&gateway, &source, &hook, &turn).await;
    // Who cannot say so any more is found dead by the others.
    if let Err(error) = turn.store.release_webhook(&turn.name, &turn.token).await {
        tracing::debug!(source = source.name, webhook = hook.name, %error, "a webhook is not given over");
    }
}

async fn deliver(gateway: &Gateway, source: &Source, hook: &Arc<Webhook>, turn: &Turn) {
    let mut courier = Courier::new(source.store.clone(), Arc::clone(hook), Arc::clone(&gateway.clock));
    loop {
        let work = async {
            if !turn.is_ours().await? {
                return Ok(Step::Idle);
            }
            tokio::select! {
                step = courier.step() => step,
                lost = turn.lost() => lost.map(|()| Step::Idle),
            }
        };
        let step = tokio::select! {
            biased;
            () = gateway.life.leaving.cancelled() => return,
            step = work => step,
        };
        let wait = match step {
            Ok(step) => {
                tell(source, hook, &step);
                rest(&step, gateway.clock.now())
            }
            Err(error) => {
                tracing::error!(source = source.name, webhook = hook.name, %error, "the store holds up a webhook");
                TROUBLE
            }
        };
        tokio::select! {
            biased;
            () = gateway.life.stopping.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// The turn of this service at a webhook.
struct Turn {
    store: SourceStore,
    name: String,
    token: String,
}

impl Turn {
    async fn is_ours(&self) -> Result<bool, StoreError> {
        self.store.take_webhook(&self.name, &self.token).await
    }

    /// Keeps it, however long a receiver takes; ends when somebody else has it.
    async fn lost(&self) -> Result<(), StoreError> {
        loop {
            tokio::time::sleep(KEPT).await;
            if !self.is_ours().await? {
                return Ok(());
            }
        }
    }
}

/// How long nothing is to be done. Never longer than a look: somebody may set the clock.
fn rest(step: &Step, now: Timestamp) -> Duration {
    match step {
        Step::Passed | Step::Delivered(_) | Step::ToldToStartOver | Step::GivenUp { .. } => Duration::ZERO,
        Step::Idle => LOOK,
        Step::Failed { until, .. } | Step::Waiting(until) => {
            Duration::try_from(until.duration_since(now)).unwrap_or_default().min(LOOK)
        }
    }
}

fn tell(source: &Source, hook: &Webhook, step: &Step) {
    let (source_name, webhook) = (source.name.as_str(), hook.name.as_str());
    let count = |result| source.meters.webhook(source_name, webhook, result);
    match step {
        Step::Idle | Step::Passed | Step::Waiting(_) => {}
        Step::Delivered(changes) => {
            count("ok");
            tracing::debug!(source = source_name, webhook, changes, "a webhook was told");
        }
        Step::ToldToStartOver => {
            count("ok");
            tracing::warn!(
                source = source_name,
                webhook,
                "a webhook fell behind what is kept and was told to start over"
            );
        }
        Step::Failed { reason, failures, until } => {
            count("failed");
            tracing::warn!(source = source_name, webhook, reason, failures, %until, "a webhook did not take a message");
        }
        Step::GivenUp { reason, changes } => {
            count("failed");
            tracing::error!(
                source = source_name,
                webhook,
                reason,
                changes,
                "a webhook did not take a message for too long; its changes are dead letters now"
            );
        }
    }
}
