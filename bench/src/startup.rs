//! From the start of the program to its first request, against a bare HTTP client that sends one.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::child;
use crate::constant;
use crate::http;
use crate::table::{self, Table};
use crate::tenant::Tenant;

#[derive(clap::Args)]
pub struct Args {
    /// Starts of each program, of which the median counts.
    #[arg(long, default_value_t = 25)]
    rounds: u32,
}

#[derive(clap::Args)]
pub struct RequestArgs {
    url: String,
    ca: PathBuf,
}

/// The bare client.
pub async fn request(args: &RequestArgs) -> Result<()> {
    http::client(&args.ca, true)?.get(&args.url).send().await?;
    Ok(())
}

pub async fn run(args: &Args) -> Result<()> {
    println!("machine: {}\n", table::machine());
    // Only for its folder: certificate, secret, configuration.
    let mut tenant = Tenant::start(&["--users", "10", "--shared", "1", "--groups", "5"])?;
    tenant.stop()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("https://{}", listener.local_addr()?);
    let identity = constant::identity()?;
    let ca = tenant.folder().join("listener.pem");
    fs::write(&ca, &identity.pem)?;
    let acceptor = TlsAcceptor::from(Arc::new(identity.config));
    let text = fs::read_to_string(tenant.folder().join("exogate.toml"))?
        .replace(&tenant.facts.origin(), &origin)
        .replace("ca.pem", "listener.pem");
    let configuration = tenant.folder().join("listener.toml");
    fs::write(&configuration, &text)?;
    let with_secret = tenant.folder().join("secret.toml");
    fs::write(&with_secret, signing_in_with_a_secret(&text))?;

    let exogate = |configuration: &PathBuf| -> Result<Command> {
        let mut command = Command::new(child::exogate()?);
        command.arg("--config").arg(configuration).args(["aggregate", "all", "--fresh"]);
        Ok(command)
    };
    let mut bare = Command::new(child::own()?);
    bare.arg("request").arg(&origin).arg(&ca);
    let mut sides = [
        ("bare client", bare, Vec::new()),
        ("exogate, client secret", exogate(&with_secret)?, Vec::new()),
        ("exogate, certificate", exogate(&configuration)?, Vec::new()),
    ];
    for _ in 0..args.rounds.max(1) {
        for (_, command, times) in &mut sides {
            times.push(first_request(&listener, &acceptor, command).await?.as_secs_f64() * 1000.0);
        }
    }
    let mut table = Table::new(["start to first request, ms", "median", "least", "most"]);
    let mut medians = Vec::new();
    for (name, _, times) in &sides {
        let (least, most) = table::range(times);
        medians.push(table::median(times));
        table.row([
            (*name).to_owned(),
            format!("{:.1}", table::median(times)),
            format!("{least:.1}"),
            format!("{most:.1}"),
        ]);
    }
    table.print();
    println!(
        "\nThe first request of exogate is its sign-in; with a certificate it has read the PFX and signed before."
    );
    println!("startup ratio {:.2}", medians[2] / medians[0]);
    Ok(())
}

fn signing_in_with_a_secret(text: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with("certificate") || line.starts_with("method = \"certificate\"") {
            continue;
        }
        let uncommented = ["# method = \"secret\"", "# secret ="].iter().any(|start| line.starts_with(start));
        kept.push(if uncommented { line.trim_start_matches("# ").to_owned() } else { line.to_owned() });
    }
    kept.join("\n")
}

/// Starts a program, waits for the first bytes of its first request, and ends it.
async fn first_request(
    listener: &TcpListener,
    acceptor: &TlsAcceptor,
    command: &mut Command,
) -> Result<Duration> {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let arrival = async {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // What is left of a program that was ended comes first.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            match stream.read(&mut [0; 1024]).await {
                Ok(0) => {}
                Ok(_) => return Ok::<_, std::io::Error>(begun.elapsed()),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(error),
            }
        }
    };
    let took = tokio::time::timeout(Duration::from_secs(30), arrival).await;
    child.kill()?;
    child.wait()?;
    Ok(took.context("no request came within 30 s")??)
}
