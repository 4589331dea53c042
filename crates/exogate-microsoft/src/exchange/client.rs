//! Running cmdlets: one page, all pages, or what the identity may run at all.

use super::cmdlet::Cmdlet;
use super::exported::ExportedCmdlets;
use super::guard;
use super::judge::PageJudge;
use super::keyset::{self, Keyset, Stuck};
use super::request::{Door, PAGE};
use super::warning::Warning;
use crate::caller::{CallSpec, Caller, Priority, Repeat};
use crate::cloud::Resource;
use crate::error::{ErrorKind, Service, WireError};
use crate::page::{Envelope, Page, PageLink, Place};
use crate::record::Record;
use bytes::Bytes;
use url::Url;

/// All that a cmdlet gave.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub records: Vec<Record>,
    pub warnings: Vec<Warning>,
    /// The tenant refused its own page links, and the listing was read by key ranges instead.
    pub used_fallback: bool,
}

impl Answer {
    #[must_use]
    pub fn warned(&self, warning: &Warning) -> bool {
        self.warnings.contains(warning)
    }
}

/// Runs cmdlets in one tenant. Clones share everything.
#[derive(Clone)]
pub struct ExchangeClient {
    pub(super) caller: Caller,
    pub(super) door: Door,
}

/// How often a listing may begin again because its links expired under way.
const RESTARTS: u32 = 2;

impl ExchangeClient {
    /// A client for the caller's tenant, with one routing anchor and one connection id for all
    /// that it will ever ask.
    #[must_use]
    pub fn new(caller: Caller) -> Self {
        let door = Door::new(
            &caller.endpoints().exchange,
            caller.tenant(),
            caller.username(),
            caller.ids().id().to_string(),
        );
        Self { caller, door }
    }

    /// Runs a cmdlet to its end: all pages of a reading one, guarded against answers about other
    /// objects than the one named.
    ///
    /// # Errors
    /// See [`ErrorKind`]. A listing that could not be read to its end is an error, never a short
    /// answer.
    pub async fn invoke(&self, cmdlet: &Cmdlet) -> Result<Answer, WireError> {
        let mut restarts = 0;
        loop {
            match self.read_all(cmdlet).await {
                Err(error)
                    if error.kind == ErrorKind::PageExpired && cmdlet.is_read() && restarts < RESTARTS =>
                {
                    restarts += 1;
                }
                done => return done,
            }
        }
    }

    async fn read_all(&self, cmdlet: &Cmdlet) -> Result<Answer, WireError> {
        let first = self.invoke_page(cmdlet, None).await?;
        self.read_on(cmdlet, first).await
    }

    /// Reads what follows a first page.
    pub(super) async fn read_on(&self, cmdlet: &Cmdlet, first: Page) -> Result<Answer, WireError> {
        let mut answer = Answer::default();
        let mut page = first;
        loop {
            if page.used_fallback && !answer.used_fallback {
                // The listing began anew.
                answer = Answer { used_fallback: true, ..Answer::default() };
            }
            for warning in Warning::read_all(&page.warnings) {
                if !answer.warned(&warning) {
                    answer.warnings.push(warning);
                }
            }
            answer.records.append(&mut page.records);
            let Some(next) = page.next else { break };
            page = self.invoke_page(cmdlet, Some(&next)).await?;
        }
        guard::check(cmdlet, &answer.records)?;
        Ok(answer)
    }

    /// Runs a cmdlet and gives one page of what it answers; `at` goes on from an earlier page of
    /// the same cmdlet.
    ///
    /// A tenant may refuse its own first page link. Where the cmdlet can be sorted and filtered,
    /// the listing then begins anew by key ranges, and such a page says `used_fallback`.
    ///
    /// # Errors
    /// [`ErrorKind::PageExpired`] asks for the listing to begin again.
    pub async fn invoke_page(&self, cmdlet: &Cmdlet, at: Option<&PageLink>) -> Result<Page, WireError> {
        refuse(cmdlet)?;
        let Some(at) = at else {
            return self.first_page(cmdlet).await;
        };
        match &at.place {
            Place::Link(link) => match self.follow(cmdlet, at, link).await {
                Err(error) if error.kind == ErrorKind::PageExpired && at.pages == 1 => {
                    match Keyset::of(cmdlet) {
                        Some(keyset) => self.range(cmdlet, keyset, None, None).await,
                        None => Err(error),
                    }
                }
                done => done,
            },
            Place::From { key, seen } => {
                let keyset = Keyset::of(cmdlet)
                    .ok_or_else(|| protocol(cmdlet, "the page link belongs to another listing"))?;
                let from = keyset::From { key: key.clone(), seen: seen.clone() };
                self.range(cmdlet, keyset, Some(at), Some(&from)).await
            }
        }
    }

