//! The commands, what a caller needs to be for each, and who carries them out.

use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{Out, Stop};
use super::request::Options;
use super::{account, change, create, entitlement, lifecycle, schema, spec};
use crate::caller::{Caller, Scope};
use crate::gateway::Source;

/// A command that the door knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    TestConnection,
    AccountList,
    AccountRead,
    AccountCreate,
    AccountUpdate,
    AccountDelete,
    AccountEnable,
    AccountDisable,
    AccountDiscoverSchema,
    ChangePassword,
    EntitlementList,
    EntitlementRead,
    SpecRead,
}

/// Every command, in the order in which the specification lists them.
pub(super) const COMMANDS: [Command; 13] = [
    Command::TestConnection,
    Command::AccountList,
    Command::AccountRead,
    Command::AccountCreate,
    Command::AccountUpdate,
    Command::AccountDelete,
    Command::AccountEnable,
    Command::AccountDisable,
    Command::AccountDiscoverSchema,
    Command::ChangePassword,
    Command::EntitlementList,
    Command::EntitlementRead,
    Command::SpecRead,
];

impl Command {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TestConnection => "std:test-connection",
            Self::AccountList => "std:account:list",
            Self::AccountRead => "std:account:read",
            Self::AccountCreate => "std:account:create",
            Self::AccountUpdate => "std:account:update",
            Self::AccountDelete => "std:account:delete",
            Self::AccountEnable => "std:account:enable",
            Self::AccountDisable => "std:account:disable",
            Self::AccountDiscoverSchema => "std:account:discover-schema",
            Self::ChangePassword => "std:change-password",
            Self::EntitlementList => "std:entitlement:list",
            Self::EntitlementRead => "std:entitlement:read",
            Self::SpecRead => "std:spec:read",
        }
    }

    /// What a caller needs.
    pub(super) fn scope(self) -> Scope {
        match self {
            Self::AccountCreate
            | Self::AccountUpdate
            | Self::AccountDelete
            | Self::AccountEnable
            | Self::AccountDisable
            | Self::ChangePassword => Scope::Provision,
            _ => Scope::Read,
        }
    }
}

impl FromStr for Command {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        COMMANDS.into_iter().find(|command| command.name() == text).ok_or(())
    }
}

/// One command to be carried out.
pub(super) struct Job {
    pub(super) source: Arc<Source>,
    pub(super) caller: Caller,
    pub(super) input: Map<String, Value>,
    pub(super) options: Options,
}

/// An answer that says nothing but "done".
#[derive(Serialize)]
pub(super) struct Done {}

pub(super) async fn run(command: Command, job: &Job, out: &mut Out) -> Result<(), Stop> {
    match command {
        Command::TestConnection => schema::test_connection(job, out).await,
        Command::AccountList => account::list(job, out).await,
        Command::AccountRead => account::read(job, out).await,
        Command::AccountCreate => create::create(job, out).await,
        Command::AccountUpdate => change::update(job, out).await,
        Command::AccountDelete => lifecycle::delete(job, out).await,
        Command::AccountEnable => lifecycle::enable(job, out, true).await,
        Command::AccountDisable => lifecycle::enable(job, out, false).await,
        Command::AccountDiscoverSchema => out.output(&schema::account(&job.source)).await,
        Command::ChangePassword => lifecycle::change_password(job, out).await,
        Command::EntitlementList => entitlement::list(job, out).await,
        Command::EntitlementRead => entitlement::read(job, out).await,
        Command::SpecRead => out.output(&spec::read(&job.source)).await,
    }
}
