//! A tenant, what a source has stored of it, and a journal that outlives the provisioners on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use exogate_engine::aggregate::Outcome as Aggregated;
use exogate_engine::provision::{
    Observer, Patience, PlanError, PlanResult, ProvisionError, Provisioner, Rules, Secrets, Silent, Snapshot,
    Submission, compile,
};
use exogate_engine::{SourceContext, Tenant};
use exogate_model::clock::Clock;
use exogate_model::operation::{Operation, Outcome};
use exogate_model::plan::Plan;
use exogate_model::policy::{PolicyAttribute, PolicyKind, PolicyRequest, ProvisioningPolicy};
use exogate_model::schema::{AttributeRequest, Schema};
use exogate_model::source::SourceOptions;
use exogate_sim::{AppSpec, Scenario};
use exogate_store::Journal;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::support::{CONTOSO, Sim, Source, assert_same};
use crate::writes;

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
    numbers: AtomicU32,
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
        let mut app = AppSpec::exogate();
        app.roles.push("User-PasswordProfile.ReadWrite.All".into());
        app.directory_roles.push("User Administrator".into());
        let sim = Sim::with_app(CONTOSO, scenario, app).await;
        let options = SourceOptions {
            aggregate_all_groups: true,
            manage_microsoft_365_groups: true,
            manage_users: true,
            delete_users: true,
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
        Self { sim, source, tenant, policy, folder: tempfile::tempdir().unwrap(), numbers: AtomicU32::new(0) }
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
        snapshot.earlier = provisioner.earlier_effects(plan).await.unwrap();
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
        self.submit(provisioner, submission, observer).await.unwrap()
    }

    /// Carries out what was compiled, with a password beside it for whoever is to get one.
    pub async fn submit(
        &self,
        provisioner: &Provisioner,
        submission: Submission,
        observer: Arc<dyn Observer>,
    ) -> Result<PlanResult, ProvisionError> {
        let secrets = match submission.plan.users.first() {
            Some(request) => Secrets::password(&request.user, "An0ther!Secret".to_owned().into()),
            None => Secrets::default(),
        };
        provisioner.apply_with(submission, secrets, observer, CancellationToken::new()).await
    }

    /// A write as a plan of its own, after what it needs was done.
    pub async fn prepared(&self, text: &str) -> Plan {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let text = text.replace('%', &number.to_string());
        if let Some(before) = writes::before(&text) {
            let made = self.apply(&self.provisioner(patience(2000)), &plan(&before)).await;
            assert!(made.is_success(), "{made:#?}");
        }
        // The directory dates to the second: what follows must be seen to come later.
        self.sim.running.world().clock.advance(Duration::from_secs(2));
        plan(&text)
    }

    /// Puts back what a plan changed, or makes sure that nobody promises to.
    pub async fn undo(&self, provisioner: &Provisioner, id: &str, for_good: Option<&str>, what: &str) {
        let undo = provisioner.undo(id).await.unwrap();
        if let Some(why) = for_good {
            assert!(undo.operations.is_empty() && undo.left_out[0].contains(why), "{what}: {undo:#?}");
            return;
        }
        let submission = Submission {
            plan: Plan::default(),
            by: "tester".into(),
            operations: undo.operations,
            undoes: Some(id.to_owned()),
        };
        let undone = self.submit(provisioner, submission, Arc::new(Silent)).await.unwrap();
        assert!(!undone.results.is_empty() && undone.is_success(), "{what}: {undone:#?}");
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
