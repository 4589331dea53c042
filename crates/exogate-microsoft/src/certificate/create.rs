//! Making a self-signed certificate for an application.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose};
use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use rustls_pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use super::CertificateError;

/// A certificate that was just made, with its key.
pub struct NewCertificate {
    cer_der: Vec<u8>,
    pem_cert: String,
    key_der: Zeroizing<Vec<u8>>,
    pem_key: Zeroizing<String>,
}

/// Clocks of the tenant and of this machine may differ by this much.
const BACKDATED: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(86_400);

/// Makes a certificate for `common_name`, valid for `days` from `now`.
pub fn create_self_signed(
    common_name: &str,
    days: u32,
    key_bits: usize,
    now: Timestamp,
) -> Result<NewCertificate, CertificateError> {
    let cannot = |why: &str| CertificateError::CannotMake(why.to_owned());
    if !matches!(key_bits, 2048 | 3072 | 4096) {
        return Err(cannot("the key must have 2048, 3072 or 4096 bits"));
    }
    if !(1..=3650).contains(&days) {
        return Err(cannot("it must be valid for 1 to 3650 days"));
    }
    let common_name = common_name.strip_prefix("CN=").unwrap_or(common_name).trim();
    if common_name.is_empty() || common_name.chars().count() > 64 {
        return Err(cannot("the name must have 1 to 64 characters"));
    }
    let begins = u64::try_from(now.as_second()).map_err(|_| cannot("this machine's clock is wrong"))?;

    let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, key_bits)
        .map_err(|_| cannot("no key could be made"))?;
    let key_der = key.to_pkcs8_der().map_err(|_| cannot("the key could not be encoded"))?.to_bytes();
    let pem_key = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| cannot("the key could not be encoded"))?;

    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    let mut wishes = CertificateParams::default();
    wishes.distinguished_name = name;
    let today = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(begins);
    wishes.not_before = today - BACKDATED;
    wishes.not_after = today + DAY * days;
    wishes.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    wishes.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];

    let pkcs8 = PrivatePkcs8KeyDer::from(key_der.as_slice());
    let signer = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &rcgen::PKCS_RSA_SHA256)
        .map_err(|_| cannot("the key could not be used"))?;
    let made = wishes.self_signed(&signer).map_err(|_| cannot("the certificate could not be signed"))?;
    Ok(NewCertificate { cer_der: made.der().to_vec(), pem_cert: made.pem(), key_der, pem_key })
}

impl NewCertificate {
    /// What is uploaded to the app registration (.cer).
    pub fn cer_der(&self) -> &[u8] {
        &self.cer_der
    }

    /// The certificate as PEM.
    pub fn pem_cert(&self) -> &str {
        &self.pem_cert
    }

    /// The private key as PEM, not encrypted.
    pub fn pem_key(&self) -> &str {
        &self.pem_key
    }

    /// Certificate and key as PFX under `password`.
    pub fn pfx(&self, password: &str) -> Result<Vec<u8>, CertificateError> {
        let cannot = |_| CertificateError::CannotMake("the PFX file could not be written".to_owned());
        let certificate = Certificate::from_der(&self.cer_der).map_err(cannot)?;
        let key = PrivateKey::from_der(&self.key_der).map_err(cannot)?;
        let mut store = KeyStore::new();
        let chain = PrivateKeyChain::new("exogate", key, [certificate]);
        store.add_entry("exogate", KeyStoreEntry::PrivateKeyChain(chain));
        store.writer(password).write().map_err(cannot)
    }
}

impl fmt::Debug for NewCertificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("NewCertificate")
    }
}
