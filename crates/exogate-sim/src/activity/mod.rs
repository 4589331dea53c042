//! The activity feed of the Office 365 Management APIs: subscriptions, content listing, blobs. Records come from the
//! state's audit log; webhooks are not delivered.

pub mod content;
pub mod error;
mod knobs;
pub mod window;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::HeaderName;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

pub use knobs::ActivityKnobs;

use crate::clock::Time;
use crate::server::{Reply, Request};
use crate::token::{Principal, Resource, authenticate};
use crate::world::World;
use content::{Archive, TYPES, is_nth, listed};
use error::FeedError;

/// A subscription of one application to one content type.
#[derive(Debug, Clone, Copy)]
struct Subscription {
    /// When it was first started.
    since: Time,
    enabled: bool,
}

#[derive(Debug, Default)]
struct Inner {
    subscriptions: BTreeMap<(Uuid, &'static str), Subscription>,
    archive: Archive,
    /// The minute that requests are counted in, and how many there were.
    minute: (i64, u32),
}

/// What the feed keeps beside the audit log.
#[derive(Debug, Default)]
pub struct ActivityService {
    inner: Mutex<Inner>,
}

impl ActivityService {
    /// Somebody else ends every subscription, as an administrator may.
    pub fn end_subscriptions(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.subscriptions.values_mut().for_each(|held| held.enabled = false);
    }
}

/// Answers a request to the activity feed.
pub async fn handle(world: &Arc<World>, request: Request) -> Reply {
    respond(world, &request)
}

/// Answers a request to the activity feed.
#[must_use]
pub fn respond(world: &World, request: &Request) -> Reply {
    let principal = match authenticate(world, request, Resource::Management) {
        Ok(principal) => principal,
        Err(reply) => return reply,
    };
    let scenario = world.scenario();
    let feed = Feed { world, knobs: &scenario.activity, principal: &principal, request, now: world.now() };
    feed.answer().unwrap_or_else(|error| Reply::json(error.status, &error.body()))
}

struct Feed<'a> {
    world: &'a World,
    knobs: &'a ActivityKnobs,
    principal: &'a Principal,
    request: &'a Request,
    now: Time,
}

