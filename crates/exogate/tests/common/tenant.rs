//! A simulated tenant in the test's process, and a configuration that points at it.

use std::process::{Child, Stdio};

use exogate_sim::{AppSpec, RunningSim, Scenario, SimOptions, Sizes, TenantSource};

use super::{Ran, Sandbox};

/// A tenant with a registered application.
pub struct Tenant {
    pub sim: RunningSim,
    pub client_id: String,
    pub secret: String,
}

impl Tenant {
    /// Small, calm and with every grant.
    pub async fn small() -> Self {
        Self::with(Scenario::default(), AppSpec::exogate(), 40).await
    }

    /// As given; the secret is that of the application.
    pub async fn with(scenario: Scenario, app: AppSpec, users: u32) -> Self {
        let sizes = Sizes { users, shared: 6, groups: 10, ..Sizes::default() };
        let options =
            SimOptions { tenant: TenantSource::Generated(sizes), scenario, ..SimOptions::loopback() };
        let sim = exogate_sim::start(options).await.unwrap();
        let app = sim.register_app(app.with_generated_secret()).unwrap();
        Self { client_id: app.client_id.to_string(), secret: app.secret.unwrap(), sim }
    }

    /// A configuration with a client secret; `more` is put into the source's own table.
    pub fn configuration(&self, more: &str) -> String {
        let address = format!("https://{}", self.sim.addr());
        let tenant = self.sim.tenant().tenant_id;
        format!(
            r#"[sources.contoso]
tenant = "{tenant}"
ca_file = "ca.pem"
account_attributes = ["EXO_PrimarySmtpAddress"]
{more}
[sources.contoso.sign_in]
method = "secret"
client_id = "{client_id}"
secret = {{ file = "secret" }}
[sources.contoso.limits]
attempts = 2
give_up_after_minutes = 1
[sources.contoso.hosts]
login = "{address}"
graph = "{address}"
exchange = "{address}"
activity = "{address}"
"#,
            client_id = self.client_id,
        )
    }

    /// Puts configuration, authority and secret into the folder.
    pub fn configure(&self, sandbox: &Sandbox, more: &str) {
        sandbox.write("exogate.toml", &self.configuration(more));
        sandbox.write("ca.pem", self.sim.ca_pem());
        sandbox.write("secret", &self.secret);
    }
}

impl Sandbox {
    /// Runs the program without holding up the tenant that it talks to.
    pub async fn run_beside(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        Ran::of(output, self.folder.path())
    }

    /// Starts the program and lets it run.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits for a program that was started.
    pub async fn wait(&self, child: Child) -> Ran {
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        Ran::of(output, self.folder.path())
    }
}
