//! What an audit record means for the state: pure, and generous. A record that may be about
//! something is taken to be.

use exogate_microsoft::activity::AuditRecord;
use exogate_model::change::{Author, Happened};
use exogate_store::AuditNote;

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Touch {
    /// Nothing that is kept.
    Nothing,
    /// A mailbox, under any of these texts. Its attributes and rights are to be read again.
    Mailbox {
        /// As typed, and as the service names it.
        texts: Vec<String>,
        /// Who was given or lost something.
        trustee: Option<String>,
    },
    /// A group, under any of these texts.
    Group {
        /// As typed, and as the service names it.
        texts: Vec<String>,
        /// Who joined or left.
        member: Option<String>,
    },
}

/// Nouns of cmdlets that change a mailbox, its rights or who it belongs to.
const MAILBOX: [&str; 10] = [
    "MailboxPermission",
    "RecipientPermission",
    "Mailbox",
    "CASMailbox",
    "User",
    "MailUser",
    "RemoteMailbox",
    "SharedMailbox",
    "ADPermission",
    "Recipient",
];
const GROUP: [&str; 8] = [
    "DistributionGroup",
    "DistributionGroupMember",
    "DynamicDistributionGroup",
    "UnifiedGroup",
    "UnifiedGroupLinks",
    "Group",
    "RoleGroup",
    "RoleGroupMember",
];
const READING: [&str; 4] = ["Get", "Search", "Test", "Export"];

/// What a record is about.
pub(super) fn touch(record: &AuditRecord) -> Touch {
    let Some((verb, noun)) = record.operation.split_once('-') else { return Touch::Nothing };
    if READING.iter().any(|reading| verb.eq_ignore_ascii_case(reading)) {
        return Touch::Nothing;
    }
    let is = |nouns: &[&str]| nouns.iter().any(|known| noun.eq_ignore_ascii_case(known));
    // A list of several names nobody in particular.
    let trustee = ["User", "Trustee", "Member", "Owner", "Links"]
        .iter()
        .find_map(|name| record.parameter(name))
        .filter(|text| !text.contains([';', ',']));
    if is(&MAILBOX) {
        return Touch::Mailbox { texts: texts(record), trustee: trustee.map(str::to_owned) };
    }
    if is(&GROUP) {
        return Touch::Group { texts: texts(record), member: trustee.map(str::to_owned) };
    }
    Touch::Nothing
}

/// Everything by which a record names its object, as it stands and in the forms that the store
/// knows objects by.
fn texts(record: &AuditRecord) -> Vec<String> {
    let typed = ["Identity", "Mailbox", "Name", "PrimarySmtpAddress", "WindowsLiveID", "Alias"];
    let mut texts = Vec::new();
    let mut add = |text: &str| {
        let text = text.trim();
        if !text.is_empty() && !texts.iter().any(|known: &String| known.eq_ignore_ascii_case(text)) {
            texts.push(text.to_owned());
        }
    };
    for name in typed {
        // What a Set- cmdlet calls Name is the new name; it is one more text to look for.
        if let Some(value) = record.parameter(name) {
            add(value);
        }
    }
    for text in [record.object.as_deref(), record.parameter("Identity")].into_iter().flatten() {
        add(text);
        // `tenant\name`, and a canonical path: its last part is the name.
        if let Some((_, name)) = text.rsplit_once(['\\', '/']) {
            add(name);
        }
    }
    texts
}

/// Who a record says it was.
pub(super) fn author(record: &AuditRecord) -> Author {
    Author::SomeoneElse {
        user: record.user.clone(),
        app: record.app.clone(),
        call: record.operation.clone(),
        record: record.id.clone(),
        at: record.at,
    }
}

/// What `about` says of a record that sets something else than rights and places.
const ATTRIBUTES: &str = "attributes";
/// Parameters that set nothing.
const NO_ATTRIBUTES: [&str; 6] =
    ["Identity", "Confirm", "Force", "WhatIf", "BypassSecurityGroupManagerCheck", "DomainController"];

