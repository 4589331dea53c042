//! The permissions of every governed mailbox: there is no bulk listing, so one call for each.
//!
//! Begins with the first page of mailboxes. What an earlier process of the same run has read is
//! not read again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use exogate_microsoft::ErrorKind;
use exogate_microsoft::exchange::{Cmdlet, ExchangeClient};
use exogate_store::{Facet, MailboxRef};

use super::super::error::StreamError;
use super::super::progress::StreamState;
use super::super::work::Work;
use super::Links;
use super::per_mailbox::{Ask, Asking, settle};
use crate::read::grants::{self, Fact};

/// Mailboxes looked up at once among those that wait.
const PAGE: usize = 1000;

pub(super) async fn read(work: &Work, links: &mut Links) -> Result<(), StreamError> {
    let position = work.run.checkpoint(work.stream()).await?.unwrap_or_default();
    work.progress().set(position.pages, position.objects);
    if position.done {
        work.progress().set_total(position.objects);
        return Ok(());
    }
    let hidden = Arc::new(AtomicBool::new(false));
    let mut asking = Asking::new(work, Facet::MailboxPermission, position, ask(work, Arc::clone(&hidden))?);
    work.progress().set_state(StreamState::Reading);
    // What was listed before this process began, then what arrives, then what did not fit.
    let left = remember(work, &mut asking).await?;
    work.progress().expect(left);
    let mut arriving = links.arriving.take();
    loop {
        let answers = match &mut arriving {
            Some(mailboxes) if asking.queued() < PAGE => {
                tokio::select! {
                    mailbox = work.or_stop(mailboxes.recv()) => {
                        match mailbox? {
                            None => arriving = None,
                            Some(mailbox) => {
                                asking.add(mailbox);
                                while let Ok(mailbox) = mailboxes.try_recv() {
                                    asking.add(mailbox);
                                }
                            }
                        }
                        continue;
                    }
                    answers = asking.answers(), if !asking.is_idle() => answers?,
                }
            }
            None if asking.is_idle() => {
                if remember(work, &mut asking).await? == 0 {
                    break;
                }
                continue;
            }
            _ => asking.answers().await?,
        };
        asking.store(answers).await?;
    }
    let listed = links.all_listed().await;
    if hidden.load(Ordering::Relaxed) {
        work.note(
            "the role does not include -IncludeUnresolvedPermissions: rights of deleted accounts may be hidden",
        );
    }
    let mut position = asking.end().await?;
    if !listed {
        return Err(StreamError::NoMailboxes);
    }
    position.done = true;
    work.progress().set_total(position.objects);
    work.reach(position).await?;
    Ok(())
}

/// Queues what the store knows as not yet read; gives how many are new to the queue.
async fn remember(work: &Work, asking: &mut Asking<'_>) -> Result<u64, StreamError> {
    let kinds = work.context.governed_kinds();
    let mut after = None;
    let mut new = 0;
    loop {
        let page = work.run.mailboxes_to_read(&kinds, Facet::MailboxPermission, after, PAGE).await?;
        for mailbox in page.items {
            new += u64::from(asking.add(mailbox.reference));
        }
        after = page.next;
        if after.is_none() {
            return Ok(new);
        }
    }
}

fn ask(work: &Work, hidden: Arc<AtomicBool>) -> Result<Ask, StreamError> {
    let exchange = work.exchange()?.clone();
    Ok(Arc::new(move |mailbox| {
        let (exchange, hidden) = (exchange.clone(), Arc::clone(&hidden));
        Box::pin(async move { permissions(&exchange, &mailbox, &hidden).await })
    }))
}

async fn permissions(
    exchange: &ExchangeClient,
    mailbox: &MailboxRef,
    hidden: &AtomicBool,
) -> Result<Vec<Fact>, StreamError> {
    let plain =
        Cmdlet::new("Get-MailboxPermission").text("Identity", &mailbox.key).text("ResultSize", "Unlimited");
    let answer = if hidden.load(Ordering::Relaxed) {
        exchange.invoke(&plain).await
    } else {
        // Rights of deleted accounts count against the limit of a mailbox and come back to life
        // with a restored account; by default the cmdlet hides them.
        match exchange.invoke(&plain.clone().switch("IncludeUnresolvedPermissions")).await {
            Err(error) if error.kind == ErrorKind::InvalidRequest => {
                let answer = exchange.invoke(&plain).await;
                if answer.is_ok() {
                    hidden.store(true, Ordering::Relaxed);
                }
                answer
            }
            answer => answer,
        }
    };
    match answer {
        Ok(answer) => Ok(grants::mailbox_permissions(&answer.records)?),
        Err(error) => Err(settle(exchange, mailbox, error).await),
    }
}
