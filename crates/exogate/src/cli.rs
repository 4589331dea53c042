//! The command line: its words, groups and help. Parses; runs nothing.

use std::path::PathBuf;

use clap::{ArgAction, Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands;
use crate::exit::Exit;

/// The gateway between identity governance and Microsoft 365: reads accounts, mailboxes, groups and every right on a
/// shared mailbox.
#[derive(Debug, Parser)]
#[command(name = "exogate", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Configuration [default: ./exogate.toml, then $XDG_CONFIG_HOME/exogate/exogate.toml].
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Source to work on; not needed where there is only one.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    pub source: Option<String>,
    /// Write JSON for machines: one object a line.
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Say more on standard error: progress and what is being done (-vv: every call).
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Say nothing on standard error but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    pub quiet: bool,
    /// Write log lines as JSON.
    #[arg(long, global = true, help_heading = "Global options")]
    pub log_json: bool,
    /// When to use colour.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value_t = ColorChoice::Auto,
        hide_default_value = true,
        help_heading = "Global options"
    )]
    pub color: ColorChoice,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try everything on a simulated tenant; nothing to configure.
    Demo(commands::demo::Args),
    /// Run the simulated tenant alone, for this and other clients.
    Sim(commands::sim::Args),
    /// Write a commented exogate.toml.
    Init(commands::init::Args),
    /// Look at the configuration.
    Config(commands::config::Args),
    /// Make the certificate to sign in with.
    Certificate(commands::certificate::Args),
    /// Try sign-in, permissions and roles, one line each.
    TestConnection(commands::test_connection::Args),
    /// Show the attributes known, configured and writable.
    Schema(commands::schema::Args),
    /// Read the tenant into the store, and write what was read.
    Aggregate(commands::aggregate::Args),
    /// Show one account, group or mailbox.
    Get(commands::get::Args),
    /// Show who holds rights on a mailbox.
    Who(commands::who::Args),
    /// Show what a user can open.
    What(commands::what::Args),
    /// List the runs of a source.
    Runs(commands::runs::Args),
    /// Show what changed, how it was learnt, and who did it.
    Changes(commands::changes::Args),
    /// Show how fresh what is stored is.
    Status(commands::status::Args),
    /// Give rights on shared mailboxes.
    Grant(commands::grant::GrantArgs),
    /// Take rights on shared mailboxes.
    Revoke(commands::grant::RevokeArgs),
    /// Set mailbox attributes.
    Set(commands::set::Args),
    /// Make, change and delete groups.
    Group(commands::group::Args),
    /// Show what a plan would do.
    Plan(commands::plan::PlanArgs),
    /// Carry out a plan.
    Apply(commands::plan::ApplyArgs),
    /// Undo a plan, or one operation of it.
    Undo(commands::undo::UndoArgs),
    /// Put the rights on a mailbox back as they were.
    Restore(commands::undo::RestoreArgs),
    /// List what was done, or prove that the journal is sound.
    Operations(commands::operations::ListArgs),
    /// Show one plan or operation of the journal.
    Operation(commands::operations::ShowArgs),
    /// Serve all front doors until told to stop.
    Serve(commands::serve::Args),
    /// Show who is told of changes, and send again what could not be delivered.
    Webhooks(commands::webhooks::Args),
    /// Make, list and revoke the tokens of `exogate serve`.
    Token(commands::token::Args),
    /// Print a completion script for a shell.
    Completions(commands::completions::Args),
    /// Write the manual pages.
    #[command(hide = true)]
    Man(commands::man::Args),
}

/// The commands by purpose, as help lists them.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Begin", &["demo", "init", "certificate", "config", "test-connection"]),
    ("Read a tenant", &["aggregate", "schema", "runs", "changes", "status"]),
    ("Ask", &["who", "what", "get"]),
    (
        "Change",
        &["grant", "revoke", "set", "group", "plan", "apply", "undo", "restore", "operations", "operation"],
    ),
    ("Serve", &["serve", "token", "webhooks"]),
    ("Tools", &["sim", "completions"]),
];

const FIRST_STEPS: &str = "\
First steps:
  exogate demo                      see it work on a simulated tenant
  exogate init                      write exogate.toml, then edit it
  exogate certificate create        make a certificate, and read where to upload it
  exogate config check              find every mistake in the file at once
  exogate test-connection           check sign-in, permissions and roles
  exogate aggregate all             read the tenant
  exogate what mark.taylor@contoso.com

Examples:
  exogate aggregate accounts -o accounts.jsonl
  exogate aggregate entitlements --format csv -o entitlements.csv
  exogate who support@contoso.com --effective
  exogate get account mark.taylor@contoso.com --json
";

/// The command line with its help.
pub fn command() -> clap::Command {
    let command = Cli::command();
    let mut text = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    let width = 20;
    for (title, names) in GROUPS {
        text.push_str(&format!("\n{title}:\n"));
        for name in names {
            let about = command.find_subcommand(name).and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {name:<width$}{}\n", about.trim_end_matches('.')));
        }
    }
    text.push('\n');
    text.push_str(FIRST_STEPS);
    text.push_str("\nGlobal options:\n{options}\n\nExit codes:\n");
    for exit in Exit::ALL {
        text.push_str(&format!("  {:<5}{}\n", exit.code(), exit.meaning()));
    }
    text.push_str("\n`exogate COMMAND --help` tells more of each command.\n");
    command.help_template(text)
}

/// Parses the command line.
pub fn parse<I, T>(arguments: I) -> Result<Cli, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<std::ffi::OsString> + Clone,
{
    let matches = command().try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn help_lists_every_visible_command_once() {
        let mut listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let command = command();
        let mut visible: Vec<&str> =
            command.get_subcommands().filter(|c| !c.is_hide_set()).map(clap::Command::get_name).collect();
        listed.sort_unstable();
        visible.sort_unstable();
        assert_eq!(listed, visible);
    }
}
