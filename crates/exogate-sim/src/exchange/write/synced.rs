//! What may be written on objects that are mastered on premises.

use crate::exchange::knobs::ExchangeKnobs;
use crate::state::Object;

/// Attributes of mailboxes and mail users that come from on premises.
fn mastered(parameter: &str) -> bool {
    parameter.starts_with("CustomAttribute")
        || parameter.starts_with("ExtensionCustomAttribute")
        || parameter.starts_with("AcceptMessagesOnlyFrom")
        || parameter.starts_with("RejectMessagesFrom")
        || parameter.starts_with("BypassModeration")
        || matches!(
            parameter,
            "Alias"
                | "DisplayName"
                | "Name"
                | "EmailAddresses"
                | "PrimarySmtpAddress"
                | "WindowsEmailAddress"
                | "MicrosoftOnlineServicesID"
                | "ExternalEmailAddress"
                | "HiddenFromAddressListsEnabled"
                | "Office"
                | "MailTip"
                | "MailTipTranslations"
                | "ForwardingAddress"
                | "GrantSendOnBehalfTo"
                | "ModeratedBy"
                | "ModerationEnabled"
                | "RequireSenderAuthenticationEnabled"
                | "SendModerationNotifications"
                | "SimpleDisplayName"
                | "ImmutableId"
                | "ResourceCapacity"
                | "ResourceCustom"
        )
}

/// Attributes of people that only the directory on premises may change.
fn identity_attribute(parameter: &str) -> bool {
    matches!(parameter, "DisplayName" | "Name" | "ImmutableId")
}

/// Parameters of Set-User that the cloud owns.
fn cloud_owned(parameter: &str) -> bool {
    matches!(
        parameter,
        "Identity"
            | "Confirm"
            | "WhatIf"
            | "Force"
            | "RemotePowerShellEnabled"
            | "EXOModuleEnabled"
            | "AuthenticationPolicy"
            | "BlockCloudCache"
            | "CanHaveCloudCache"
            | "StsRefreshTokensValidFrom"
            | "VIP"
            | "PermanentlyClearPreviousMailboxInfo"
            | "PublicFolder"
    )
}

/// Whether a parameter of a Set cmdlet is refused on the object.
pub(super) fn refused(object: &Object, cmdlet: &str, parameter: &str, knobs: &ExchangeKnobs) -> bool {
    if !object.is_dir_synced() {
        return false;
    }
    if object.group().is_some() {
        return !matches!(
            parameter,
            "Identity" | "Confirm" | "WhatIf" | "BypassSecurityGroupManagerCheck" | "UpdateMemberCount"
        );
    }
    match cmdlet {
        "Set-User" => !cloud_owned(parameter),
        "Set-Mailbox" | "Set-MailUser" => {
            let cloud_managed = object.on_premises.as_deref().is_some_and(|site| site.exchange_cloud_managed);
            if parameter == "GrantSendOnBehalfTo" && knobs.synced_send_on_behalf_writable {
                return false;
            }
            if cloud_managed { identity_attribute(parameter) } else { mastered(parameter) }
        }
        _ => false,
    }
}
