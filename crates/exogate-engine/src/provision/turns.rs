//! Whose turn it is at an object, among processes: the order in which the journal accepted their plans.
//!
//! Whoever waits holds nothing, and waits only for plans that were accepted before: so nobody waits
//! in a circle. Within a process the locks of [`super::provisioner`] decide.

use std::collections::BTreeSet;
use std::time::Duration;

use exogate_store::StoreError;
use tokio_util::sync::CancellationToken;

use super::provisioner::{Inner, Observer, Step};

/// The first wait between two looks; doubles from look to look.
const FIRST: Duration = Duration::from_millis(25);
/// The longest.
const LONGEST: Duration = Duration::from_secs(1);

/// The objects of a plan at which other processes came first.
pub(super) struct Turns<'a> {
    inner: &'a Inner,
    plan: &'a str,
    contended: BTreeSet<String>,
}

impl<'a> Turns<'a> {
    /// Looks who came first. Whoever comes after the plan was accepted waits for it.
    pub(super) async fn of(inner: &'a Inner, plan: &'a str) -> Result<Self, StoreError> {
        let ahead = inner.journal.ahead(inner.store.name(), plan).await?;
        Ok(Self { inner, plan, contended: ahead.into_keys().collect() })
    }

    /// Waits until all others who came first are done with the object, or somebody wants to stop.
    pub(super) async fn wait(
        &self,
        object: &str,
        number: u32,
        observer: &dyn Observer,
        cancel: &CancellationToken,
    ) -> Result<(), StoreError> {
        if !self.contended.contains(object) {
            return Ok(());
        }
        let mut wait = FIRST;
        loop {
            let ahead = self.inner.journal.ahead(self.inner.store.name(), self.plan).await?;
            let Some(plan) = ahead.get(object) else { return Ok(()) };
            tracing::info!(object, plan, "another process is at the object; it is waited for");
            observer.reached(Step::Queued(number)).await;
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = cancel.cancelled() => return Ok(()),
            }
            wait = (wait * 2).min(LONGEST);
        }
    }
}
