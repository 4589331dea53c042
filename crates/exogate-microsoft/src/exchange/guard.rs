//! Making sure that what came back is what was asked for.
//!
//! A `Get-` cmdlet with an identity that the service does not know may answer with *every* object
//! instead of none. So each answer to a question about one object is compared with the question.

use super::cmdlet::Cmdlet;
use crate::error::{ErrorKind, Service, WireError};
use crate::record::{Record, is_guid};

/// Cmdlets whose answer is the very object that `-Identity` names.
const OBJECTS: [&str; 10] = [
    "Get-Mailbox",
    "Get-CASMailbox",
    "Get-Recipient",
    "Get-User",
    "Get-Group",
    "Get-DistributionGroup",
    "Get-DynamicDistributionGroup",
    "Get-UnifiedGroup",
    "Get-MailUser",
    "Get-MailContact",
];

/// Cmdlets whose rows all belong to the object that `-Identity` names.
const ROWS: [&str; 2] = ["Get-MailboxPermission", "Get-RecipientPermission"];

const GUIDS: [&str; 4] = ["ExternalDirectoryObjectId", "Guid", "ExchangeObjectId", "ExchangeGuid"];
const ADDRESSES: [&str; 5] = [
    "PrimarySmtpAddress",
    "UserPrincipalName",
    "WindowsEmailAddress",
    "MicrosoftOnlineServicesID",
    "WindowsLiveID",
];
const NAMES: [&str; 8] = [
    "Name",
    "Identity",
    "Id",
    "Alias",
    "DisplayName",
    "DistinguishedName",
    "SamAccountName",
    "LegacyExchangeDN",
];

/// Properties to ask for beside the caller's own, so that the answer can be compared.
pub(super) fn evidence(cmdlet: &Cmdlet) -> Vec<&'static str> {
    let Some(identity) = cmdlet.identity().filter(|_| among(&OBJECTS, cmdlet)) else {
        return Vec::new();
    };
    if is_guid(identity) {
        let mut wanted = vec!["ExternalDirectoryObjectId", "Guid", "Name"];
        if cmdlet.name().eq_ignore_ascii_case("Get-Mailbox") {
            wanted.push("ExchangeGuid");
        }
        wanted
    } else if identity.contains('@') {
        vec!["PrimarySmtpAddress", "EmailAddresses", "UserPrincipalName"]
    } else {
        vec!["Name", "Identity", "DisplayName", "Alias"]
    }
}

/// Compares the whole answer with the question.
pub(super) fn check(cmdlet: &Cmdlet, records: &[Record]) -> Result<(), WireError> {
    let Some(identity) = cmdlet.identity().filter(|_| cmdlet.is_read()) else {
        return Ok(());
    };
    if among(&OBJECTS, cmdlet) {
        return check_object(cmdlet, identity, records);
    }
    if among(&ROWS, cmdlet) {
        let mut owners = records.iter().filter_map(|row| row.text("Identity"));
        if let Some(first) = owners.next()
            && owners.any(|owner| !owner.eq_ignore_ascii_case(first))
        {
            return Err(strayed(cmdlet, "rows of several objects came back"));
        }
    }
    Ok(())
}

fn check_object(cmdlet: &Cmdlet, identity: &str, records: &[Record]) -> Result<(), WireError> {
    match records {
        [] => Ok(()),
        [one] if answers_to(one, identity) || !comparable(one, identity) => Ok(()),
        [_] => Err(strayed(cmdlet, "another object came back")),
        several if several.iter().all(|record| answers_to(record, identity)) => {
            Err(WireError::new(ErrorKind::Ambiguous, Service::Exchange, cmdlet.name())
                .with_remedy("Name the object by its primary address or its object id."))
        }
        _ => Err(strayed(cmdlet, "several objects came back")),
    }
}

fn strayed(cmdlet: &Cmdlet, what: &str) -> WireError {
    WireError::new(ErrorKind::Protocol, Service::Exchange, cmdlet.name())
        .with_sentence(format!("one object was asked for, but {what}"))
        .with_remedy(
            "Nothing was taken from this answer. Check that the object exists; the service may answer with all \
             objects when it does not know the one named.",
        )
}

fn among(names: &[&str], cmdlet: &Cmdlet) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(cmdlet.name()))
}

/// Whether any of the object's names is the one asked for.
fn answers_to(record: &Record, identity: &str) -> bool {
    let same = |value: &str| value.eq_ignore_ascii_case(identity);
    let bare = |value: &str| value.trim_matches(['{', '}']).to_owned();
    GUIDS
        .iter()
        .filter_map(|name| record.text(name))
        .any(|guid| bare(guid).eq_ignore_ascii_case(&bare(identity)))
        || ADDRESSES.iter().chain(&NAMES).filter_map(|name| record.text(name)).any(same)
        || record
            .texts("EmailAddresses")
            .iter()
            .any(|address| same(address.split_once(':').map_or(address.as_str(), |(_, a)| a)))
}

