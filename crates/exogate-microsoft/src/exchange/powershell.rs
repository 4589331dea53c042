//! A cmdlet in the notation an administrator can paste into a PowerShell window.
//!
//! Quoting follows PowerShell's own tokenizer; nothing here is ever run or sent.

use super::cmdlet::{Cmdlet, Parameter};
use std::fmt::Write as _;

pub(super) fn render(cmdlet: &Cmdlet) -> String {
    let mut line = cmdlet.name().to_owned();
    for (name, value) in cmdlet.parameters() {
        let _ = match value {
            Parameter::Text(text) => write!(line, " -{name} {}", word(text)),
            Parameter::Number(number) => write!(line, " -{name} {number}"),
            // With a colon, so that it reads the same for a switch and for a boolean.
            Parameter::Flag(flag) => write!(line, " -{name}:${flag}"),
            Parameter::Switch => write!(line, " -{name}"),
            Parameter::Texts(values) if values.is_empty() => write!(line, " -{name} @()"),
            Parameter::Texts(values) => write!(line, " -{name} {}", list(values, word)),
            Parameter::AddRemove { add, remove } => write!(line, " -{name} {}", table(add, remove)),
            Parameter::Clear | Parameter::Null => write!(line, " -{name} $null"),
        };
    }
    if !cmdlet.selected().is_empty() {
        let _ = write!(line, " | Select-Object {}", list(cmdlet.selected(), word).replace(',', ", "));
    }
    line
}

fn table(add: &[String], remove: &[String]) -> String {
    let entry = |key: &str, values: &[String]| {
        (!values.is_empty()).then(|| format!("{key}={}", list(values, quoted)))
    };
    let entries: Vec<_> = [entry("Add", add), entry("Remove", remove)].into_iter().flatten().collect();
    format!("@{{{}}}", entries.join(";"))
}

fn list(values: &[String], show: fn(&str) -> String) -> String {
    values.iter().map(|value| show(value)).collect::<Vec<_>>().join(",")
}

/// A plain word stands for itself as an argument; everything else is quoted.
fn word(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// A single-quoted string is taken literally, save for the quotes themselves. PowerShell counts
/// the typographic single quotes among them.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        out.push(c);
        if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            out.push(c);
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [&str; 0] = [];

    #[test]
    fn renders_as_typed() {
        let table = [
            (Cmdlet::new("Get-Mailbox"), "Get-Mailbox"),
            (
                Cmdlet::new("Get-Mailbox")
                    .text("ResultSize", "Unlimited")
                    .text("RecipientTypeDetails", "SharedMailbox"),
                "Get-Mailbox -ResultSize Unlimited -RecipientTypeDetails SharedMailbox",
            ),
            (
                Cmdlet::new("Add-MailboxPermission")
                    .text("Identity", "7b1c0f0e-1111-4222-8333-444455556666")
                    .text("User", "kim@contoso.com")
                    .texts("AccessRights", ["FullAccess"])
                    .text("InheritanceType", "All")
                    .flag("AutoMapping", false)
                    .flag("Confirm", false),
                "Add-MailboxPermission -Identity '7b1c0f0e-1111-4222-8333-444455556666' -User 'kim@contoso.com' \
                 -AccessRights FullAccess -InheritanceType All -AutoMapping:$false -Confirm:$false",
            ),
            (
                Cmdlet::new("Set-Mailbox").text("Identity", "O'Brien").add_remove(
                    "EmailAddresses",
                    ["smtp:a@b", "smtp:c@d"],
                    ["smtp:e'f@g"],
                ),
                "Set-Mailbox -Identity 'O''Brien' -EmailAddresses @{Add='smtp:a@b','smtp:c@d';Remove='smtp:e''f@g'}",
            ),
            (
                Cmdlet::new("Set-Mailbox").add_remove("EmailAddresses", ["Bare"], NONE),
                "Set-Mailbox -EmailAddresses @{Add='Bare'}",
            ),
            (
                Cmdlet::new("Set-Mailbox").add_remove("EmailAddresses", NONE, NONE),
                "Set-Mailbox -EmailAddresses @{}",
            ),
            (
                Cmdlet::new("Set-Mailbox").clear("ForwardingAddress").number("RecipientLimits", -5),
                "Set-Mailbox -ForwardingAddress $null -RecipientLimits -5",
            ),
            (
                Cmdlet::new("Set-DistributionGroup").texts("ManagedBy", NONE),
                "Set-DistributionGroup -ManagedBy @()",
            ),
            (
                Cmdlet::new("Get-Mailbox")
                    .text("Filter", "HiddenFromAddressListsEnabled -eq $true")
                    .switch("SoftDeletedMailbox")
                    .select(["Name", "Guid"]),
                "Get-Mailbox -Filter 'HiddenFromAddressListsEnabled -eq $true' -SoftDeletedMailbox | Select-Object Name, Guid",
            ),
            (
                Cmdlet::new("Set-User").text("DisplayName", "d\u{2019}Arc \u{201c}x\u{201d}; rm $x `n"),
                "Set-User -DisplayName 'd\u{2019}\u{2019}Arc \u{201c}x\u{201d}; rm $x `n'",
            ),
            (Cmdlet::new("Set-User").text("Office", ""), "Set-User -Office ''"),
        ];
        for (cmdlet, expected) in table {
            assert_eq!(cmdlet.powershell(), expected);
        }
    }

    proptest::proptest! {
        /// Read back by the rule of the tokenizer, a quoted text is the text again.
        #[test]
        fn quoting_is_lossless(text in "[a-z'\u{2018}\u{2019}\u{201a}\u{201b}$;\"` ]{0,24}") {
            let line = quoted(&text);
            let chars: Vec<char> = line.chars().collect();
            let single = |c: char| matches!(c, '\'' | '\u{2018}'..='\u{201b}');
            let inner = &chars[1..chars.len() - 1];
            let (mut back, mut i) = (String::new(), 0);
            while i < inner.len() {
                back.push(inner[i]);
                if single(inner[i]) {
                    proptest::prop_assert!(inner.get(i + 1).is_some_and(|c| single(*c)), "ends early: {}", line);
                    i += 1;
                }
                i += 1;
            }
            proptest::prop_assert_eq!(back, text);
        }
    }
}
