//! What all changing commands share: compile, show, ask, carry out, tell.
//!
//! A plan is shown before anything is written; its journal is beside the store.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use exogate_engine::provision::{
    Observer, OperationResult, Patience, PlanError, PlanResult, ProvisionError, Provisioner, Rules, Silent,
    Snapshot, Step, Submission, call::call, compile,
};
use exogate_model::count::counted;
use exogate_model::operation::{Operation, Outcome as Ended, TargetKind};
use exogate_model::plan::Plan;
use exogate_store::{Journal, SourceStore};
use futures::future::BoxFuture;
use serde_json::json;

use super::App;
use crate::config::{Config, Source};
use crate::connect;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// What every changing command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Carry out what the policy marks for review: a person has confirmed it.
    #[arg(long)]
    pub reviewed: bool,
    /// Idempotency key: the same key is the same request, carried out once.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Seconds to wait for a write to become visible.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub wait: u64,
}

/// A source with everything that changing it needs.
pub struct Changing {
    pub store: SourceStore,
    pub provisioner: Provisioner,
    source: Source,
    bypass: bool,
}

/// Opens store and journal, and settles what an interrupted process left.
pub async fn open(app: &App, config: &Config, source: &Source, wait: u64) -> Result<Changing, Failure> {
    let store = connect::stored_source(config, source, &app.environment).await?;
    let tenant = connect::tenant(source, &app.environment)?;
    let bypass = source.options.bypass_security_group_manager_check && tenant.caller.username().is_none();
    let journal = journal(app, config)?;
    let patience = Patience { deadline: Duration::from_secs(wait), ..Patience::default() };
    let context = Arc::new(connect::context(source));
    let provisioner = Provisioner::new(tenant, store.clone(), journal, context, patience);
    Ok(Changing { store, provisioner, source: source.clone(), bypass })
}

/// The journal beside the store.
pub fn journal(app: &App, config: &Config) -> Result<Journal, Failure> {
    Journal::open(Journal::beside(&config.store), Arc::clone(&app.environment.clock))
        .map_err(connect::from_store)
}

/// How a plan that cannot be carried out as a whole ends a command.
pub fn from_provision(error: ProvisionError) -> Failure {
    match error {
        ProvisionError::Store(error) => connect::from_store(error),
        ProvisionError::Tenant(error) => {
            let (exit, remedy) = (connect::exit_of(&error), error.remedy().to_owned());
            Failure::new(exit, error)
                .context("nothing was written, because the tenant could not be read")
                .hint(remedy)
        }
        ProvisionError::UnderWay { .. } => Failure::new(Exit::Busy, error),
        other => Failure::new(Exit::Usage, other),
    }
}

/// Who asks, for the journal.
pub fn requester(app: &App, plan: &Plan) -> String {
    plan.requested_by.clone().unwrap_or_else(|| format!("{}@{}", app.environment.user, app.environment.host))
}

/// Compiles a plan and does with it what the options say; `ask`: only after a yes.
pub fn submit(app: &App, plan: Plan, options: &Options, ask: bool) -> Outcome {
    let config = app.config()?;
    let source = config.source(app.global.source.as_deref())?;
    app.block_on(async {
        let changing = open(app, &config, source, options.wait).await?;
        changing.submit(app, plan, options, ask).await
    })
}

impl Changing {
    /// Compiles a plan and does with it what the options say.
    pub async fn submit(&self, app: &App, mut plan: Plan, options: &Options, ask: bool) -> Outcome {
        plan.key = options.key.clone().or(plan.key);
        if !options.dry_run {
            self.recover(app).await?;
            if let Some(earlier) = self.provisioner.earlier(&plan).await.map_err(from_provision)? {
                return tell(app, &earlier);
            }
        }
        let operations = self.compile(app, &plan).await?;
        let by = requester(app, &plan);
        let submission = Submission { plan, by, operations, undoes: None };
        self.carry_out(app, submission, options, ask).await
    }

