//! The entity interface behind the `Get-EXO*` cmdlets: sets, keys, options, pages that are followed by GET.
//!
//! Which rows there are is the business of the reading cmdlets, whose parameters the options are turned into; rights,
//! folders and statistics have files of their own.

pub mod entity;
pub mod filter;
mod folders;
mod metadata;
pub(super) mod multipart;
pub mod path;
mod permissions;
mod reply;
mod sets;
mod statistics;
pub mod types;

use http::{Method, StatusCode};

use crate::server::{Reply, Request};
use crate::world::World;

use super::answer::{self, Caller};
use super::catalogue::catalogue;
use super::error::ExchangeError;
use super::knobs::ExchangeKnobs;
use super::reader::Reader;

use path::{Resource, Step};
use reply::Answer;

/// One request to the entity interface.
struct Call<'a> {
    ctx: &'a World,
    req: &'a Request,
    knobs: &'a ExchangeKnobs,
    caller: &'a Caller,
    resource: &'a Resource,
    /// `https://host/adminapi/beta/{tenant}`.
    base: String,
    seed: u64,
    back_end: String,
}

/// Every path shape that is answered, for the coverage table: shape and what it serves.
pub const SHAPES: [(&str, &str); 24] = [
    ("Mailbox", "Get-EXOMailbox"),
    ("Mailbox('{id}')", "Get-EXOMailbox -Identity"),
    ("Mailbox('{id}')/MailboxPermission", "Get-EXOMailboxPermission"),
    ("Mailbox('{id}')/MailboxPermission('{user}')", "Get-EXOMailboxPermission -User"),
    ("Mailbox('{id}')/MailboxFolder('{folder}')/MailboxFolderPermission", "Get-EXOMailboxFolderPermission"),
    (
        "Mailbox('{id}')/MailboxFolder('{folder}')/MailboxFolderPermission('{user}')",
        "Get-EXOMailboxFolderPermission -User",
    ),
    (
        "Mailbox('{id}')/MailboxFolder/Exchange.GetMailboxFolderStatistics(folderscope)",
        "Get-EXOMailboxFolderStatistics",
    ),
    ("Mailbox('{id}')/Exchange.GetMailboxStatistics()", "Get-EXOMailboxStatistics"),
    (
        "Mailbox/Exchange.GetMailboxStatisticsV2(mailboxGuid,databaseGuid)",
        "Get-EXOMailboxStatistics -DatabaseGuid",
    ),
    ("Mailbox('{id}')/MobileDevice", "mobile devices (always none)"),
    (
        "Mailbox('{id}')/MobileDevice/Exchange.GetMobileDeviceStatistics()",
        "Get-EXOMobileDeviceStatistics (always none)",
    ),
    ("Recipient", "Get-EXORecipient; Get-EXORecipientPermission with $expand"),
    ("Recipient('{id}')", "Get-EXORecipient -Identity; Get-EXORecipientPermission with $expand"),
    ("Recipient/Exchange.BySmtpAddress(SmtpAddress)", "Get-EXORecipient by address"),
    (
        "Recipient/Exchange.GetRecipientPermissionByFilters(identity,trustee,accessRights)",
        "Get-EXORecipientPermission -Trustee",
    ),
    ("CasMailbox", "Get-EXOCasMailbox"),
    ("CasMailbox('{id}')", "Get-EXOCasMailbox -Identity"),
    ("User", "as Get-User"),
    ("UnifiedGroup", "as Get-UnifiedGroup"),
    ("DynamicDistributionGroup", "as Get-DynamicDistributionGroup"),
    ("MailboxPlan", "as Get-MailboxPlan"),
    ("RetentionPolicy", "as Get-RetentionPolicy"),
    ("RoleAssignmentPolicy", "as Get-RoleAssignmentPolicy"),
    ("SharingPolicy", "as Get-SharingPolicy"),
];

/// Answers when the resource belongs to the entity interface; `None` leaves it to others.
pub(super) fn respond(ctx: &World, req: &Request, caller: &Caller, resource: &Resource) -> Option<Reply> {
    let first = resource.steps.first()?;
    if first.is("$metadata") && resource.steps.len() == 1 {
        return Some(metadata::document(ctx, req));
    }
    let known = sets::SETS.iter().any(|set| first.is(set.name));
    if !known {
        return None;
    }
    if req.method != Method::GET && req.method != Method::HEAD {
        return Some(Reply::status(StatusCode::METHOD_NOT_ALLOWED));
    }
    let scenario = ctx.scenario();
    // The state is locked while rows are read, so what links need of it is taken before.
    let (seed, back_end) = {
        let state = ctx.state();
        (state.tenant.seed, state.tenant.server.clone())
    };
    let base = answer::base(ctx, req);
    let call = Call { ctx, req, knobs: &scenario.exchange, caller, resource, base, seed, back_end };
    Some(call.respond())
}

