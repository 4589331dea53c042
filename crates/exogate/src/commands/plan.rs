//! `exogate plan` and `exogate apply`: a file of account requests and group requests.

use std::path::{Path, PathBuf};

use exogate_model::plan::Plan;

use super::App;
use super::change::{self, Options};
use crate::failure::{Failure, Outcome};

const SHAPE: &str = "\
The file is JSON or YAML:

  key: joiner-4711                  # optional: the same key is the same request
  requested_by: governance          # optional: for the journal
  accounts:
    - account: kim@contoso.com
      attributes:
        - { op: add, name: sharedMailbox, value: 'O365Support: FullAccess', auto_mapping: false }
        - { op: set, name: EXO_CustomAttribute1, value: Sales }
  groups:
    - group: Sales Team
      operation: create             # create, modify or delete
      kind: distributionList
      attributes:
        - { op: add, name: owners, value: kim@contoso.com }
        - { op: add, name: members, value: [lee@contoso.com, kim@contoso.com] }";

/// Show what a plan would do, with every call; nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = SHAPE)]
pub struct PlanArgs {
    /// The plan.
    file: PathBuf,
}

/// Carry out a plan: show, ask, do, verify.
#[derive(Debug, clap::Args)]
#[command(after_help = SHAPE)]
pub struct ApplyArgs {
    /// The plan.
    file: PathBuf,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    options: Options,
}

/// Runs `plan`.
pub fn plan(args: &PlanArgs, app: &App) -> Outcome {
    let plan = read(&app.environment.absolute(&args.file))?;
    let options = Options { dry_run: true, reviewed: false, key: None, wait: 0 };
    change::submit(app, plan, &options, false)
}

/// Runs `apply`.
pub fn apply(args: &ApplyArgs, app: &App) -> Outcome {
    let plan = read(&app.environment.absolute(&args.file))?;
    change::submit(app, plan, &args.options, !args.yes)
}

fn read(path: &Path) -> Result<Plan, Failure> {
    let doing = format!("cannot read the plan {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| Failure::usage(error).context(doing.clone()))?;
    parse(&text).map_err(|why| Failure::usage(why).context(doing))
}

/// JSON is told by its first character, so that its mistakes are told as mistakes of JSON.
fn parse(text: &str) -> Result<Plan, String> {
    let plan: Plan = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())?
    };
    if plan.is_empty() {
        Err("it asks for nothing: neither accounts nor groups".to_owned())
    } else {
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exogate_model::plan::{Op, PlanScalar};

    #[test]
    fn both_forms_say_the_same() {
        let yaml = SHAPE.split_once("YAML:\n\n").unwrap().1;
        let from_yaml = parse(yaml).unwrap();
        let json = serde_json::to_string_pretty(&from_yaml).unwrap();
        assert_eq!(parse(&json).unwrap(), from_yaml);
        let attributes = &from_yaml.accounts[0].attributes;
        assert_eq!((attributes[0].op, attributes[0].auto_mapping), (Op::Add, Some(false)));
        assert_eq!(attributes[1].value.scalars(), [PlanScalar::Text("Sales".into())]);
        assert_eq!(from_yaml.groups[0].attributes[1].value.scalars().len(), 2);
    }

    #[test]
    fn mistakes_are_told() {
        assert!(parse("accounts: [{account: kim, attributess: []}]").unwrap_err().contains("attributess"));
        assert!(parse("{\"accounts\": 3}").is_err());
        assert!(parse("requested_by: me").unwrap_err().contains("nothing"));
    }
}
