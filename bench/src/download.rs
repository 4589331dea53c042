//! Downloads the pages that an aggregation reads and throws them away: all listings side by side,
//! the permissions of shared mailboxes as they become known.
//!
//! It parses nothing. The next page and the mailboxes to ask for are found by their bytes.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures::StreamExt;
use memchr::memmem;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::http;

#[derive(clap::Args)]
pub struct Args {
    /// A [`Plan`] as JSON.
    plan: PathBuf,
}

/// What to download.
#[derive(Serialize, Deserialize)]
pub struct Plan {
    pub origin: String,
    pub tenant: String,
    pub client_id: String,
    pub secret: String,
    pub ca: PathBuf,
    /// Calls for permissions under way at once.
    pub at_once: usize,
    pub requests: Vec<Request>,
}

/// The first request of a listing, or the pattern of the calls for permissions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    pub exchange: bool,
    /// Cmdlet, or path.
    pub operation: String,
    /// Path and query.
    pub target: String,
}

const MAILBOXES: &str = "Get-Mailbox";
const SEND_AS: &str = "Get-RecipientPermission";
const PERMISSIONS: &str = "Get-MailboxPermission";

struct Downloader {
    client: reqwest::Client,
    origin: String,
    graph: String,
    exchange: String,
    anchor: String,
}

