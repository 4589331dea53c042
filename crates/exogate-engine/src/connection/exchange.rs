//! What Exchange must allow: the application permission, a role, and each cmdlet that the
//! configured features run.

use exogate_microsoft::exchange::{Cmdlet, ExchangeClient, ExportedCmdlets};
use exogate_microsoft::{ErrorKind, WireError};
use exogate_model::mailbox::MailboxKind;

use super::{Area, Check, Told, Verdict, host, is_about_the_host};
use crate::aggregate::{Scope, StreamKind};
use crate::tenant::{SourceContext, Tenant};

const PERMISSION: &str = "application permission Exchange.ManageAsApp";
const ROLE: &str = "Exchange role";
const LISTING: &str = "Get-RecipientPermission for the whole tenant";

const GRANT_ROLE: &str = "In the Entra admin center, Roles and administrators, assign Exchange Recipient Administrator \
                          to the application's service principal (Global Reader reads mailboxes, but not who may \
                          send as them). A new role takes up to an hour to be seen.";

pub(super) async fn test(tenant: &Tenant, context: &SourceContext, signed_in: bool, told: &mut Told<'_>) {
    let Some(exchange) = &tenant.exchange else { return };
    let host = host(&tenant.caller.endpoints().exchange);
    if !signed_in {
        told.add_host(&host, |what| Check::skipped(Area::Exchange, what));
        told.add(Check::skipped(Area::Exchange, PERMISSION));
        told.add(Check::skipped(Area::Exchange, ROLE));
        return;
    }
    // The probe decides; the list of cmdlets only says more about a failure.
    let probe = exchange.invoke(&Cmdlet::new("Get-Mailbox").number("ResultSize", 1)).await;
    if let Err(error) = &probe
        && is_about_the_host(error)
    {
        told.add(Check::failed(Area::Exchange, format!("host {host}"), error.clone()));
        told.add(Check::skipped(Area::Exchange, PERMISSION));
        told.add(Check::skipped(Area::Exchange, ROLE));
        return;
    }
    told.add_host(&host, |what| Check::passed(Area::Exchange, what, None));
    match probe {
        Err(error) if error.kind == ErrorKind::Unauthorized => {
            told.add(Check::failed(Area::Exchange, PERMISSION, error).remedied(
                "In the Entra admin center, App registrations > your application > API permissions, add the \
                 application permission Office 365 Exchange Online > Exchange.ManageAsApp and grant admin consent.",
            ));
            told.add(Check::skipped(Area::Exchange, ROLE));
            return;
        }
        Err(error) if error.kind == ErrorKind::Forbidden => {
            told.add(Check::passed(Area::Exchange, PERMISSION, None));
            told.add(Check::failed(Area::Exchange, ROLE, error).remedied(GRANT_ROLE));
            return;
        }
        Err(error) => {
            told.add(Check::failed(Area::Exchange, "Get-Mailbox", error));
            return;
        }
        Ok(_) => {
            told.add(Check::passed(Area::Exchange, PERMISSION, None));
            told.add(Check::passed(Area::Exchange, ROLE, None));
        }
    }
    let exported = exchange.exported_cmdlets().await;
    told.add(cmdlet("Get-Mailbox", &exported, Ok(())));
    for stream in Scope::All.streams(context, true) {
        if let Some(name) = listing(stream) {
            let probe = exchange.invoke(&Cmdlet::new(name).number("ResultSize", 1)).await;
            told.add(cmdlet(name, &exported, probe.map(drop)));
        }
    }
    if !context.governed_kinds().is_empty() {
        permissions(exchange, context, &exported, told).await;
    }
}

/// The cmdlet of a stream that lists objects, beside the one that was the first probe.
fn listing(stream: StreamKind) -> Option<&'static str> {
    match stream {
        StreamKind::CasMailboxes => Some("Get-CASMailbox"),
        StreamKind::DistributionGroups => Some("Get-DistributionGroup"),
        StreamKind::Microsoft365Groups => Some("Get-UnifiedGroup"),
        StreamKind::DynamicGroups => Some("Get-DynamicDistributionGroup"),
        _ => None,
    }
}

