//! Client certificates: read from PFX or PEM, looked at, and made.
//!
//! Owns the private key in memory and signs nothing itself; `signin` signs with it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use zeroize::Zeroizing;

/// A certificate with its private RSA key.
#[derive(Clone)]
pub struct ClientCertificate {
    inner: Arc<Inner>,
}

struct Inner {
    der: Vec<u8>,
    key_pkcs8: Zeroizing<Vec<u8>>,
    subject: String,
    not_before: Timestamp,
    not_after: Timestamp,
}
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ClientCertificate({})", self.inner.subject)
    }
}
