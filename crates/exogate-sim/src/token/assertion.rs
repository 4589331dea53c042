//! Client assertions: reads the JWT in every spelling that clients use and checks it against an app's certificates.
//! Pure; which certificates an app has and what time it is come in.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    UnparsedPublicKey,
};
use serde_json::Value;
use sha1::Digest as _;
use x509_parser::prelude::FromDer as _;

use super::error::SignInError;
use super::time;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// Decodes base64url and standard base64, padded or not.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if text.contains(['+', '/']) { STANDARD.decode(text).ok() } else { URL_SAFE.decode(text).ok() }
}

/// A time that may be a number, a float or a string.
fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
        Value::String(text) => text
            .trim()
            .parse::<i64>()
            .ok()
            .or_else(|| text.trim().parse::<f64>().ok().map(|float| float as i64)),
        _ => None,
    }
}

/// An assertion taken apart; nothing checked yet.
#[derive(Debug)]
pub struct Assertion<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    header: Value,
    claims: Value,
}

/// Whom an assertion must be for, and when.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The application id.
    pub app_id: &'a str,
    /// The tenant id, and other names of the tenant that an audience may carry.
    pub tenant_names: &'a [String],
    /// The host that the caller reached us by (`host[:port]`).
    pub host: &'a str,
    /// Seconds since the epoch.
    pub now: i64,
}

impl<'a> Assertion<'a> {
    /// Takes a compact JWT apart.
    ///
    /// # Errors
    /// AADSTS50027 when it is none.
    pub fn parse(token: &'a str) -> Result<Self, SignInError> {
        let malformed =
            |what: &str| SignInError::new(50027, format!("JWT token is invalid or malformed. {what}"));
        let token = token.trim();
        let (signed, signature) =
            token.rsplit_once('.').ok_or_else(|| malformed("It must have three parts separated by dots."))?;
        let (header, claims) =
            signed.split_once('.').ok_or_else(|| malformed("It must have three parts separated by dots."))?;
        let part = |text: &str, what: &str| {
            decode(text)
                .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
                .filter(Value::is_object)
                .ok_or_else(|| malformed(what))
        };
        Ok(Self {
            signed,
            signature: decode(signature).ok_or_else(|| malformed("The signature is not base64url."))?,
            header: part(header, "The header is not a JSON object.")?,
            claims: part(claims, "The payload is not a JSON object.")?,
        })
    }

    /// The issuer claim, which names the app when the body does not.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.header.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    /// The certificate of `registered` (DER) that the header names, by `x5t#S256`, `x5t` or `x5c`.
    fn certificate<'c>(&self, registered: &[&'c [u8]], app: &str) -> Result<&'c [u8], SignInError> {
        let by_digest = |wanted: &[u8], digest: &dyn Fn(&[u8]) -> Vec<u8>| {
            registered.iter().copied().find(|der| digest(der) == wanted)
        };
        let sha256 = |der: &[u8]| sha2::Sha256::digest(der).to_vec();
        let sha1 = |der: &[u8]| sha1::Sha1::digest(der).to_vec();
        let (thumbprint, found) = if let Some(text) = self.text("x5t#S256") {
            let wanted = decode(text).unwrap_or_default();
            (hex(&wanted), by_digest(&wanted, &sha256))
        } else if let Some(text) = self.text("x5t") {
            let wanted = decode(text).unwrap_or_default();
            (hex(&wanted), by_digest(&wanted, &sha1))
        } else if let Some(leaf) = self.header.get("x5c").and_then(|chain| chain.get(0)?.as_str()) {
            let wanted = decode(leaf).unwrap_or_default();
            (hex(&sha1(&wanted)), registered.iter().copied().find(|der| *der == wanted))
        } else if let Some(kid) = self.text("kid") {
            // Older clients put the SHA-1 thumbprint into `kid`, in hexadecimal or base64url.
            let found = registered.iter().copied().find(|der| {
                hex(&sha1(der)).eq_ignore_ascii_case(kid) || decode(kid).is_some_and(|id| id == sha1(der))
            });
            (kid.to_owned(), found)
        } else {
            return Err(SignInError::new(
                50027,
                "JWT token is invalid or malformed. The header names no certificate: 'x5t', 'x5t#S256', 'kid' or 'x5c' is required.",
            ));
        };
        found.ok_or_else(|| SignInError::certificate(app, "The key was not found.", &thumbprint))
    }

    /// Checks signature, parties, audience and times, in that order.
    ///
    /// # Errors
    /// The refusal that the sign-in service would give.
    pub fn verify(&self, registered: &[&[u8]], expected: &Expected<'_>) -> Result<(), SignInError> {
        let app = expected.app_id;
        let der = self.certificate(registered, app)?;
        let thumbprint = hex(&sha1::Sha1::digest(der));
        let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(der)
            .map_err(|_| SignInError::certificate(app, "The key is not a certificate.", &thumbprint))?;
        let validity = certificate.validity();
        if expected.now > validity.not_after.timestamp() || expected.now < validity.not_before.timestamp() {
            let reason = format!(
                "The key used is expired., Found key 'Start={}, End={}'",
                time::text_stamp(validity.not_before.timestamp()),
                time::text_stamp(validity.not_after.timestamp())
            );
            return Err(SignInError::certificate(app, &reason, &thumbprint));
        }
        let algorithm = self.algorithm()?;
        UnparsedPublicKey::new(algorithm, &certificate.public_key().subject_public_key.data)
            .verify(self.signed.as_bytes(), &self.signature)
            .map_err(|_| {
                SignInError::certificate(
                    app,
                    "The provided signature value did not match the expected signature value.",
                    &thumbprint,
                )
            })?;
        self.check_claims(expected)
    }

    fn algorithm(&self) -> Result<&'static RsaParameters, SignInError> {
        match self.text("alg").unwrap_or_default() {
            "RS256" => Ok(&RSA_PKCS1_2048_8192_SHA256),
            "RS384" => Ok(&RSA_PKCS1_2048_8192_SHA384),
            "RS512" => Ok(&RSA_PKCS1_2048_8192_SHA512),
            "PS256" => Ok(&RSA_PSS_2048_8192_SHA256),
            "PS384" => Ok(&RSA_PSS_2048_8192_SHA384),
            "PS512" => Ok(&RSA_PSS_2048_8192_SHA512),
            other => Err(SignInError::new(
                50027,
                format!(
                    "JWT token is invalid or malformed. The signing algorithm '{other}' is not supported."
                ),
            )),
        }
    }

    fn check_claims(&self, expected: &Expected<'_>) -> Result<(), SignInError> {
        let app = expected.app_id;
        let claim = |name: &str| self.claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if !claim("iss").eq_ignore_ascii_case(app) {
            return Err(SignInError::new(
                700021,
                "Client assertion application identifier doesn't match 'client_id' parameter. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
            ));
        }
        if !claim("sub").eq_ignore_ascii_case(app) {
            return Err(SignInError::new(
                700022,
                "Client assertion subject claim doesn't match 'client_id' parameter. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
            ));
        }
        let audiences: Vec<&str> = match self.claims.get("aud") {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !audiences.iter().any(|audience| audience_is_ours(audience, expected)) {
            return Err(SignInError::new(
                700023,
                "Client assertion audience claim does not match Realm issuer. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
            ));
        }
        let from = self.claims.get("nbf").and_then(seconds);
        let until = self.claims.get("exp").and_then(seconds);
        const SKEW: i64 = 300;
        let in_time = until.is_some_and(|until| expected.now < until.saturating_add(SKEW))
            && from.is_none_or(|from| expected.now > from.saturating_sub(SKEW));
        if in_time {
            Ok(())
        } else {
            let stamp = |time: Option<i64>| time.map_or_else(|| "-".to_owned(), time::error_stamp);
            Err(SignInError::new(
                700024,
                format!(
                    "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, expiry time of assertion {}. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
                    time::error_stamp(expected.now),
                    stamp(from),
                    stamp(until)
                ),
            ))
        }
    }
}