/// The two cmdlets that read rights, on one governed mailbox.
async fn permissions(
    exchange: &ExchangeClient,
    context: &SourceContext,
    exported: &Result<ExportedCmdlets, WireError>,
    told: &mut Told<'_>,
) {
    const MAILBOX: &str = "Get-MailboxPermission";
    const RECIPIENT: &str = "Get-RecipientPermission";
    let listing = exchange.invoke(&Cmdlet::new(RECIPIENT).number("ResultSize", 1)).await.map(drop);
    let mailbox = match governed(exchange, context).await {
        Ok(mailbox) => mailbox,
        Err(error) => {
            told.add(Check::failed(Area::Exchange, "a mailbox to try permissions on", error));
            return;
        }
    };
    let Some(mailbox) = mailbox else {
        for name in [MAILBOX, RECIPIENT] {
            told.add(Check {
                detail: Some("the tenant has no mailbox of a governed kind to try it on".to_owned()),
                ..named(name, exported)
            });
        }
        return;
    };
    let on = |name| Cmdlet::new(name).text("Identity", &mailbox);
    told.add(cmdlet(MAILBOX, exported, exchange.invoke(&on(MAILBOX)).await.map(drop)));
    let singly = exchange.invoke(&on(RECIPIENT)).await.map(drop);
    match (listing, singly) {
        (Ok(()), _) => {
            told.add(cmdlet(RECIPIENT, exported, Ok(())));
            told.add(Check::passed(Area::Exchange, LISTING, None));
        }
        (Err(error), Ok(())) => {
            told.add(cmdlet(RECIPIENT, exported, Ok(())));
            told.add(Check::warning(
                Area::Exchange,
                LISTING,
                error.to_string(),
                "Nothing is lost: each mailbox is asked singly, which takes longer. The role Mail Recipients, part \
                 of Exchange Recipient Administrator, allows the listing.",
            ));
        }
        (Err(_), Err(error)) => told.add(cmdlet(RECIPIENT, exported, Err(error))),
    }
}

/// The id of some mailbox whose rights are entitlements.
async fn governed(exchange: &ExchangeClient, context: &SourceContext) -> Result<Option<String>, WireError> {
    let kinds = context.governed_kinds();
    let cmdlet = Cmdlet::new("Get-Mailbox")
        .texts("RecipientTypeDetails", kinds.iter().map(MailboxKind::recipient_type_details))
        .number("ResultSize", 1)
        .select(["ExternalDirectoryObjectId", "Guid"]);
    let answer = exchange.invoke(&cmdlet).await?;
    Ok(answer.records.first().and_then(|record| record.id().or(record.exchange_guid())).map(str::to_owned))
}

/// A cmdlet by its probe.
fn cmdlet(name: &str, exported: &Result<ExportedCmdlets, WireError>, probe: Result<(), WireError>) -> Check {
    let what = format!("cmdlet {name}");
    match probe {
        Ok(()) => Check::passed(Area::Exchange, what, None),
        Err(error) => {
            let hidden = exported.as_ref().is_ok_and(|list| !list.contains(name));
            let missing = hidden || matches!(error.kind, ErrorKind::Forbidden | ErrorKind::Unauthorized);
            let check = Check::failed(Area::Exchange, what, error);
            if missing { check.remedied(role_for(name)) } else { check }
        }
    }
}

/// A cmdlet that could not be tried, by the list of those the application may run.
fn named(name: &str, exported: &Result<ExportedCmdlets, WireError>) -> Check {
    let what = format!("cmdlet {name}");
    match exported {
        Ok(list) if list.contains(name) => Check::passed(Area::Exchange, what, None),
        Ok(_) => Check {
            area: Area::Exchange,
            what,
            verdict: Verdict::Failed { remedy: role_for(name), error: None },
            detail: None,
        },
        Err(_) => Check::skipped(Area::Exchange, what),
    }
}

fn role_for(name: &str) -> String {
    match name {
        "Get-RecipientPermission" => format!(
            "{name} is part of the Exchange role Mail Recipients, which view-only roles and Global Reader lack. {GRANT_ROLE}"
        ),
        _ => GRANT_ROLE.to_owned(),
    }
}
