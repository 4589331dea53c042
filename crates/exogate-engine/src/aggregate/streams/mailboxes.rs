//! Mailboxes with the attributes of the schema, and who may send on their behalf.

use std::sync::Arc;

use exogate_microsoft::exchange::Cmdlet;
use exogate_microsoft::record::Record;
use exogate_model::catalogue::{self, ExchangeObject};
use exogate_model::count::counted;
use exogate_store::{Batch, Facet, GrantSet, MailboxRef, MailboxRow};
use tokio::sync::mpsc;

use super::super::error::StreamError;
use super::super::stream::StreamKind;
use super::super::sweep::{Fetch, Listing, sweep};
use super::super::work::Work;
use super::{Links, Listed, select};
use crate::read::attributes::{AttributeReader, Misfits};
use crate::read::{grants, mailboxes};
use crate::tenant::SourceContext;

struct Mailboxes<'a> {
    work: &'a Work,
    reader: AttributeReader,
    misfits: Misfits,
    unjoined: u64,
    /// Governed mailboxes of the page at hand.
    governed: Vec<MailboxRef>,
    found: Option<mpsc::Sender<MailboxRef>>,
}

impl Listing for Mailboxes<'_> {
    fn take(&mut self, records: Vec<Record>, batch: &mut Batch) -> Result<u64, StreamError> {
        let options = &self.work.context.options;
        for record in &records {
            let row = match mailboxes::identity(record)? {
                mailboxes::Listed::Mailbox(row) => *row,
                mailboxes::Listed::System => continue,
                mailboxes::Listed::Unjoined => {
                    self.unjoined += 1;
                    continue;
                }
            };
            if options.governs(&row.kind) {
                if options.send_on_behalf {
                    batch.grant_sets.push(GrantSet {
                        mailbox: row.key.clone(),
                        facet: Facet::SendOnBehalf,
                        grants: grants::send_on_behalf(record),
                    });
                }
                self.governed.push(reference(&row));
            }
            batch.rendered_mailboxes.push((row, self.reader.render(record, &mut self.misfits)));
        }
        Ok(batch.rendered_mailboxes.len() as u64)
    }

    fn submitted(&mut self) {
        self.work.progress.stream(StreamKind::MailboxPermissions).expect(self.governed.len() as u64);
        for mailbox in self.governed.drain(..) {
            // Those that do not fit are found again in the store.
            if let Some(found) = &self.found {
                let _ = found.try_send(mailbox);
            }
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes: Vec<_> = self.misfits.notes().collect();
        if self.unjoined > 0 {
            notes.push(format!(
                "{} left out for want of an object in Entra that an account could be",
                counted(self.unjoined, "mailbox")
            ));
        }
        notes
    }
}

fn reference(row: &MailboxRow) -> MailboxRef {
    MailboxRef {
        key: row.key.clone(),
        kind: row.kind.clone(),
        display_name: row.display_name.clone(),
        primary_smtp: row.primary_smtp.clone(),
        exchange_guid: row.exchange_guid.clone(),
        label: None,
    }
}

pub(super) async fn read(work: &Work, links: &mut Links) -> Result<(), StreamError> {
    let done = list(work, links).await;
    links.announce(if done.is_ok() { Listed::Complete } else { Listed::Failed });
    done
}

/// What is asked of mailboxes, all or one, and who reads the attributes.
pub(crate) fn question(context: &SourceContext) -> (Cmdlet, AttributeReader) {
    const OBJECT: ExchangeObject = ExchangeObject::Mailbox;
    let reader = AttributeReader::exchange(&context.account_schema, &[OBJECT]);
    let own = context.options.send_on_behalf.then_some("GrantSendOnBehalfTo");
    let names = mailboxes::PROPERTIES.into_iter().chain(reader.properties()).chain(own);
    let mut cmdlet = Cmdlet::new("Get-Mailbox").select(select(names));
    for switch in reader.properties().filter_map(|p| catalogue::exchange_attribute(OBJECT, p)?.needs_switch) {
        cmdlet = cmdlet.switch(switch);
    }
    (cmdlet, reader)
}

async fn list(work: &Work, links: &mut Links) -> Result<(), StreamError> {
    let exchange = work.exchange()?.clone();
    let (cmdlet, reader) = question(&work.context);
    let cmdlet = cmdlet.text("ResultSize", "Unlimited");
    let fetch: Fetch = Arc::new(move |at| {
        let (exchange, cmdlet) = (exchange.clone(), cmdlet.clone());
        Box::pin(async move { exchange.invoke_page(&cmdlet, at.as_ref()).await })
    });
    let mut listing = Mailboxes {
        work,
        reader,
        misfits: Misfits::default(),
        unjoined: 0,
        governed: Vec::new(),
        found: links.found.take(),
    };
    sweep(work, &fetch, &mut listing).await
}