/// The rights, or the places in a group, that a record tells of, and whether it sets attributes; `None`
/// where it does not say.
pub(super) fn about(record: &AuditRecord) -> Option<Vec<String>> {
    let is = |names: &[&str]| names.iter().any(|name| record.operation.eq_ignore_ascii_case(name));
    let list = |text: &str| {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        Some(words.map(str::to_owned).collect())
    };
    let only = |what: &str| Some(vec![what.to_owned()]);
    // A parameter without a value clears.
    let given = |name: &str| record.parameters.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    let sets = |what: &str, by: &str| {
        let says_nothing =
            |key: &String| NO_ATTRIBUTES.iter().chain([&by]).any(|name| key.eq_ignore_ascii_case(name));
        let more = record.parameters.iter().any(|(key, _)| !says_nothing(key));
        let words = [given(by).then_some(what), more.then_some(ATTRIBUTES)];
        Some(words.into_iter().flatten().map(str::to_owned).collect())
    };
    if is(&["Add-MailboxPermission", "Remove-MailboxPermission"]) {
        record.parameter("AccessRights").and_then(list)
    } else if is(&["Add-RecipientPermission", "Remove-RecipientPermission"]) {
        only("SendAs")
    } else if is(&[
        "Add-DistributionGroupMember",
        "Remove-DistributionGroupMember",
        "Update-DistributionGroupMember",
    ]) {
        only("member")
    } else if record.parameters.is_empty() {
        None
    } else if is(&["Set-Mailbox"]) {
        sets("SendOnBehalf", "GrantSendOnBehalfTo")
    } else if is(&["Set-DistributionGroup"]) {
        sets("owner", "ManagedBy")
    } else if is(&["Add-UnifiedGroupLinks", "Remove-UnifiedGroupLinks"]) {
        match record.parameter("LinkType")? {
            members if members.eq_ignore_ascii_case("Members") => only("member"),
            owners if owners.eq_ignore_ascii_case("Owners") => only("owner"),
            _ => Some(Vec::new()),
        }
    } else {
        None
    }
}

/// Whether a record tells of entries that deny a right.
pub(super) fn denies(record: &AuditRecord) -> bool {
    record.parameter("Deny").is_some_and(|deny| !["false", "$false", "0"].contains(&&*deny.to_lowercase()))
}

/// Whether a record can be about what happened, as far as it says what it is about.
pub(super) fn is_about(record: &AuditNote, happened: &Happened) -> bool {
    let Some(about) = &record.about else { return true };
    let says = |what: &str| about.iter().any(|one| one.eq_ignore_ascii_case(what));
    match happened {
        Happened::Granted { right, deny, .. } | Happened::Revoked { right, deny, .. } => {
            record.deny == *deny && says(right)
        }
        Happened::Joined { role, .. } | Happened::Left { role, .. } => !record.deny && says(role),
        Happened::Modified { attributes } => {
            says(ATTRIBUTES)
                || attributes.iter().any(|change| match change.attribute.as_str() {
                    "EXO_GrantSendOnBehalfTo" => says("SendOnBehalf"),
                    "EXO_ManagedBy" => says("owner"),
                    // Whatever is set moves these.
                    "EXO_WhenChanged" | "EXO_WhenChangedUTC" => true,
                    _ => false,
                })
        }
        Happened::Created | Happened::Deleted => true,
    }
}

/// Whether what a cmdlet does can be what happened.
pub(super) fn explains(operation: &str, happened: &Happened) -> bool {
    let is = |names: &[&str]| names.iter().any(|name| operation.eq_ignore_ascii_case(name));
    let right = |right: &str| match right {
        "SendAs" => ("Add-RecipientPermission", "Remove-RecipientPermission"),
        "SendOnBehalf" => ("Set-Mailbox", "Set-Mailbox"),
        _ => ("Add-MailboxPermission", "Remove-MailboxPermission"),
    };
    match happened {
        Happened::Granted { right: name, .. } => is(&[right(name).0]),
        Happened::Revoked { right: name, .. } => is(&[right(name).1]),
        Happened::Joined { .. } => is(&[
            "Add-DistributionGroupMember",
            "Update-DistributionGroupMember",
            "Add-UnifiedGroupLinks",
            "Set-DistributionGroup",
            "New-DistributionGroup",
        ]),
        Happened::Left { .. } => is(&[
            "Remove-DistributionGroupMember",
            "Update-DistributionGroupMember",
            "Remove-UnifiedGroupLinks",
            "Set-DistributionGroup",
        ]),
        Happened::Created => starts(operation, &["New-", "Enable-", "Undo-"]),
        Happened::Deleted => starts(operation, &["Remove-", "Disable-"]) && !operation.contains("Permission"),
        Happened::Modified { .. } => starts(operation, &["Set-", "Update-"]),
    }
}