/// Whether the record shows enough that not finding the identity in it means something.
fn comparable(record: &Record, identity: &str) -> bool {
    let shows = |name: &str| record.has(name);
    if is_guid(identity) {
        shows("Guid") && shows("ExternalDirectoryObjectId")
    } else if identity.contains('@') {
        shows("UserPrincipalName") && shows("EmailAddresses")
    } else {
        // SIDs, account names and canonical or distinguished names are spelled in more ways than are
        // compared here.
        let other = identity.starts_with("S-1-") || identity.starts_with('$');
        !other
            && !identity.contains(['/', '=', '\\'])
            && ["Name", "DisplayName", "Alias"].into_iter().all(shows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIM: &str = "3c7b9a10-52f4-4d8e-9b6e-0f2c1d3e4a01";

    fn record(json: &str) -> Record {
        Record::from_slice(json.as_bytes()).expect("json")
    }

    fn kim() -> Record {
        record(&format!(
            r#"{{"Name":"{KIM}","DisplayName":"Kim","Alias":"kim","UserPrincipalName":"kim@contoso.com",
            "PrimarySmtpAddress":"Kim.Akers@Contoso.com","EmailAddresses":["SMTP:Kim.Akers@Contoso.com","smtp:k@contoso.com"],
            "ExternalDirectoryObjectId":"{KIM}","Guid":"11111111-52f4-4d8e-9b6e-0f2c1d3e4a01"}}"#
        ))
    }

    fn get(identity: &str) -> Cmdlet {
        Cmdlet::new("Get-Mailbox").text("Identity", identity)
    }

    #[test]
    fn the_object_asked_for_passes_under_each_of_its_names() {
        for identity in [
            KIM,
            "11111111-52F4-4D8E-9B6E-0F2C1D3E4A01",
            "kim.akers@contoso.com",
            "K@contoso.com",
            "KIM@contoso.com",
            "kim",
            "KIM",
        ] {
            assert!(check(&get(identity), &[kim()]).is_ok(), "{identity}");
        }
        assert!(check(&get(KIM), &[]).is_ok());
    }

    #[test]
    fn any_other_object_is_refused() {
        for identity in ["22222222-52f4-4d8e-9b6e-0f2c1d3e4a01", "lee@contoso.com", "lee"] {
            let error = check(&get(identity), &[kim()]).expect_err(identity);
            assert_eq!(error.kind, ErrorKind::Protocol);
        }
    }

    #[test]
    fn the_whole_tenant_is_refused() {
        let all = [kim(), record(r#"{"Name":"lee"}"#)];
        assert_eq!(check(&get(KIM), &all).expect_err("all").kind, ErrorKind::Protocol);
        let same = [kim(), kim()];
        assert_eq!(check(&get("kim"), &same).expect_err("two").kind, ErrorKind::Ambiguous);
    }

    #[test]
    fn rows_must_belong_to_one_object() {
        let rows = |owners: &[&str]| -> Vec<Record> {
            owners.iter().map(|owner| record(&format!(r#"{{"Identity":"{owner}","User":"x"}}"#))).collect()
        };
        let cmdlet = Cmdlet::new("Get-MailboxPermission").text("Identity", KIM);
        assert!(check(&cmdlet, &rows(&["a", "A", "a"])).is_ok());
        assert!(check(&cmdlet, &rows(&["a", "b"])).is_err());
        let listing = Cmdlet::new("Get-RecipientPermission");
        assert!(check(&listing, &rows(&["a", "b"])).is_ok());
    }

    #[test]
    fn what_cannot_be_compared_is_not_accused() {
        assert!(check(&get("lee@contoso.com"), &[record(r#"{"Name":"kim"}"#)]).is_ok());
        for identity in
            ["eur.prod/Microsoft Exchange Hosted Organizations/c/kim", "S-1-5-21-1-2-3-4", "$ABC-123"]
        {
            assert!(check(&get(identity), &[kim()]).is_ok(), "{identity}");
        }
    }

    #[test]
    fn evidence_is_asked_for_when_one_object_is() {
        assert!(evidence(&Cmdlet::new("Get-Mailbox")).is_empty());
        assert!(evidence(&get(KIM)).contains(&"Guid"));
        assert!(evidence(&get("a@b")).contains(&"EmailAddresses"));
        assert!(evidence(&Cmdlet::new("Get-MailboxPermission").text("Identity", KIM)).is_empty());
    }
}
