//! `exogate certificate`: making the certificate to sign in with, and telling what to do with it.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use exogate_microsoft::certificate::{ClientCertificate, NewCertificate, create_self_signed};
use jiff::tz::TimeZone;
use serde_json::json;
use uuid::Uuid;

use super::App;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::json_line;
use crate::output::sink::AtomicFile;

/// Make the certificate to sign in with.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a self-signed certificate: PFX and PEM to keep, .cer to upload.
    #[command(after_help = "\
Writes NAME.pfx and NAME.pem (with the private key, mode 0600), NAME.cer (the public half, to upload), and, unless a
password is given, NAME.pfx.password with a random one. Existing files are not replaced without --force.")]
    Create(Create),
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Common name of the certificate, shown in the portal.
    #[arg(long, default_value = "exogate")]
    subject: String,
    /// Name of the files, with a folder if need be.
    #[arg(short, long, value_name = "NAME", default_value = "exogate")]
    output: PathBuf,
    /// Days it is valid.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Bits of the RSA key: 2048, 3072 or 4096.
    #[arg(long, default_value = "2048", value_parser = ["2048", "3072", "4096"])]
    bits: String,
    /// Take the password of the PFX from this environment variable.
    #[arg(long, value_name = "VARIABLE", conflicts_with = "password_file")]
    password_env: Option<String>,
    /// Take the password of the PFX from the first line of this file.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Replace existing files.
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(args: Args, app: &App) -> Outcome {
    let Action::Create(args) = args.action;
    let password = password(&args, app)?;
    let bits = args.bits.parse().map_err(|_| Failure::usage("--bits must be 2048, 3072 or 4096"))?;
    let base = app.environment.absolute(&args.output);
    let files = Files::beside(&base);
    if !args.force
        && let Some(existing) = files.all().into_iter().find(|path| path.exists())
    {
        return Err(Failure::usage(format!("{} exists already; nothing was written", existing.display()))
            .hint("choose another name with --output NAME, or replace it with --force"));
    }
    let now = app.environment.clock.now();
    let made = create_self_signed(&args.subject, args.days, bits, now)
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    write(&made, &files, &password, args.force)?;
    // Reading it back proves that what was written can be used.
    let pfx = fs::read(&files.pfx)?;
    let read = ClientCertificate::from_pfx(&pfx, &password.text)
        .map_err(|error| Failure::new(Exit::Failed, error).context("the certificate does not read back"))?;
    tell(&read, &files, &args, &password, app)
}

struct Password {
    text: String,
    /// How the configuration should name it.
    setting: String,
    /// Whether it was made up here and must be kept in a file.
    made_up: bool,
}

fn password(args: &Create, app: &App) -> Result<Password, Failure> {
    if let Some(name) = &args.password_env {
        let text = app.environment.variable(name).ok_or_else(|| {
            Failure::usage(format!("the environment variable {name} is not set (or empty)"))
        })?;
        return Ok(Password {
            text: text.to_owned(),
            setting: format!("{{ env = {name:?} }}"),
            made_up: false,
        });
    }
    if let Some(file) = &args.password_file {
        let path = app.environment.absolute(file);
        let text = fs::read_to_string(&path).map_err(|error| {
            Failure::new(Exit::Usage, error).context(format!("cannot read {}", path.display()))
        })?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            return Err(Failure::usage(format!("the first line of {} is empty", path.display())));
        }
        let setting = format!("{{ file = {:?} }}", file.display().to_string());
        return Ok(Password { text: line.to_owned(), setting, made_up: false });
    }
    // Two random ids: 244 bits, and letters and digits only, so that it survives any shell or editor.
    let text = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let file = with_ending(&args.output, "pfx.password");
    Ok(Password { text, setting: format!("{{ file = {:?} }}", file.display().to_string()), made_up: true })
}

struct Files {
    pfx: PathBuf,
    pem: PathBuf,
    cer: PathBuf,
    password: PathBuf,
}

