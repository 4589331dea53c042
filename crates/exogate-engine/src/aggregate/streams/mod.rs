//! The streams, one file each.

pub(crate) mod cas_mailboxes;
pub(crate) mod exchange_groups;
pub(crate) mod groups;
mod mailbox_permissions;
pub(crate) mod mailboxes;
mod per_mailbox;
pub(crate) mod send_as;
pub(crate) mod users;

use std::collections::BTreeSet;
use std::sync::Arc;

use exogate_microsoft::caller::carried;
use exogate_store::MailboxRef;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::error::StreamError;
use super::stream::StreamKind;
use super::work::Work;

/// How the streams about mailboxes hear of each other.
pub(super) struct Links {
    found: Option<mpsc::Sender<MailboxRef>>,
    arriving: Option<mpsc::Receiver<MailboxRef>>,
    listed: watch::Receiver<Listed>,
    announce: Option<watch::Sender<Listed>>,
}

/// Whether the list of mailboxes is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    NotYet,
    Complete,
    Failed,
}

/// How many mailboxes may wait to be asked for their permissions before the rest is left for the
/// store to remember.
const ARRIVALS: usize = 8192;

impl Links {
    /// Links for the streams of one run.
    pub fn new() -> Self {
        let (found, arriving) = mpsc::channel(ARRIVALS);
        let (announce, listed) = watch::channel(Listed::NotYet);
        Self { found: Some(found), arriving: Some(arriving), listed, announce: Some(announce) }
    }

    /// The links of one stream. Each stream is started once.
    pub fn take(&mut self, kind: StreamKind) -> Links {
        let ends = kind == StreamKind::Mailboxes;
        let permissions = kind == StreamKind::MailboxPermissions;
        Links {
            found: ends.then(|| self.found.take()).flatten(),
            arriving: permissions.then(|| self.arriving.take()).flatten(),
            listed: self.listed.clone(),
            announce: ends.then(|| self.announce.take()).flatten(),
        }
    }

    /// Tells that the list of mailboxes is at its end, one way or the other.
    fn announce(&mut self, listed: Listed) {
        self.found = None;
        if let Some(announce) = self.announce.take() {
            let _ = announce.send(listed);
        }
    }

    /// Waits for the end of the list of mailboxes; whether it is complete.
    async fn all_listed(&mut self) -> bool {
        match self.listed.wait_for(|listed| *listed != Listed::NotYet).await {
            Ok(listed) => *listed == Listed::Complete,
            Err(_) => false,
        }
    }
}

/// Reads one stream to its end.
pub(super) async fn read(work: &Work, mut links: Links) -> Result<(), StreamError> {
    work.recall().await?;
    match work.kind {
        StreamKind::Users => users::read(work).await,
        StreamKind::Groups => groups::read(work).await,
        StreamKind::Mailboxes => mailboxes::read(work, &mut links).await,
        StreamKind::CasMailboxes => cas_mailboxes::read(work).await,
        StreamKind::DistributionGroups => {
            exchange_groups::read(work, exchange_groups::Kind::Distribution).await
        }
        StreamKind::Microsoft365Groups => {
            exchange_groups::read(work, exchange_groups::Kind::Microsoft365).await
        }
        StreamKind::DynamicGroups => exchange_groups::read(work, exchange_groups::Kind::Dynamic).await,
        StreamKind::SendAs => send_as::read(work, &mut links).await,
        StreamKind::MailboxPermissions => mailbox_permissions::read(work, &mut links).await,
        other => Err(StreamError::Broken(format!("{} is not a listing", other.name()))),
    }
}

/// Asks the directory how many objects there will be, for those who watch. Nothing depends on it:
/// dropping what is returned drops the question.
fn expect(work: &Work, collection: &'static str) -> JoinSet<()> {
    let (graph, progress, kind) = (work.tenant.graph.clone(), Arc::clone(&work.progress), work.kind);
    let mut question = JoinSet::new();
    question.spawn(carried(async move {
        if let Ok(total) = graph.count(collection).await {
            progress.stream(kind).set_total(total);
        }
    }));
    question
}

/// Property names to ask for, each once, in a fixed order.
fn select<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    names.into_iter().collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
}
