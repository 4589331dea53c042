//! What all doors share: the sources by name, and the clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use exogate_engine::provision::Provisioner;
use exogate_engine::view::View;
use exogate_engine::{SourceContext, Tenant};
use exogate_model::clock::Clock;
use exogate_model::policy::ProvisioningPolicy;
use exogate_store::{Journal, SourceStore};

use crate::caller::Caller;

/// One configured tenant, as the doors need it.
#[derive(Clone)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// What is stored of it.
    pub store: SourceStore,
    /// The same, as governance sees it.
    pub view: View,
    /// Its schema and options.
    pub context: Arc<SourceContext>,
    /// The attributes that may be set.
    pub policy: Arc<ProvisioningPolicy>,
    /// The tenant; the engine alone calls it.
    pub tenant: Tenant,
    /// Carries changes out.
    pub provisioner: Provisioner,
    /// The durable record of changes.
    pub journal: Journal,
}

/// All sources of one service.
#[derive(Clone)]
pub struct Gateway {
    /// By name.
    pub sources: Arc<BTreeMap<String, Arc<Source>>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Gateway {
    /// The source of that name, or the only one where none is named; only those that the caller may
    /// touch at all.
    pub fn source(&self, name: Option<&str>, caller: &Caller) -> Option<&Arc<Source>> {
        let seen = |source: &&Arc<Source>| {
            caller.sources.as_ref().is_none_or(|sources| sources.contains(&source.name))
        };
        match name {
            Some(name) => self.sources.get(name).filter(seen),
            None if self.sources.len() == 1 => self.sources.values().next().filter(seen),
            None => None,
        }
    }
}
