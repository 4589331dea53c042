//! Rights on a mailbox as Exchange shows them, and whom it means by a trustee.

use exogate_microsoft::exchange::{Cmdlet, ExchangeClient};
use exogate_microsoft::{ErrorKind, Service, WireError};
use exogate_model::operation::{Image, Party, Target};
use exogate_model::right::Right;
use exogate_model::trustee::Trustee;
use std::collections::BTreeSet;

use super::Seen;
use crate::read::grants::{self, Fact};

pub(super) async fn permissions<'a>(
    exchange: &ExchangeClient,
    target: &Target,
    seen: &'a mut Seen,
) -> Result<&'a [Fact], WireError> {
    if seen.permissions.is_none() {
        let cmdlet =
            Cmdlet::new("Get-MailboxPermission").text("Identity", &target.id).text("ResultSize", "Unlimited");
        seen.permissions = Some(facts(&cmdlet, exchange).await?);
    }
    Ok(seen.permissions.as_deref().unwrap_or_default())
}

pub(super) async fn send_as<'a>(
    exchange: &ExchangeClient,
    target: &Target,
    seen: &'a mut Seen,
) -> Result<&'a [Fact], WireError> {
    if seen.send_as.is_none() {
        let cmdlet = Cmdlet::new("Get-RecipientPermission")
            .text("Identity", &target.id)
            .text("ResultSize", "Unlimited");
        seen.send_as = Some(facts(&cmdlet, exchange).await?);
    }
    Ok(seen.send_as.as_deref().unwrap_or_default())
}

async fn facts(cmdlet: &Cmdlet, exchange: &ExchangeClient) -> Result<Vec<Fact>, WireError> {
    let answer = exchange.invoke(cmdlet).await?;
    let protocol = |error: crate::read::Unreadable| {
        WireError::new(ErrorKind::Protocol, Service::Exchange, cmdlet.name()).with_message(error.to_string())
    };
    if cmdlet.name() == "Get-MailboxPermission" {
        return grants::mailbox_permissions(&answer.records).map_err(protocol);
    }
    let rows = grants::recipient_permissions(&answer.records).map_err(protocol)?;
    Ok(rows.into_iter().flatten().collect())
}

pub(super) fn held(facts: &[Fact], trustee: &Party, rights: &[Right]) -> Vec<Right> {
    let holds = |right: &Right| {
        facts.iter().any(|(held, who, deny, inherited)| {
            held == right && !deny && !inherited && is_party(who, trustee)
        })
    };
    let mut held: Vec<Right> = rights.iter().filter(|right| holds(right)).cloned().collect();
    held.sort();
    held
}

/// Whether a rendered trustee is this party. Identifiers decide where both are of one domain; names
/// decide otherwise.
pub(super) fn is_party(trustee: &Trustee, party: &Party) -> bool {
    let domain = |sid: &str| sid.rsplit_once('-').map(|(domain, _)| domain.to_ascii_lowercase());
    if let (Some(a), Some(b)) = (trustee.sid.as_deref(), party.sid.as_deref()) {
        if a.eq_ignore_ascii_case(b) {
            return true;
        }
        if domain(a) == domain(b) {
            return false;
        }
    }
    is_named(&trustee.text, party)
}

pub(super) fn is_named(text: &str, party: &Party) -> bool {
    let same = |name: &str| !name.is_empty() && name.eq_ignore_ascii_case(text.trim());
    same(&party.id)
        || same(&party.name)
        || same(&party.address)
        || party.sid.as_deref().is_some_and(same)
        || party.known_as.iter().any(|name| same(name))
}

pub(super) fn named<'a>(texts: &[String], parties: impl Iterator<Item = &'a Party>) -> Image {
    let mut present: Vec<String> = Vec::new();
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for party in parties {
        for text in texts.iter().filter(|text| is_named(text, party)) {
            known.insert(text);
            if !present.contains(&party.id) {
                present.push(party.id.clone());
            }
        }
    }
    present.sort();
    Image::Parties { present, others: (texts.len() - known.len()) as u64 }
}