    async fn first_page(&self, cmdlet: &Cmdlet) -> Result<Page, WireError> {
        let request_id = self.caller.ids().id().to_string();
        let (envelope, bytes) = self.send(cmdlet, &self.door.invoke(cmdlet), &request_id, false).await?;
        let cut =
            cmdlet.is_read() && envelope.next.is_none() && says_more(&envelope) && limit(cmdlet).is_none();
        if cut {
            // Everything was asked for, less was given, and there is no link to the rest.
            return match Keyset::of(cmdlet) {
                Some(keyset) => self.range(cmdlet, keyset, None, None).await,
                None => Err(protocol(cmdlet, "the service cut the listing off and gave no link to the rest")),
            };
        }
        self.page(cmdlet, envelope, bytes, None, &request_id)
    }

    async fn follow(&self, cmdlet: &Cmdlet, at: &PageLink, link: &str) -> Result<Page, WireError> {
        let url = self.checked(cmdlet, link)?;
        let request_id = at.request.clone().unwrap_or_else(|| self.caller.ids().id().to_string());
        let (envelope, bytes) = self.send(cmdlet, &url, &request_id, true).await.map_err(not_the_object)?;
        self.page(cmdlet, envelope, bytes, Some(at), &request_id)
    }

    /// Turns an answer into a page that ends where the question ends.
    pub(super) fn page(
        &self,
        cmdlet: &Cmdlet,
        envelope: Envelope,
        bytes: usize,
        at: Option<&PageLink>,
        request_id: &str,
    ) -> Result<Page, WireError> {
        let mut page =
            Page { records: envelope.records, warnings: envelope.warnings, bytes, ..Page::default() };
        let mut received = page.records.len();
        if let Some(limit) = limit(cmdlet) {
            let left = limit.saturating_sub(at.map_or(0, |at| at.taken));
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            // Past its result size a listing still bears a link, but one that leads nowhere.
            if received >= left {
                page.records.truncate(left);
                return Ok(page);
            }
            received = page.records.len();
        }
        // Following a link sends the cmdlet again, which only a reading one may be.
        if let Some(link) = envelope.next.filter(|_| cmdlet.is_read()) {
            self.checked(cmdlet, &link)?;
            let mut next = PageLink::after(at, Place::Link(link), received).ok_or_else(|| circle(cmdlet))?;
            next.request = Some(request_id.to_owned());
            page.next = Some(next);
        }
        Ok(page)
    }

    /// One range of a listing by keys.
    async fn range(
        &self,
        cmdlet: &Cmdlet,
        keyset: Keyset,
        at: Option<&PageLink>,
        from: Option<&keyset::From>,
    ) -> Result<Page, WireError> {
        let question = keyset.cmdlet(cmdlet, from);
        let request_id = self.caller.ids().id().to_string();
        let (envelope, bytes) =
            self.send(&question, &self.door.invoke(&question), &request_id, false).await?;
        let more = envelope.next.is_some() || says_more(&envelope);
        let (records, next) = keyset
            .advance(from, envelope.records, more)
            .map_err(|Stuck(reason)| protocol(cmdlet, &reason))?;
        let next = match next {
            None => None,
            Some(keyset::From { key, seen }) => Some(
                PageLink::after(at, Place::From { key, seen }, records.len())
                    .ok_or_else(|| circle(cmdlet))?,
            ),
        };
        Ok(Page {
            records,
            next,
            bytes,
            used_fallback: true,
            // That there is more is what ranges are for; everything else is worth hearing.
            warnings: envelope
                .warnings
                .into_iter()
                .filter(|text| Warning::read(text) != Warning::MoreResults)
                .collect(),
            ..Page::default()
        })
    }

