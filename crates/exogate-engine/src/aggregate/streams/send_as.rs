//! Who may send as a governed mailbox: one listing of the whole tenant, or, where that is refused,
//! one call for each mailbox.
//!
//! The listing names recipients by a text, not by a key. Every mailbox has a row of its own there
//! (its owner may send as itself), so a governed mailbox of which no row was seen was not
//! recognised: it is asked singly rather than taken for one that nobody may send as.

use exogate_model::count::counted;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use exogate_microsoft::exchange::{Cmdlet, ExchangeClient};
use exogate_microsoft::record::Record;
use exogate_microsoft::{ErrorKind, WireError};
use exogate_store::{Batch, Facet, GrantRow, MailboxRef, MailboxRow, NamedMailbox, SourceStore, StoreError};

use super::super::error::StreamError;
use super::super::progress::StreamState;
use super::super::sweep::{Fetch, Listing, sweep};
use super::super::work::Work;
use super::Links;
use super::per_mailbox::{Ask, Asking, settle};
use crate::read::grants::{self, Fact};

const CMDLET: &str = "Get-RecipientPermission";
const SELF_SID: &str = "S-1-5-10";
/// Cursors of a stream that is past its listing.
const LISTED: &str = "listed";
const SINGLY: &str = "singly";
/// Mailboxes looked up at once.
const PAGE: usize = 1000;

pub(super) async fn read(work: &Work, links: &mut Links) -> Result<(), StreamError> {
    if work.run.checkpoint(work.stream()).await?.is_some_and(|position| position.done) {
        return Ok(());
    }
    work.progress().set_state(StreamState::Waiting);
    if !work.or_stop(links.all_listed()).await? {
        return Err(StreamError::NoMailboxes);
    }
    work.progress().set_state(StreamState::Reading);
    let mailboxes = governed(work).await?;
    let cursor = work.run.checkpoint(work.stream()).await?.and_then(|position| position.cursor);
    let left = if cursor.as_deref() == Some(SINGLY) {
        mailboxes
    } else {
        match list(work, &mailboxes, cursor.is_some()).await {
            Ok(unseen) => unseen,
            Err(StreamError::Wire(error)) if refuses_listing(&error) => {
                singly(work, &format!("the tenant refused the listing ({error})")).await?;
                mailboxes
            }
            Err(StreamError::NeverEnds { .. }) => {
                singly(work, "the listing never came to its end").await?;
                mailboxes
            }
            Err(error) => return Err(error),
        }
    };
    let mut position = work.run.checkpoint(work.stream()).await?.unwrap_or_default();
    if !left.is_empty() {
        work.progress().set_total(position.objects + left.len() as u64);
        let mut asking = Asking::new(work, Facet::SendAs, position, ask(work)?);
        for mailbox in left {
            asking.add(mailbox.reference);
        }
        while !asking.is_idle() {
            let answers = asking.answers().await?;
            asking.store(answers).await?;
        }
        position = asking.end().await?;
    }
    position.done = true;
    work.reach(position).await?;
    Ok(())
}

/// Whether an error is about the listing as such, so that asking singly may still work.
pub(crate) fn refuses_listing(error: &WireError) -> bool {
    matches!(
        error.kind,
        ErrorKind::Forbidden
            | ErrorKind::InvalidRequest
            | ErrorKind::Refused
            | ErrorKind::LimitReached
            | ErrorKind::Protocol
            | ErrorKind::NotFound
            | ErrorKind::Ambiguous
    )
}

/// Goes over to one call for each mailbox, for good.
async fn singly(work: &Work, why: &str) -> Result<(), StreamError> {
    work.note(format!("{why}: one call for each mailbox instead"));
    work.run.restart_stream(work.stream()).await?;
    let checkpoint =
        exogate_store::Checkpoint { cursor: Some(SINGLY.to_owned()), ..exogate_store::Checkpoint::default() };
    work.reach(checkpoint).await?;
    Ok(())
}

/// A governed mailbox with the texts by which the listing may name it.
pub(crate) struct Governed {
    pub reference: MailboxRef,
    texts: Vec<String>,
}

impl Governed {
    /// With the texts that the store knows.
    pub async fn of(store: &SourceStore, reference: MailboxRef) -> Result<Option<Self>, StoreError> {
        let Some(known) = store.mailbox(&reference.key).await? else { return Ok(None) };
        let MailboxRow { name, distinguished_name, .. } = known.mailbox;
        Ok(Some(NamedMailbox { reference, name, distinguished_name }.into()))
    }
}

impl From<NamedMailbox> for Governed {
    fn from(NamedMailbox { reference, name, distinguished_name }: NamedMailbox) -> Self {
        let MailboxRef { key, primary_smtp, exchange_guid, .. } = &reference;
        let own = [Some(key), Some(primary_smtp), exchange_guid.as_ref()];
        let other = [name.as_ref(), distinguished_name.as_ref()];
        let texts = own.into_iter().chain(other).flatten().map(|text| text.to_lowercase()).collect();
        Self { reference, texts }
    }
}

