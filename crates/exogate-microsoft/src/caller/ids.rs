//! Ids and randomness, handed in so that a test can repeat itself.

use std::future::Future;
use std::sync::Mutex;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

tokio::task_local! {
    static CORRELATION: Uuid;
}

/// Does some work whose calls are told to belong together: the first half of each of their ids is
/// that of `id`, so that Microsoft's logs can be searched by it. Reaches into spawned tasks only
/// where it is [carried](super::carried).
pub async fn correlated<F: Future>(id: Uuid, work: F) -> F::Output {
    CORRELATION.scope(id, work).await
}

/// What the calls of this task belong to, if anything.
pub fn correlation() -> Option<Uuid> {
    CORRELATION.try_with(|id| *id).ok()
}

/// Where request ids and jitter come from.
pub trait Ids: Send + Sync {
    /// A fresh id.
    fn id(&self) -> Uuid;
    /// A number in `0.0..1.0`.
    fn fraction(&self) -> f64;
}

/// Real randomness; within [`correlated`] work half of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    fn id(&self) -> Uuid {
        let fresh = Uuid::new_v4();
        correlation().map_or(fresh, |whole| {
            let (first, second) = (whole.as_u64_pair().0, fresh.as_u64_pair().1);
            Uuid::from_u64_pair(first, second)
        })
    }

    fn fraction(&self) -> f64 {
        rand::rng().random()
    }
}

/// The same sequence for the same seed.
#[derive(Debug)]
pub struct SeededIds(Mutex<SmallRng>);

impl SeededIds {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(SmallRng::seed_from_u64(seed)))
    }

    fn with<T>(&self, draw: impl FnOnce(&mut SmallRng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Ids for SeededIds {
    fn id(&self) -> Uuid {
        let bytes = self.with(Rng::random::<u128>).to_be_bytes();
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    fn fraction(&self) -> f64 {
        self.with(Rng::random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ids_of_one_piece_of_work_begin_alike_and_differ() {
        let whole = Uuid::new_v4();
        let (one, other) = correlated(whole, async { (RandomIds.id(), RandomIds.id()) }).await;
        assert_ne!(one, other);
        assert_eq!(one.as_u64_pair().0, whole.as_u64_pair().0);
        assert_eq!(one.get_variant(), uuid::Variant::RFC4122);
        assert_ne!(RandomIds.id().as_u64_pair().0, whole.as_u64_pair().0);
        assert_eq!(correlation(), None);
    }
}
