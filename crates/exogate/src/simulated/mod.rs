//! A simulated tenant that this program serves, with everything a client needs to use it put into one folder.
//!
//! The folder holds the certificate authority, an app registration's certificate and secret, and a ready
//! configuration. What the tenant does is the simulated tenant's own business.

pub mod clients;
pub mod folder;

use std::net::SocketAddr;

use exogate_sim::state::AppKind;
use exogate_sim::{AppSpec, RunningSim, SimOptions};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::Failure;
use folder::Folder;

/// The application that is registered; the same in every folder, so that notes and scripts stay valid.
const CLIENT_ID: Uuid = Uuid::from_u128(0x0b9f_3d0e_6a55_4a0c_8f1c_2f6a_4d9e_7701);

/// The managed identity of the machine that the metadata service stands for.
const IDENTITY_ID: Uuid = Uuid::from_u128(0x5c1e_9f27_3b48_4d06_9a70_6e2d_81b4_c302);

/// What a client needs to know; kept in the folder for `exogate sim env`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Where the services are.
    pub address: SocketAddr,
    /// Where the metadata service is.
    pub imds: Option<SocketAddr>,
    /// Where the control API is.
    pub control: Option<SocketAddr>,
    /// Tenant id.
    pub tenant_id: Uuid,
    /// Default domain.
    pub domain: String,
    /// The domain that ends in `onmicrosoft.com`.
    pub initial_domain: String,
    /// Application id.
    pub client_id: Uuid,
    /// The password of every user who has none of his own.
    #[serde(default)]
    pub user_password: String,
}

/// A tenant that is being served, and its folder.
pub struct Simulated {
    /// The tenant.
    pub sim: RunningSim,
    /// What clients need to know.
    pub facts: Facts,
    /// Where the files are.
    pub folder: Folder,
}

/// Starts a tenant and fills the folder.
pub async fn start(
    mut options: SimOptions,
    folder: Folder,
    environment: &Environment,
) -> Result<Simulated, Failure> {
    let credentials = folder.credentials(environment)?;
    options.state_dir = Some(folder.path().to_owned());
    let user_password = options.scenario.token.user_password.clone();
    let sim = exogate_sim::start(options)
        .await
        .map_err(|error| Failure::new(Exit::Failed, error).context("the simulated tenant did not start"))?;
    let spec = AppSpec {
        client_id: Some(CLIENT_ID),
        secret: Some(credentials.secret.clone()),
        ..AppSpec::everything().with_certificate(credentials.certificate_der.clone())
    };
    let app = sim.register_app(spec).map_err(|error| Failure::new(Exit::Failed, error))?;
    if sim.imds_addr().is_some() {
        let identity = AppSpec {
            client_id: Some(IDENTITY_ID),
            display_name: "exogate-machine".to_owned(),
            kind: AppKind::ManagedIdentity,
            ..AppSpec::exogate()
        };
        sim.register_app(identity).map_err(|error| Failure::new(Exit::Failed, error))?;
    }
    let tenant = sim.tenant();
    let facts = Facts {
        address: sim.addr(),
        imds: sim.imds_addr(),
        control: sim.control_addr(),
        tenant_id: tenant.tenant_id,
        domain: tenant.domain,
        initial_domain: tenant.initial_domain,
        client_id: app.client_id,
        user_password,
    };
    folder.put_ca(sim.ca_pem())?;
    folder.put_facts(&facts)?;
    folder.put_configuration(&configuration(&facts))?;
    Ok(Simulated { sim, facts, folder })
}

/// A configuration with which exogate reads this tenant; its files are beside it.
pub fn configuration(facts: &Facts) -> String {
    let Facts { tenant_id, client_id, domain, .. } = facts;
    let address = facts.origin();
    format!(
        r#"# The simulated tenant {domain}. Written anew whenever it starts.
[store]
path = "exogate.db"

[sources.simulated]
tenant = "{tenant_id}"
ca_file = "{ca}"
account_attributes = [
    "EXO_PrimarySmtpAddress",
    "EXO_EmailAddresses",
    "EXO_Alias",
    "EXO_RecipientTypeDetails",
    "EXO_HiddenFromAddressListsEnabled",
    "EXO_CustomAttribute1",
]
group_attributes = ["EXO_PrimarySmtpAddress", "EXO_CustomAttribute1"]

# What may be set; the last of these only after somebody has confirmed it.
[sources.simulated.policy]
account = [
    "EXO_EmailAddresses",
    "EXO_CustomAttribute1",
    {{ name = "EXO_HiddenFromAddressListsEnabled", review_required = true }},
]
distribution_list = ["EXO_CustomAttribute1"]

[sources.simulated.sign_in]
method = "certificate"
client_id = "{client_id}"
certificate = "{pfx}"
certificate_password = {{ file = "{password}" }}
# With the client secret instead:
# method = "secret"
# secret = {{ file = "{secret}" }}

[sources.simulated.hosts]
login = "{address}"
graph = "{address}"
exchange = "{address}"
activity = "{address}"
"#,
        ca = folder::CA,
        pfx = folder::PFX,
        password = folder::PFX_PASSWORD,
        secret = folder::SECRET,
    )
}

impl Facts {
    /// The origin of every service.
    pub fn origin(&self) -> String {
        // A wildcard address is for listening; loopback is for calling.
        let ip = self.address.ip();
        if ip.is_unspecified() {
            format!("https://localhost:{}", self.address.port())
        } else {
            format!("https://{}", self.address)
        }
    }
}