    /// Settles what an interrupted process left, and tells of it.
    pub async fn recover(&self, app: &App) -> Result<(), Failure> {
        for settled in self.provisioner.recover(&Silent).await.map_err(from_provision)? {
            app.console.note(&format!(
                "Plan {} had been interrupted; what was open is settled: `exogate operation {}`",
                settled.plan, settled.plan
            ));
        }
        Ok(())
    }

    /// The operations of a plan, or every reason why it is refused.
    pub async fn compile(&self, app: &App, plan: &Plan) -> Result<Vec<Operation>, Failure> {
        let mut snapshot = Snapshot::of(&self.store, plan).await.map_err(connect::from_store)?;
        snapshot.earlier = self.provisioner.earlier_effects(plan).await.map_err(from_provision)?;
        let rules = Rules {
            account_schema: &self.source.account_schema,
            group_schema: &self.source.group_schema,
            policy: &self.source.policy,
            options: &self.source.options,
        };
        compile(plan, &snapshot, rules).map_err(|errors| refused(app, &errors))
    }

    /// Shows, asks, carries out, tells.
    pub async fn carry_out(
        &self,
        app: &App,
        submission: Submission,
        options: &Options,
        ask: bool,
    ) -> Outcome {
        let operations = &submission.operations;
        if options.dry_run || ask {
            self.show(app, operations, options.dry_run)?;
        }
        if options.dry_run {
            return Ok(Exit::Done);
        }
        if operations.is_empty() {
            app.console.note("Nothing is to be done.");
            return Ok(Exit::Done);
        }
        let review: Vec<&Operation> = operations.iter().filter(|operation| operation.review).collect();
        if !review.is_empty() && !options.reviewed {
            let what =
                format!("{} of {} must be reviewed", review.len(), counted(operations.len(), "operation"));
            if !(ask || app.environment.stderr_terminal) || !confirm(app, &format!("{what}. Confirm them?"))?
            {
                return Err(Failure::usage(what).hint(
                    "look at them with --dry-run, then confirm with --reviewed; nothing was carried out",
                ));
            }
        } else if ask && !confirm(app, &format!("Carry out {}?", counted(operations.len(), "operation")))? {
            return Err(Failure::usage("not confirmed; nothing was carried out").hint("confirm with --yes"));
        }
        let total = operations.len();
        let guard = app.interrupts.gracefully("Stopping: what was begun comes to its end …");
        let observer: Arc<dyn Observer> = Arc::new(Progress::new(app, total));
        let result =
            self.provisioner.apply(submission, observer, guard.token()).await.map_err(from_provision)?;
        let interrupted = guard.token().is_cancelled() && !result.is_success();
        let exit = tell(app, &result)?;
        Ok(if interrupted { Exit::Interrupted } else { exit })
    }

    /// Shows operations: what changes, and the call that does it.
    pub fn show(&self, app: &App, operations: &[Operation], on_stdout: bool) -> Result<(), Failure> {
        let shown = |operation: &Operation| call(&operation.target, &operation.action, self.bypass).shown();
        if app.global.json {
            if on_stdout {
                for operation in operations {
                    let mut line = json!({ "operation": operation, "command": shown(operation) });
                    if let Some(object) = line.as_object_mut() {
                        object.insert("already".into(), operation.already.into());
                    }
                    app.console.print(&line.to_string())?;
                }
            }
            return Ok(());
        }
        let mut text = String::new();
        let (review, plain): (Vec<&Operation>, Vec<&Operation>) = operations.iter().partition(|o| o.review);
        for (title, list) in [("", plain), ("To be reviewed:\n", review)] {
            if list.is_empty() {
                continue;
            }
            text.push_str(title);
            for operation in list {
                let so = if operation.already { "  (already so)" } else { "" };
                let target = &operation.target;
                let kind = kind(target.kind);
                text.push_str(&format!("{}. {kind} {}{so}\n", operation.number, target.name));
                for line in &operation.shown {
                    text.push_str(&format!("   {}: {} → {}\n", line.what, line.before, line.after));
                }
                text.push_str(&format!("   {}\n", shown(operation)));
            }
        }
        let already = operations.iter().filter(|operation| operation.already).count();
        text.push_str(&format!(
            "{}, {already} of them already so.\n",
            counted(operations.len(), "operation")
        ));
        match on_stdout {
            true => app.console.print(&text)?,
            false => app.console.note(text.trim_end()),
        }
        Ok(())
    }
}

