//! What all doors share: the sources by name, their runs, the clock, and the life of the service.

use std::collections::BTreeMap;
use std::sync::Arc;

use exogate_engine::delta::DeltaOptions;
use exogate_engine::provision::{PlanResult, ProvisionError, Provisioner, Silent};
use exogate_engine::view::View;
use exogate_engine::{SourceContext, Tenant};
use exogate_model::clock::Clock;
use exogate_model::policy::ProvisioningPolicy;
use exogate_store::{Journal, SourceStore};
use tokio::sync::OnceCell;

use crate::caller::Caller;
use crate::life::Life;
use crate::meters::Meters;
use crate::runs::RunManager;
use crate::webhook::Webhook;

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
    /// How differences are looked for.
    pub delta: DeltaOptions,
    /// Who is told of changes.
    pub webhooks: Vec<Arc<Webhook>>,
    /// The tenant; the engine alone calls it.
    pub tenant: Tenant,
    /// Carries changes out.
    pub provisioner: Provisioner,
    /// The durable record of changes.
    pub journal: Journal,
    /// The life of the service.
    pub life: Life,
    /// What the service counts.
    pub meters: Meters,
    /// Set once what an earlier process left unfinished is settled.
    pub settled: Arc<OnceCell<()>>,
}

impl Source {
    /// Settles what an interrupted process left, once; nothing is changed before.
    pub async fn settle(&self) -> Result<(), ProvisionError> {
        let settle = || async {
            let settled: Vec<PlanResult> = self.provisioner.recover(&Silent).await?;
            for plan in settled {
                tracing::warn!(
                    source = self.name,
                    plan = plan.plan,
                    "the plan had been interrupted; what was open is settled"
                );
            }
            Ok(())
        };
        self.settled.get_or_try_init(settle).await.copied()
    }
}

/// All sources of one service.
#[derive(Clone)]
pub struct Gateway {
    /// By name.
    pub sources: Arc<BTreeMap<String, Arc<Source>>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The runs that this service carries out.
    pub runs: RunManager,
    /// When it stops, and what is waited for.
    pub life: Life,
    /// What it counts.
    pub meters: Meters,
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
