//! `exogate set`: attributes of one account's mailbox.

use exogate_model::plan::{AccountRequest, AttributeOperation, Op, Plan, PlanScalar, PlanValue};

use super::App;
use super::change::{self, Options};
use crate::failure::{Failure, Outcome};

/// Set mailbox attributes that the provisioning policy names.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  exogate set kim@contoso.com EXO_CustomAttribute1=Sales EXO_HiddenFromAddressListsEnabled=true
  exogate set O365Support --add EXO_EmailAddresses=smtp:help@contoso.com
  exogate set kim@contoso.com --clear EXO_CustomAttribute1")]
pub struct Args {
    /// The account, or its mailbox: user name, address, id or label.
    account: String,
    /// Attributes and their values; several values of one attribute are given one by one.
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

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let attributes = operations(&args.set, &args.add, &args.remove, &args.clear)?;
    let account = args.account.clone();
    let plan = Plan { accounts: vec![AccountRequest { account, attributes }], ..Plan::default() };
    change::submit(app, plan, &args.options, false)
}

/// Attribute operations as a command line writes them.
pub fn operations(
    set: &[String],
    add: &[String],
    remove: &[String],
    clear: &[String],
) -> Result<Vec<AttributeOperation>, Failure> {
    let mut operations: Vec<AttributeOperation> = Vec::new();
    for (op, given) in [(Op::Set, set), (Op::Add, add), (Op::Remove, remove)] {
        for text in given {
            let Some((name, value)) = text.split_once('=') else {
                return Err(Failure::usage(format!("{text:?} is not of the form NAME=VALUE")));
            };
            put(&mut operations, op, name.trim(), value);
        }
    }
    for name in clear {
        operations.push(AttributeOperation {
            op: Op::Set,
            name: name.clone(),
            value: PlanValue::None,
            auto_mapping: None,
        });
    }
    if operations.is_empty() {
        return Err(Failure::usage("no attribute is given; write NAME=VALUE, --add, --remove or --clear"));
    }
    Ok(operations)
}

fn put(operations: &mut Vec<AttributeOperation>, op: Op, name: &str, value: &str) {
    let value = PlanScalar::Text(value.to_owned());
    let same = |one: &&mut AttributeOperation| one.op == op && one.name.eq_ignore_ascii_case(name);
    match operations.iter_mut().find(same) {
        Some(known) => {
            let mut values = known.value.scalars().to_vec();
            values.push(value);
            known.value = PlanValue::Many(values);
        }
        None => operations.push(AttributeOperation {
            op,
            name: name.to_owned(),
            value: PlanValue::One(value),
            auto_mapping: None,
        }),
    }
}
