//! What the caller loop does, for those who count or show it.

use std::time::Duration;

use crate::cloud::Resource;
use crate::error::WireError;

/// One step of one call.
#[derive(Clone, Debug)]
pub struct CallEvent<'a> {
    /// Which service.
    pub resource: Resource,
    /// The cmdlet, or method and path.
    pub what: &'a str,
    /// 0 for the first attempt.
    pub attempt: u32,
    /// What happened.
    pub step: CallStep<'a>,
}

/// What happened in a step.
#[derive(Clone, Debug)]
pub enum CallStep<'a> {
    /// The request goes out.
    Sending,
    /// A usable answer came.
    Done {
        /// From sending to the last byte.
        latency: Duration,
        /// Size of the body.
        bytes: usize,
    },
    /// The service wants less; the governor decides when to go on.
    Throttled {
        /// What the service asked for.
        retry_after: Option<Duration>,
    },
    /// A fault; it is sent again after `wait`.
    Retrying {
        /// The fault.
        error: &'a WireError,
        /// The wait.
        wait: Duration,
    },
    /// The token was refused; a fresh one is tried.
    SigningInAgain,
    /// The call is given up.
    Failed {
        /// Why.
        error: &'a WireError,
    },
}

/// Is told every step.
pub trait CallObserver: Send + Sync {
    /// Called on the calling task; must not block.
    fn observe(&self, event: &CallEvent<'_>);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl CallObserver for Silent {
    fn observe(&self, _event: &CallEvent<'_>) {}
}