    async fn send(
        &self,
        cmdlet: &Cmdlet,
        url: &Url,
        request_id: &str,
        following: bool,
    ) -> Result<(Envelope, usize), WireError> {
        let body = Bytes::from(cmdlet.body().to_string());
        let judge = PageJudge::new(following);
        let request = |_| self.door.post(cmdlet, url.clone(), body.clone(), request_id);
        let response = self
            .caller
            .call(CallSpec {
                resource: Resource::Exchange,
                what: cmdlet.name(),
                request: &request,
                repeat: repeat(cmdlet),
                priority: priority(cmdlet),
                judge: &judge,
            })
            .await?;
        Ok((judge.into_page(), response.body.len()))
    }

    /// A link is followed only to the host that was asked: the token goes with it.
    fn checked(&self, cmdlet: &Cmdlet, link: &str) -> Result<Url, WireError> {
        let url = Url::parse(link).map_err(|_| protocol(cmdlet, "the page link is no address"))?;
        if self.door.owns(&url) {
            return Ok(url);
        }
        Err(WireError::new(ErrorKind::WrongHost, Service::Exchange, cmdlet.name())
            .with_message(url.host_str().unwrap_or_default()))
    }

    /// The cmdlets that the signed-in identity may run.
    ///
    /// # Errors
    /// When the service does not say.
    pub async fn exported_cmdlets(&self) -> Result<ExportedCmdlets, WireError> {
        let request_id = self.caller.ids().id().to_string();
        let judge = PageJudge::only(&["exportedCmdlets"]);
        let request = |_| self.door.module(&request_id);
        self.caller
            .call(CallSpec {
                resource: Resource::Exchange,
                what: "GET EXOModuleFile",
                request: &request,
                repeat: Repeat::Safe,
                priority: Priority::Read,
                judge: &judge,
            })
            .await?;
        let page = judge.into_page();
        let lists = page.records.iter().flat_map(|file| file.texts("exportedCmdlets"));
        Ok(lists.collect())
    }
}

pub(super) fn repeat(cmdlet: &Cmdlet) -> Repeat {
    if cmdlet.is_read() { Repeat::Safe } else { Repeat::OnlyIfNotSent }
}

pub(super) fn priority(cmdlet: &Cmdlet) -> Priority {
    if cmdlet.is_read() { Priority::Read } else { Priority::Write }
}

/// Calls that must not be sent.
pub(super) fn refuse(cmdlet: &Cmdlet) -> Result<(), WireError> {
    match cmdlet.fault() {
        None => Ok(()),
        Some(fault) => Err(WireError::new(ErrorKind::InvalidRequest, Service::Exchange, cmdlet.name())
            .with_sentence(fault)
            .with_remedy("The call was not sent. Name the object by its id or primary address.")),
    }
}

/// How many objects the question allows; `None` for all. A listing that does not say is given a
/// thousand by the service.
fn limit(cmdlet: &Cmdlet) -> Option<u64> {
    match cmdlet.parameter("ResultSize") {
        None => Some(PAGE),
        Some(_) => cmdlet.result_size(),
    }
}

fn says_more(envelope: &Envelope) -> bool {
    envelope.warnings.iter().any(|text| Warning::read(text) == Warning::MoreResults)
}

/// In the middle of a listing "not found" is said of the page, not of an object.
fn not_the_object(mut error: WireError) -> WireError {
    if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Ambiguous) {
        error.kind = ErrorKind::PageExpired;
    }
    error
}

fn circle(cmdlet: &Cmdlet) -> WireError {
    protocol(cmdlet, "paging does not advance: a link leads back to a page already read")
}

fn protocol(cmdlet: &Cmdlet, reason: &str) -> WireError {
    WireError::new(ErrorKind::Protocol, Service::Exchange, cmdlet.name()).with_message(reason)
}
