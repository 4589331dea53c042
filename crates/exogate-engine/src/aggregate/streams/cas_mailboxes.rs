//! Client access settings of mailboxes; read only where the schema asks for one.

use std::sync::Arc;

use exogate_microsoft::exchange::Cmdlet;
use exogate_microsoft::record::Record;
use exogate_model::catalogue::ExchangeObject;
use exogate_store::Batch;

use super::super::error::StreamError;
use super::super::sweep::{Fetch, Listing, sweep};
use super::super::work::Work;
use super::select;
use crate::read::attributes::{AttributeReader, Misfits};
use crate::tenant::SourceContext;

struct CasMailboxes {
    reader: AttributeReader,
    misfits: Misfits,
}

impl Listing for CasMailboxes {
    fn take(&mut self, records: Vec<Record>, batch: &mut Batch) -> Result<u64, StreamError> {
        for record in &records {
            // System mailboxes have no object in Entra.
            if let Some(key) = record.text("ExternalDirectoryObjectId") {
                batch.cas.push((key.to_owned(), self.reader.read(record, &mut self.misfits)));
            }
        }
        Ok(batch.cas.len() as u64)
    }

    fn notes(&self) -> Vec<String> {
        self.misfits.notes().collect()
    }
}

/// What is asked of client access settings, all or one, and who reads them.
pub(crate) fn question(context: &SourceContext) -> (Cmdlet, AttributeReader) {
    let reader = AttributeReader::exchange(&context.account_schema, &[ExchangeObject::CasMailbox]);
    let names = ["ExternalDirectoryObjectId", "Guid", "Name"].into_iter().chain(reader.properties());
    (Cmdlet::new("Get-CASMailbox").select(select(names)), reader)
}

pub(super) async fn read(work: &Work) -> Result<(), StreamError> {
    let exchange = work.exchange()?.clone();
    let (cmdlet, reader) = question(&work.context);
    let cmdlet = cmdlet.text("ResultSize", "Unlimited");
    let fetch: Fetch = Arc::new(move |at| {
        let (exchange, cmdlet) = (exchange.clone(), cmdlet.clone());
        Box::pin(async move { exchange.invoke_page(&cmdlet, at.as_ref()).await })
    });
    sweep(work, &fetch, &mut CasMailboxes { reader, misfits: Misfits::default() }).await
}
