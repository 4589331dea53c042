//! `exogate group …`: make, change and delete groups, their members and their owners.

use exogate_engine::provision::snapshot::{MEMBERS, OWNERS};
use exogate_model::group::GroupKind;
use exogate_model::plan::{
    AttributeOperation, GroupOperation, GroupRequest, Op, Plan, PlanScalar, PlanValue,
};

use super::App;
use super::change::{self, Options};
use super::set;
use crate::failure::Outcome;

/// Make, change and delete groups.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a group.
    Create(CreateArgs),
    /// Change attributes of a group.
    Set(SetArgs),
    /// Delete a group.
    Delete(DeleteArgs),
    /// Add members.
    Add(ListArgs),
    /// Remove members.
    Remove(ListArgs),
    /// Add or remove owners.
    #[command(subcommand)]
    Owner(OwnerCommand),
}

#[derive(Debug, clap::Subcommand)]
enum OwnerCommand {
    /// Add owners.
    Add(ListArgs),
    /// Remove owners; the last one stays.
    Remove(ListArgs),
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// Its name.
    name: String,
    /// distributionList, mailEnabledSecurity, microsoft365 or security.
    #[arg(long)]
    kind: GroupKind,
    /// An owner; an Exchange group needs one.
    #[arg(long, value_name = "WHO")]
    owner: Vec<String>,
    /// A member.
    #[arg(long, value_name = "WHO")]
    member: Vec<String>,
    /// Its alias; made from the name if not given.
    #[arg(long)]
    alias: Option<String>,
    /// Its primary address; chosen by the service if not given.
    #[arg(long)]
    address: Option<String>,
    /// Further attributes that the policy names.
    #[arg(value_name = "NAME=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
struct SetArgs {
    /// The group: id, address or name.
    group: String,
    /// Attributes and their values.
    #[arg(value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Add a value to a multi-valued attribute.
    #[arg(long, value_name = "NAME=VALUE")]
    add: Vec<String>,
    /// Remove a value from a multi-valued attribute.
    #[arg(long, value_name = "NAME=VALUE")]
    remove: Vec<String>,
    /// Have no value.
    #[arg(long, value_name = "NAME")]
    clear: Vec<String>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
struct DeleteArgs {
    /// The group: id, address or name.
    group: String,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// The group: id, address or name.
    group: String,
    /// Accounts or groups.
    #[arg(required = true, value_name = "WHO")]
    who: Vec<String>,
    #[command(flatten)]
    options: Options,
}

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let (request, options) = match &args.command {
        Command::Create(args) => (create(args)?, &args.options),
        Command::Set(args) => {
            let attributes = set::operations(&args.set, &args.add, &args.remove, &args.clear)?;
            (modify(&args.group, attributes), &args.options)
        }
        Command::Delete(args) => {
            let operation = GroupOperation::Delete;
            (GroupRequest { operation, ..modify(&args.group, Vec::new()) }, &args.options)
        }
        Command::Add(args) => (listed(args, Op::Add, MEMBERS), &args.options),
        Command::Remove(args) => (listed(args, Op::Remove, MEMBERS), &args.options),
        Command::Owner(OwnerCommand::Add(args)) => (listed(args, Op::Add, OWNERS), &args.options),
        Command::Owner(OwnerCommand::Remove(args)) => (listed(args, Op::Remove, OWNERS), &args.options),
    };
    change::submit(app, Plan { groups: vec![request], ..Plan::default() }, options, false)
}

fn modify(group: &str, attributes: Vec<AttributeOperation>) -> GroupRequest {
    GroupRequest { group: group.to_owned(), operation: GroupOperation::Modify, kind: None, attributes }
}

fn listed(args: &ListArgs, op: Op, name: &str) -> GroupRequest {
    modify(&args.group, vec![list(op, name, &args.who)])
}

fn list(op: Op, name: &str, who: &[String]) -> AttributeOperation {
    let value = PlanValue::Many(who.iter().cloned().map(PlanScalar::Text).collect());
    AttributeOperation { op, name: name.to_owned(), value, auto_mapping: None }
}

fn create(args: &CreateArgs) -> Result<GroupRequest, crate::failure::Failure> {
    let mut attributes =
        if args.set.is_empty() { Vec::new() } else { set::operations(&args.set, &[], &[], &[])? };
    for (name, who) in [(OWNERS, &args.owner), (MEMBERS, &args.member)] {
        if !who.is_empty() {
            attributes.push(list(Op::Add, name, who));
        }
    }
    for (name, value) in [("EXO_Alias", &args.alias), ("EXO_PrimarySmtpAddress", &args.address)] {
        if let Some(value) = value {
            attributes.push(AttributeOperation {
                op: Op::Set,
                name: name.to_owned(),
                value: PlanValue::One(PlanScalar::Text(value.clone())),
                auto_mapping: None,
            });
        }
    }
    Ok(GroupRequest {
        group: args.name.clone(),
        operation: GroupOperation::Create,
        kind: Some(args.kind),
        attributes,
    })
}