fn kind(kind: TargetKind) -> String {
    match kind {
        TargetKind::Mailbox => "mailbox".to_owned(),
        TargetKind::User => "user".to_owned(),
        TargetKind::Group(kind) => format!("{kind} group"),
    }
}

fn refused(app: &App, errors: &[PlanError]) -> Failure {
    if app.global.json {
        for error in errors {
            // Told again on standard error; a reader that went away is no further trouble.
            let _ = app.console.print(&json!({ "error": error }).to_string());
        }
    }
    let requests = counted(errors.len(), "request");
    Failure::usage(format!("{requests} cannot be carried out; nothing was attempted"))
        .details(errors.iter().map(ToString::to_string))
}

fn confirm(app: &App, question: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    let _ = app;
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Tells how a plan ended, and what exit code that is.
pub fn tell(app: &App, result: &PlanResult) -> Outcome {
    if app.global.json {
        for one in &result.results {
            let mut line = serde_json::to_value(one).map_err(|error| Failure::new(Exit::Failed, error))?;
            if let Some(object) = line.as_object_mut() {
                object.insert("plan".into(), result.plan.clone().into());
                object.insert("repeated".into(), result.repeated.into());
            }
            app.console.print(&line.to_string())?;
        }
    } else {
        app.console.print(&result_text(result))?;
    }
    Ok(exit_of(result))
}

/// The exit code of a result.
pub fn exit_of(result: &PlanResult) -> Exit {
    if result.is_success() {
        Exit::Done
    } else if result.is_failure() {
        Exit::Failed
    } else {
        Exit::Partly
    }
}

fn result_text(result: &PlanResult) -> String {
    let mut text = String::new();
    for OperationResult { operation, outcome, .. } in &result.results {
        let state = outcome.as_ref().map_or("no end yet", Ended::name);
        let target = &operation.target;
        for line in &operation.shown {
            text.push_str(&format!(
                "{}.{}  {}  {}: {}  {state}\n",
                result.plan, operation.number, target.name, line.what, line.after
            ));
        }
        if let Some(why) = outcome.as_ref().and_then(Ended::why) {
            text.push_str(&format!("    {why}\n"));
        }
    }
    let good =
        result.results.iter().filter(|one| one.outcome.as_ref().is_some_and(Ended::is_success)).count();
    let again = if result.repeated { " (the result of the earlier request with this key)" } else { "" };
    text.push_str(&format!("plan {}: {good} of {} as asked{again}\n", result.plan, result.results.len()));
    if good < result.results.len() {
        text.push_str("Apply it again to do only what is missing.\n");
    }
    text
}

/// Tells on a terminal how far it is.
struct Progress {
    bar: Option<indicatif::ProgressBar>,
}

impl Progress {
    fn new(app: &App, total: usize) -> Self {
        let bar = app.console.shows_progress().then(|| {
            let bar = indicatif::ProgressBar::new(total as u64);
            match indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { bar }
    }
}

impl Observer for Progress {
    fn reached(&self, step: Step) -> BoxFuture<'_, ()> {
        let message = match step {
            Step::Verifying(_) => "waiting until it is visible",
            Step::Queued(_) => "waiting for another plan on the same object",
            _ => "",
        };
        if let (Some(bar), false) = (&self.bar, message.is_empty()) {
            bar.set_message(message);
        }
        Box::pin(std::future::ready(()))
    }

    fn ended(&self, _: u32, _: &Ended) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
