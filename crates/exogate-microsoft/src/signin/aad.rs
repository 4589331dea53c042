//! What the token service says when it refuses, turned into a sentence and a remedy.
//!
//! The codes are hints for people (Microsoft promises only the OAuth `error`), so nothing but [`AadError::is_transient`]
//! is decided here, and that by the OAuth error first.

use std::fmt;

use serde::Deserialize;

/// A refusal of the token service or of a managed-identity endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct AadError {
    /// `AADSTS` number; 0 where the service gave none.
    pub code: u32,
    /// The OAuth error (`invalid_client`, …).
    pub error: String,
    /// The OAuth sub-error (`basic_action`, …).
    pub suberror: Option<String>,
    /// Microsoft's words, first sentence(s) only, without trace ids.
    pub description: String,
    /// HTTP status.
    pub status: u16,
    /// Microsoft's trace id, for a support case.
    pub trace_id: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
    #[serde(default)]
    error_codes: Vec<u32>,
    #[serde(default)]
    suberror: Option<String>,
    #[serde(default)]
    trace_id: Option<String>,
}

/// The shape of App Service's identity endpoint.
#[derive(Deserialize)]
struct AppServiceBody {
    message: String,
}

impl AadError {
    /// Reads an error body. `None` if the body is not one, so that the caller can say what it is instead.
    pub fn parse(status: u16, body: &[u8]) -> Option<Self> {
        if let Ok(Body { error: Some(error), error_description, error_codes, suberror, trace_id }) =
            serde_json::from_slice::<Body>(body)
        {
            let description = error_description.unwrap_or_default();
            let code = error_codes.first().copied().or_else(|| code_in(&description)).unwrap_or(0);
            return Some(Self {
                code,
                error,
                suberror,
                description: words_of(&description),
                status,
                trace_id,
            });
        }
        let AppServiceBody { message } = serde_json::from_slice(body).ok()?;
        Some(Self {
            code: code_in(&message).unwrap_or(0),
            error: "managed_identity".to_owned(),
            suberror: None,
            description: words_of(&message),
            status,
            trace_id: None,
        })
    }

