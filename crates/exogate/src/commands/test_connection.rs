//! `exogate test-connection`: hosts, sign-in, permissions, roles and cmdlets, one line each, with the remedy.

use exogate_engine::Tenant;
use exogate_engine::connection::{self, Check, Verdict};
use exogate_microsoft::signin::Credential;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::json;

use super::App;
use crate::config::{Source, tenant};
use crate::connect;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{json_line, printable};

/// Try sign-in, permissions and roles, one line each.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Checks what the configured options need: every host, signing in to every service, each permission, each Exchange
cmdlet. Only reads. Exits with 4 if the tenant refuses something, with 1 if it cannot be reached.")]
pub struct Args {}

/// Runs the command.
pub fn run(_: &Args, app: &App) -> Outcome {
    let config = app.config()?;
    let source = config.source(app.global.source.as_deref())?;
    let tenant = connect::impatient_tenant(source, &app.environment)?;
    app.block_on(check(source, &tenant, app))?;
    Ok(Exit::Done)
}

/// Tests the connection of a source and tells each check as it is made.
pub async fn check(source: &Source, tenant: &Tenant, app: &App) -> Result<(), Failure> {
    app.console.note(&format!(
        "Testing source {}: tenant {} in the {} cloud, signing in by {}",
        source.name,
        source.tenant,
        source.cloud,
        source.sign_in.method(),
    ));
    if let Some(line) = certificate(source, app) {
        tell_certificate(&line, app)?;
    }
    let mut broken = None;
    let mut tell = |check: &Check| {
        if broken.is_none()
            && let Err(error) = tell(check, app)
        {
            broken = Some(error);
        }
    };
    let checks = connection::test(tenant, &connect::context(source), &mut tell).await;
    if let Some(error) = broken {
        return Err(error.into());
    }
    let failed: Vec<&Check> = checks.iter().filter(|check| check.is_failure()).collect();
    if failed.is_empty() {
        app.console.note(&format!("Source {} is ready: {} checks, none failed.", source.name, checks.len()));
        return Ok(());
    }
    let refused = failed.iter().any(|check| match &check.verdict {
        Verdict::Failed { error: Some(error), .. } => connect::exit_of(error) == Exit::Refused,
        Verdict::Failed { error: None, .. } => true,
        _ => false,
    });
    let exit = if refused { Exit::Refused } else { Exit::Failed };
    Err(Failure::message(exit, format!("{} of {} checks failed", failed.len(), checks.len()))
        .hint("what to do is told below each; then run `exogate test-connection` again"))
}

/// How a line begins, in words and in colour.
fn mark(app: &App, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Passed => app.console.paint("32", "ok     "),
        Verdict::Warning { .. } => app.console.paint("33", "warning"),
        Verdict::Failed { .. } => app.console.paint("1;31", "FAILED "),
        Verdict::Skipped => app.console.paint("2", "skipped"),
    }
}

fn tell(check: &Check, app: &App) -> std::io::Result<()> {
    if app.global.json {
        let (state, remedy) = match &check.verdict {
            Verdict::Passed => ("passed", None),
            Verdict::Warning { remedy } => ("warning", Some(remedy)),
            Verdict::Failed { remedy, .. } => ("failed", Some(remedy)),
            Verdict::Skipped => ("skipped", None),
        };
        let mut stdout = app.console.stdout();
        json_line(
            &json!({
                "area": check.area.name(), "check": check.what, "state": state, "detail": check.detail,
                "remedy": remedy,
            }),
            &mut stdout,
        )?;
        return std::io::Write::flush(&mut stdout);
    }
    let mut text = format!("{}  {}", mark(app, &check.verdict), printable(&check.what));
    let detail = check.detail.as_deref().map(printable);
    match &check.verdict {
        Verdict::Passed | Verdict::Skipped => {
            if let Some(detail) = detail {
                text.push_str(&format!(" ({detail})"));
            }
        }
        Verdict::Warning { remedy } | Verdict::Failed { remedy, .. } => {
            if let Some(detail) = detail {
                text.push_str(&format!("\n           {detail}"));
            }
            text.push_str(&format!("\n           -> {}", printable(remedy)));
        }
    }
    app.console.print(&text)
}

/// How long the certificate still is valid, which the tenant does not tell.
struct Expiry {
    until: Timestamp,
    soon: bool,
}

fn certificate(source: &Source, app: &App) -> Option<Expiry> {
    let settings = tenant::settings(source, &app.environment).ok()?;
    let Credential::Certificate { certificate, .. } = &settings.credential else { return None };
    let until = certificate.not_after();
    let month = app.environment.clock.now().checked_add((30 * 24).hours()).ok()?;
    Some(Expiry { until, soon: until < month })
}

fn tell_certificate(expiry: &Expiry, app: &App) -> std::io::Result<()> {
    let date = expiry.until.to_zoned(TimeZone::UTC).date();
    let (state, remedy) = if expiry.soon {
        ("warning", Some("make a new one with `exogate certificate create` and upload it beside the old one"))
    } else {
        ("passed", None)
    };
    if app.global.json {
        let mut stdout = app.console.stdout();
        let detail = format!("valid until {date}");
        json_line(
            &json!({"area": "signIn", "check": "certificate", "state": state, "detail": detail, "remedy": remedy}),
            &mut stdout,
        )?;
        return std::io::Write::flush(&mut stdout);
    }
    let verdict = match remedy {
        Some(remedy) => Verdict::Warning { remedy: remedy.to_owned() },
        None => Verdict::Passed,
    };
    let mut text = format!("{}  certificate (valid until {date})", mark(app, &verdict));
    if let Some(remedy) = remedy {
        text.push_str(&format!("\n           -> {remedy}"));
    }
    app.console.print(&text)
}
