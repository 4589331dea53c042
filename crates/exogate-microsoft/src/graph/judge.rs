//! What an answer of Graph is. A page is parsed here, once, and kept for the client.

use super::failure::{error_of, holds_error};
use crate::caller::{Effect, Judge, Verdict};
use crate::error::{ErrorKind, Service, WireError};
use crate::page::{Envelope, NotJson};
use crate::record::Record;
use crate::signin::claims_challenge;
use crate::transport::WireResponse;
use std::sync::{Mutex, PoisonError};

/// Judges an answer that holds a page, and keeps the page.
#[derive(Default)]
pub(super) struct PageJudge(Mutex<Option<Envelope>>);

impl PageJudge {
    pub(super) fn into_page(self) -> Envelope {
        let page = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        page.unwrap_or_default()
    }
}

impl Judge for PageJudge {
    fn judge(&self, what: &str, response: &WireResponse) -> Verdict {
        if !response.status.is_success() {
            return failed(what, response);
        }
        match Envelope::parse(&response.body, None) {
            Ok(page) if page.error.is_some() => failed(what, response),
            // Graph writes `{"value":[]}` for nothing; no text at all is a fault.
            Ok(_) if response.body.is_empty() => garbled(what, response, "the answer is empty"),
            Ok(page) => {
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(page);
                Verdict::Done
            }
            Err(_) if response.is_html() => failed(what, response),
            Err(NotJson(reason)) => garbled(what, response, &reason),
        }
    }
}

/// Judges an answer that holds one object, or nothing where nothing is expected.
pub(super) struct ObjectJudge;

impl ObjectJudge {
    /// The object of an answer that was judged to be one.
    pub(super) fn record(what: &str, response: &WireResponse) -> Result<Record, WireError> {
        Record::from_slice(&response.body).map_err(|error| {
            WireError::new(ErrorKind::Protocol, Service::Graph, what)
                .with_status(response.status)
                .with_message(error.to_string())
        })
    }
}

impl Judge for ObjectJudge {
    fn judge(&self, what: &str, response: &WireResponse) -> Verdict {
        if !response.status.is_success() || response.is_html() || holds_error(&response.body) {
            return failed(what, response);
        }
        if response.body.is_empty() {
            return Verdict::Done;
        }
        match Record::from_slice(&response.body) {
            Ok(_) => Verdict::Done,
            Err(error) => garbled(what, response, &error.to_string()),
        }
    }
}

/// The verdict on an answer that is a failure.
pub(super) fn failed(what: &str, response: &WireResponse) -> Verdict {
    let error = error_of(what, response);
    match error.kind {
        ErrorKind::Throttled => Verdict::Throttled { retry_after: error.retry_after, error },
        ErrorKind::Unauthorized => Verdict::Unauthorized {
            claims: response.header("www-authenticate").and_then(claims_challenge),
            error,
        },
        // A conflict with another writer ended without effect; of the rest nothing is known.
        ErrorKind::Transient if response.status == http::StatusCode::CONFLICT => {
            Verdict::Transient { error, effect: Effect::None }
        }
        ErrorKind::Transient => Verdict::Transient { error, effect: Effect::Unknown },
        _ => Verdict::Failed(error),
    }
}

/// Success by its status, but not an answer. A reader may ask again; a writer must look.
pub(super) fn garbled(what: &str, response: &WireResponse, reason: &str) -> Verdict {
    let error = WireError::new(ErrorKind::Protocol, Service::Graph, what)
        .with_status(response.status)
        .with_message(reason)
        .with_request_id(response.request_id().map(str::to_owned));
    Verdict::Transient { error, effect: Effect::Unknown }
}