impl Call<'_> {
    fn respond(&self) -> Reply {
        let Some((cmdlet, work)) = self.route() else { return Reply::status(StatusCode::NOT_FOUND) };
        let allowed =
            catalogue().find(cmdlet).is_some_and(|spec| self.caller.access.may_run(spec, self.knobs));
        if !allowed {
            return answer::denied(self.ctx, self.req, self.knobs, self.caller);
        }
        match self.run(&work) {
            Ok(answer) => answer.into_reply(self),
            Err(error) => answer::error(self.ctx, self.req, self.knobs, &error),
        }
    }

    /// The cmdlet whose right is needed, and what is to be done.
    fn route(&self) -> Option<(&'static str, Work<'_>)> {
        let [first, rest @ ..] = self.resource.steps.as_slice() else { return None };
        let set = sets::SETS.iter().find(|set| first.is(set.name))?;
        let function = |name: &str| {
            rest.first().is_some_and(|step| step.is(name) || step.is(&format!("Exchange.{name}")))
        };
        Some(match (set.name, rest) {
            (_, []) => (set.cmdlet, Work::Set(set)),
            ("Mailbox", [step]) if step.is("MailboxPermission") => {
                ("Get-MailboxPermission", Work::Rights(step))
            }
            ("Mailbox", [_]) if function("GetMailboxStatistics") => {
                ("Get-MailboxStatistics", Work::Statistics)
            }
            ("Mailbox", [step]) if function("GetMailboxStatisticsV2") => {
                ("Get-MailboxStatistics", Work::StatisticsByGuid(step))
            }
            ("Mailbox", [step]) if step.is("MobileDevice") => ("Get-Mailbox", Work::NoDevices(false)),
            ("Mailbox", [step, last])
                if step.is("MobileDevice")
                    && last.name.to_ascii_lowercase().ends_with("getmobiledevicestatistics") =>
            {
                ("Get-Mailbox", Work::NoDevices(true))
            }
            ("Mailbox", [step, last]) if step.is("MailboxFolder") && last.is("MailboxFolderPermission") => {
                ("Get-MailboxFolderPermission", Work::FolderRights(step, last))
            }
            ("Mailbox", [step, last])
                if step.is("MailboxFolder")
                    && last.name.to_ascii_lowercase().ends_with("getmailboxfolderstatistics") =>
            {
                ("Get-MailboxStatistics", Work::FolderStatistics(last))
            }
            ("Recipient", [step]) if function("GetRecipientPermissionByFilters") => {
                ("Get-RecipientPermission", Work::SendAsByFilters(step))
            }
            ("Recipient" | "CasMailbox", [step]) if function("BySmtpAddress") => {
                (set.cmdlet, Work::ByAddress(set, step))
            }
            _ => return None,
        })
    }

    fn run(&self, work: &Work<'_>) -> Result<Answer, ExchangeError> {
        let state = self.ctx.state();
        let reader = Reader::new(&state, self.req.view_at, self.knobs, &self.ctx.services.exchange.sessions);
        match *work {
            Work::Set(set) => sets::read(self, &reader, set, self.key()),
            Work::ByAddress(set, step) => {
                let address = step.argument("SmtpAddress").unwrap_or_default().to_owned();
                sets::read(self, &reader, set, Some(address))
            }
            Work::Rights(step) => permissions::mailbox(self, &reader, step),
            Work::SendAsByFilters(step) => permissions::by_filters(self, &reader, step),
            Work::Statistics => statistics::mailbox(self, &reader, &self.key().unwrap_or_default()),
            Work::StatisticsByGuid(step) => {
                statistics::mailbox(self, &reader, step.argument("mailboxGuid").unwrap_or_default())
            }
            Work::FolderRights(folder, user) => folders::permissions(self, &reader, folder, user),
            Work::FolderStatistics(step) => folders::statistics(self, &reader, step),
            Work::NoDevices(statistics) => folders::no_devices(self, &reader, statistics),
        }
    }

    /// A text of the path or of an option, out of its base64 where the request says so.
    fn text(&self, given: &str) -> String {
        let encoded = self.req.query.get("isEncoded").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if encoded { entity::decoded(given) } else { given.to_owned() }
    }

    /// The identity that the first part of the path names, or the header that some clients put it in.
    fn key(&self) -> Option<String> {
        if let Some(header) = self.req.header("xparameter-identity").filter(|text| !text.is_empty()) {
            return Some(entity::decoded(header));
        }
        let key = self.resource.steps.first()?.key.as_deref()?;
        Some(self.text(key))
    }

    /// An option that is neither missing nor empty.
    fn option(&self, name: &str) -> Option<&str> {
        self.req.query.get(name).map(str::trim).filter(|value| !value.is_empty())
    }
}

/// What a path asks for.
enum Work<'a> {
    Set(&'static sets::EntitySet),
    ByAddress(&'static sets::EntitySet, &'a Step),
    Rights(&'a Step),
    SendAsByFilters(&'a Step),
    Statistics,
    StatisticsByGuid(&'a Step),
    FolderRights(&'a Step, &'a Step),
    FolderStatistics(&'a Step),
    NoDevices(bool),
}