/// The token endpoint (v1 or v2), the issuer form, under any name of the login service or the host that was asked.
fn audience_is_ours(audience: &str, expected: &Expected<'_>) -> bool {
    let Some(rest) = audience.strip_prefix("https://").or_else(|| audience.strip_prefix("http://")) else {
        return false;
    };
    let Some((host, path)) = rest.split_once('/') else { return false };
    let known_host = host.eq_ignore_ascii_case(expected.host)
        || super::resource::CLOUDS
            .iter()
            .any(|cloud| cloud.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(host)));
    let path = path.trim_end_matches('/').to_ascii_lowercase();
    let (tenant, tail) = path.split_once('/').unwrap_or((&path, ""));
    let known_tenant = matches!(tenant, "common" | "organizations")
        || expected.tenant_names.iter().any(|name| name.eq_ignore_ascii_case(tenant));
    known_host && known_tenant && matches!(tail, "" | "v2.0" | "oauth2/token" | "oauth2/v2.0/token")
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02X}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_and_any_padding_decode() {
        for text in ["-_8", "-_8=", "+/8=", "+/8"] {
            assert_eq!(decode(text).unwrap(), [0xfb, 0xff], "{text}");
        }
    }

    #[test]
    fn times_in_every_spelling() {
        for value in [
            serde_json::json!(17),
            serde_json::json!(17.5),
            serde_json::json!("17"),
            serde_json::json!("17.9"),
        ] {
            assert_eq!(seconds(&value), Some(17), "{value}");
        }
        assert_eq!(seconds(&serde_json::json!(null)), None);
    }

    #[test]
    fn rubbish_is_50027() {
        for token in ["", "a", "a.b", "a.b.c", "e30.W10.x", "..", "é.é.é"] {
            assert_eq!(Assertion::parse(token).unwrap_err().code, 50027, "{token}");
        }
    }

    #[test]
    fn audiences_of_both_forms() {
        let names = ["t-id".to_owned(), "contoso.com".to_owned()];
        let expected = Expected { app_id: "a", tenant_names: &names, host: "localhost:8443", now: 0 };
        for (audience, ours) in [
            ("https://login.microsoftonline.com/t-id/oauth2/v2.0/token", true),
            ("https://login.microsoftonline.com/Contoso.com/v2.0", true),
            ("https://localhost:8443/t-id/oauth2/token", true),
            ("https://sts.windows.net/t-id/", true),
            ("https://login.microsoftonline.us/t-id/oauth2/v2.0/token", true),
            ("https://evil.test/t-id/oauth2/v2.0/token", false),
            ("https://login.microsoftonline.com/other/oauth2/v2.0/token", false),
            ("https://login.microsoftonline.com/t-id/elsewhere", false),
            ("t-id", false),
        ] {
            assert_eq!(audience_is_ours(audience, &expected), ours, "{audience}");
        }
    }
}
