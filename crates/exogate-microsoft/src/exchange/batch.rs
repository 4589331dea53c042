//! Several cmdlets in one request.
//!
//! Saves round trips where cmdlets are cheap. Order and atomicity within a batch are not promised
//! by the service, so cmdlets that depend on each other must not share one.

use super::client::{Answer, ExchangeClient, refuse};
use super::cmdlet::Cmdlet;
use super::judge::{BatchJudge, PageJudge};
use crate::caller::{CallSpec, Effect, Judge, Priority, Repeat, Verdict};
use crate::cloud::Resource;
use crate::error::{ErrorKind, Service, WireError};
use crate::transport::WireResponse;
use bytes::Bytes;
use futures::future::join_all;
use http::header::{AUTHORIZATION, HeaderValue};
use serde_json::{Map, Value, json};

/// The most that the service's own clients put into one request.
const LARGEST: usize = 10;

impl ExchangeClient {
    /// Runs cmdlets in batches and gives their answers in the order of the cmdlets. An item that
    /// met a passing fault is run again alone; an item with more pages is read to its end.
    pub async fn batch(&self, cmdlets: &[Cmdlet]) -> Vec<Result<Answer, WireError>> {
        let chunks = cmdlets.chunks(LARGEST).map(|chunk| self.chunk(chunk));
        if cmdlets.iter().all(Cmdlet::is_read) {
            return join_all(chunks).await.into_iter().flatten().collect();
        }
        let mut answers = Vec::with_capacity(cmdlets.len());
        for chunk in chunks {
            answers.extend(chunk.await);
        }
        answers
    }

    async fn chunk(&self, cmdlets: &[Cmdlet]) -> Vec<Result<Answer, WireError>> {
        // One cmdlet that must not be sent does not keep the others from being run.
        let sendable: Vec<&Cmdlet> = cmdlets.iter().filter(|cmdlet| cmdlet.fault().is_none()).collect();
        let mut items = match sendable.as_slice() {
            [] | [_] => Ok(vec![Item::Alone; sendable.len()]),
            several => self.send_batch(several).await,
        }
        .map(Vec::into_iter);
        let mut answers = Vec::with_capacity(cmdlets.len());
        for cmdlet in cmdlets {
            answers.push(match (refuse(cmdlet), &mut items) {
                (Err(fault), _) => Err(fault),
                (Ok(()), Err(error)) => Err(named(error, cmdlet)),
                (Ok(()), Ok(items)) => {
                    let item = items.next().unwrap_or(Item::Unanswered);
                    self.settle(cmdlet, item).await
                }
            });
        }
        answers
    }

    async fn send_batch(&self, cmdlets: &[&Cmdlet]) -> Result<Vec<Item>, WireError> {
        let request_id = self.caller.ids().id().to_string();
        // Every item is a request of its own and is authorised by itself. Without a token now, or with
        // one that is refused meanwhile, the items are refused and then run alone with a fresh one.
        let token = self.caller.token(Resource::Exchange).await.ok().map(|token| token.header());
        let requests: Vec<Value> =
            cmdlets.iter().zip(1..).map(|(cmdlet, id)| self.item(cmdlet, id, token.as_ref())).collect();
        let body = Bytes::from(json!({ "requests": requests }).to_string());
        let reads = cmdlets.iter().all(|cmdlet| cmdlet.is_read());
        let judge = BatchJudge::new(cmdlets.len());
        let request = |_| self.door.batch_post(body.clone(), &request_id);
        self.caller
            .call(CallSpec {
                resource: Resource::Exchange,
                what: "POST $batch",
                request: &request,
                repeat: if reads { Repeat::Safe } else { Repeat::OnlyIfNotSent },
                priority: if reads { Priority::Read } else { Priority::Write },
                judge: &judge,
            })
            .await?;
        let items = judge.into_items().into_iter();
        Ok(items.map(|item| item.map_or(Item::Unanswered, Item::Answered)).collect())
    }

    fn item(&self, cmdlet: &Cmdlet, id: usize, token: Option<&HeaderValue>) -> Value {
        let request_id = self.caller.ids().id().to_string();
        let mut headers = self.door.headers(cmdlet, &request_id);
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        let headers: Map<String, Value> = headers
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.into())))
            .collect();
        json!({
            "id": id.to_string(),
            "method": "POST",
            "url": self.door.invoke(cmdlet).as_str(),
            "headers": headers,
            "body": cmdlet.body(),
        })
    }

    /// What came of one item.
    async fn settle(&self, cmdlet: &Cmdlet, item: Item) -> Result<Answer, WireError> {
        let response = match item {
            Item::Answered(response) => response,
            Item::Alone => return self.invoke(cmdlet).await,
            Item::Unanswered if cmdlet.is_read() => return self.invoke(cmdlet).await,
            Item::Unanswered => {
                return Err(WireError::new(ErrorKind::LostAnswer, Service::Exchange, cmdlet.name())
                    .with_message("the answer to the batch leaves this item out"));
            }
        };
        let judge = PageJudge::new(false);
        match judge.judge(cmdlet.name(), &response) {
            Verdict::Done => {
                let request_id = self.caller.ids().id().to_string();
                let page = self.page(cmdlet, judge.into_page(), response.body.len(), None, &request_id)?;
                match self.read_on(cmdlet, page).await {
                    Err(error) if error.kind == ErrorKind::PageExpired && cmdlet.is_read() => {
                        self.invoke(cmdlet).await
                    }
                    done => done,
                }
            }
            Verdict::Failed(error) => Err(error),
            // Turned away before it ran, so that running it is not running it twice. The batch itself was
            // answered well, so it is told here what everybody else has to wait for.
            Verdict::Throttled { retry_after, .. } => {
                self.caller.governor(Resource::Exchange).pause(retry_after);
                self.invoke(cmdlet).await
            }
            Verdict::Unauthorized { .. } => self.invoke(cmdlet).await,
            Verdict::Transient { error, effect } => {
                if cmdlet.is_read() || effect == Effect::None {
                    self.invoke(cmdlet).await
                } else {
                    let mut error = error;
                    error.kind = ErrorKind::LostAnswer;
                    Err(error)
                }
            }
        }
    }
}

/// What a batch said of one of its items.
#[derive(Clone)]
enum Item {
    Answered(WireResponse),
    Unanswered,
    /// It was not put into a batch, for want of company.
    Alone,
}

/// The failure of the whole, told of one of its parts.
fn named(error: &WireError, cmdlet: &Cmdlet) -> WireError {
    let mut error = error.clone();
    error.what = format!("{} (in a batch)", cmdlet.name());
    error
}
