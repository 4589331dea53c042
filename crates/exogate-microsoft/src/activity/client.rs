//! The calls of the feed. A window of time holds what became *available* in it, not what was done
//! in it.

use http::Method;
use http::header::{CONTENT_LENGTH, HeaderValue};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use url::Url;

use super::failure::{ALREADY_ENABLED, FeedJudge, has_code};
use super::record::{Read, instant};
use crate::caller::{CallSpec, Caller, Priority, Repeat};
use crate::cloud::Resource;
use crate::error::{ErrorKind, Service, WireError};
use crate::record::Record;
use crate::transport::{WireRequest, WireResponse};

const CONTENT_TYPE: &str = "Audit.Exchange";

/// Reads one tenant's feed. Clones share everything.
#[derive(Clone)]
pub struct ActivityClient {
    caller: Caller,
    root: Url,
}

/// Whether the tenant collects content for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// It does.
    Enabled,
    /// It did, and was told to stop.
    Disabled,
    /// Nobody ever asked it to.
    None,
}

/// One piece of content: some records, in one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its id; the same piece may be listed several times.
    pub id: String,
    /// Where it is read.
    pub uri: String,
    /// When it became available.
    pub created: Timestamp,
}

/// One page of a list of content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentPage {
    /// The pieces.
    pub items: Vec<Content>,
    /// Where the list goes on.
    pub next: Option<String>,
}

impl ActivityClient {
    /// A client for the caller's tenant; `None` where its cloud has no such feed.
    #[must_use]
    pub fn new(caller: Caller) -> Option<Self> {
        let root = caller.endpoints().activity.clone()?;
        caller.endpoints().activity_resource.as_ref()?;
        Some(Self { caller, root })
    }

    /// Whether the tenant collects content for us.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`] where the application may not read the feed.
    pub async fn subscription(&self) -> Result<Subscription, WireError> {
        const WHAT: &str = "GET subscriptions/list";
        let url = self.url(WHAT, "subscriptions/list", &[]).await?;
        let response = self.ask(WHAT, &|_| WireRequest::get(url.clone()), Repeat::Safe).await?;
        for item in array(WHAT, &response)? {
            let Some(record) = Record::from_value(&item) else { continue };
            if record.text("contentType").is_some_and(|kind| kind.eq_ignore_ascii_case(CONTENT_TYPE)) {
                let enabled = record.text("status").is_some_and(|s| s.eq_ignore_ascii_case("enabled"));
                return Ok(if enabled { Subscription::Enabled } else { Subscription::Disabled });
            }
        }
        Ok(Subscription::None)
    }

    /// Has the tenant collect content for us. The first can take twelve hours.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`] where the application may not read the feed.
    pub async fn start(&self) -> Result<(), WireError> {
        const WHAT: &str = "POST subscriptions/start";
        let url = self.url(WHAT, "subscriptions/start", &[("contentType", CONTENT_TYPE)]).await?;
        let request = |_| {
            WireRequest::new(Method::POST, url.clone()).header(CONTENT_LENGTH, HeaderValue::from_static("0"))
        };
        // Started twice is started.
        match self.ask(WHAT, &request, Repeat::Safe).await {
            Err(error) if has_code(&error, &[ALREADY_ENABLED]) => Ok(()),
            done => done.map(drop),
        }
    }