impl Feed<'_> {
    fn answer(&self) -> Result<Reply, FeedError> {
        let lower: Vec<String> =
            self.request.path.segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let ["api", "v1.0", tenant, "activity", "feed", rest @ ..] = lower.as_slice() else {
            return Ok(Reply::status(StatusCode::NOT_FOUND));
        };
        self.check_tenant(tenant)?;
        let service = &self.world.services.activity;
        let mut inner = service.inner.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_quota(&mut inner, rest)?;
        let allowed = if self.principal.is_app() {
            self.principal.has_role("ActivityFeed.Read") || self.principal.has_role("ActivityFeed.ReadDlp")
        } else {
            self.principal.has_scope("ActivityFeed.Read")
        };
        if !allowed {
            return Err(FeedError::permission(&self.principal.roles));
        }
        let method = &self.request.method;
        match rest {
            ["subscriptions", "start"] if method == Method::POST => self.start(&mut inner),
            ["subscriptions", "stop"] if method == Method::POST => self.stop(&mut inner),
            ["subscriptions", "list"] if method == Method::GET => Ok(self.list(&inner)),
            ["subscriptions", "content"] if method == Method::GET => self.content(&mut inner, tenant),
            ["audit", _] if method == Method::GET => self.blob(&inner),
            ["subscriptions", "start" | "stop" | "list" | "content"] | ["audit", _] => {
                Ok(Reply::status(StatusCode::METHOD_NOT_ALLOWED))
            }
            _ => Ok(Reply::status(StatusCode::NOT_FOUND)),
        }
    }

    fn check_tenant(&self, segment: &str) -> Result<(), FeedError> {
        let own = self.world.state().tenant.id;
        let asked = segment.parse::<Uuid>().map_err(|_| {
            FeedError::bad_request(
                "AF20013",
                format!("The tenant ID ({segment}) passed in the URL is not a valid GUID."),
            )
        })?;
        if asked == own {
            return Ok(());
        }
        Err(FeedError::bad_request(
            "AF20010",
            format!(
                "The tenant ID passed in the URL ({asked}) does not match the tenant ID passed in the access token ({own})."
            ),
        ))
    }

    fn check_quota(&self, inner: &mut Inner, rest: &[&str]) -> Result<(), FeedError> {
        let minute = self.now.seconds().div_euclid(60);
        if inner.minute.0 != minute {
            inner.minute = (minute, 0);
        }
        inner.minute.1 += 1;
        if self.knobs.requests_per_minute == 0 || inner.minute.1 <= self.knobs.requests_per_minute {
            return Ok(());
        }
        let method = match rest {
            ["audit", _] => "GetBlob",
            ["subscriptions", "content"] => "GetContent",
            ["subscriptions", "start"] => "StartSubscription",
            ["subscriptions", "stop"] => "StopSubscription",
            _ => "ListSubscriptions",
        };
        let publisher =
            self.request.query.get("PublisherIdentifier").unwrap_or("00000000-0000-0000-0000-000000000000");
        Err(FeedError::throttled(method, publisher))
    }

    fn kind(&self) -> Result<&'static str, FeedError> {
        let name = self
            .request
            .query
            .get("contentType")
            .filter(|name| !name.is_empty())
            .ok_or_else(|| FeedError::missing("contentType"))?;
        let kind = TYPES
            .into_iter()
            .find(|kind| kind.eq_ignore_ascii_case(name))
            .ok_or_else(|| FeedError::bad_request("AF20020", "The specified content type is not valid."))?;
        if kind == "DLP.All" && self.principal.is_app() && !self.principal.has_role("ActivityFeed.ReadDlp") {
            return Err(FeedError::permission(&self.principal.roles));
        }
        Ok(kind)
    }

    fn start(&self, inner: &mut Inner) -> Result<Reply, FeedError> {
        let kind = self.kind()?;
        let body = &self.request.body;
        if !body.is_empty() {
            let value: Value = serde_json::from_slice(body).map_err(|_| {
                FeedError::bad_request("AF20002", "Invalid parameter type: body. Expected type: JSON")
            })?;
            if value.get("webhook").is_some_and(|webhook| !webhook.is_null()) {
                return Err(FeedError::bad_request(
                    "AF20002",
                    "Invalid parameter: webhook. This tenant delivers no notifications; poll the content instead.",
                ));
            }
        }
        let key = (self.principal.app_id, kind);
        if inner.subscriptions.get(&key).is_some_and(|held| held.enabled) {
            return Err(FeedError::bad_request(
                "AF20024",
                "The subscription is already enabled. No property change.",
            ));
        }
        let since = inner.subscriptions.get(&key).map_or(self.now, |held| held.since);
        inner.subscriptions.insert(key, Subscription { since, enabled: true });
        Ok(Reply::json(StatusCode::OK, &described(kind, true)))
    }

    fn stop(&self, inner: &mut Inner) -> Result<Reply, FeedError> {
        let kind = self.kind()?;
        let held = inner.subscriptions.get_mut(&(self.principal.app_id, kind)).ok_or_else(no_subscription)?;
        held.enabled = false;
        Ok(Reply::status(StatusCode::NO_CONTENT))
    }

    fn list(&self, inner: &Inner) -> Reply {
        let all: Vec<Value> = inner
            .subscriptions
            .iter()
            .filter(|((app, _), _)| *app == self.principal.app_id)
            .map(|((_, kind), held)| described(kind, held.enabled))
            .collect();
        Reply::json(StatusCode::OK, &Value::Array(all))
    }

    fn content(&self, inner: &mut Inner, tenant: &str) -> Result<Reply, FeedError> {
        let kind = self.kind()?;
        let held = *inner.subscriptions.get(&(self.principal.app_id, kind)).ok_or_else(no_subscription)?;
        if !held.enabled {
            return Err(FeedError::bad_request(
                "AF20023",
                format!("The subscription was disabled by {}.", self.principal.app_id),
            ));
        }
        let query = &self.request.query;
        let (start, end) = window::read(query.get("startTime"), query.get("endTime"), self.now)?;
        let skip = match query.get("nextPage") {
            None => 0,
            Some(page) => page
                .parse::<u64>()
                .ok()
                .and_then(|page| usize::try_from(page ^ PAGE_MASK).ok())
                .filter(|skip| *skip < 10_000_000)
                .ok_or_else(|| {
                    FeedError::bad_request("AF20031", format!("Invalid nextPage Input: {page}."))
                })?,
        };
        let root = format!("{}/api/v1.0/{tenant}/activity/feed", self.request.scheme_host);
        let begun = self.now
            >= held.since.plus(Duration::from_secs(u64::from(self.knobs.first_content_delay_seconds)));
        if begun {
            inner.archive.seal(&self.world.state(), self.now, self.knobs);
        }
        let backfill = Duration::from_secs(u64::from(self.knobs.backfill_hours) * 3600);
        let from = start.max(held.since.minus(backfill));
        let mut blobs = if begun { inner.archive.between(kind, from, end) } else { Vec::new() };
        if self.knobs.newest_first {
            blobs.reverse();
        }
        let size = self.knobs.page_blobs.max(1) as usize;
        let page: Vec<Value> = blobs
            .iter()
            .skip(skip)
            .take(size)
            .enumerate()
            .flat_map(|(at, blob)| {
                let times = 1 + usize::from(is_nth(at, self.knobs.list_twice_every));
                std::iter::repeat_n(listed(blob, &root, self.knobs.content_life_days), times)
            })
            .collect();
        let mut reply = Reply::json(StatusCode::OK, &Value::Array(page));
        if blobs.len() > skip + size {
            let mut link = format!("{root}/subscriptions/content?");
            for part in query
                .raw
                .split('&')
                .filter(|part| !part.is_empty() && !part.to_ascii_lowercase().starts_with("nextpage="))
            {
                link.push_str(part);
                link.push('&');
            }
            link.push_str(&format!("nextPage={}", (skip + size) as u64 ^ PAGE_MASK));
            let name = if self.knobs.next_page_url_header { "nextpageurl" } else { "nextpageuri" };
            reply.set_header(HeaderName::from_static(name), &link);
        }
        Ok(reply)
    }

    fn blob(&self, inner: &Inner) -> Result<Reply, FeedError> {
        let id = self.request.path.segments.last().map_or("", String::as_str);
        let state = self.world.state();
        let bytes = inner.archive.blob(&state, id, self.now, self.knobs.content_life_days)?;
        Ok(Reply::with(StatusCode::OK, "application/json; charset=utf-8", bytes))
    }
}

/// Page numbers are not meant to be counted up by clients.
const PAGE_MASK: u64 = 0x2026_1123_5eed_0000;

fn no_subscription() -> FeedError {
    FeedError::bad_request("AF20022", "No subscription found for the specified content type.")
}

fn described(kind: &str, enabled: bool) -> Value {
    json!({"contentType": kind, "status": if enabled { "enabled" } else { "disabled" }, "webhook": null})
}
