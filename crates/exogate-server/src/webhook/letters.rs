//! What could not be delivered, sent once more because somebody asks for it.

use exogate_store::{ChangeRecord, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use super::Courier;
use super::message::Message;

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resent {
    /// Changes that the receiver took.
    pub delivered: u64,
    /// Changes that stay dead letters.
    pub left: u64,
    /// Why, if the receiver did not take one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Courier {
    /// Sends the dead letters again, message by message as they were, until one is not taken.
    pub async fn resend(&self) -> Result<Resent, StoreError> {
        let mut resent = Resent::default();
        let mut messages: Vec<(String, Vec<ChangeRecord>)> = Vec::new();
        for (letter, change) in self.store.dead_letters(&self.hook.name).await? {
            match messages.last_mut() {
                Some((id, changes)) if *id == letter.message => changes.push(change),
                _ => messages.push((letter.message, vec![change])),
            }
        }
        for (id, changes) in messages {
            let count = changes.len() as u64;
            if resent.reason.is_some() {
                resent.left += count;
                continue;
            }
            let sequences = changes.iter().map(|change| change.sequence).collect();
            let message = Message::of_changes(id, self.store.name(), &self.hook.name, changes);
            match self.send(&message).await {
                Ok(()) => {
                    self.store.forget_dead_letters(&self.hook.name, sequences).await?;
                    resent.delivered += count;
                }
                Err(failure) => {
                    resent.left += count;
                    resent.reason = Some(failure.reason);
                }
            }
        }
        Ok(resent)
    }

    /// Forgets the dead letters. Returns how many.
    pub async fn discard(&self) -> Result<u64, StoreError> {
        let letters = self.store.dead_letters(&self.hook.name).await?;
        let sequences = letters.into_iter().map(|(letter, _)| letter.sequence).collect();
        self.store.forget_dead_letters(&self.hook.name, sequences).await
    }
}
