//! How each kind of client is pointed at a simulated tenant: hosts, variables and snippets.
//!
//! Clients that know only Microsoft's own names are redirected by a hosts file and need port 443; clients that take
//! an address can use any port.

use std::fmt::Write as _;
use std::path::Path;

use super::Facts;
use super::folder::{CA, PEM, PFX, PFX_PASSWORD, SECRET};

/// The names that clients insist on.
const HOSTS: [&str; 8] = [
    "login.microsoftonline.com",
    "login.windows.net",
    "sts.windows.net",
    "graph.microsoft.com",
    "outlook.office365.com",
    "outlook.office.com",
    "manage.office.com",
    "ps.compliance.protection.outlook.com",
];

/// The text of `exogate sim env`.
pub fn text(facts: &Facts, folder: &Path) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    let (ca, pem, pfx, password, secret) = (file(CA), file(PEM), file(PFX), file(PFX_PASSWORD), file(SECRET));
    let Facts { tenant_id, client_id, domain, initial_domain, user_password, .. } = facts;
    let origin = facts.origin();
    let (ip, port) = (facts.address.ip(), facts.address.port());
    let ip = if ip.is_unspecified() { "127.0.0.1".to_owned() } else { ip.to_string() };
    let mut text = format!(
        "\
# The simulated tenant {domain} at {origin}
# tenant {tenant_id}, application {client_id}

"
    );
    if port != 443 {
        let _ = write!(
            text,
            "\
# Clients that cannot be given another address (marked *) need port 443:
#   exogate sim --listen 127.0.0.1:443
# which needs root, or once: sudo setcap cap_net_bind_service=+ep \"$(command -v exogate)\"

"
        );
    }
    text.push_str("# --- * /etc/hosts\n");
    for host in HOSTS {
        let _ = writeln!(text, "{ip} {host}");
    }
    let _ = write!(
        text,
        r#"
# --- trust, for most clients (Python, Node, curl, .NET on Linux)
export SSL_CERT_FILE={ca}
export REQUESTS_CA_BUNDLE={ca}
export NODE_EXTRA_CA_CERTS={ca}
export CURL_CA_BUNDLE={ca}

# --- azure-identity and the Azure SDKs *
export AZURE_TENANT_ID={tenant_id}
export AZURE_CLIENT_ID={client_id}
export AZURE_CLIENT_CERTIFICATE_PATH={pem}
# or: export AZURE_CLIENT_SECRET="$(cat {secret})"

# --- curl
TOKEN=$(curl -sS --cacert {ca} {origin}/{tenant_id}/oauth2/v2.0/token \
  -d grant_type=client_credentials -d client_id={client_id} \
  --data-urlencode "client_secret=$(cat {secret})" \
  --data-urlencode 'scope=https://graph.microsoft.com/.default' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -sS --cacert {ca} -H "Authorization: Bearer $TOKEN" '{origin}/v1.0/users?$top=3'

# --- PowerShell, Exchange module *
$password = ConvertTo-SecureString (Get-Content '{password}') -AsPlainText -Force
Connect-ExchangeOnline -AppId {client_id} -Organization {initial_domain} -ShowBanner:$false `
  -CertificateFilePath '{pfx}' -CertificatePassword $password
Get-EXOMailbox -ResultSize 3

# --- a user in place of the application (every user's password, unless a fixture gives another)
export SIMULATED_PASSWORD='{user_password}'

# --- PowerShell, Microsoft Graph module *
Connect-MgGraph -TenantId {tenant_id} -ClientId {client_id} `
  -Certificate (Get-PfxCertificate -FilePath '{pfx}' -Password $password)

# --- MSAL for Python *
import msal
app = msal.ConfidentialClientApplication("{client_id}", client_credential=open("{secret}").read().strip(),
    authority="https://login.microsoftonline.com/{tenant_id}")
app.acquire_token_for_client(["https://graph.microsoft.com/.default"])

# --- MSAL for Node *
const msal = require("@azure/msal-node");
const app = new msal.ConfidentialClientApplication({{ auth: {{ clientId: "{client_id}",
  authority: "https://login.microsoftonline.com/{tenant_id}",
  clientSecret: require("fs").readFileSync("{secret}", "utf8").trim() }} }});
app.acquireTokenByClientCredential({{ scopes: ["https://graph.microsoft.com/.default"] }});

# --- msgraph-sdk for Python *
from azure.identity.aio import CertificateCredential
from msgraph import GraphServiceClient
client = GraphServiceClient(CertificateCredential("{tenant_id}", "{client_id}", "{pem}"))

# --- Graph client for JavaScript *
const {{ ClientCertificateCredential }} = require("@azure/identity");
const {{ TokenCredentialAuthenticationProvider }} =
  require("@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials");
const authProvider = new TokenCredentialAuthenticationProvider(
  new ClientCertificateCredential("{tenant_id}", "{client_id}", "{pem}"),
  {{ scopes: ["https://graph.microsoft.com/.default"] }});

# --- CLI for Microsoft 365 *
m365 login --authType certificate --appId {client_id} --tenant {tenant_id} --certificateFile {pem}

# --- exogate
exogate --config {configuration} test-connection
"#,
        configuration = file(crate::config::FILE_NAME),
    );
    if let Some(imds) = facts.imds {
        let _ = write!(
            text,
            "\n# --- managed identity\nexport AZURE_POD_IDENTITY_AUTHORITY_HOST=http://{imds}\n"
        );
    }
    if let Some(control) = facts.control {
        let _ = write!(text, "\n# --- control\ncurl -sS http://{control}/_sim/\n");
    }
    text
}
