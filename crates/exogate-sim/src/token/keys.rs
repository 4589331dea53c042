//! The tenant's signing key: made once, kept in the state directory, published as JWKS, used for every token.
//! Issues signatures and checks them; knows no claims.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rsa::traits::PublicKeyParts as _;
use sha1::Digest as _;

/// The signing key could not be made, read or kept.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file cannot be read or written.
    #[error("token signing key {path}: cannot be read or written")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The key file is not a PKCS#8 RSA key.
    #[error(
        "token signing key {path}: not an RSA key in PKCS#8 PEM ({reason}); delete the file to have a new one made"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A new key cannot be generated.
    #[error("a token signing key cannot be generated: {0}")]
    Generate(String),
}

/// The key pair with its published form.
pub struct SigningKey {
    pair: RsaKeyPair,
    /// Opens what was sealed with the public half.
    private: rsa::RsaPrivateKey,
    public_der: Vec<u8>,
    kid: String,
    jwk: serde_json::Value,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// A tenant without a state directory uses one key per process: making it takes longer than all else.
static EPHEMERAL: OnceLock<Arc<SigningKey>> = OnceLock::new();

impl SigningKey {
    /// Reads the key from `directory` or makes it there; without a directory a key of this process.
    ///
    /// # Errors
    /// [`KeyError`] when the file is unreadable or is no key.
    pub fn load(directory: Option<&Path>) -> Result<Arc<Self>, KeyError> {
        let Some(directory) = directory else {
            if let Some(key) = EPHEMERAL.get() {
                return Ok(Arc::clone(key));
            }
            let key = Arc::new(Self::from_private(&generate()?)?);
            return Ok(Arc::clone(EPHEMERAL.get_or_init(|| key)));
        };
        let path = directory.join("token-signing-key.pem");
        match std::fs::read_to_string(&path) {
            Ok(pem) => {
                let private = rsa::RsaPrivateKey::from_pkcs8_pem(&pem)
                    .map_err(|error| KeyError::Malformed { path: path.clone(), reason: error.to_string() })?;
                Self::from_private(&private).map(Arc::new)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let private = generate()?;
                let pem = private
                    .to_pkcs8_pem(rsa::pkcs8::LineEnding::LF)
                    .map_err(|error| KeyError::Generate(error.to_string()))?;
                write_private(directory, &path, pem.as_bytes())
                    .map_err(|source| KeyError::File { path: path.clone(), source })?;
                Self::from_private(&private).map(Arc::new)
            }
            Err(source) => Err(KeyError::File { path, source }),
        }
    }

    fn from_private(private: &rsa::RsaPrivateKey) -> Result<Self, KeyError> {
        let failed = |reason: String| KeyError::Generate(reason);
        let der = private.to_pkcs8_der().map_err(|error| failed(error.to_string()))?;
        let pair = RsaKeyPair::from_pkcs8(der.as_bytes()).map_err(|error| failed(error.to_string()))?;
        let public_der = pair.public().as_ref().to_vec();
        let certificate = self_signed(der.as_bytes(), &public_der).map_err(failed)?;
        let kid = URL_SAFE_NO_PAD.encode(sha1::Sha1::digest(&certificate));
        let jwk = serde_json::json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "x5t": kid,
            "n": URL_SAFE_NO_PAD.encode(private.n().to_bytes_be()),
            "e": URL_SAFE_NO_PAD.encode(private.e().to_bytes_be()),
            "x5c": [STANDARD.encode(&certificate)],
        });
        Ok(Self { pair, private: private.clone(), public_der, kid, jwk })
    }

    /// The key's id, as tokens and JWKS carry it.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The JSON Web Key of the public half (without `issuer`).
    #[must_use]
    pub fn jwk(&self) -> &serde_json::Value {
        &self.jwk
    }

    /// Modulus and exponent of the public half, in base64.
    #[must_use]
    pub fn public_parts(&self) -> [String; 2] {
        [self.private.n(), self.private.e()].map(|number| STANDARD.encode(number.to_bytes_be()))
    }

    /// The text that was sealed with the public half (PKCS#1 v1.5) and written in base64.
    #[must_use]
    pub fn unseal(&self, sealed: &str) -> Option<String> {
        let bytes = STANDARD.decode(sealed.trim()).ok()?;
        let clear = self.private.decrypt(rsa::Pkcs1v15Encrypt, &bytes).ok()?;
        String::from_utf8(clear).ok()
    }

    /// Header and claims as a compact JWT, signed RS256. `None` if the system's randomness fails.
    #[must_use]
    pub fn sign(&self, header: &serde_json::Value, claims: &serde_json::Value) -> Option<String> {
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature).ok()?;
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(&signature));
        Some(token)
    }

    /// The claims of a token of this tenant, if its signature is ours.
    #[must_use]
    pub fn open(&self, token: &str) -> Option<serde_json::Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public_der)
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        let (_, claims) = signed.split_once('.')?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

fn generate() -> Result<rsa::RsaPrivateKey, KeyError> {
    rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048)
        .map_err(|error| KeyError::Generate(error.to_string()))
}

fn write_private(directory: &Path, path: &Path, pem: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    std::fs::create_dir_all(directory)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)?.write_all(pem)
}

/// The certificate that JWKS shows in `x5c`. Dates and serial are fixed: the same key always gives the same `kid`.
fn self_signed(pkcs8: &[u8], public: &[u8]) -> Result<Vec<u8>, String> {
    let key = rcgen::KeyPair::try_from(pkcs8).map_err(|error| error.to_string())?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "accounts.accesscontrol.windows.net");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    params.serial_number = Some(rcgen::SerialNumber::from_slice(&sha1::Sha1::digest(public)[..8]));
    let certificate = params.self_signed(&key).map_err(|error| error.to_string())?;
    Ok(certificate.der().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_key_comes_back_and_verifies() {
        let directory = tempfile::tempdir().unwrap();
        let first = SigningKey::load(Some(directory.path())).unwrap();
        let second = SigningKey::load(Some(directory.path())).unwrap();
        assert_eq!(first.kid(), second.kid());
        let token = first.sign(&serde_json::json!({"alg": "RS256"}), &serde_json::json!({"a": 1})).unwrap();
        assert_eq!(second.open(&token).unwrap()["a"], 1);
        let forged = format!("{}x", &token[..token.len() - 1]);
        assert!(second.open(&forged).is_none() || forged == token);
        assert!(second.open("a.b").is_none());
    }

    #[test]
    fn what_is_sealed_with_the_public_half_is_opened() {
        let key = SigningKey::load(None).unwrap();
        let [modulus, exponent] =
            key.public_parts().map(|part| rsa::BigUint::from_bytes_be(&STANDARD.decode(part).unwrap()));
        let public = rsa::RsaPublicKey::new(modulus, exponent).unwrap();
        let sealed =
            public.encrypt(&mut rsa::rand_core::OsRng, rsa::Pkcs1v15Encrypt, "Xk7!é".as_bytes()).unwrap();
        assert_eq!(key.unseal(&STANDARD.encode(sealed)).as_deref(), Some("Xk7!é"));
        for other in ["", "Xk7!mmmm", "QUJD", "not base64 at all"] {
            assert_eq!(key.unseal(other), None, "{other}");
        }
    }
}
