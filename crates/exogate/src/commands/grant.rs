//! `exogate grant` and `exogate revoke`: one or several rights for a user or a mail-enabled security group.

use exogate_model::account::SHARED_MAILBOX;
use exogate_model::plan::{
    AccountRequest, AttributeOperation, GroupOperation, GroupRequest, Op, Plan, PlanScalar, PlanValue,
};
use exogate_store::{Found, SourceStore};

use super::App;
use super::change::{self, Options};
use crate::connect;
use crate::failure::{Failure, Outcome};

/// Give rights on shared mailboxes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  exogate grant 'O365Support: FullAccess' 'O365Support: SendAs' --to kim@contoso.com
  exogate grant 'O365Support: FullAccess' --to kim@contoso.com --auto-mapping=false
  exogate grant 'O365Support: FullAccess' --to 'Support Team' --dry-run")]
pub struct GrantArgs {
    /// The rights, as `exogate aggregate entitlements` names them.
    #[arg(required = true, value_name = "MAILBOX: RIGHT")]
    entitlements: Vec<String>,
    /// The user or mail-enabled security group.
    #[arg(long, value_name = "WHO")]
    to: String,
    /// Whether Outlook opens the mailbox by itself; only with FullAccess, and Exchange's default is true.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    auto_mapping: Option<bool>,
    #[command(flatten)]
    options: Options,
}

/// Take rights on shared mailboxes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  exogate revoke 'O365Support: FullAccess' --from kim@contoso.com")]
pub struct RevokeArgs {
    /// The rights, as `exogate aggregate entitlements` names them.
    #[arg(required = true, value_name = "MAILBOX: RIGHT")]
    entitlements: Vec<String>,
    /// The user or mail-enabled security group.
    #[arg(long, value_name = "WHO", visible_alias = "to")]
    from: String,
    #[command(flatten)]
    options: Options,
}

/// Runs `grant`.
pub fn grant(args: &GrantArgs, app: &App) -> Outcome {
    run(app, &args.entitlements, &args.to, (Op::Add, args.auto_mapping), &args.options)
}

/// Runs `revoke`.
pub fn revoke(args: &RevokeArgs, app: &App) -> Outcome {
    run(app, &args.entitlements, &args.from, (Op::Remove, None), &args.options)
}

fn run(
    app: &App,
    entitlements: &[String],
    who: &str,
    (op, auto_mapping): (Op, Option<bool>),
    options: &Options,
) -> Outcome {
    let config = app.config()?;
    let source = config.source(app.global.source.as_deref())?;
    let operation = AttributeOperation {
        op,
        name: SHARED_MAILBOX.to_owned(),
        value: PlanValue::Many(entitlements.iter().cloned().map(PlanScalar::Text).collect()),
        auto_mapping,
    };
    app.block_on(async {
        let changing = change::open(app, &config, source, options.wait).await?;
        let plan = for_whom(&changing.store, who, operation).await?;
        changing.submit(app, plan, options, false).await
    })
}

/// A request for the account of this name, or else for the group.
async fn for_whom(store: &SourceStore, who: &str, operation: AttributeOperation) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    let attributes = vec![operation];
    let account = store.account(who).await.map_err(connect::from_store)?;
    let group = match account {
        Found::Nothing { .. } => store.group(who).await.map_err(connect::from_store)?,
        _ => Found::Nothing { nearest: None },
    };
    match group {
        Found::Nothing { .. } => plan.accounts.push(AccountRequest { account: who.to_owned(), attributes }),
        _ => plan.groups.push(GroupRequest {
            group: who.to_owned(),
            operation: GroupOperation::Modify,
            kind: None,
            attributes,
        }),
    }
    Ok(plan)
}
