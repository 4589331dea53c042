//! How a webhook stands, as it is shown.

use exogate_store::StoreError;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Courier;

/// How it fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum StandingState {
    /// Nothing was looked at yet: `exogate serve` was not started since it was configured.
    New,
    /// Everything that could be delivered is.
    Delivering,
    /// The last attempt failed.
    Failing,
}

impl StandingState {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Delivering => "delivering",
            Self::Failing => "failing",
        }
    }
}

/// How a webhook stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Where it is, without a query.
    pub url: String,
    /// How it fares.
    pub state: StandingState,
    /// Changes of the feed that it has not come to yet, wanted or not.
    pub behind: u64,
    /// Changes that could not be delivered and were put aside.
    pub dead_letters: u64,
    /// Failures in a row.
    pub failures: u32,
    /// Since when it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// When the receiver took something the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
}

impl Courier {
    /// How it stands.
    pub async fn standing(&self) -> Result<Standing, StoreError> {
        let name = self.hook.name.clone();
        let state = self.store.webhook(&name).await?;
        let dead_letters = self.store.dead_letter_count(&name).await?;
        let behind = match &state {
            Some(state) => self.store.changes_after(state.sequence).await?,
            None => 0,
        };
        let failing = state.as_ref().filter(|state| state.failures > 0);
        Ok(Standing {
            name,
            url: self.hook.address.clone(),
            state: match (&state, &failing) {
                (None, _) => StandingState::New,
                (_, Some(_)) => StandingState::Failing,
                _ => StandingState::Delivering,
            },
            behind,
            dead_letters,
            failures: failing.map_or(0, |state| state.failures),
            failing_since: failing.and_then(|state| state.failing_since),
            reason: failing.and_then(|state| state.reason.clone()),
            next_at: failing.map(|state| state.next_at),
            delivered_at: state.as_ref().and_then(|state| state.delivered_at),
        })
    }
}