fn starts(operation: &str, verbs: &[&str]) -> bool {
    verbs.iter().any(|verb| operation.get(..verb.len()).is_some_and(|start| start.eq_ignore_ascii_case(verb)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(operation: &str, object: Option<&str>, parameters: &[(&str, &str)]) -> AuditRecord {
        AuditRecord {
            id: "r".into(),
            at: jiff::Timestamp::UNIX_EPOCH,
            operation: operation.into(),
            object: object.map(Into::into),
            user: None,
            user_type: None,
            app: None,
            external: false,
            succeeded: true,
            parameters: parameters.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
        }
    }

    fn mailbox(texts: &[&str], trustee: Option<&str>) -> Touch {
        Touch::Mailbox {
            texts: texts.iter().map(|t| (*t).into()).collect(),
            trustee: trustee.map(Into::into),
        }
    }

    #[test]
    fn every_text_that_names_the_object_is_looked_for() {
        let path = "EURPR01A002.PROD.OUTLOOK.COM/Hosted Organizations/contoso.onmicrosoft.com/shared-finance";
        let typed = [
            ("Identity", "Finance@contoso.com"),
            ("User", "kim@contoso.com"),
            ("AccessRights", "FullAccess"),
        ];
        assert_eq!(
            touch(&record("Add-MailboxPermission", Some(path), &typed)),
            mailbox(&["Finance@contoso.com", path, "shared-finance"], Some("kim@contoso.com"))
        );
        assert_eq!(
            touch(&record(
                "Remove-RecipientPermission",
                None,
                &[("Identity", "finance"), ("Trustee", "kim")]
            )),
            mailbox(&["finance"], Some("kim"))
        );
        assert_eq!(
            touch(&record(
                "set-mailbox",
                Some("contoso.onmicrosoft.com\\finance"),
                &[("Identity", "finance")]
            )),
            mailbox(&["finance", "contoso.onmicrosoft.com\\finance"], None)
        );
        assert_eq!(touch(&record("Add-MailboxPermission", None, &[])), mailbox(&[], None));
    }

    #[test]
    fn groups_are_told_apart_and_what_only_reads_or_is_not_kept_is_nothing() {
        let added = record(
            "Add-DistributionGroupMember",
            Some("contoso.onmicrosoft.com\\sg-finance"),
            &[("Identity", "sg-finance"), ("Member", "kim")],
        );
        assert_eq!(
            touch(&added),
            Touch::Group {
                texts: vec!["sg-finance".into(), "contoso.onmicrosoft.com\\sg-finance".into()],
                member: Some("kim".into()),
            }
        );
        for nothing in ["Get-Mailbox", "New-TransportRule", "Set-OrganizationConfig", "odd"] {
            assert_eq!(touch(&record(nothing, Some("x"), &[("Identity", "x")])), Touch::Nothing, "{nothing}");
        }
    }

    #[test]
    fn only_a_fitting_cmdlet_explains_a_change() {
        let granted = |right: &str| Happened::Granted {
            right: right.into(),
            trustee: "kim".into(),
            principal: None,
            deny: false,
        };
        assert!(explains("Add-MailboxPermission", &granted("FullAccess")));
        assert!(explains("add-recipientpermission", &granted("SendAs")));
        assert!(!explains("Add-MailboxPermission", &granted("SendAs")));
        assert!(explains("Set-Mailbox", &granted("SendOnBehalf")));
        assert!(!explains("Remove-MailboxPermission", &granted("FullAccess")));
        assert!(explains("Remove-Mailbox", &Happened::Deleted));
        assert!(!explains("Remove-MailboxPermission", &Happened::Deleted));
        assert!(explains("Set-CASMailbox", &Happened::Modified { attributes: Vec::new() }));
    }

    #[test]
    fn a_record_says_which_rights_and_places_it_is_about() {
        let told = |operation: &str, parameters: &[(&str, &str)]| about(&record(operation, None, parameters));
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            told("Add-MailboxPermission", &[("AccessRights", "FullAccess, ReadPermission")]),
            words(&["FullAccess", "ReadPermission"])
        );
        assert_eq!(told("Add-MailboxPermission", &[]), None);
        assert_eq!(told("Remove-RecipientPermission", &[]), words(&["SendAs"]));
        assert_eq!(told("Set-Mailbox", &[("GrantSendOnBehalfTo", "")]), words(&["SendOnBehalf"]));
        assert_eq!(told("Set-Mailbox", &[("Identity", "m"), ("DisplayName", "x")]), words(&["attributes"]));
        assert_eq!(
            told("Set-Mailbox", &[("GrantSendOnBehalfTo", "kim"), ("Type", "Shared")]),
            words(&["SendOnBehalf", "attributes"])
        );
        assert_eq!(told("Add-UnifiedGroupLinks", &[("LinkType", "Owners")]), words(&["owner"]));
        assert_eq!(told("Set-DistributionGroup", &[("DisplayName", "x")]), words(&["attributes"]));
        let switches = [("Identity", "g"), ("ManagedBy", "kim"), ("BypassSecurityGroupManagerCheck", "True")];
        assert_eq!(told("Set-DistributionGroup", &switches), words(&["owner"]));
        let deny = |value: &str| denies(&record("Add-MailboxPermission", None, &[("Deny", value)]));
        assert!(deny("True") && !deny("False") && !deny(""));
    }
}
