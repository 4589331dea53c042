//! The certificate authority of the simulated tenant and the one server certificate that carries
//! every Microsoft name. The authority is kept in the state directory, so that clients need to
//! trust it only once.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;

use crate::clock::Time;

/// Names of Microsoft's services in every cloud that clients are sent to.
pub const HOSTS: [&str; 46] = [
    "login.microsoftonline.com",
    "login.microsoft.com",
    "login.windows.net",
    "sts.windows.net",
    "login.microsoftonline.us",
    "login.usgovcloudapi.net",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
    "login.microsoftonline.de",
    "login.sovcloud-identity.fr",
    "login.sovcloud-identity.de",
    "login.sovcloud-identity.sg",
    "graph.microsoft.com",
    "canary.graph.microsoft.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
    "graph.microsoft.de",
    "graph.svc.sovcloud.fr",
    "graph.svc.sovcloud.de",
    "outlook.office365.com",
    "outlook.office.com",
    "outlook.office365.us",
    "outlook-dod.office365.us",
    "webmail.apps.mil",
    "partner.outlook.cn",
    "outlook.office365.cn",
    "outlook.office.de",
    "ps.outlook.com",
    "ps.compliance.protection.outlook.com",
    "ps.compliance.protection.office365.us",
    "l5.ps.compliance.protection.office365.us",
    "compliance.dod.microsoft.com",
    "ps.compliance.protection.partner.outlook.cn",
    "eurpr01.ps.compliance.protection.outlook.com",
    "eur01b.ps.compliance.protection.outlook.com",
    "nam01b.ps.compliance.protection.outlook.com",
    "manage.office.com",
    "manage-gcc.office.com",
    "manage.office365.us",
    "manage.protection.apps.mil",
    "management.azure.com",
    "autodiscover-s.outlook.com",
    "enterpriseregistration.windows.net",
    "device.login.microsoftonline.com",
    "localhost",
];

/// Why no certificate could be had.
#[derive(Debug, Error)]
pub enum CaError {
    #[error("the certificate authority's file {path} could not be read or written")]
    Io { path: PathBuf, source: io::Error },
    #[error("a certificate could not be made")]
    Make(#[source] rcgen::Error),
    #[error(
        "the certificate authority's key {path} is not a private key in PEM; remove ca.pem and ca.key to have new ones made"
    )]
    Key { path: PathBuf, source: rcgen::Error },
    #[error("the host \"{host}\" cannot stand in a certificate")]
    Host { host: String, source: rcgen::Error },
}

/// What the TLS listener presents.
#[derive(Debug)]
pub struct Identity {
    /// The authority's certificate, for clients to trust.
    pub ca_pem: String,
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// The authority from `state_dir` (made there if it has none), and a fresh server certificate for
/// [`HOSTS`], the loopback addresses and `extra_hosts`, valid around `now`.
///
/// # Errors
/// [`CaError`].
pub fn identity(state_dir: Option<&Path>, extra_hosts: &[String], now: Time) -> Result<Identity, CaError> {
    let (ca_pem, ca_key) = authority(state_dir)?;
    let ca_der = pem_der(&ca_pem);
    let issuer = Issuer::new(authority_params(), ca_key);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CaError::Make)?;
    let params = server_params(extra_hosts, now)?;
    let certificate = params.signed_by(&key, &issuer).map_err(CaError::Make)?;
    let mut chain = vec![certificate.der().clone()];
    chain.extend(ca_der);
    Ok(Identity { ca_pem, chain, key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())) })
}

fn pem_der(pem: &str) -> Option<CertificateDer<'static>> {
    use rustls_pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

fn authority(state_dir: Option<&Path>) -> Result<(String, KeyPair), CaError> {
    let Some(dir) = state_dir else {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CaError::Make)?;
        let pem = authority_params().self_signed(&key).map_err(CaError::Make)?.pem();
        return Ok((pem, key));
    };
    let (pem_path, key_path) = (dir.join("ca.pem"), dir.join("ca.key"));
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| CaError::Io { path, source }
    };
    if pem_path.exists() && key_path.exists() {
        let pem = fs::read_to_string(&pem_path).map_err(io(&pem_path))?;
        let text = fs::read_to_string(&key_path).map_err(io(&key_path))?;
        let key =
            KeyPair::from_pem(&text).map_err(|source| CaError::Key { path: key_path.clone(), source })?;
        return Ok((pem, key));
    }
    fs::create_dir_all(dir).map_err(io(dir))?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CaError::Make)?;
    let pem = authority_params().self_signed(&key).map_err(CaError::Make)?.pem();
    write_private(&key_path, &key.serialize_pem()).map_err(io(&key_path))?;
    fs::write(&pem_path, &pem).map_err(io(&pem_path))?;
    Ok((pem, key))
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)?.write_all(text.as_bytes())
}

/// Always the same, so that a stored key is all that is needed to issue in the authority's name.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "exogate simulated tenant CA");
    name.push(DnType::OrganizationName, "exogate");
    params.distinguished_name = name;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params
}

fn server_params(extra_hosts: &[String], now: Time) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "exogate simulated tenant");
    params.distinguished_name = name;
    for host in HOSTS.iter().copied().chain(extra_hosts.iter().map(String::as_str)) {
        let san = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => SanType::IpAddress(ip),
            Err(_) => SanType::DnsName(
                host.try_into().map_err(|source| CaError::Host { host: host.to_owned(), source })?,
            ),
        };
        if !params.subject_alt_names.contains(&san) {
            params.subject_alt_names.push(san);
        }
    }
    for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        params.subject_alt_names.push(SanType::IpAddress(ip));
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let day = |time: Time| {
        let civil = time.civil();
        date_time_ymd(i32::try_from(civil.year).unwrap_or(2026), civil.month, civil.day)
    };
    // Some clients refuse server certificates that are valid for more than 398 days.
    params.not_before = day(now.minus(Duration::from_secs(2 * 86_400)));
    params.not_after = day(now.plus(Duration::from_secs(390 * 86_400)));
    Ok(params)
}
