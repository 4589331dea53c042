//! Users of Entra.

use std::sync::Arc;

use exogate_microsoft::graph::{DeltaQuery, ListQuery};
use exogate_microsoft::record::Record;
use exogate_store::{Batch, Checkpoint};

use super::super::error::StreamError;
use super::super::feeds;
use super::super::sweep::{Fetch, Listing, sweep};
use super::super::work::Work;
use super::{expect, select};
use crate::read::attributes::{AttributeReader, Misfits};
use crate::read::users;
use crate::tenant::SourceContext;

struct Users {
    reader: AttributeReader,
    misfits: Misfits,
}

impl Listing for Users {
    fn take(&mut self, records: Vec<Record>, batch: &mut Batch) -> Result<u64, StreamError> {
        let rows = users::identities(&records)?;
        let attributes = records.iter().map(|record| self.reader.render(record, &mut self.misfits));
        batch.rendered_users = rows.into_iter().zip(attributes).collect();
        Ok(records.len() as u64)
    }

    fn notes(&self) -> Vec<String> {
        self.misfits.notes().collect()
    }
}

pub(super) async fn read(work: &Work) -> Result<(), StreamError> {
    const MANAGER: &str = "manager";
    let reader = AttributeReader::entra(&work.context.account_schema);
    let wanted = reader.properties().filter(|property| *property != MANAGER);
    let mut query = ListQuery::new("users").select(select(users::PROPERTIES.into_iter().chain(wanted)));
    // A relation, not a property.
    if reader.properties().any(|property| property == MANAGER) {
        query = query.expand("manager($select=id)");
    }
    let graph = work.tenant.graph.clone();
    work.or_stop(begin_delta(work)).await??;
    let fetch: Fetch = Arc::new(move |at| {
        let (graph, query) = (graph.clone(), query.clone());
        Box::pin(async move { graph.list_page(&query, at.as_ref()).await })
    });
    let mut users = Users { reader, misfits: Misfits::default() };
    let _watched = expect(work, "users");
    sweep(work, &fetch, &mut users).await
}

/// What is asked of changes of users, and who reads the attributes.
pub(crate) fn changes(context: &SourceContext) -> (DeltaQuery, AttributeReader) {
    let reader = AttributeReader::entra(&context.account_schema);
    let names = users::PROPERTIES.into_iter().chain(reader.properties());
    (DeltaQuery::new("users/delta").select(select(names)), reader)
}

/// Keeps where the changes go on from that happen while users are listed and afterwards. Without
/// it, the next delta lists all users once more.
async fn begin_delta(work: &Work) -> Result<(), StreamError> {
    if work.run.checkpoint(feeds::USERS_BEGIN).await?.is_some() {
        return Ok(());
    }
    let (query, _) = changes(&work.context);
    let (query, mut at) = (query.latest(), None);
    let link = loop {
        match work.tenant.graph.delta_page(&query, at.as_ref()).await {
            Ok(page) if page.next.is_some() => at = page.next,
            Ok(page) => break page.delta,
            Err(error) => {
                tracing::debug!(%error, "no link to the changes of users");
                break None;
            }
        }
    };
    let Some(cursor) = link.and_then(|link| serde_json::to_string(&link).ok()) else { return Ok(()) };
    let checkpoint = Checkpoint { done: true, cursor: Some(cursor), ..Checkpoint::default() };
    let stream = feeds::USERS_BEGIN.to_owned();
    work.run.write(Batch { stream, checkpoint: Some(checkpoint), ..Batch::default() }).await?;
    Ok(())
}
