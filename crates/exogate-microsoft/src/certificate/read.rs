//! Reading a certificate and its key from PFX or PEM.

use std::sync::Arc;

use jiff::Timestamp;
use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error as PfxError;
use ring::signature::RsaKeyPair;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::{CertificateError, ClientCertificate, Inner};

impl ClientCertificate {
    /// Reads a PFX (PKCS#12) file.
    pub fn from_pfx(bytes: &[u8], password: &str) -> Result<Self, CertificateError> {
        let archive =
            Pkcs12Archive::from_pkcs12(bytes, password).map_err(|error| pfx_error(&error, bytes))?;
        let key = archive.keys.first().ok_or(CertificateError::NoKey)?;
        let certificates: Vec<&[u8]> = archive.certs.iter().map(|bag| bag.cert.as_der()).collect();
        pair(&certificates, || rsa_key(key.key.as_der(), Encoding::Pkcs8))
    }

    /// Reads PEM: the certificate, and the key behind it or in `key`.
    pub fn from_pem(certificate: &[u8], key: Option<&[u8]>) -> Result<Self, CertificateError> {
        let certificates: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| CertificateError::BadCertificate)?;
        let ders: Vec<&[u8]> = certificates.iter().map(AsRef::as_ref).collect();
        let key = key.unwrap_or(certificate);
        pair(&ders, || match PrivateKeyDer::from_pem_slice(key) {
            Ok(PrivateKeyDer::Pkcs8(der)) => rsa_key(der.secret_pkcs8_der(), Encoding::Pkcs8),
            Ok(PrivateKeyDer::Pkcs1(der)) => rsa_key(der.secret_pkcs1_der(), Encoding::Pkcs1),
            Ok(_) => Err(CertificateError::NotRsa),
            Err(_) if contains(key, b"ENCRYPTED") => Err(CertificateError::EncryptedKey),
            Err(_) => Err(CertificateError::NoKey),
        })
    }
}

#[derive(Clone, Copy)]
enum Encoding {
    Pkcs1,
    Pkcs8,
}

/// Finds the certificate that the key belongs to; files often hold the issuers as well.
fn pair(
    certificates: &[&[u8]],
    key: impl FnOnce() -> Result<RsaKeyPair, CertificateError>,
) -> Result<ClientCertificate, CertificateError> {
    let first = certificates.first().ok_or(CertificateError::NoCertificate)?;
    let (_, leaf) = X509Certificate::from_der(first).map_err(|_| CertificateError::BadCertificate)?;
    let key = key()?;
    let mut seen_rsa = false;
    for &der in certificates {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|_| CertificateError::BadCertificate)?;
        if !matches!(certificate.public_key().parsed(), Ok(PublicKey::RSA(_))) {
            continue;
        }
        seen_rsa = true;
        // Both are the DER form of an RSAPublicKey, of which there is only one per key.
        if certificate.public_key().subject_public_key.data == key.public().as_ref() {
            let at = |seconds| Timestamp::from_second(seconds).map_err(|_| CertificateError::BadCertificate);
            let inner = Inner {
                der: der.to_vec(),
                key,
                subject: certificate.subject().to_string(),
                not_before: at(certificate.validity().not_before.timestamp())?,
                not_after: at(certificate.validity().not_after.timestamp())?,
            };
            return Ok(ClientCertificate { inner: Arc::new(inner) });
        }
    }
    if seen_rsa {
        Err(CertificateError::NotAPair(leaf.subject().to_string()))
    } else {
        Err(CertificateError::NotRsa)
    }
}

fn rsa_key(der: &[u8], encoding: Encoding) -> Result<RsaKeyPair, CertificateError> {
    let key = match encoding {
        Encoding::Pkcs1 => RsaKeyPair::from_der(der),
        Encoding::Pkcs8 => RsaKeyPair::from_pkcs8(der),
    };
    key.map_err(|error| match error.to_string().as_str() {
        "WrongAlgorithm" => CertificateError::NotRsa,
        why => CertificateError::BadKey(why.to_owned()),
    })
}

fn pfx_error(error: &PfxError, bytes: &[u8]) -> CertificateError {
    // A PFX is a DER sequence; what does not begin like one is another kind of file.
    if bytes.first() != Some(&0x30) {
        return CertificateError::NotPfx;
    }
    match error {
        PfxError::MacError(_) | PfxError::UnpadError | PfxError::Pkcs5Error(_) => {
            CertificateError::WrongPassword
        }
        PfxError::UnsupportedEncryptionScheme
        | PfxError::UnsupportedMacAlgorithm
        | PfxError::InvalidParameters => CertificateError::UnsupportedPfx(error.to_string()),
        PfxError::InvalidPrivateKey => CertificateError::NoKey,
        _ => CertificateError::NotPfx,
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(text, word).is_some()
}