/// The governed mailboxes that this run has not asked singly.
async fn governed(work: &Work) -> Result<Vec<Governed>, StreamError> {
    let kinds = work.context.governed_kinds();
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = work.run.mailboxes_to_read(&kinds, Facet::SendAs, after, PAGE).await?;
        all.extend(page.items.into_iter().map(Governed::from));
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// Reads the listing of the whole tenant; gives the mailboxes that it does not speak for.
async fn list(work: &Work, mailboxes: &[Governed], resumed: bool) -> Result<Vec<Governed>, StreamError> {
    let exchange = work.exchange()?.clone();
    let fetch: Fetch = Arc::new(move |at| {
        let (exchange, cmdlet) = (exchange.clone(), question());
        Box::pin(async move { exchange.invoke_page(&cmdlet, at.as_ref()).await })
    });
    let mut listing = Permissions::new(mailboxes);
    sweep(work, &fetch, &mut listing).await?;
    let mut unseen = Vec::new();
    for Governed { reference, texts } in mailboxes {
        // What an earlier process saw is not known here, so its mailboxes are looked up.
        let seen = if resumed {
            listing.seen.contains(&reference.key) || seen_before(work, &reference.key).await?
        } else {
            listing.speaks_for(&reference.key)
        };
        if !seen {
            unseen.push(Governed { reference: reference.clone(), texts: texts.clone() });
        }
    }
    if !unseen.is_empty() {
        work.note(format!(
            "{} not recognised in the listing of the tenant and asked singly",
            counted(unseen.len(), "mailbox")
        ));
    }
    Ok(unseen)
}

/// The listing of the whole tenant.
pub(crate) fn question() -> Cmdlet {
    Cmdlet::new(CMDLET).text("ResultSize", "Unlimited").select([
        "Identity",
        "Trustee",
        "TrusteeSidString",
        "AccessControlType",
        "AccessRights",
        "IsInherited",
    ])
}

/// Whether an earlier process of this run stored a row of the listing for the mailbox.
async fn seen_before(work: &Work, key: &str) -> Result<bool, StreamError> {
    let grants = work.store.grants_of_mailbox(key).await?;
    Ok(grants.iter().any(|g| g.facet == Facet::SendAs && g.read_at >= work.run.started()))
}

/// Rows of the listing, joined to governed mailboxes.
pub(crate) struct Permissions<'a> {
    /// By text; `None` for a text that two mailboxes answer to.
    by_text: HashMap<&'a str, Option<&'a str>>,
    seen: HashSet<String>,
    owners_shown: bool,
}

impl<'a> Permissions<'a> {
    pub fn new(mailboxes: &'a [Governed]) -> Self {
        let mut by_text = HashMap::new();
        for mailbox in mailboxes {
            let key = mailbox.reference.key.as_str();
            for text in &mailbox.texts {
                by_text
                    .entry(text.as_str())
                    .and_modify(|known| {
                        if *known != Some(key) {
                            *known = None;
                        }
                    })
                    .or_insert(Some(key));
            }
        }
        Self { by_text, seen: HashSet::new(), owners_shown: false }
    }

    /// Whether what was listed is all there is of a mailbox. Without a single row of an owner, the
    /// tenant leaves these out; then that any mailbox was recognised has to do.
    pub fn speaks_for(&self, key: &str) -> bool {
        self.seen.contains(key) || (!self.owners_shown && !self.seen.is_empty())
    }
}

impl Listing for Permissions<'_> {
    fn take(&mut self, records: Vec<Record>, batch: &mut Batch) -> Result<u64, StreamError> {
        grants::are_recipient_permissions(&records)?;
        for record in &records {
            self.owners_shown |= record.text("TrusteeSidString") == Some(SELF_SID);
            let Some(identity) = record.text("Identity") else { continue };
            let Some(Some(mailbox)) = self.by_text.get(identity.to_lowercase().as_str()) else { continue };
            self.seen.insert((*mailbox).to_owned());
            // Most rows are of mailboxes that are not governed: only those that are, are taken apart.
            for (right, trustee, deny, inherited) in grants::recipient_permission(record) {
                let (mailbox, facet) = ((*mailbox).to_owned(), Facet::SendAs);
                batch.grants.push(GrantRow { mailbox, facet, right, trustee, deny, inherited });
            }
        }
        Ok(records.len() as u64)
    }

    fn goes_on(&self) -> Option<&'static str> {
        Some(LISTED)
    }
}

fn ask(work: &Work) -> Result<Ask, StreamError> {
    let exchange = work.exchange()?.clone();
    Ok(Arc::new(move |mailbox| {
        let exchange = exchange.clone();
        Box::pin(async move { permissions(&exchange, &mailbox).await })
    }))
}

async fn permissions(exchange: &ExchangeClient, mailbox: &MailboxRef) -> Result<Vec<Fact>, StreamError> {
    let cmdlet = Cmdlet::new(CMDLET).text("Identity", &mailbox.key).text("ResultSize", "Unlimited");
    match exchange.invoke(&cmdlet).await {
        Ok(answer) => {
            let mut facts = grants::recipient_permissions(&answer.records)?.concat();
            facts.sort_unstable();
            facts.dedup();
            Ok(facts)
        }
        Err(error) => Err(settle(exchange, mailbox, error).await),
    }
}