    /// One page of the content that became available from `from` until before `to`, at most 24
    /// hours apart and not older than seven days.
    ///
    /// # Errors
    /// [`super::is_unsubscribed`] where nobody subscribed; [`ErrorKind::PageExpired`] asks for the
    /// list to begin again.
    pub async fn content_page(
        &self,
        from: Timestamp,
        to: Timestamp,
        at: Option<&str>,
    ) -> Result<ContentPage, WireError> {
        const WHAT: &str = "GET subscriptions/content";
        let url = match at {
            Some(link) => self.checked(WHAT, link)?,
            None => {
                let (from, to) = (wire_time(from), wire_time(to));
                let query = [("contentType", CONTENT_TYPE), ("startTime", &from), ("endTime", &to)];
                self.url(WHAT, "subscriptions/content", &query).await?
            }
        };
        let response = self.ask(WHAT, &|_| WireRequest::get(url.clone()), Repeat::Safe).await?;
        let mut page = ContentPage::default();
        for item in array(WHAT, &response)? {
            page.items
                .push(content(&item).ok_or_else(|| protocol(WHAT, "a piece of content without an address"))?);
        }
        // Two names for one header are documented.
        page.next = ["NextPageUri", "NextPageUrl"]
            .into_iter()
            .find_map(|name| response.header(name))
            .filter(|link| !link.is_empty())
            .map(str::to_owned);
        if page.next.is_some() && page.next.as_deref() == at {
            return Err(protocol(WHAT, "paging does not advance: a page links to itself"));
        }
        Ok(page)
    }

    /// The records of one piece of content.
    ///
    /// # Errors
    /// [`super::is_expired_content`] where it is not kept any more.
    pub async fn content(&self, content: &Content) -> Result<Read, WireError> {
        const WHAT: &str = "GET audit content";
        let mut url = self.checked(WHAT, &content.uri)?;
        let tenant = self.tenant().await?;
        if !url.query_pairs().any(|(name, _)| name.eq_ignore_ascii_case("PublisherIdentifier")) {
            url.query_pairs_mut().append_pair("PublisherIdentifier", &tenant);
        }
        let response = self.ask(WHAT, &|_| WireRequest::get(url.clone()), Repeat::Safe).await?;
        let mut read = Read::default();
        array(WHAT, &response)?.iter().for_each(|value| read.add(value));
        Ok(read)
    }

    /// The tenant's id: the feed does not know domains.
    async fn tenant(&self) -> Result<String, WireError> {
        let hints = self.caller.sign_in(Resource::Activity).await?;
        Ok(hints.tid.unwrap_or_else(|| self.caller.tenant().to_owned()))
    }

    async fn url(&self, what: &str, path: &str, query: &[(&str, &str)]) -> Result<Url, WireError> {
        let tenant = self.tenant().await?;
        let root = self.root.as_str().trim_end_matches('/');
        let mut url = Url::parse(&format!("{root}/api/v1.0/{tenant}/activity/feed/{path}"))
            .map_err(|error| protocol(what, &format!("no address: {error}")))?;
        url.query_pairs_mut().extend_pairs(query).append_pair("PublisherIdentifier", &tenant);
        Ok(url)
    }

    async fn ask(
        &self,
        what: &str,
        request: &(dyn Fn(u32) -> WireRequest + Send + Sync),
        repeat: Repeat,
    ) -> Result<WireResponse, WireError> {
        self.caller
            .call(CallSpec {
                resource: Resource::Activity,
                what,
                request,
                repeat,
                priority: Priority::Read,
                judge: &FeedJudge,
            })
            .await
    }

    /// A link is followed only to the host that was asked: the token goes with it.
    fn checked(&self, what: &str, link: &str) -> Result<Url, WireError> {
        let url = Url::parse(link).map_err(|_| protocol(what, "a link is no address"))?;
        if url.origin() == self.root.origin() {
            return Ok(url);
        }
        Err(WireError::new(ErrorKind::WrongHost, Service::Activity, what)
            .with_message(url.host_str().unwrap_or_default()))
    }
}

fn content(item: &Value) -> Option<Content> {
    let record = Record::from_value(item)?;
    Some(Content {
        id: record.scalar("contentId")?,
        uri: record.scalar("contentUri")?,
        created: instant(record.text("contentCreated")?)?,
    })
}

fn array(what: &str, response: &WireResponse) -> Result<Vec<Value>, WireError> {
    serde_json::from_slice(crate::page::trim(&response.body))
        .map_err(|error| protocol(what, &format!("the answer is no list: {error}")))
}

/// Without a zone and to the second, as the feed wants it.
fn wire_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

fn protocol(what: &str, reason: &str) -> WireError {
    WireError::new(ErrorKind::Protocol, Service::Activity, what).with_message(reason)
}
