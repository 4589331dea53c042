//! Reading Graph: pages, deltas, single objects.

use super::judge::{ObjectJudge, PageJudge, failed};
use super::query::{DeltaQuery, ListQuery, Query, segment};
use crate::caller::{CallSpec, Caller, Judge, Priority, Repeat, Verdict};
use crate::cloud::Resource;
use crate::error::{ErrorKind, Service, WireError};
use crate::page::{Envelope, Page, PageLink, Place};
use crate::record::Record;
use crate::transport::{WireRequest, WireResponse};
use bytes::Bytes;
use futures::future::try_join_all;
use http::header::{HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde_json::json;
use url::Url;

/// Reads and changes one tenant's directory. Clones share everything.
#[derive(Clone)]
pub struct GraphClient {
    pub(super) caller: Caller,
    /// Root with version, without a slash at the end.
    pub(super) root: String,
}

const CONSISTENCY: HeaderName = HeaderName::from_static("consistencylevel");

/// Ids that one question by id may hold.
const IDS: usize = 1000;

impl GraphClient {
    /// A client for the caller's tenant.
    #[must_use]
    pub fn new(caller: Caller) -> Self {
        let root = format!("{}/v1.0", caller.endpoints().graph.as_str().trim_end_matches('/'));
        Self { caller, root }
    }

    /// One page of a listing; `at` goes on from an earlier page.
    ///
    /// # Errors
    /// [`ErrorKind::PageExpired`] asks for the listing to begin again.
    pub async fn list_page(&self, query: &ListQuery, at: Option<&PageLink>) -> Result<Page, WireError> {
        let what = format!("GET /{}", query.path);
        let url = match at {
            None => self.url(&what, &query.path, &query.query())?,
            Some(link) => self.link(&what, link)?,
        };
        // Links do not remember headers, so every page asks for the same index again.
        let (envelope, bytes) = self.get_page(&what, &url, query.is_eventual()).await?;
        self.page(&what, envelope, bytes, at)
    }

    /// One page of a delta round. The last page of a round has `delta` and no `next`; handing
    /// that link in begins the next round.
    ///
    /// # Errors
    /// [`ErrorKind::DeltaReset`] asks for a full round.
    pub async fn delta_page(&self, query: &DeltaQuery, at: Option<&PageLink>) -> Result<Page, WireError> {
        let what = format!("GET /{}", query.path);
        let url = match at {
            None => self.url(&what, &query.path, &query.query())?,
            Some(link) => self.link(&what, link)?,
        };
        let (mut envelope, bytes) = self.get_page(&what, &url, false).await?;
        let delta = envelope.delta.take();
        let mut page = self.page(&what, envelope, bytes, at)?;
        match (&page.next, delta) {
            (None, Some(link)) => {
                self.checked(&what, &link)?;
                page.delta = Some(PageLink::new(Place::Link(link)));
            }
            (Some(_), None) => {}
            (Some(_), Some(_)) => {
                return Err(protocol(&what, "a delta page has both kinds of link"));
            }
            (None, None) => {
                return Err(protocol(&what, "a delta page has no link, so the round did not end"));
            }
        }
        Ok(page)
    }

    /// One object.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none.
    pub async fn get<S: AsRef<str>>(&self, path: &str, select: &[S]) -> Result<Record, WireError> {
        let what = format!("GET /{path}");
        let url = self.url(&what, path, &selected(select))?;
        let response = self.ask(&what, &|_| WireRequest::get(url.clone()), &ObjectJudge).await?;
        ObjectJudge::record(&what, &response)
    }

    /// One user, by id or user principal name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none.
    pub async fn user<S: AsRef<str>>(&self, id: &str, select: &[S]) -> Result<Record, WireError> {
        self.get(&format!("users/{}", named("GET /users", id)?), select).await
    }

    /// One group, by id.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none.
    pub async fn group<S: AsRef<str>>(&self, id: &str, select: &[S]) -> Result<Record, WireError> {
        self.get(&format!("groups/{}", named("GET /groups", id)?), select).await
    }

    /// The tenant's own description.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn organization(&self) -> Result<Record, WireError> {
        let page = self.list_page(&ListQuery::new("organization"), None).await?;
        page.records
            .into_iter()
            .next()
            .ok_or_else(|| protocol("GET /organization", "the tenant does not describe itself"))
    }

    /// The objects of these ids, of any of these types (`user`, `group`, …; all if empty). Ids
    /// that nobody has are simply absent from the answer.
    ///
    /// # Errors
    /// When any of the questions fails.
    pub async fn get_by_ids<S: AsRef<str>>(
        &self,
        ids: &[S],
        types: &[&str],
        select: &[&str],
    ) -> Result<Vec<Record>, WireError> {
        let what = "POST /directoryObjects/getByIds";
        let url = self.url(what, "directoryObjects/getByIds", &selected(select))?;
        let chunks = ids.chunks(IDS).map(|chunk| {
            let ids: Vec<&str> = chunk.iter().map(AsRef::as_ref).collect();
            let body =
                if types.is_empty() { json!({ "ids": ids }) } else { json!({ "ids": ids, "types": types }) };
            let body = Bytes::from(body.to_string());
            let url = url.clone();
            async move {
                let judge = PageJudge::default();
                let request = |_| WireRequest::json(Method::POST, url.clone(), body.clone());
                self.ask(what, &request, &judge).await?;
                Ok::<_, WireError>(judge.into_page().records)
            }
        });
        Ok(try_join_all(chunks).await?.into_iter().flatten().collect())
    }

    /// One page of a group's members. Objects whose type the application may not read come with
    /// their id alone.
    ///
    /// # Errors
    /// As [`GraphClient::list_page`].
    pub async fn members_page(
        &self,
        group: &str,
        select: &[&str],
        at: Option<&PageLink>,
    ) -> Result<Page, WireError> {
        let path = format!("groups/{}/members", named("GET /groups/{id}/members", group)?);
        let query = ListQuery::new(path).select(select.iter().copied());
        self.list_page(&query, at).await
    }

    /// One page of a group's owners.
    ///
    /// # Errors
    /// As [`GraphClient::list_page`].
    pub async fn owners_page(
        &self,
        group: &str,
        select: &[&str],
        at: Option<&PageLink>,
    ) -> Result<Page, WireError> {
        let path = format!("groups/{}/owners", named("GET /groups/{id}/owners", group)?);
        let query = ListQuery::new(path).select(select.iter().copied());
        self.list_page(&query, at).await
    }

    /// How many objects a collection has, by the index that lags behind writes; for progress
    /// displays only.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn count(&self, collection: &str) -> Result<u64, WireError> {
        let what = format!("GET /{collection}/$count");
        let url = self.url(&what, &format!("{collection}/$count"), "")?;
        let request = |_| {
            WireRequest::new(Method::GET, url.clone())
                .header(http::header::ACCEPT, HeaderValue::from_static("text/plain"))
                .header(CONSISTENCY, HeaderValue::from_static("eventual"))
        };
        let response = self.ask(&what, &request, &TextJudge).await?;
        std::str::from_utf8(crate::page::trim(&response.body))
            .ok()
            .map(|text| text.trim_start_matches('\u{feff}'))
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| protocol(&what, "the answer is no number"))
    }

    async fn get_page(&self, what: &str, url: &Url, eventual: bool) -> Result<(Envelope, usize), WireError> {
        let judge = PageJudge::default();
        let request = |_| {
            let request = WireRequest::get(url.clone());
            if eventual { request.header(CONSISTENCY, HeaderValue::from_static("eventual")) } else { request }
        };
        let response = self.ask(what, &request, &judge).await?;
        Ok((judge.into_page(), response.body.len()))
    }

    async fn ask(
        &self,
        what: &str,
        request: &(dyn Fn(u32) -> WireRequest + Send + Sync),
        judge: &dyn Judge,
    ) -> Result<WireResponse, WireError> {
        self.caller
            .call(CallSpec {
                resource: Resource::Graph,
                what,
                request,
                repeat: Repeat::Safe,
                priority: Priority::Read,
                judge,
            })
            .await
    }

    fn page(
        &self,
        what: &str,
        envelope: Envelope,
        bytes: usize,
        at: Option<&PageLink>,
    ) -> Result<Page, WireError> {
        let next = match envelope.next {
            None => None,
            Some(link) => {
                self.checked(what, &link)?;
                let next = PageLink::after(at, Place::Link(link), envelope.records.len());
                Some(next.ok_or_else(|| {
                    protocol(what, "paging does not advance: a link leads back to a page already read")
                })?)
            }
        };
        Ok(Page { records: envelope.records, next, warnings: envelope.warnings, bytes, ..Page::default() })
    }

    pub(super) fn url(&self, what: &str, path: &str, query: &str) -> Result<Url, WireError> {
        let path = path.trim_matches('/');
        let mut url = Url::parse(&format!("{}/{path}", self.root))
            .map_err(|error| invalid(what, &format!("'{path}' is not a path: {error}")))?;
        if !query.is_empty() {
            url.set_query(Some(query));
        }
        Ok(url)
    }

    fn link(&self, what: &str, link: &PageLink) -> Result<Url, WireError> {
        let text = link.url().ok_or_else(|| invalid(what, "the page link belongs to another listing"))?;
        self.checked(what, text)
    }

    /// A link is followed only to the host that was asked: the token goes with it.
    fn checked(&self, what: &str, link: &str) -> Result<Url, WireError> {
        let url = Url::parse(link).map_err(|_| protocol(what, "the page link is no address"))?;
        if url.origin() == self.caller.endpoints().graph.origin() {
            return Ok(url);
        }
        Err(WireError::new(ErrorKind::WrongHost, Service::Graph, what)
            .with_message(url.host_str().unwrap_or_default()))
    }
}

/// Judges an answer that is plain text.
struct TextJudge;

impl Judge for TextJudge {
    fn judge(&self, what: &str, response: &WireResponse) -> Verdict {
        if response.status == StatusCode::OK && !response.is_html() {
            Verdict::Done
        } else {
            failed(what, response)
        }
    }
}

/// An id as a path segment. An empty one would address the collection instead.
pub(super) fn named(what: &str, id: &str) -> Result<String, WireError> {
    if id.trim().is_empty() || id == "." || id == ".." {
        return Err(invalid(what, "the id is empty"));
    }
    Ok(segment(id))
}

fn selected<S: AsRef<str>>(select: &[S]) -> String {
    let names: Vec<String> = select.iter().map(|name| name.as_ref().to_owned()).collect();
    let mut query = Query::default();
    query.select(&names);
    query.0
}

pub(super) fn protocol(what: &str, reason: &str) -> WireError {
    WireError::new(ErrorKind::Protocol, Service::Graph, what).with_message(reason)
}

pub(super) fn invalid(what: &str, reason: &str) -> WireError {
    WireError::new(ErrorKind::InvalidRequest, Service::Graph, what)
        .with_sentence(format!("the call was not sent: {reason}"))
}
