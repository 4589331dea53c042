//! What Exchange knows about groups: three listings, one for each of its kinds of group.

use std::sync::Arc;

use exogate_microsoft::exchange::Cmdlet;
use exogate_microsoft::record::Record;
use exogate_model::catalogue::{self, ExchangeObject};
use exogate_store::Batch;

use super::super::error::StreamError;
use super::super::sweep::{Fetch, Listing, sweep};
use super::super::work::Work;
use super::select;
use crate::read::attributes::{AttributeReader, Misfits};
use crate::read::groups;
use crate::tenant::SourceContext;

struct ExchangeGroups {
    reader: AttributeReader,
    misfits: Misfits,
    dynamic: bool,
}

impl Listing for ExchangeGroups {
    fn take(&mut self, records: Vec<Record>, batch: &mut Batch) -> Result<u64, StreamError> {
        for record in &records {
            if self.dynamic {
                let (group, row) = groups::dynamic(record, &self.reader, &mut self.misfits)?;
                batch.groups.push(group);
                batch.group_exchange.push(row);
            } else {
                batch.group_exchange.extend(groups::exchange(record, &self.reader, &mut self.misfits));
            }
        }
        Ok(batch.group_exchange.len() as u64)
    }

    fn notes(&self) -> Vec<String> {
        self.misfits.notes().collect()
    }
}

/// One of the listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Distribution lists and mail-enabled security groups.
    Distribution,
    /// Microsoft 365 groups. An attribute that both kinds have counts once in a schema, as one of
    /// distribution groups.
    Microsoft365,
    /// Dynamic distribution groups.
    Dynamic,
}

impl Kind {
    fn cmdlet(self) -> (&'static str, &'static [ExchangeObject]) {
        match self {
            Self::Distribution => ("Get-DistributionGroup", &[ExchangeObject::DistributionGroup]),
            Self::Microsoft365 => {
                ("Get-UnifiedGroup", &[ExchangeObject::UnifiedGroup, ExchangeObject::DistributionGroup])
            }
            Self::Dynamic => ("Get-DynamicDistributionGroup", &[ExchangeObject::DistributionGroup]),
        }
    }
}

/// What is asked of groups of a kind, all or some, and who reads the attributes.
pub(crate) fn question(context: &SourceContext, kind: Kind) -> (Cmdlet, AttributeReader) {
    let (name, objects) = kind.cmdlet();
    let reader = AttributeReader::exchange(&context.group_schema, objects);
    let shown = |property: &&str| objects.first().is_some_and(|o| shows(*o, property));
    let names = groups::EXCHANGE_PROPERTIES.into_iter().chain(reader.properties().filter(shown));
    let mut cmdlet = Cmdlet::new(name).select(select(names));
    for switch in reader.properties().filter(shown).filter_map(|p| needs_switch(objects, p)) {
        cmdlet = cmdlet.switch(switch);
    }
    (cmdlet, reader)
}

pub(super) async fn read(work: &Work, kind: Kind) -> Result<(), StreamError> {
    let exchange = work.exchange()?.clone();
    let (cmdlet, reader) = question(&work.context, kind);
    let cmdlet = cmdlet.text("ResultSize", "Unlimited");
    let fetch: Fetch = Arc::new(move |at| {
        let (exchange, cmdlet) = (exchange.clone(), cmdlet.clone());
        Box::pin(async move { exchange.invoke_page(&cmdlet, at.as_ref()).await })
    });
    let dynamic = kind == Kind::Dynamic;
    sweep(work, &fetch, &mut ExchangeGroups { reader, misfits: Misfits::default(), dynamic }).await
}

fn shows(object: ExchangeObject, property: &str) -> bool {
    catalogue::exchange_attribute(object, property).is_some()
}

fn needs_switch(objects: &[ExchangeObject], property: &str) -> Option<&'static str> {
    catalogue::exchange_attribute(*objects.first()?, property)?.needs_switch
}
