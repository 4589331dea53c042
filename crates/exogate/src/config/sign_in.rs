//! How a source signs in, as configured. Reads no key and fetches no secret: `tenant` does.

use std::path::{Path, PathBuf};

use exogate_microsoft::signin::AssertionAlgorithm;
use exogate_microsoft::signin::EXCHANGE_MODULE_CLIENT_ID;
use url::Url;

use super::secret::SecretSource;
use super::section::Section;
use super::template::NIL_ID;

/// How to sign in.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// An application with a certificate.
    Certificate {
        /// Application id.
        client_id: String,
        /// PFX, or PEM.
        certificate: PathBuf,
        /// The key, if it is not in the certificate file.
        key: Option<PathBuf>,
        /// Opens the PFX.
        password: Option<SecretSource>,
        /// How assertions are signed.
        algorithm: AssertionAlgorithm,
    },
    /// An application with a client secret.
    Secret {
        /// Application id.
        client_id: String,
        /// The secret.
        secret: SecretSource,
    },
    /// A user with a password.
    Password {
        /// A public client.
        client_id: String,
        /// User principal name.
        username: String,
        /// Password.
        password: SecretSource,
    },
    /// The managed identity of the machine or the platform.
    ManagedIdentity {
        /// A user-assigned one.
        client_id: Option<String>,
        /// The metadata service, if it is not the usual one.
        endpoint: Option<Url>,
    },
}

impl SignIn {
    /// The name used in configuration.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Certificate { .. } => "certificate",
            Self::Secret { .. } => "secret",
            Self::Password { .. } => "password",
            Self::ManagedIdentity { .. } => "managed-identity",
        }
    }
}

/// Why signing in with a password is off unless asked for.
pub const PASSWORD_WARNING: &str = "signing in with a password knows no multi-factor authentication, is refused by most \
     Conditional Access policies, and Microsoft is retiring it for Exchange Online; use a certificate";

#[derive(Clone, Copy, PartialEq)]
enum Method {
    Certificate,
    Secret,
    Password,
    ManagedIdentity,
}

const METHODS: [(&str, Method); 4] = [
    ("certificate", Method::Certificate),
    ("secret", Method::Secret),
    ("password", Method::Password),
    ("managed-identity", Method::ManagedIdentity),
];

/// Reads the table `sign_in`; `None` if anything in it is wrong, which has then been noted.
pub fn read(mut section: Section<'_>, folder: &Path) -> Option<SignIn> {
    let line = section.line();
    let method = section.one_of("method", &METHODS).map(|method| method.value);
    if method.is_none() && section.line_of_key("method").is_none() {
        section.error(
            line,
            "method",
            "is missing; choose \"certificate\" (recommended), \"secret\", \"managed-identity\" or \"password\"",
        );
    }
    // Every key is read whatever the method, so that its own mistakes are found too.
    let client_id = client_id(&mut section);
    let certificate = section.file("certificate", folder).map(|file| file.value);
    let key = section.file("key", folder).map(|file| file.value);
    let certificate_password = section.secret("certificate_password", folder);
    let algorithm = section
        .one_of("assertion", &[("PS256", AssertionAlgorithm::Ps256), ("RS256", AssertionAlgorithm::Rs256)])
        .map(|algorithm| algorithm.value);
    let secret = section.secret("secret", folder);
    let username = section.text("username").map(|username| username.value);
    let password = section.secret("password", folder);
    let allowed = section.flag("allow_password_sign_in");
    let endpoint = section.url("endpoint").map(|url| url.value);
    for (key, methods) in [
        ("certificate", &[Method::Certificate][..]),
        ("key", &[Method::Certificate]),
        ("certificate_password", &[Method::Certificate]),
        ("assertion", &[Method::Certificate]),
        ("secret", &[Method::Secret]),
        ("username", &[Method::Password]),
        ("password", &[Method::Password]),
        ("allow_password_sign_in", &[Method::Password]),
        ("endpoint", &[Method::ManagedIdentity]),
    ] {
        if let (Some(chosen), Some(at)) = (method, section.line_of_key(key))
            && !methods.contains(&chosen)
        {
            section.error(at, key, format!("has no meaning with method = {:?}", word(chosen)));
        }
    }
    let missing = |key: &'static str, purpose: &str| {
        if section.line_of_key(key).is_none() {
            section.error(line, key, format!("is missing; {purpose}"));
        }
    };
    let sign_in = match method {
        None => None,
        Some(Method::Certificate) => {
            if client_id.is_none() {
                missing("client_id", "give the application (client) id of the app registration");
            }
            if certificate.is_none() {
                missing("certificate", "name a .pfx or .pem file; `exogate certificate create` makes one");
            }
            client_id.zip(certificate).map(|(client_id, certificate)| SignIn::Certificate {
                client_id,
                certificate,
                key,
                password: certificate_password,
                algorithm: algorithm.unwrap_or_default(),
            })
        }
        Some(Method::Secret) => {
            if client_id.is_none() {
                missing("client_id", "give the application (client) id of the app registration");
            }
            if secret.is_none() {
                missing("secret", "name the client secret: { env = \"NAME\" } or { file = \"path\" }");
            }
            client_id.zip(secret).map(|(client_id, secret)| SignIn::Secret { client_id, secret })
        }
        Some(Method::Password) => {
            if username.is_none() {
                missing("username", "give the user principal name");
            }
            if password.is_none() {
                missing("password", "name the password: { env = \"NAME\" } or { file = \"path\" }");
            }
            let at = section.line_of_key("method");
            if allowed == Some(true) {
                section.warning(at, "method", PASSWORD_WARNING);
            } else {
                section.error(
                    at,
                    "method",
                    format!("{PASSWORD_WARNING}; to use it all the same, set allow_password_sign_in = true"),
                );
            }
            username.zip(password).filter(|_| allowed == Some(true)).map(|(username, password)| {
                let client_id = client_id.unwrap_or_else(|| EXCHANGE_MODULE_CLIENT_ID.to_owned());
                SignIn::Password { client_id, username, password }
            })
        }
        Some(Method::ManagedIdentity) => Some(SignIn::ManagedIdentity { client_id, endpoint }),
    };
    section.finish();
    sign_in
}

fn word(method: Method) -> &'static str {
    METHODS.iter().find(|(_, m)| *m == method).map_or("", |(word, _)| word)
}

fn client_id(section: &mut Section<'_>) -> Option<String> {
    let id = section.text("client_id")?;
    let problem = if id.value == NIL_ID {
        "is still the placeholder; put the application (client) id of the app registration here".to_owned()
    } else if uuid::Uuid::try_parse(&id.value).is_err() {
        format!("{:?} is not an application (client) id, which looks like {NIL_ID:?}", id.value)
    } else {
        return Some(id.value);
    };
    section.error(id.line, "client_id", problem);
    None
}