    /// Whether trying again later may help without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        self.status == 429
            || self.status >= 500
            || matches!(self.error.as_str(), "temporarily_unavailable" | "server_error")
            || matches!(self.code, 90033 | 90024 | 90055)
            // The identity endpoint answers these while it is being updated.
            || (self.is_managed_identity() && matches!(self.status, 404 | 410))
    }

    /// What is wrong, in one sentence.
    pub fn sentence(&self) -> String {
        let own = match self.code {
            700027 => "the tenant does not know the certificate that signed the request",
            700024 => "the sign-in assertion was outside its time of validity",
            50027 => "the sign-in assertion is malformed",
            50012 => "the sign-in assertion was rejected: wrong audience or signature",
            7000215 => "the client secret is wrong",
            7000222 => "the client secret has expired",
            7000216 | 7000218 => {
                "the application must prove itself with a certificate or a secret, and the request had none"
            }
            700025 => "the application is a public client and must not send a secret or certificate",
            7000112 => "the application is disabled in this tenant",
            700016 => "the tenant does not know the application",
            90002 => "the tenant does not exist in this cloud",
            900023 => "the tenant is neither an id nor a domain name",
            900144 => "the sign-in request lacks a parameter",
            70011 | 1002012 => "the requested scope is not valid in this cloud",
            500011 | 50001 => "the requested service is not present in the tenant",
            65001 => "consent to the application is missing",
            50126 => "the user name or the password is wrong",
            50034 => "the user does not exist in this tenant",
            50053 => "the user is locked out, or the sign-in comes from a blocked address",
            50055 => "the user's password has expired",
            50056 => "the user has no password in this directory",
            50057 => "the user's account is disabled",
            50076 | 50079 => {
                "the user must pass multi-factor authentication, which a password sign-in cannot"
            }
            53003 => "a Conditional Access policy blocks the sign-in",
            50196 => "the tenant stopped a loop of identical sign-ins",
            90033 | 90024 => "the sign-in service is temporarily unavailable",
            90055 => "the tenant's sign-ins are being throttled",
            50049 => "the sign-in host is not one this cloud knows",
            9001023 => "a password sign-in must name the tenant",
            70021 | 700211 | 700213 | 7002137 | 7002138 | 700229 => {
                "no federated credential of the application matches the presented token"
            }
            700021 | 700023 => {
                "the sign-in assertion does not name the application as its issuer and subject"
            }
            _ => "",
        };
        let own = if own.is_empty() { self.default_sentence() } else { own };
        let mut text = own.to_owned();
        if self.code != 0 {
            text.push_str(&format!(" (AADSTS{})", self.code));
        }
        if own == DEFAULT && !self.description.is_empty() {
            text.push_str(": ");
            text.push_str(&self.description);
        }
        text
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self.code {
            700027 => {
                "Upload the certificate (.cer) to the app registration under Certificates & secrets, and check that the \
                 configured file is the same one; a new upload can take a minute to be seen."
            }
            700024 => "Set the clock of this machine (NTP); it must be right to within a few minutes.",
            50027 | 50012 => {
                "Check that cloud, login host and tenant belong together, and that the certificate's key is its own."
            }
            7000215 => "Configure the secret's value, not its id; if it is lost, create a new secret.",
            7000222 => "Create a new client secret, or better: use a certificate.",
            7000216 | 7000218 => {
                "Configure a certificate or a secret; for a password sign-in, allow public client flows on the app."
            }
            700025 => {
                "Remove the secret or certificate from the configuration, or make the app a confidential client."
            }
            7000112 => {
                "Enable the application under Enterprise applications > Properties > Enabled for sign-in."
            }
            700016 => {
                "Check client id and tenant; if both are right, have an administrator consent to the application there."
            }
            90002 => "Check the tenant id and the cloud (public, gcc-high, dod, china).",
            900023 => "Use the tenant's id (a GUID) or one of its verified domains.",
            900144 => "Check client id and credential in the configuration.",
            70011 | 1002012 => {
                "Choose the cloud of the tenant; a custom host may need its token resource set as well."
            }
            500011 | 50001 => {
                "Check the cloud; if it is right, the tenant has no service principal for the service (no licence?)."
            }
            65001 => "Have an administrator grant consent under API permissions > Grant admin consent.",
            50126 | 50034 | 50056 => {
                "Check user name and password; federated and guest users cannot sign in this way."
            }
            50053 => "Wait for the lockout to end, or let an administrator unblock the user or the address.",
            50055 => "Set a new password for the user.",
            50057 => "Enable the account, or use another one.",
            50076 | 50079 => "Use a certificate instead of user name and password.",
            53003 => {
                "Exclude the application's service principal (or this machine's address) from the Conditional Access policy."
            }
            50196 => "Wait some minutes; check that not many processes sign in with the same application.",
            90033 | 90024 | 90055 => "Try again in some minutes.",
            50049 => "Check the configured login host and cloud.",
            9001023 => "Configure the tenant's id or domain instead of common or consumers.",
            70021 | 700211 | 700213 | 7002137 | 7002138 | 700229 => {
                "Compare issuer, subject and audience of the federated credential with the token; case matters."
            }
            700021 | 700023 => "Check the configured client id.",
            _ if self.is_managed_identity() => {
                "Check that a managed identity is assigned to this machine and that its client id, if configured, is right."
            }
            _ => match self.error.as_str() {
                "invalid_client" => "Check client id, certificate or secret, and the tenant.",
                "invalid_scope" | "invalid_resource" => "Check the configured cloud and hosts.",
                "unauthorized_client" => {
                    "Check client id and tenant, and that the application is enabled and consented to."
                }
                "invalid_grant" | "interaction_required" => "Check the user, or use a certificate instead.",
                _ if self.is_transient() => "Try again in some minutes.",
                _ => {
                    "Look the AADSTS number up at https://login.microsoftonline.com/error, and check the app's sign-in log."
                }
            },
        }
    }

    fn is_managed_identity(&self) -> bool {
        self.error == "managed_identity"
            || self.error == "unknown_source"
            || self.description == "Identity not found"
    }

    fn default_sentence(&self) -> &'static str {
        if self.is_managed_identity() {
            return "no managed identity answers here";
        }
        if self.is_transient() {
            return "the sign-in service is temporarily unavailable";
        }
        DEFAULT
    }
}

const DEFAULT: &str = "the sign-in was refused";

impl fmt::Debug for AadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "AADSTS{} {} ({}): {}", self.code, self.error, self.status, self.description)
    }
}

/// The number behind `AADSTS` at the start of a description.
fn code_in(description: &str) -> Option<u32> {
    let (_, rest) = description.split_once("AADSTS")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Microsoft's words without the number before and the trace ids behind them, on one line.
fn words_of(description: &str) -> String {
    let text = description.split("Trace ID:").next().unwrap_or_default();
    let text = match text.strip_prefix("AADSTS").and_then(|rest| rest.split_once(':')) {
        Some((number, words)) if number.bytes().all(|byte| byte.is_ascii_digit()) => words,
        _ => text,
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
