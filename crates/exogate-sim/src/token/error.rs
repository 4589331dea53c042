//! The sign-in service's errors: code, status, OAuth error and text, and the body of seven fields that carries them.

use serde_json::{Value, json};
use uuid::Uuid;

/// One refusal of the token service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInError {
    /// The number behind `AADSTS`.
    pub code: u32,
    /// HTTP status.
    pub status: u16,
    /// OAuth `error`.
    pub error: &'static str,
    /// The text without code and trailer.
    pub text: String,
    /// `suberror`, where there is one.
    pub suberror: Option<&'static str>,
    /// `claims` as JSON text, where there is one.
    pub claims: Option<String>,
    /// Seconds of `Retry-After`, where there is one.
    pub retry_after: Option<u32>,
}

/// Code, status and OAuth error of every refusal that this service gives. The table test walks it.
pub const TABLE: [(u32, u16, &str); 44] = [
    (28002, 400, "invalid_scope"),
    (50001, 400, "invalid_resource"),
    (50011, 400, "invalid_request"),
    (50012, 401, "invalid_client"),
    (50027, 401, "invalid_client"),
    (50034, 400, "invalid_grant"),
    (50049, 400, "invalid_instance"),
    (50053, 400, "invalid_grant"),
    (50055, 400, "invalid_grant"),
    (50056, 400, "invalid_grant"),
    (50057, 400, "invalid_grant"),
    (50076, 400, "invalid_grant"),
    (50079, 400, "invalid_grant"),
    (50126, 400, "invalid_grant"),
    (50196, 400, "invalid_grant"),
    (53003, 400, "invalid_grant"),
    (65001, 400, "invalid_grant"),
    (70003, 400, "unsupported_grant_type"),
    (70008, 400, "invalid_grant"),
    (70011, 400, "invalid_scope"),
    (70021, 400, "invalid_request"),
    (90002, 400, "invalid_request"),
    (90024, 400, "temporarily_unavailable"),
    (90033, 503, "temporarily_unavailable"),
    (90055, 429, "temporarily_unavailable"),
    (500011, 400, "invalid_resource"),
    (500112, 400, "invalid_client"),
    (501481, 400, "invalid_grant"),
    (700016, 400, "unauthorized_client"),
    (700021, 401, "invalid_client"),
    (700022, 401, "invalid_client"),
    (700023, 401, "invalid_client"),
    (700024, 401, "invalid_client"),
    (700025, 401, "invalid_client"),
    (700027, 401, "invalid_client"),
    (900023, 400, "invalid_request"),
    (900144, 400, "invalid_request"),
    (900561, 400, "invalid_request"),
    (1002012, 400, "invalid_scope"),
    (7000112, 401, "unauthorized_client"),
    (7000215, 401, "invalid_client"),
    (7000218, 401, "invalid_client"),
    (7000222, 401, "invalid_client"),
    (9001023, 400, "invalid_request"),
];

impl SignInError {
    /// The refusal `code` of the table with its text.
    #[must_use]
    pub fn new(code: u32, text: impl Into<String>) -> Self {
        let (status, error) = TABLE
            .iter()
            .find(|(known, ..)| *known == code)
            .map_or((400, "invalid_request"), |(_, status, error)| (*status, *error));
        let suberror = matches!(code, 50076 | 50079).then_some("basic_action");
        Self { code, status, error, text: text.into(), suberror, claims: None, retry_after: None }
    }

    /// `grant_type`, `client_id`, `scope` … is not in the body.
    #[must_use]
    pub fn missing(parameter: &str) -> Self {
        Self::new(900144, format!("The request body must contain the following parameter: '{parameter}'."))
    }

    /// No such tenant.
    #[must_use]
    pub fn tenant_not_found(tenant: &str) -> Self {
        Self::new(
            90002,
            format!(
                "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
            ),
        )
    }

    /// Neither a GUID nor a domain name.
    #[must_use]
    pub fn tenant_malformed(tenant: &str) -> Self {
        Self::new(
            900023,
            format!(
                "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain."
            ),
        )
    }

    /// The application is not in the tenant.
    #[must_use]
    pub fn app_not_found(app: &str, tenant: &str) -> Self {
        Self::new(
            700016,
            format!(
                "Application with identifier '{app}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
            ),
        )
    }

    /// The application's service principal is disabled.
    #[must_use]
    pub fn app_disabled(app: &str, name: &str) -> Self {
        Self::new(7000112, format!("Application '{app}'({name}) is disabled."))
    }

    /// The secret is not one of the application's.
    #[must_use]
    pub fn wrong_secret(app: &str) -> Self {
        Self::new(
            7000215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{app}'."
            ),
        )
    }

    /// The secret was right once.
    #[must_use]
    pub fn secret_expired(app: &str) -> Self {
        Self::new(
            7000222,
            format!(
                "The provided client secret keys for app '{app}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."
            ),
        )
    }

    /// The certificate that signed the assertion is not usable, and why.
    #[must_use]
    pub fn certificate(app: &str, reason: &str, thumbprint: &str) -> Self {
        Self::new(
            700027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - {reason}, Thumbprint of key used by client: '{thumbprint}', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '{app}'. Review the documentation at https://docs.microsoft.com/en-us/graph/deployments to determine the corresponding service endpoint and https://docs.microsoft.com/en-us/graph/api/application-get?view=graph-rest-1.0&tabs=http to build a query request URL, such as 'https://graph.microsoft.com/beta/applications/{app}'].",
            ),
        )
    }

    /// The resource is not in the tenant.
    #[must_use]
    pub fn resource_not_found(resource: &str, tenant: &str) -> Self {
        Self::new(
            500011,
            format!(
                "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."
            ),
        )
    }

    /// The JSON body of seven fields (and the optional ones).
    #[must_use]
    pub fn body(&self, trace: Uuid, correlation: Uuid, unix_seconds: i64) -> Value {
        let timestamp = super::time::error_stamp(unix_seconds);
        let mut body = json!({
            "error": self.error,
            "error_description": format!(
                "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}",
                self.code, self.text
            ),
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace.to_string(),
            "correlation_id": correlation.to_string(),
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        });
        if let Some(suberror) = self.suberror {
            body["suberror"] = suberror.into();
        }
        if let Some(claims) = &self.claims {
            body["claims"] = claims.as_str().into();
        }
        body
    }
}
