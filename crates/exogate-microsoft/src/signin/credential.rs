//! How an application or a user proves itself.

use secrecy::SecretString;
use url::Url;

use crate::certificate::ClientCertificate;

/// The public client of the Exchange Online PowerShell module, used for a password sign-in unless another is given.
pub const EXCHANGE_MODULE_CLIENT_ID: &str = "fb78d390-0c51-40cd-8e17-fdbfab77341b";

/// How a client assertion is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AssertionAlgorithm {
    /// RSASSA-PSS with SHA-256 and `x5t#S256`: what Microsoft documents today.
    #[default]
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 and `x5t`: for gateways that know no PSS.
    Rs256,
}

/// How to sign in.
#[derive(Clone, Debug)]
pub enum Credential {
    /// An application with a certificate.
    Certificate {
        /// Application id.
        client_id: String,
        /// Certificate and key.
        certificate: ClientCertificate,
        /// How assertions are signed.
        algorithm: AssertionAlgorithm,
    },
    /// An application with a client secret.
    Secret {
        /// Application id.
        client_id: String,
        /// The secret's value.
        secret: SecretString,
    },
    /// A user with a password. Knows no multi-factor authentication, and Microsoft is retiring it.
    Password {
        /// A public client that may use this flow, [`EXCHANGE_MODULE_CLIENT_ID`] by default.
        client_id: String,
        /// User principal name.
        username: String,
        /// Password.
        password: SecretString,
    },
    /// The managed identity of a virtual machine.
    ManagedIdentityImds {
        /// A user-assigned identity.
        client_id: Option<String>,
        /// The metadata service, normally `http://169.254.169.254/`.
        endpoint: Url,
    },
    /// The managed identity of App Service, Functions, Container Apps or Automation.
    ManagedIdentityAppService {
        /// What the platform put into `IDENTITY_ENDPOINT`.
        endpoint: Url,
        /// What the platform put into `IDENTITY_HEADER`.
        header: SecretString,
        /// A user-assigned identity.
        client_id: Option<String>,
    },
}

impl Credential {
    /// The application id, where it is known.
    pub fn client_id(&self) -> Option<&str> {
        match self {
            Credential::Certificate { client_id, .. }
            | Credential::Secret { client_id, .. }
            | Credential::Password { client_id, .. } => Some(client_id),
            Credential::ManagedIdentityImds { client_id, .. }
            | Credential::ManagedIdentityAppService { client_id, .. } => client_id.as_deref(),
        }
    }

    /// Where tokens come from, if not from the cloud's sign-in host.
    pub fn identity_endpoint(&self) -> Option<&Url> {
        match self {
            Credential::ManagedIdentityImds { endpoint, .. }
            | Credential::ManagedIdentityAppService { endpoint, .. } => Some(endpoint),
            Credential::Certificate { .. } | Credential::Secret { .. } | Credential::Password { .. } => None,
        }
    }

    /// The user who signs in, if it is a user.
    pub fn username(&self) -> Option<&str> {
        match self {
            Credential::Password { username, .. } => Some(username),
            _ => None,
        }
    }
}
