//! Users of Entra.

use std::sync::Arc;

use exogate_microsoft::graph::ListQuery;
use exogate_microsoft::record::Record;
use exogate_store::Batch;

use super::super::error::StreamError;
use super::super::sweep::{Fetch, Listing, sweep};
use super::super::work::Work;
use super::{expect, select};
use crate::read::attributes::{AttributeReader, Misfits};
use crate::read::users;

struct Users {
    reader: AttributeReader,
    misfits: Misfits,
}

impl Listing for Users {
    fn take(&mut self, records: Vec<Record>, batch: &mut Batch) -> Result<u64, StreamError> {
        batch.users = users::users(&records, &self.reader, &mut self.misfits)?;
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
    let fetch: Fetch = Arc::new(move |at| {
        let (graph, query) = (graph.clone(), query.clone());
        Box::pin(async move { graph.list_page(&query, at.as_ref()).await })
    });
    let mut users = Users { reader, misfits: Misfits::default() };
    let _watched = expect(work, "users");
    sweep(work, &fetch, &mut users).await
}
