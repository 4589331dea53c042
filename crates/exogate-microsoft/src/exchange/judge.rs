//! What the answer to a cmdlet is. A page is parsed here, once, and kept for the client.

use super::failure::Failure;
use super::meaning::{error_of, is_plain_throttle};
use crate::caller::{Effect, Judge, Verdict};
use crate::error::{ErrorKind, Service, WireError};
use crate::page::batch;
use crate::page::{Envelope, NotJson, trim};
use crate::signin::claims_challenge;
use crate::transport::WireResponse;
use std::sync::Mutex;

/// Judges one answer that holds a page, and keeps the page.
pub(super) struct PageJudge<'a> {
    keep: Option<&'a [&'a str]>,
    /// It goes on from a page before it, so that an answer of nothing is a fault.
    following: bool,
    page: Mutex<Option<Envelope>>,
}

impl<'a> PageJudge<'a> {
    pub(super) fn new(following: bool) -> Self {
        Self { keep: None, following, page: Mutex::new(None) }
    }

    pub(super) fn only(keep: &'a [&'a str]) -> Self {
        Self { keep: Some(keep), ..Self::new(false) }
    }

    pub(super) fn into_page(self) -> Envelope {
        self.page.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).unwrap_or_default()
    }
}

impl Judge for PageJudge<'_> {
    fn judge(&self, what: &str, response: &WireResponse) -> Verdict {
        if is_plain_throttle(&response.body) || !response.status.is_success() {
            return failed(what, response);
        }
        let empty = trim(&response.body).is_empty();
        if empty && (self.following || !response.body.is_empty()) {
            return garbled(what, response, "the answer holds no text");
        }
        match Envelope::parse(&response.body, self.keep) {
            Ok(page) if page.error.is_some() => failed(what, response),
            Ok(page) => match &page.confirmation {
                Some(question) => Verdict::Failed(confirmation(what, question)),
                None => {
                    *self.page.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(page);
                    Verdict::Done
                }
            },
            Err(_) if response.is_html() => failed(what, response),
            Err(NotJson(reason)) => garbled(what, response, &reason),
        }
    }
}

/// Judges the answer to a batch as a whole, and keeps the answers to its items.
pub(super) struct BatchJudge {
    asked: usize,
    items: Mutex<Vec<Option<WireResponse>>>,
}

impl BatchJudge {
    pub(super) fn new(asked: usize) -> Self {
        Self { asked, items: Mutex::new(Vec::new()) }
    }

    pub(super) fn into_items(self) -> Vec<Option<WireResponse>> {
        let mut items = self.items.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        items.resize(self.asked, None);
        items
    }
}

impl Judge for BatchJudge {
    fn judge(&self, what: &str, response: &WireResponse) -> Verdict {
        if is_plain_throttle(&response.body) || !response.status.is_success() {
            return failed(what, response);
        }
        match batch::answers(&response.body, self.asked) {
            Ok(items) => {
                *self.items.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = items;
                Verdict::Done
            }
            Err(_) if has_error(&response.body) || response.is_html() => failed(what, response),
            Err(reason) => garbled(what, response, &reason),
        }
    }
}

fn has_error(body: &[u8]) -> bool {
    Envelope::parse(body, Some(&[])).is_ok_and(|page| page.error.is_some())
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
        ErrorKind::Transient => Verdict::Transient { effect: effect_of(response), error },
        _ => Verdict::Failed(error),
    }
}

/// Exceptions that a server throws before it begins.
const BEFORE_ANY_EFFECT: [&str; 4] = [
    "CmdletProxyNotAvailableFailure",
    "SuitabilityDirectoryException",
    "ServerInMMException",
    "ADServerSettingsChangedException",
];

fn effect_of(response: &WireResponse) -> Effect {
    let failure = Failure::read(response);
    if BEFORE_ANY_EFFECT.iter().any(|name| failure.short_type().contains(name)) {
        Effect::None
    } else {
        Effect::Unknown
    }
}

/// Success by its status, but not an answer. A reader may ask again; a writer must look.
fn garbled(what: &str, response: &WireResponse, reason: &str) -> Verdict {
    let error = WireError::new(ErrorKind::Protocol, Service::Exchange, what)
        .with_status(response.status)
        .with_message(reason)
        .with_request_id(response.request_id().map(str::to_owned));
    Verdict::Transient { error, effect: Effect::Unknown }
}

fn confirmation(what: &str, question: &str) -> WireError {
    WireError::new(ErrorKind::InvalidRequest, Service::Exchange, what)
        .with_sentence("the cmdlet asked for a confirmation and did nothing")
        .with_message(question)
        .with_remedy("Send the call with -Confirm:$false.")
}
