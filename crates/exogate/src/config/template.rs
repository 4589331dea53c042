//! The commented configuration file that `exogate init` writes.

/// An id that nobody has: the placeholder for one that must be filled in.
pub const NIL_ID: &str = "00000000-0000-0000-0000-000000000000";

/// What `init` already knows.
#[derive(Clone, Debug)]
pub struct Known {
    /// Name of the source.
    pub source: String,
    /// Tenant, if given.
    pub tenant: Option<String>,
    /// Application id, if given.
    pub client_id: Option<String>,
    /// Certificate file, if given.
    pub certificate: Option<String>,
    /// Cloud, if not the public one.
    pub cloud: String,
}

/// The file's text.
pub fn render(known: &Known) -> String {
    let tenant = quoted(known.tenant.as_deref().unwrap_or(NIL_ID));
    let client_id = quoted(known.client_id.as_deref().unwrap_or(NIL_ID));
    let certificate = quoted(known.certificate.as_deref().unwrap_or("exogate.pfx"));
    // Beside the PFX, where `exogate certificate create` puts it; a PEM has none.
    let password = match known.certificate.as_deref().unwrap_or("exogate.pfx") {
        pem if pem.to_lowercase().ends_with(".pem") => "# certificate_password = { file = \"…\" }".to_owned(),
        pfx => format!("certificate_password = {{ file = {} }}", quoted(&format!("{pfx}.password"))),
    };
    let cloud = quoted(&known.cloud);
    let source = &known.source;
    format!(
        r#"# Configuration of exogate. Lines that begin with '#' show what can be set, mostly with its default.
# After editing:   exogate config check       finds every problem at once
#                  exogate test-connection    tries sign-in, permissions and roles
# Relative paths start from the folder of this file.

[store]
# Where the state is kept: one SQLite file for all sources.
path = "exogate.db"

# One table per tenant: [sources.NAME]. With a single source, --source is not needed.
[sources.{source}]
# Directory (tenant) id, or the tenant's primary domain such as "contoso.onmicrosoft.com".
tenant = {tenant}
# "public" (worldwide and GCC), "gcc-high", "dod", "china" or "custom" (every host given below).
cloud = {cloud}

# Attributes of accounts beyond the usual ones of Entra. EXO_ attributes are those of Get-Mailbox and
# Get-CASMailbox; `exogate schema --all` lists them. Type and multiplicity may be spelt out to be checked.
account_attributes = [
    "EXO_PrimarySmtpAddress",
    "EXO_EmailAddresses",
    "EXO_Alias",
    "EXO_RecipientTypeDetails",
    # {{ name = "EXO_HiddenFromAddressListsEnabled", type = "boolean", multi_valued = false }},
]
# Attributes of groups, EXO_ ones those of Get-DistributionGroup and Get-UnifiedGroup.
group_attributes = [
    # "EXO_PrimarySmtpAddress",
    # "EXO_HiddenFromAddressListsEnabled",
]

# A certificate authority to trust beside the system's own (PEM), for a proxy that inspects TLS
# or for the simulated tenant.
# ca_file = "ca.pem"
# An HTTP proxy.
# proxy = "http://proxy.contoso.com:8080"

[sources.{source}.sign_in]
# "certificate" (recommended), "secret", "managed-identity" or "password".
method = "certificate"
# Application (client) id of the app registration.
client_id = {client_id}
# A .pfx, or a .pem. `exogate certificate create` makes both and tells where to upload the public half.
certificate = {certificate}
# The password of the .pfx, kept elsewhere: in an environment variable or in a file of its own.
{password}
# certificate_password = {{ env = "EXOGATE_CERTIFICATE_PASSWORD" }}
# The key, if the .pem does not hold it.
# key = "exogate.key.pem"
# How assertions are signed: "PS256", or "RS256" for gateways that know no PSS.
# assertion = "PS256"
#
# With a client secret instead:
# method = "secret"
# secret = {{ env = "EXOGATE_CLIENT_SECRET" }}
#
# With a managed identity (client_id only for a user-assigned one):
# method = "managed-identity"
#
# With a password, which is discouraged: no multi-factor authentication, and Microsoft is retiring it:
# method = "password"
# allow_password_sign_in = true
# username = "service@contoso.onmicrosoft.com"
# password = {{ env = "EXOGATE_PASSWORD" }}

[sources.{source}.options]
# Read mailboxes, rights on them and Exchange attributes. With false, Microsoft Graph alone is used.
manage_exchange_online = true
# Also aggregate distribution lists (and dynamic ones, where Exchange is managed).
aggregate_all_groups = false
# Also aggregate Microsoft 365 groups.
manage_microsoft_365_groups = false
# Also aggregate SendOnBehalf.
send_on_behalf = true
# Mailboxes whose rights are entitlements: "shared", "room", "equipment", "user" (one call for each mailbox).
entitlement_mailboxes = ["shared"]
# A run that would delete more than this share of what is known stops and asks. 0 asks at every deletion.
deletion_guard_percent = 10
# Send BypassSecurityGroupManagerCheck with the cmdlets that know it: an application can own no group.
bypass_security_group_manager_check = true
# How long the feed of changes is kept: `exogate changes` and all who follow it.
keep_changes = "90d"
# Make users in Entra, change their attributes, block them and set their passwords.
manage_users = false
# The domain of new users whose name is given without one, as some SCIM clients do.
# user_domain = "contoso.com"
# Delete users in Entra, where they are managed.
delete_users = false

# Attributes that may be set, per kind of object; each must be in the schema above. What is marked for review is
# carried out only when somebody has confirmed it.
# [sources.{source}.policy]
# account = ["EXO_HiddenFromAddressListsEnabled", {{ name = "EXO_EmailAddresses", review_required = true }}]
# distribution_list = [{{ name = "EXO_HiddenFromAddressListsEnabled", default = false }}]
# mail_enabled_security_group = ["EXO_HiddenFromAddressListsEnabled"]
# microsoft_365_group = ["EXO_HiddenFromAddressListsEnabled"]

# How differences are looked for: `exogate aggregate all --delta`. Each means can be switched off.
# [sources.{source}.delta]
# directory = true
# change_time = true
# activity = true
# sweep = true
# reread = true
# How old the rights on a mailbox may become, and the share of Exchange's capacity that reading them again may take.
# freshness = "4h"
# reread_percent = 20
# How far before the last look a look by time of change begins, and how long a write may take until every reader sees it.
# overlap = "15m"
# settling = "3m"

# Who is told of changes by `exogate serve`; any number of these. Messages are signed with the secret.
# [[sources.{source}.webhook]]
# name = "siem"
# url = "https://siem.contoso.com/exogate"
# secret = {{ env = "EXOGATE_WEBHOOK_SECRET" }}
# Which changes: all that are left out are not asked for.
# outside = true
# by = "outside"
# what = ["created", "modified", "deleted", "granted", "revoked", "joined", "left"]
# objects = ["user", "mailbox", "group"]
# mailboxes = ["support@contoso.com"]
# When a message is given up and becomes a dead letter.
# give_up_after = "24h"
# attempts = 100
# How long a change may wait for its author to become known, and how long the receiver may take.
# await_author = "1m"
# timeout_seconds = 20
# ca_file = "ca.pem"
# proxy = "http://proxy.contoso.com:3128"

# When `exogate serve` reads the tenant: minute hour day month weekday, in UTC.
# [sources.{source}.schedule]
# full = "0 2 * * *"
# delta = "*/10 * * * *"

# How hard to push. The limit of the tenant is found by itself; these only bound the search.
# [sources.{source}.limits]
# concurrent_calls = 64
# first_concurrent_calls = 4
# give_up_after_minutes = 15
# attempts = 8
# answer_timeout_seconds = 120
# connect_timeout_seconds = 15

# Other addresses than the cloud's own, one by one.
# [sources.{source}.hosts]
# login = "https://login.microsoftonline.com"
# graph = "https://graph.microsoft.com"
# exchange = "https://outlook.office365.com"
# activity = "https://manage.office.com"
# Token resources, where they differ from the cloud's.
# graph_resource = "https://graph.microsoft.com"
# exchange_resource = "https://outlook.office365.com"
# activity_resource = "https://manage.office.com"

# What `exogate serve` does.
# [server]
# Where it listens. Beyond loopback only with [server.tls].
# listen = "127.0.0.1:8080"
# What programs on this machine may do without a credential: "read", "provision" or "admin"; by default nothing.
# local_callers = "read"
# Whether /metrics needs no credential.
# metrics_open = false
# How long a stop may take.
# stop_within_seconds = 30
# Callers by client certificate, known by subject or fingerprint (SHA-256); sources: all if left out.
# client_certificates = [{{ subject = "CN=midpoint, O=Contoso", name = "midpoint", scope = "provision", sources = ["{source}"] }}]
# [server.tls]
# certificate = "server.pem"
# key = "server.key"
# The authorities whose client certificates are believed.
# client_ca = "clients.pem"
# Callers by tokens of an OpenID provider; what each of its roles may do here.
# [server.openid]
# issuer = "https://login.microsoftonline.com/TENANT/v2.0"
# audience = "api://exogate"
# roles = [{{ role = "Exogate.Read", scope = "read" }}, {{ role = "Exogate.Change", scope = "provision" }}]
# Where its keys are, if not where its discovery document says; and a further authority to trust.
# keys = "https://issuer.contoso.com/keys"
# ca_file = "ca.pem"
# Traces for OpenTelemetry, by OTLP over HTTP; none without an endpoint.
# [server.traces]
# endpoint = "http://127.0.0.1:4318"
# How many of a hundred traces are told.
# sample_percent = 100
# service_name = "exogate"
# A credential for the collector, its header, and a further authority to trust.
# credential = {{ env = "OTLP_CREDENTIAL" }}
# credential_header = "authorization"
# ca_file = "ca.pem"
# [server.limits]
# body_megabytes = 8
# connections = 1024
# For each caller; 0: as many as they like.
# requests_per_second = 0
# head_timeout_seconds = 30
# body_timeout_seconds = 60
# stall_timeout_seconds = 60
"#
    )
}

/// A TOML basic string.
pub fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
