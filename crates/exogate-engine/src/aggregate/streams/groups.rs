//! Groups of Entra with all members and owners, in one delta sweep.
//!
//! The first round of a delta shows the whole state, large groups in several slices. That is one
//! request for each page instead of two for each group, and the link it ends with is kept.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use exogate_microsoft::graph::DeltaQuery;
use exogate_microsoft::record::Record;
use exogate_store::Batch;

use super::super::error::StreamError;
use super::super::sweep::{Fetch, Listing, sweep};
use super::super::work::Work;
use super::{expect, select};
use crate::read::attributes::{AttributeReader, Misfits};
use crate::read::groups;
use crate::tenant::SourceContext;

struct Groups {
    reader: AttributeReader,
    misfits: Misfits,
    /// Hashes of the groups seen, to count each once however many slices it comes in.
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Listing for Groups {
    fn take(&mut self, records: Vec<Record>, batch: &mut Batch) -> Result<u64, StreamError> {
        let mut new = 0;
        for record in &records {
            let Some(slice) = groups::slice(record, &self.reader, &mut self.misfits)? else { continue };
            if let Some(group) = slice.group {
                new += u64::from(self.seen.insert(self.hasher.hash_one(&group.id)));
                batch.groups.push(group);
            }
            batch.memberships.extend(slice.memberships);
        }
        Ok(new)
    }

    fn notes(&self) -> Vec<String> {
        self.misfits.notes().collect()
    }
}

/// What is asked of groups, and who reads the attributes.
pub(crate) fn question(context: &SourceContext) -> (DeltaQuery, AttributeReader) {
    let reader = AttributeReader::entra(&context.group_schema);
    let names = groups::PROPERTIES.into_iter().chain(reader.properties()).chain(["members", "owners"]);
    (DeltaQuery::new("groups/delta").select(select(names)), reader)
}

pub(super) async fn read(work: &Work) -> Result<(), StreamError> {
    let (query, reader) = question(&work.context);
    let graph = work.tenant.graph.clone();
    let fetch: Fetch = Arc::new(move |at| {
        let (graph, query) = (graph.clone(), query.clone());
        Box::pin(async move { graph.delta_page(&query, at.as_ref()).await })
    });
    let mut groups =
        Groups { reader, misfits: Misfits::default(), seen: HashSet::new(), hasher: RandomState::new() };
    let _watched = expect(work, "groups");
    sweep(work, &fetch, &mut groups).await
}
