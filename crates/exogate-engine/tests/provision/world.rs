//! A tenant, what a source has stored of it, and a journal that outlives the provisioners on it.

use std::sync::Arc;
use std::time::Duration;

use exogate_engine::aggregate::Outcome as Aggregated;
use exogate_engine::provision::{
    Observer, Patience, PlanError, PlanResult, Provisioner, Rules, Silent, Snapshot, Submission, compile,
};
use exogate_engine::{SourceContext, Tenant};
use exogate_model::clock::Clock;
use exogate_model::operation::{Operation, Outcome};
use exogate_model::plan::Plan;
use exogate_model::policy::{PolicyAttribute, PolicyKind, PolicyRequest, ProvisioningPolicy};
use exogate_model::schema::{AttributeRequest, Schema};
use exogate_model::source::SourceOptions;
use exogate_sim::Scenario;
use exogate_store::Journal;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::support::{CONTOSO, Sim, Source, assert_same};

pub struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

pub struct World {
    pub sim: Sim,
    pub source: Source,
    // Signed in once; what a process knows of its changes is in the journal, not in its connections.
    tenant: Tenant,
    policy: ProvisioningPolicy,
    folder: tempfile::TempDir,
}

/// Patience of tests.
pub fn patience(deadline_ms: u64) -> Patience {
    Patience {
        first: Duration::from_millis(10),
        longest: Duration::from_millis(100),
        deadline: Duration::from_millis(deadline_ms),
    }
}

pub fn plan(text: &str) -> Plan {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn attributes(names: &[&str]) -> Vec<AttributeRequest> {
    names.iter().map(|name| AttributeRequest::Name((*name).to_owned())).collect()
}

fn settable(names: &[&str]) -> Vec<PolicyAttribute> {
    let attribute = |name: &&str| PolicyAttribute {
        name: (*name).to_owned(),
        kind: None,
        multi_valued: None,
        required: false,
        default: Default::default(),
        review_required: false,
    };
    names.iter().map(attribute).collect()
}

impl World {
    pub async fn new(scenario: Scenario) -> Self {
        let sim = Sim::of(CONTOSO, scenario).await;
        let options = SourceOptions {
            aggregate_all_groups: true,
            manage_microsoft_365_groups: true,
            ..SourceOptions::default()
        };
        let mut source = Source::new(options.clone()).await;
        let account = ["EXO_PrimarySmtpAddress", "EXO_CustomAttribute1", "EXO_ImapEnabled"];
        let context = SourceContext {
            account_schema: Schema::account(&attributes(&account), true).unwrap(),
            group_schema: Schema::group(&attributes(&["EXO_PrimarySmtpAddress", "EXO_CustomAttribute1"]))
                .unwrap(),
            options,
        };
        let request = PolicyRequest::from([
            (PolicyKind::Account, settable(&account[1..])),
            (PolicyKind::DistributionList, settable(&["EXO_CustomAttribute1"])),
        ]);
        let policy =
            ProvisioningPolicy::check(&request, &context.account_schema, &context.group_schema).unwrap();
        source.context = Arc::new(context);
        let tenant = sim.tenant(true);
        let summary = source.aggregate(&tenant).await;
        assert_eq!(summary.outcome, Aggregated::Completed, "{:#?}", summary.streams);
        Self { sim, source, tenant, policy, folder: tempfile::tempdir().unwrap() }
    }

    pub fn journal(&self) -> Journal {
        Journal::open(self.folder.path().join("x.journal"), Arc::new(Now)).unwrap()
    }

    /// As a process that has just started.
    pub fn provisioner(&self, patience: Patience) -> Provisioner {
        let (store, context) = (self.source.store.clone(), Arc::clone(&self.source.context));
        Provisioner::new(self.tenant.clone(), store, self.journal(), context, patience)
    }

    pub async fn compiled(
        &self,
        provisioner: &Provisioner,
        plan: &Plan,
    ) -> Result<Vec<Operation>, Vec<PlanError>> {
        let mut snapshot = Snapshot::of(&self.source.store, plan).await.unwrap();
        snapshot.made = provisioner.made_before(plan).await.unwrap();
        let context = &self.source.context;
        let rules = Rules {
            account_schema: &context.account_schema,
            group_schema: &context.group_schema,
            policy: &self.policy,
            options: &context.options,
        };
        compile(plan, &snapshot, rules)
    }

    pub async fn submission(&self, provisioner: &Provisioner, plan: &Plan) -> Submission {
        let operations = self.compiled(provisioner, plan).await;
        let operations = operations.unwrap_or_else(|errors| panic!("{errors:#?}"));
        Submission { plan: plan.clone(), by: "tester".into(), operations, undoes: None }
    }

    pub async fn apply(&self, provisioner: &Provisioner, plan: &Plan) -> PlanResult {
        self.apply_watched(provisioner, plan, Arc::new(Silent)).await
    }

    pub async fn apply_watched(
        &self,
        provisioner: &Provisioner,
        plan: &Plan,
        observer: Arc<dyn Observer>,
    ) -> PlanResult {
        let submission = self.submission(provisioner, plan).await;
        provisioner.apply(submission, observer, CancellationToken::new()).await.unwrap()
    }

    /// Puts back what a plan changed.
    pub async fn undo(&self, provisioner: &Provisioner, id: &str) -> PlanResult {
        let undo = provisioner.undo(id).await.unwrap();
        let submission = Submission {
            plan: Plan::default(),
            by: "tester".into(),
            operations: undo.operations,
            undoes: Some(id.to_owned()),
        };
        provisioner.apply(submission, Arc::new(Silent), CancellationToken::new()).await.unwrap()
    }

    /// How many writes took effect since the tenant began: its audit log says so.
    pub fn effects(&self) -> usize {
        self.sim.running.world().state().audit().iter().filter(|record| record.succeeded).count()
    }

    /// The store must say what a fresh reading of the tenant by somebody else says.
    pub async fn agrees(&self, what: &str) {
        let mut fresh = Source::new(self.source.context.options.clone()).await;
        fresh.context = Arc::clone(&self.source.context);
        fresh.aggregate(&self.sim.tenant(true)).await;
        assert_same(&self.source.picture().await, &fresh.picture().await, what);
    }
}

pub fn outcomes(result: &PlanResult) -> Vec<&'static str> {
    result.results.iter().map(|one| one.outcome.as_ref().map_or("open", Outcome::name)).collect()
}
