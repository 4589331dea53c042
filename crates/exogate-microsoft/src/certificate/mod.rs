//! Client certificates: read from PFX or PEM, looked at, signed with, and made.
//!
//! The private key stays in here. What is signed, and who is told, is not known here.

mod create;
mod read;

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

pub use create::{NewCertificate, create_self_signed};

/// A certificate with its private RSA key. Clones share the key.
#[derive(Clone)]
pub struct ClientCertificate {
    inner: Arc<Inner>,
}

struct Inner {
    der: Vec<u8>,
    key: RsaKeyPair,
    subject: String,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CertificateError {
    /// The PFX does not open.
    #[error("the password does not open the PFX file; check it, and that it is not an empty one by mistake")]
    WrongPassword,
    /// Not a PFX at all.
    #[error("the file is not a PFX (PKCS#12) file; a PEM file begins with -----BEGIN, a .cer holds no key")]
    NotPfx,
    /// A PFX made in a way that is not supported.
    #[error(
        "the PFX file uses an encryption that is not supported ({0}); export it again with AES256-SHA256"
    )]
    UnsupportedPfx(String),
    /// No certificate.
    #[error("the file holds no certificate; export the certificate together with its key")]
    NoCertificate,
    /// No private key.
    #[error("the file holds no private key; export the certificate with its private key (a .cer has none)")]
    NoKey,
    /// A PEM key under a password.
    #[error(
        "the private key is encrypted; use a PFX file, or decrypt the key with: openssl pkcs8 -in KEY -out NEWKEY"
    )]
    EncryptedKey,
    /// Key and certificate are not a pair.
    #[error(
        "the private key does not belong to the certificate of '{0}'; give the two that were made together"
    )]
    NotAPair(String),
    /// Not RSA.
    #[error(
        "the key is not an RSA key; Microsoft Entra accepts only RSA for applications, so make a new certificate"
    )]
    NotRsa,
    /// An RSA key that cannot be used.
    #[error("the RSA key cannot be used ({0}); use one of 2048 to 4096 bits")]
    BadKey(String),
    /// Not a certificate.
    #[error("the certificate cannot be read; it must be X.509 in PEM or DER")]
    BadCertificate,
    /// Over.
    #[error("the certificate of '{subject}' expired on {not_after}; make a new one and upload it")]
    Expired {
        /// Whose.
        subject: String,
        /// When it ended.
        not_after: Timestamp,
    },
    /// Too early.
    #[error("the certificate of '{subject}' is valid only from {not_before}; check this machine's clock")]
    NotYetValid {
        /// Whose.
        subject: String,
        /// When it begins.
        not_before: Timestamp,
    },
    /// The key did not sign.
    #[error("signing with the certificate's key failed; the key may be damaged")]
    Signing,
    /// Wishes for a new certificate that cannot be met.
    #[error("a certificate cannot be made like this: {0}")]
    CannotMake(String),
}

impl ClientCertificate {
    /// The whole certificate (DER).
    pub fn der(&self) -> &[u8] {
        &self.inner.der
    }

    /// Whose it is.
    pub fn subject(&self) -> &str {
        &self.inner.subject
    }

    /// From when it is valid.
    pub fn not_before(&self) -> Timestamp {
        self.inner.not_before
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> Timestamp {
        self.inner.not_after
    }

    /// Size of the key.
    pub fn key_bits(&self) -> usize {
        self.inner.key.public().modulus_len() * 8
    }

    /// SHA-1 thumbprint in capital hex, as the portal shows it.
    pub fn thumbprint(&self) -> String {
        Sha1::digest(self.der()).iter().map(|byte| format!("{byte:02X}")).collect()
    }

    /// `x5t`: SHA-1 thumbprint in base64url.
    pub fn x5t(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha1::digest(self.der()))
    }

    /// `x5t#S256`: SHA-256 thumbprint in base64url.
    pub fn x5t_s256(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.der()))
    }

    /// Whether it is valid at `now`.
    pub fn check_validity(&self, now: Timestamp) -> Result<(), CertificateError> {
        let Inner { subject, not_before, not_after, .. } = &*self.inner;
        if now > *not_after {
            return Err(CertificateError::Expired { subject: subject.clone(), not_after: *not_after });
        }
        if now < *not_before {
            return Err(CertificateError::NotYetValid { subject: subject.clone(), not_before: *not_before });
        }
        Ok(())
    }

    /// Signs with RSASSA-PSS and SHA-256.
    pub(crate) fn sign_pss(&self, message: &[u8]) -> Result<Vec<u8>, CertificateError> {
        self.sign(&RSA_PSS_SHA256, message)
    }

    /// Signs with RSASSA-PKCS1-v1_5 and SHA-256.
    pub(crate) fn sign_pkcs1(&self, message: &[u8]) -> Result<Vec<u8>, CertificateError> {
        self.sign(&RSA_PKCS1_SHA256, message)
    }

    fn sign(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Result<Vec<u8>, CertificateError> {
        let mut signature = vec![0; self.inner.key.public().modulus_len()];
        self.inner
            .key
            .sign(encoding, &ring::rand::SystemRandom::new(), message, &mut signature)
            .map_err(|_| CertificateError::Signing)?;
        Ok(signature)
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ClientCertificate({}, {})", self.subject(), self.thumbprint())
    }
}
