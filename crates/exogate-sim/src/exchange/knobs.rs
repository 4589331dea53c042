//! What a scenario may bend in the Exchange admin API: error forms, rendering of trustees, paging, visibility of rights.
//!
//! It holds settings only; each is read where it acts.

use serde::{Deserialize, Serialize};

/// Scenario settings of the Exchange admin API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExchangeKnobs {
    /// How a failed cmdlet is described in `error.details[0].message`.
    pub error_form: ErrorForm,
    /// Leave `innererror.internalexception` out of errors.
    pub hide_internal_exception: bool,
    /// Language of error texts; `None` follows `Accept-Language`.
    pub error_language: Option<String>,
    /// Write no `@odata.type` and `@data.type` companions.
    pub lean: bool,
    /// What a successful write without output looks like.
    pub write_reply: WriteReply,
    /// What a read with an identity that does not exist does.
    pub unknown_identity: UnknownIdentity,
    /// What a read with a null or empty identity does.
    pub null_identity_returns_all: bool,
    /// Status of "object not found".
    pub not_found_status: u16,
    /// Status of an ambiguous identity.
    pub ambiguous_status: u16,
    /// Status of "already exists".
    pub conflict_status: u16,
    /// How a trustee that is a user is shown.
    pub trustee_users: TrusteeForm,
    /// How a trustee that is a group is shown.
    pub trustee_groups: TrusteeForm,
    /// How entries of GrantSendOnBehalfTo, ManagedBy and the like are shown.
    pub recipient_lists: ListForm,
    /// `"Deny": "False"` instead of `false`.
    pub deny_as_text: bool,
    /// One element per right instead of comma-joined rights.
    pub split_rights: bool,
    /// Get-RecipientPermission rows carry IsInherited.
    pub recipient_rows_inherited: bool,
    /// Rights of the view-only role include Get-RecipientPermission.
    pub global_reader_recipient_permission: bool,
    /// Roles that manage recipients only do not know BypassSecurityGroupManagerCheck.
    pub hide_bypass_from_recipient_management: bool,
    /// The group-manager check also guards plain distribution lists.
    pub manager_check_on_distribution_lists: bool,
    /// How a cmdlet outside the caller's roles is refused.
    pub denied_reply: DeniedReply,
    /// Largest page.
    pub max_page_size: u32,
    /// Page size when the client does not ask for one.
    pub default_page_size: u32,
    /// Seconds for which a page token is good.
    pub page_token_life_seconds: u32,
    /// Page tokens demand the very same body and anchor.
    pub strict_paging: bool,
    /// Page tokens cannot be followed at all once ResultSize has been reached.
    pub refuse_link_after_result_size: bool,
    /// Requests without an anchor meet another back end each time, so that their page tokens are refused.
    pub anchorless_roams: bool,
    /// Every page token is refused.
    pub refuse_all_page_tokens: bool,
    /// Sub-requests that one batch may hold before `batch_refuse_larger` matters.
    pub batch_limit: u32,
    /// Batches larger than `batch_limit` are refused instead of accepted silently.
    pub batch_refuse_larger: bool,
    /// Items of a batch come back in another order than asked.
    pub batch_shuffle: bool,
    /// Access control entries that one mailbox may hold.
    pub max_aces: u32,
    /// Giving and taking rights moves the change time of the mailbox. Nobody knows whether it does.
    pub rights_move_when_changed: bool,
    /// GrantSendOnBehalfTo may be written on mailboxes that are mastered on premises.
    pub synced_send_on_behalf_writable: bool,
    /// Cmdlets of the Remove- kind without `Confirm` ask for confirmation too.
    pub confirm_without_asking: bool,
    /// Seconds until a written unified audit record can be searched; `None` uses the record's own latency.
    pub audit_search_delay_seconds: Option<u32>,
}

/// The three forms of `error.details[0].message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorForm {
    /// The form that was recorded for each kind of error.
    Natural,
    /// `ExNNNNNN|Type|Text`.
    Coded,
    /// `|Type|Text`.
    Uncoded,
    /// A JSON document as text.
    Json,
}

/// What a successful write without output looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteReply {
    /// `"value": []`.
    EmptyArray,
    /// No `value` at all.
    NoValue,
    /// An empty body.
    EmptyBody,
    /// 204 without a body.
    NoContent,
}

/// What a read with an identity that does not exist does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownIdentity {
    /// `ManagementObjectNotFoundException`.
    Error,
    /// Every object comes back (documented caution of the reads).
    ReturnsAll,
}

/// How a resolved trustee is shown in a permission row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrusteeForm {
    /// The user principal name (groups: the name).
    UserPrincipalName,
    /// The display name.
    DisplayName,
    /// The name.
    Name,
    /// The security identifier.
    Sid,
    /// `<forest>\<SamAccountName>`.
    SamAccount,
    /// The directory object id.
    Guid,
    /// Another form for each trustee, in turn.
    Mixed,
}

/// How entries of a recipient list are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListForm {
    /// The name, which is a GUID in newer tenants.
    Name,
    /// The directory object id.
    Guid,
    /// The display name.
    DisplayName,
}

/// How a cmdlet outside the caller's roles is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeniedReply {
    /// 403 with kilobytes of NUL bytes.
    NulBytes,
    /// 403 with an empty body and the reason in a header.
    Empty,
    /// 403 with a text.
    Text,
}

impl Default for ExchangeKnobs {
    fn default() -> Self {
        Self {
            error_form: ErrorForm::Natural,
            hide_internal_exception: false,
            error_language: None,
            lean: false,
            write_reply: WriteReply::EmptyArray,
            unknown_identity: UnknownIdentity::Error,
            null_identity_returns_all: true,
            not_found_status: 404,
            ambiguous_status: 400,
            conflict_status: 400,
            trustee_users: TrusteeForm::UserPrincipalName,
            trustee_groups: TrusteeForm::DisplayName,
            recipient_lists: ListForm::Name,
            deny_as_text: false,
            split_rights: false,
            recipient_rows_inherited: true,
            global_reader_recipient_permission: false,
            hide_bypass_from_recipient_management: true,
            manager_check_on_distribution_lists: true,
            denied_reply: DeniedReply::NulBytes,
            max_page_size: 1000,
            default_page_size: 1000,
            page_token_life_seconds: 1800,
            strict_paging: true,
            refuse_link_after_result_size: true,
            anchorless_roams: true,
            refuse_all_page_tokens: false,
            batch_limit: 10,
            batch_refuse_larger: false,
            batch_shuffle: false,
            max_aces: 500,
            rights_move_when_changed: true,
            synced_send_on_behalf_writable: false,
            confirm_without_asking: false,
            audit_search_delay_seconds: None,
        }
    }
}
