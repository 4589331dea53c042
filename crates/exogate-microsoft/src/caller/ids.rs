//! Ids and randomness, handed in so that a test can repeat itself.

use std::sync::Mutex;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

/// Where request ids and jitter come from.
pub trait Ids: Send + Sync {
    /// A fresh id.
    fn id(&self) -> Uuid;
    /// A number in `0.0..1.0`.
    fn fraction(&self) -> f64;
}

/// Real randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    fn id(&self) -> Uuid {
        Uuid::new_v4()
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
