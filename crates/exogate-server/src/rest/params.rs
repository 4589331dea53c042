//! Parameters that several handlers share, as the document tells of them.

use serde::Deserialize;
use utoipa::IntoParams;

use super::page::Text;

/// The source in a path; taken from there by the extractors.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "describes a parameter; never made")]
pub struct OfSource {
    /// Name of the source
    source: String,
}

/// The header of a request that is the same request when it is sent again.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes a parameter; never made")]
pub struct KeyHeader {
    /// The same key is the same request
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$"
    )]
    key: Option<String>,
}

/// One plan.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct PlanPath {
    /// Id of the plan
    pub plan: String,
}

/// One operation.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OperationPath {
    /// `plan.number`
    #[param(example = "3f9a1c22b0.1")]
    pub operation: String,
}

/// One run.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct RunPath {
    /// Id of the run
    pub run: String,
}

/// One mailbox.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct MailboxPath {
    /// Id, address, label or name
    pub mailbox: String,
}

/// One webhook.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct WebhookPath {
    /// Name of the webhook
    pub webhook: String,
}

/// How much of one object is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FieldsQuery {
    /// The attributes wanted, with commas between them; all where it is left out.
    #[param(value_type = Option<String>, min_length = 1, example = "EXO_PrimarySmtpAddress")]
    pub fields: Option<Text>,
}
