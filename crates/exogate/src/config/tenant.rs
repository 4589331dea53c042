//! From a configured source to what the wire needs: fetches secrets, opens the certificate, reads the CA file.
//!
//! Every problem is collected, so that one look at the answer is enough. Sends nothing.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use exogate_microsoft::TenantSettings;
use exogate_microsoft::certificate::ClientCertificate;
use exogate_microsoft::signin::Credential;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::secret::SecretSource;
use super::{SignIn, Source};
use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::Failure;

/// Settings of a source's tenant, or every reason why there are none.
pub fn settings(source: &Source, environment: &Environment) -> Result<TenantSettings, Vec<String>> {
    let mut problems = Vec::new();
    let credential = credential(source, environment, &mut problems);
    let ca_pem = source.ca_file.as_deref().and_then(|path| {
        let read = fs::read(path).map_err(|error| error.to_string()).and_then(|bytes| {
            if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
                Ok(bytes)
            } else {
                Err("it is not a PEM file (no -----BEGIN CERTIFICATE-----)".to_owned())
            }
        });
        note(read, &mut problems, || format!("{}: cannot use {}", at(source, "ca_file"), path.display()))
    });
    match credential {
        Some(credential) if problems.is_empty() => {
            let mut settings = TenantSettings::new(&source.tenant, source.endpoints.clone(), credential);
            settings.ca_pem = ca_pem;
            settings.proxy = source.proxy.clone();
            settings.governor = source.limits.governor;
            settings.retry = source.limits.retry;
            settings.timeouts = source.limits.timeouts;
            Ok(settings)
        }
        _ => Err(problems),
    }
}

/// Settings of a source's tenant, or the failure to end with.
pub fn require(source: &Source, environment: &Environment) -> Result<TenantSettings, Failure> {
    settings(source, environment).map_err(|problems| {
        Failure::message(Exit::Usage, format!("source {:?} cannot sign in", source.name)).details(problems)
    })
}

fn at(source: &Source, key: &str) -> String {
    format!("sources.{}.{key}", source.name)
}

fn note<T>(
    result: Result<T, String>,
    problems: &mut Vec<String>,
    what: impl FnOnce() -> String,
) -> Option<T> {
    result.map_err(|reason| problems.push(format!("{}: {reason}", what()))).ok()
}

fn credential(source: &Source, environment: &Environment, problems: &mut Vec<String>) -> Option<Credential> {
    match &source.sign_in {
        SignIn::Certificate { client_id, certificate, key, password, algorithm } => {
            let password = fetch(source, "certificate_password", password.as_ref(), environment, problems);
            let opened = open(certificate, key.as_deref(), password?.as_ref(), environment.clock.now());
            let certificate = note(opened, problems, || {
                format!("{}: cannot use {}", at(source, "sign_in.certificate"), certificate.display())
            })?;
            Some(Credential::Certificate { client_id: client_id.clone(), certificate, algorithm: *algorithm })
        }
        SignIn::Secret { client_id, secret } => {
            let secret = fetch(source, "secret", Some(secret), environment, problems)??;
            Some(Credential::Secret { client_id: client_id.clone(), secret })
        }
        SignIn::Password { client_id, username, password } => {
            let password = fetch(source, "password", Some(password), environment, problems)??;
            Some(Credential::Password { client_id: client_id.clone(), username: username.clone(), password })
        }
        SignIn::ManagedIdentity { client_id, endpoint } => {
            managed_identity(client_id.clone(), endpoint.clone(), environment, source, problems)
        }
    }
}

/// The outer `None` is a problem; the inner one an absent secret.
fn fetch(
    source: &Source,
    key: &str,
    secret: Option<&SecretSource>,
    environment: &Environment,
    problems: &mut Vec<String>,
) -> Option<Option<SecretString>> {
    let Some(secret) = secret else { return Some(None) };
    let fetched = secret.fetch(environment).map_err(|error| error.to_string());
    note(fetched, problems, || at(source, &format!("sign_in.{key}"))).map(Some)
}

/// Opens a certificate with its key and checks that it is valid now.
fn open(
    certificate: &Path,
    key: Option<&Path>,
    password: Option<&SecretString>,
    now: Timestamp,
) -> Result<ClientCertificate, String> {
    let bytes = fs::read(certificate).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "there is no such file; `exogate certificate create` makes one".to_owned(),
        _ => error.to_string(),
    })?;
    let key = key.map(fs::read).transpose().map_err(|error| format!("its key: {error}"))?;
    let opened = if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
        ClientCertificate::from_pem(&bytes, key.as_deref())
    } else {
        ClientCertificate::from_pfx(&bytes, password.map_or("", |password| password.expose_secret()))
    };
    let opened = opened.map_err(|error| error.to_string())?;
    opened.check_validity(now).map_err(|error| error.to_string())?;
    Ok(opened)
}

/// App Service and its relatives announce themselves by two variables; elsewhere the metadata service of the
/// virtual machine is asked.
fn managed_identity(
    client_id: Option<String>,
    endpoint: Option<Url>,
    environment: &Environment,
    source: &Source,
    problems: &mut Vec<String>,
) -> Option<Credential> {
    let parse = |text: &str, name: &str, problems: &mut Vec<String>| {
        note(Url::parse(text).map_err(|error| error.to_string()), problems, || {
            format!("{}: {name} = {text:?}", at(source, "sign_in.endpoint"))
        })
    };
    let app_service = environment.variable("IDENTITY_ENDPOINT").zip(environment.variable("IDENTITY_HEADER"));
    if let (None, Some((announced, header))) = (&endpoint, app_service) {
        let endpoint = parse(announced, "IDENTITY_ENDPOINT", problems)?;
        return Some(Credential::ManagedIdentityAppService {
            endpoint,
            header: SecretString::from(header),
            client_id,
        });
    }
    let endpoint = match endpoint {
        Some(endpoint) => endpoint,
        None => {
            let address = environment
                .variable("AZURE_POD_IDENTITY_AUTHORITY_HOST")
                .unwrap_or("http://169.254.169.254/");
            parse(address, "AZURE_POD_IDENTITY_AUTHORITY_HOST", problems)?
        }
    };
    Some(Credential::ManagedIdentityImds { client_id, endpoint })
}
