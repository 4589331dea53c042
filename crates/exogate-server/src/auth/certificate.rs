//! Client certificates: whose they are, and which caller that is.
//!
//! That a certificate was issued by an authority that the service trusts has been proved by TLS
//! before anything here is asked.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use thiserror::Error;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::caller::{Caller, CallerKind, Scope};

/// The certificate that the other end of a connection showed; an extension of each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    subject: Subject,
    fingerprint: String,
}

/// A subject as its parts, whatever their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject(Vec<(String, String)>);

/// A subject that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a subject such as \"CN=midpoint, O=Contoso\"")]
pub struct UnreadableSubject(String);

impl std::str::FromStr for Subject {
    type Err = UnreadableSubject;

    /// Reads `CN=midpoint, O=Contoso`; a comma in a value is written `\,`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || UnreadableSubject(text.to_owned());
        let mut parts = vec![String::new()];
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            let current = parts.last_mut().ok_or_else(wrong)?;
            match letter {
                '\\' => current.push(letters.next().ok_or_else(wrong)?),
                ',' => parts.push(String::new()),
                other => current.push(other),
            }
        }
        let pair = |part: &String| {
            let (key, value) = part.split_once('=')?;
            let (key, value) = (key.trim(), value.trim());
            (!key.is_empty() && !value.is_empty()).then(|| (key.to_uppercase(), value.to_owned()))
        };
        let mut pairs = parts.iter().map(pair).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
        pairs.sort();
        Ok(Self(pairs))
    }
}

impl PeerCertificate {
    /// Reads a certificate (DER).
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let mut pairs = Vec::new();
        for part in certificate.subject().iter_attributes() {
            let kind = part.attr_type();
            let name = oid2abbrev(kind, oid_registry()).map_or_else(|_| kind.to_id_string(), str::to_owned);
            pairs.push((name.to_uppercase(), part.as_str().ok()?.trim().to_owned()));
        }
        pairs.sort();
        let fingerprint = Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Self { subject: Subject(pairs), fingerprint })
    }
}

/// How a rule knows a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// By its whole subject.
    Subject(Subject),
    /// By the SHA-256 of itself, in lower-case hexadecimal digits.
    Fingerprint(String),
}

/// Which caller a certificate stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRule {
    /// How it is known.
    pub mark: Mark,
    /// Name for the journal and the audit log.
    pub name: String,
    /// What the caller may do.
    pub scope: Scope,
    /// The sources it is for; none: all of them.
    pub sources: Option<BTreeSet<String>>,
}

/// Knows callers by their certificates.
#[derive(Clone, Default)]
pub struct CertificateJudge {
    rules: Arc<HashMap<String, CertificateRule>>,
    subjects: Arc<Vec<CertificateRule>>,
}

impl CertificateJudge {
    /// A judge by these rules.
    pub fn new(rules: Vec<CertificateRule>) -> Self {
        let mut by_fingerprint = HashMap::new();
        let mut by_subject = Vec::new();
        for rule in rules {
            match &rule.mark {
                Mark::Fingerprint(digits) => {
                    by_fingerprint.insert(digits.clone(), rule);
                }
                Mark::Subject(_) => by_subject.push(rule),
            }
        }
        Self { rules: Arc::new(by_fingerprint), subjects: Arc::new(by_subject) }
    }

    /// Whose certificate it is; the fingerprint speaks before the subject.
    pub fn judge(&self, certificate: &PeerCertificate) -> Option<Caller> {
        let by_subject = || {
            self.subjects
                .iter()
                .find(|rule| matches!(&rule.mark, Mark::Subject(subject) if *subject == certificate.subject))
        };
        let rule = self.rules.get(&certificate.fingerprint).or_else(by_subject)?;
        Some(Caller {
            name: rule.name.clone(),
            kind: CallerKind::Certificate,
            scope: rule.scope,
            sources: rule.sources.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate(parts: &[(DnType, &str)]) -> PeerCertificate {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let key = KeyPair::generate().unwrap();
        PeerCertificate::read(params.self_signed(&key).unwrap().der()).unwrap()
    }

    fn rule(mark: Mark) -> CertificateRule {
        CertificateRule { mark, name: "midpoint".to_owned(), scope: Scope::Provision, sources: None }
    }

    #[test]
    fn a_caller_is_known_by_the_whole_subject_in_any_order() {
        let subject = "o=Contoso, CN=midpoint".parse().unwrap();
        let judge = CertificateJudge::new(vec![rule(Mark::Subject(subject))]);
        let common = (DnType::CommonName, "midpoint");
        let organisation = (DnType::OrganizationName, "Contoso");
        let known = certificate(&[common.clone(), organisation.clone()]);
        assert_eq!(judge.judge(&known).unwrap().name, "midpoint");
        for stranger in [
            certificate(std::slice::from_ref(&common)),
            certificate(&[common, (DnType::OrganizationName, "contoso")]),
            certificate(&[(DnType::OrganizationName, "Contoso, CN=midpoint")]),
        ] {
            assert_eq!(judge.judge(&stranger), None, "{stranger:?}");
        }
    }

    #[test]
    fn a_fingerprint_is_one_certificate_alone() {
        let one = certificate(&[(DnType::CommonName, "midpoint")]);
        let other = certificate(&[(DnType::CommonName, "midpoint")]);
        let judge = CertificateJudge::new(vec![rule(Mark::Fingerprint(one.fingerprint.clone()))]);
        assert!(judge.judge(&one).is_some());
        assert!(judge.judge(&other).is_none());
    }

    #[test]
    fn a_comma_in_a_value_is_escaped_and_nonsense_is_refused() {
        let subject: Subject = r"CN=midpoint, O=Contoso\, Inc.".parse().unwrap();
        assert_eq!(subject.0, [("CN".into(), "midpoint".into()), ("O".into(), "Contoso, Inc.".into())]);
        for bad in ["", "midpoint", "CN=", "=x", "CN=a,", "CN=a\\"] {
            assert!(bad.parse::<Subject>().is_err(), "{bad}");
        }
    }
}
