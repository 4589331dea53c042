//! What some work belongs to: the request that it is done for, and the span in which it is told.
//!
//! Both end at a spawned task unless they are handed on.

use std::future::Future;

use tracing::{Instrument, Span};
use uuid::Uuid;

use super::ids::{correlated, correlation};

/// What the work of a task belongs to.
#[derive(Clone, Debug)]
pub struct Belonging {
    request: Option<Uuid>,
    span: Span,
}

impl Belonging {
    /// What this task does belongs to.
    pub fn here() -> Self {
        Self { request: correlation(), span: Span::current() }
    }

    /// Does some work as if it were done where this was made.
    pub async fn keep<F: Future>(self, work: F) -> F::Output {
        let Self { request, span } = self;
        match request {
            Some(id) => correlated(id, work).instrument(span).await,
            None => work.instrument(span).await,
        }
    }
}

/// The same work, fit to be spawned: it still belongs to what the work here belongs to.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    Belonging::here().keep(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_spawned_task_belongs_to_its_request_only_if_it_is_carried() {
        let request = Uuid::new_v4();
        let (carried, left) = correlated(request, async {
            let carried = tokio::spawn(carried(async { correlation() }));
            (carried, tokio::spawn(async { correlation() }))
        })
        .await;
        assert_eq!(carried.await.unwrap(), Some(request));
        assert_eq!(left.await.unwrap(), None);
    }
}
