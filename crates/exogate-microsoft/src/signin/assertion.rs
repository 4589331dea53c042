//! The client assertion: a short JWT that proves possession of the certificate's key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::AssertionAlgorithm;
use crate::certificate::{CertificateError, ClientCertificate};

/// Microsoft advises five to ten minutes.
const LIFETIME_SECONDS: i64 = 600;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    x5t_s256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x5t: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// Makes a signed assertion of `client_id` for the token endpoint `audience`.
pub(crate) fn assertion(
    certificate: &ClientCertificate,
    algorithm: AssertionAlgorithm,
    client_id: &str,
    audience: &str,
    jti: Uuid,
    now: Timestamp,
) -> Result<String, CertificateError> {
    let (x5t, x5t_s256) = (certificate.x5t(), certificate.x5t_s256());
    let header = match algorithm {
        AssertionAlgorithm::Ps256 => {
            Header { alg: "PS256", typ: "JWT", x5t_s256: Some(&x5t_s256), x5t: None }
        }
        AssertionAlgorithm::Rs256 => Header { alg: "RS256", typ: "JWT", x5t_s256: None, x5t: Some(&x5t) },
    };
    let iat = now.as_second();
    let claims = Claims {
        aud: audience,
        iss: client_id,
        sub: client_id,
        jti,
        iat,
        nbf: iat,
        exp: iat + LIFETIME_SECONDS,
    };
    let mut jwt = format!("{}.{}", encoded(&header), encoded(&claims));
    let signature = match algorithm {
        AssertionAlgorithm::Ps256 => certificate.sign_pss(jwt.as_bytes())?,
        AssertionAlgorithm::Rs256 => certificate.sign_pkcs1(jwt.as_bytes())?,
    };
    jwt.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
    Ok(jwt)
}

fn encoded(part: &impl Serialize) -> String {
    let json = serde_json::to_vec(part).expect("a struct of strings and numbers always serialises");
    URL_SAFE_NO_PAD.encode(json)
}
