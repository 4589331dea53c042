//! The folder of a simulated tenant: certificate authority, credentials, facts and configuration.
//!
//! What is there already is used again, so that a configuration stays good over restarts.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use exogate_microsoft::certificate::{ClientCertificate, create_self_signed};
use uuid::Uuid;

use super::Facts;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::sink::AtomicFile;

/// The certificate authority to trust.
pub const CA: &str = "ca.pem";
/// Certificate and key of the app registration.
pub const PFX: &str = "client.pfx";
/// The password of the PFX.
pub const PFX_PASSWORD: &str = "client.pfx.password";
/// Certificate and key as PEM.
pub const PEM: &str = "client.pem";
/// The client secret.
pub const SECRET: &str = "client.secret";
/// What `exogate sim env` reads.
const FACTS: &str = "sim.json";

/// A folder.
pub struct Folder {
    path: PathBuf,
    /// Removes it in the end, if it was made for one occasion.
    _temporary: Option<tempfile::TempDir>,
}

/// How the app registration proves itself.
pub struct Credentials {
    /// What is registered.
    pub certificate_der: Vec<u8>,
    /// The client secret.
    pub secret: String,
}

impl Folder {
    /// A folder that stays.
    pub fn lasting(path: PathBuf) -> Result<Self, Failure> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(|error| {
            Failure::from(error).context(format!("cannot make the folder {}", path.display()))
        })?;
        Ok(Self { path, _temporary: None })
    }

    /// A folder that is removed in the end.
    pub fn temporary(environment: &Environment) -> Result<Self, Failure> {
        let made = tempfile::Builder::new()
            .prefix("exogate-demo-")
            .tempdir_in(&environment.temporary)
            .map_err(|error| Failure::from(error).context("cannot make a temporary folder"))?;
        Ok(Self { path: made.path().to_owned(), _temporary: Some(made) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The configuration in it.
    pub fn configuration(&self) -> PathBuf {
        self.file(crate::config::FILE_NAME)
    }

    /// The credentials in it; made if there are none, or none that are valid.
    pub fn credentials(&self, environment: &Environment) -> Result<Credentials, Failure> {
        let now = environment.clock.now();
        let held = self.read_credentials().filter(|(certificate, _)| certificate.check_validity(now).is_ok());
        if let Some((certificate, secret)) = held {
            return Ok(Credentials { certificate_der: certificate.der().to_vec(), secret });
        }
        let failed =
            |error| Failure::new(Exit::Failed, error).context("the client certificate could not be made");
        let made = create_self_signed("exogate simulated tenant", 730, 2048, now).map_err(failed)?;
        let password = Uuid::new_v4().simple().to_string();
        let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.put(PFX_PASSWORD, format!("{password}\n").as_bytes())?;
        self.put(PFX, &made.pfx(&password).map_err(failed)?)?;
        self.put(PEM, format!("{}{}", made.pem_key(), made.pem_cert()).as_bytes())?;
        self.put(SECRET, format!("{secret}\n").as_bytes())?;
        Ok(Credentials { certificate_der: made.cer_der().to_vec(), secret })
    }

    fn read_credentials(&self) -> Option<(ClientCertificate, String)> {
        let password = fs::read_to_string(self.file(PFX_PASSWORD)).ok()?;
        let pfx = fs::read(self.file(PFX)).ok()?;
        let certificate = ClientCertificate::from_pfx(&pfx, password.trim_end()).ok()?;
        let secret = fs::read_to_string(self.file(SECRET)).ok()?;
        Some((certificate, secret.trim_end().to_owned()))
    }

    /// Writes the certificate authority.
    pub fn put_ca(&self, pem: &str) -> Result<(), Failure> {
        self.put(CA, pem.as_bytes())
    }

    /// Writes the configuration.
    pub fn put_configuration(&self, text: &str) -> Result<(), Failure> {
        self.put(crate::config::FILE_NAME, text.as_bytes())
    }

    /// Writes what `exogate sim env` reads.
    pub fn put_facts(&self, facts: &Facts) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(facts).map_err(|error| Failure::new(Exit::Failed, error))?;
        self.put(FACTS, &text)
    }

    /// What was written by [`Self::put_facts`].
    pub fn facts(path: &Path) -> Result<Facts, Failure> {
        let file = path.join(FACTS);
        let text = fs::read_to_string(&file).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Failure::usage(format!("no simulated tenant was started in {}", path.display()))
                    .hint("start one with `exogate sim`, or name its folder with --state DIR")
            }
            _ => Failure::from(error).context(format!("cannot read {}", file.display())),
        })?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::new(Exit::Failed, error).context(format!("{} is damaged", file.display()))
        })
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.file(name);
        let write = || {
            let mut file = AtomicFile::create(&path)?;
            file.write_all(bytes)?;
            file.commit()
        };
        write().map_err(|error: io::Error| {
            Failure::from(error).context(format!("cannot write {}", path.display()))
        })
    }
}