pub async fn run(args: &Args) -> Result<()> {
    let plan: Plan = serde_json::from_slice(&fs::read(&args.plan)?)?;
    let client = http::client(&plan.ca, true)?;
    let application = (plan.client_id.as_str(), plan.secret.as_str());
    let token = |resource| http::token(&client, &plan.origin, &plan.tenant, application, resource);
    let (graph, exchange) =
        tokio::try_join!(token("https://graph.microsoft.com"), token("https://outlook.office365.com"))?;
    let downloader = Arc::new(Downloader {
        client: client.clone(),
        origin: plan.origin.clone(),
        graph,
        exchange,
        anchor: http::anchor(&plan.tenant),
    });
    let (found, mailboxes) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    let send_as = plan.requests.iter().find(|request| request.operation == SEND_AS).cloned();
    for request in plan.requests.iter().filter(|request| !is_late(request)).cloned() {
        let downloader = Arc::clone(&downloader);
        let found = (request.operation == MAILBOXES).then(|| found.clone());
        // The listing of SendAs comes after that of the mailboxes, as exogate's does.
        let then = found.as_ref().and(send_as.clone());
        tasks.spawn(async move {
            downloader.listing(&request, found).await?;
            match then {
                Some(request) => downloader.listing(&request, None).await,
                None => Ok(()),
            }
        });
    }
    drop(found);
    if let Some(request) = plan.requests.iter().find(|request| request.operation == PERMISSIONS).cloned() {
        let at_once = plan.at_once.max(1);
        tasks.spawn(async move { downloader.permissions(request, mailboxes, at_once).await });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

fn is_late(request: &Request) -> bool {
    request.operation == SEND_AS || request.operation == PERMISSIONS
}

impl Downloader {
    async fn listing(&self, request: &Request, found: Option<mpsc::UnboundedSender<String>>) -> Result<()> {
        let body = Bytes::from(format!(
            r#"{{"CmdletInput":{{"CmdletName":"{}","Parameters":{{"ResultSize":"Unlimited"}}}}}}"#,
            request.operation
        ));
        let mut at = Some(format!("{}{}", self.origin, request.target));
        while let Some(url) = at {
            let page = self.page(request, &url, &body).await?;
            if let Some(found) = &found {
                for mailbox in shared_mailboxes(&page) {
                    // Nobody listens where permissions are not read.
                    let _ = found.send(mailbox.to_owned());
                }
            }
            at = next_link(&page)?;
        }
        Ok(())
    }

    async fn permissions(
        self: Arc<Self>,
        request: Request,
        mailboxes: mpsc::UnboundedReceiver<String>,
        at_once: usize,
    ) -> Result<()> {
        let url = format!("{}{}", self.origin, request.target);
        let calls = futures::stream::unfold(mailboxes, |mut mailboxes| async {
            mailboxes.recv().await.map(|mailbox| (mailbox, mailboxes))
        })
        .map(|mailbox| {
            let (downloader, request, url) = (Arc::clone(&self), request.clone(), url.clone());
            // Tasks of their own, so that they run on every core.
            tokio::spawn(async move {
                let body = format!(
                    r#"{{"CmdletInput":{{"CmdletName":"{PERMISSIONS}","Parameters":{{"Identity":"{mailbox}","ResultSize":"Unlimited","IncludeUnresolvedPermissions":true}}}}}}"#
                );
                downloader.page(&request, &url, &Bytes::from(body)).await.map(drop)
            })
        })
        .buffer_unordered(at_once);
        futures::pin_mut!(calls);
        while let Some(done) = calls.next().await {
            done??;
        }
        Ok(())
    }

    async fn page(&self, request: &Request, url: &str, body: &Bytes) -> Result<Bytes> {
        let outgoing = if request.exchange {
            self.client
                .post(url)
                .bearer_auth(&self.exchange)
                .header("content-type", "application/json")
                .header("prefer", "odata.maxpagesize=1000")
                .header("x-cmdletname", &request.operation)
                .header("x-responseformat", "json")
                .header("x-serializationlevel", "Partial")
                .header("x-anchormailbox", &self.anchor)
                .body(body.clone())
        } else {
            let outgoing = self.client.get(url).bearer_auth(&self.graph);
            if url.contains("$count") { outgoing.header("consistencylevel", "eventual") } else { outgoing }
        };
        let answer = outgoing.send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        if !status.is_success() {
            bail!("{} was answered with {status}: {}", request.operation, String::from_utf8_lossy(&bytes));
        }
        Ok(bytes)
    }
}

/// The address behind `@odata.nextLink`.
fn next_link(page: &[u8]) -> Result<Option<String>> {
    const MARK: &[u8] = br#""@odata.nextLink":"#;
    let Some(at) = memmem::find(page, MARK) else { return Ok(None) };
    let rest = &page[at + MARK.len()..];
    let quoted = rest.iter().skip(1).position(|byte| *byte == b'"').map(|end| &rest[..end + 2]);
    Ok(Some(serde_json::from_slice(quoted.context("a page link has no end")?)?))
}

/// The keys of the shared mailboxes of a page.
fn shared_mailboxes(page: &[u8]) -> Vec<&str> {
    const KEY: &[u8] = br#""ExternalDirectoryObjectId":""#;
    const SHARED: &[u8] = br#""RecipientTypeDetails":"SharedMailbox""#;
    const KIND: &[u8] = br#""RecipientTypeDetails":""#;
    let keys: Vec<usize> = memmem::find_iter(page, KEY).collect();
    // Every mailbox has its properties in the same order; which one, the first mailbox tells.
    let key_first = keys.first().copied() < memmem::find(page, KIND);
    let mut shared = Vec::new();
    for kind in memmem::find_iter(page, SHARED) {
        let behind = keys.partition_point(|key| *key < kind);
        let index = if key_first { behind.checked_sub(1) } else { Some(behind) };
        let Some(start) = index.and_then(|index| keys.get(index)).map(|at| at + KEY.len()) else { continue };
        let key = page[start..].split(|byte| *byte == b'"').next().unwrap_or_default();
        shared.extend(std::str::from_utf8(key));
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_and_its_escapes_are_read() {
        let page = br#"{"value":[],"@odata.nextLink":"https://h/x?a=1\u0026b=2","x":"y"}"#;
        assert_eq!(next_link(page).expect("a link"), Some("https://h/x?a=1&b=2".to_owned()));
        assert_eq!(next_link(b"{}").expect("no link"), None);
        assert!(next_link(br#"{"@odata.nextLink":"https://"#).is_err());
    }

    #[test]
    fn shared_mailboxes_are_found_in_either_order() {
        let (one, two) = (r#""ExternalDirectoryObjectId":"k1""#, r#""ExternalDirectoryObjectId":"k2""#);
        let (user, shared) =
            (r#""RecipientTypeDetails":"UserMailbox""#, r#""RecipientTypeDetails":"SharedMailbox""#);
        for page in [
            format!("[{{{one},{user}}},{{{two},{shared}}}]"),
            format!("[{{{user},{one}}},{{{shared},{two}}}]"),
        ] {
            assert_eq!(shared_mailboxes(page.as_bytes()), ["k2"]);
        }
    }
}