impl Files {
    fn beside(base: &Path) -> Self {
        Self {
            pfx: with_ending(base, "pfx"),
            pem: with_ending(base, "pem"),
            cer: with_ending(base, "cer"),
            password: with_ending(base, "pfx.password"),
        }
    }

    fn all(&self) -> [&PathBuf; 4] {
        [&self.pfx, &self.pem, &self.cer, &self.password]
    }
}

/// The name with an ending behind it; a dot in the name stays.
fn with_ending(base: &Path, ending: &str) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn write(made: &NewCertificate, files: &Files, password: &Password, replace: bool) -> Result<(), Failure> {
    let pfx = made.pfx(&password.text).map_err(|error| Failure::new(Exit::Failed, error))?;
    let pem = format!("{}{}", made.pem_key(), made.pem_cert());
    let put = |path: &Path, bytes: &[u8]| -> Result<(), Failure> {
        let keep = || {
            let mut file = AtomicFile::create(path)?;
            file.write_all(bytes)?;
            if replace { file.commit() } else { file.commit_new() }
        };
        keep().map_err(|error: std::io::Error| {
            let exit = if error.kind() == ErrorKind::AlreadyExists { Exit::Usage } else { Exit::Failed };
            Failure::new(exit, error).context(format!("cannot write {}", path.display()))
        })
    };
    if password.made_up {
        put(&files.password, format!("{}\n", password.text).as_bytes())?;
    }
    put(&files.pfx, &pfx)?;
    put(&files.pem, pem.as_bytes())?;
    put(&files.cer, made.cer_der())
}

fn tell(read: &ClientCertificate, files: &Files, args: &Create, password: &Password, app: &App) -> Outcome {
    let until = read.not_after().to_zoned(TimeZone::UTC).date();
    if app.global.json {
        let mut stdout = app.console.stdout();
        let value = json!({
            "subject": read.subject(), "thumbprint": read.thumbprint(), "notBefore": read.not_before().to_string(),
            "notAfter": read.not_after().to_string(), "pfx": files.pfx, "pem": files.pem, "cer": files.cer,
            "passwordFile": password.made_up.then_some(&files.password),
        });
        json_line(&value, &mut stdout)?;
        stdout.flush()?;
        return Ok(Exit::Done);
    }
    let name = |ending: &str| with_ending(&args.output, ending).display().to_string();
    let password_line = if password.made_up {
        format!(
            "  {:<24} the password of the PFX; keep it apart from the PFX where you can\n",
            name("pfx.password")
        )
    } else {
        String::new()
    };
    app.console.print(&format!(
        "\
Made a certificate for {subject}
  thumbprint {thumbprint}, RSA {bits} bits, valid until {until}

  {pfx:<24} certificate and private key: keep it secret
{password_line}  {pem:<24} the same as PEM, not encrypted: keep it secret, or delete it
  {cer:<24} the public half, to upload

What to do with it (Entra admin center, https://entra.microsoft.com):
  1. Identity > Applications > App registrations > your application > Certificates & secrets > Certificates:
     upload {cer}. (No application yet? New registration, single tenant, no redirect address.)
  2. API permissions > Add a permission > Application permissions, then Grant admin consent:
       Microsoft Graph               User.Read.All, GroupMember.Read.All
       Office 365 Exchange Online    Exchange.ManageAsApp   (under \"APIs my organization uses\")
  3. Identity > Roles & admins: assign the application Exchange Recipient Administrator. (Global Reader reads all
     but who may send as a mailbox.) A new role can take up to an hour to work.
  4. In exogate.toml:
       certificate = {pfx_setting}
       certificate_password = {setting}
  5. exogate test-connection",
        subject = read.subject(),
        thumbprint = read.thumbprint(),
        bits = read.key_bits(),
        pfx = name("pfx"),
        pem = name("pem"),
        cer = name("cer"),
        pfx_setting = crate::config::template::quoted(&name("pfx")),
        setting = password.setting,
    ))?;
    Ok(Exit::Done)
}
