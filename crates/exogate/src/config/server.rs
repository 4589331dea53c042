//! `[server]`: where `exogate serve` listens, whom it recognises, and what it lets callers send. Reads and checks;
//! opens nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use exogate_model::nearest;
use exogate_server::Scope;
use exogate_server::auth::certificate::{CertificateRule, Mark};
use exogate_server::auth::openid::{OpenIdSettings, RoleRule};
use exogate_server::serve::Limits;
use exogate_server::serve::tls::TlsFiles;
use toml::de::DeValue;

use super::address::is_secure;
use super::section::Section;
use super::traces::Traces;

/// The words for scopes.
const SCOPES: [(&str, Scope); 3] =
    [("read", Scope::Read), ("provision", Scope::Provision), ("admin", Scope::Admin)];

/// The service.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Over TLS, or plain.
    pub tls: Option<TlsFiles>,
    /// What programs on this machine may do without a credential.
    pub local: Option<Scope>,
    /// A provider whose tokens are recognised.
    pub open_id: Option<OpenId>,
    /// Client certificates that are recognised.
    pub certificates: Vec<CertificateRule>,
    /// Whether metrics need no credential.
    pub metrics_open: bool,
    /// Where traces go, if anywhere.
    pub traces: Option<Traces>,
    /// How long a stop may take.
    pub stop_within: Duration,
    /// What callers may send.
    pub limits: Limits,
}

/// An OpenID provider as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenId {
    /// Whom of its clients to let in.
    pub settings: OpenIdSettings,
    /// Where its keys are, if not where it says itself.
    pub keys: Option<String>,
    /// Further certificate authorities to trust.
    pub ca_file: Option<PathBuf>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            tls: None,
            local: None,
            open_id: None,
            certificates: Vec::new(),
            metrics_open: false,
            traces: None,
            stop_within: Duration::from_secs(30),
            limits: Limits::default(),
        }
    }
}

/// Why a service must not listen there, if it must not: what travels would be open to others, or nobody would have to
/// prove who they are.
pub fn must_not_listen(listen: SocketAddr, server: &Server) -> Option<&'static str> {
    match (listen.ip().is_loopback(), &server.tls, server.local) {
        (true, _, _) => None,
        (false, None, _) => Some("is reached from other machines, which needs TLS: set server.tls"),
        (false, Some(_), Some(_)) => {
            Some("is reached from other machines, which forbids local_callers: give callers tokens instead")
        }
        (false, Some(_), None) => None,
    }
}

impl Server {
    /// Reads the table `server`; `sources` are the names of those that there are.
    pub fn read(mut section: Section<'_>, folder: &Path, sources: &[String]) -> Self {
        let mut server = Self::default();
        let listen_line = section.line_of_key("listen");
        if let Some(listen) = section.text("listen") {
            match listen.value.parse() {
                Ok(address) => server.listen = address,
                Err(_) => section.error(
                    listen.line,
                    "listen",
                    format!("{:?} is not an address and port such as \"127.0.0.1:8080\"", listen.value),
                ),
            }
        }
        server.tls = tls(section.section("tls"), folder);
        server.local = section.one_of("local_callers", &SCOPES).map(|scope| scope.value);
        server.open_id = open_id(section.section("openid"), folder, sources);
        server.certificates = certificates(&mut section, sources);
        if !server.certificates.is_empty() && server.tls.as_ref().is_none_or(|tls| tls.client_ca.is_none()) {
            let line = section.line_of_key("client_certificates");
            let why = "needs server.tls.client_ca: the authority that issued the certificates";
            section.error(line, "client_certificates", why);
        }
        server.metrics_open = section.flag("metrics_open").unwrap_or(server.metrics_open);
        server.traces = Traces::read(section.section("traces"), folder);
        if let Some(seconds) = section.integer("stop_within_seconds", 1..=600) {
            server.stop_within = Duration::from_secs(seconds.unsigned_abs());
        }
        if let Some(why) = must_not_listen(server.listen, &server) {
            section.error(listen_line, "listen", format!("{} {why}", server.listen));
        }
        server.limits = limits(section.section("limits"));
        section.finish();
        server
    }
}

fn tls(mut section: Section<'_>, folder: &Path) -> Option<TlsFiles> {
    let certificate = section.file("certificate", folder).map(|file| file.value);
    let key = section.file("key", folder).map(|file| file.value);
    let client_ca = section.file("client_ca", folder).map(|file| file.value);
    let files = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key, client_ca }),
        (None, None) if client_ca.is_none() => None,
        _ => {
            section.error(section.line(), "", "needs both certificate and key (PEM files)");
            None
        }
    };
    section.finish();
    files
}

fn open_id(mut section: Section<'_>, folder: &Path, sources: &[String]) -> Option<OpenId> {
    // Plain HTTP is for a provider on this machine alone, to try things.
    let secure = |section: &Section<'_>, line: usize, key: &str, url: &url::Url| {
        if !is_secure(url) {
            section.error(line, key, "must be an https address");
        }
    };
    let issuer = section.text("issuer");
    if let Some(text) = &issuer {
        match url::Url::parse(&text.value) {
            Ok(url) if url.has_host() => secure(&section, text.line, "issuer", &url),
            _ => section.error(text.line, "issuer", format!("{:?} is not an https address", text.value)),
        }
    }
    let audience = section.text("audience");
    let keys = section.url("keys");
    if let Some(url) = &keys {
        secure(&section, url.line, "keys", &url.value);
    }
    let ca_file = section.file("ca_file", folder).map(|file| file.value);
    let mut roles = Vec::new();
    for (index, item) in section.list("roles").unwrap_or_default().into_iter().enumerate() {
        let DeValue::Table(table) = item.value else {
            section.error(item.line, "roles", "each is { role = \"…\", scope = \"read\" }");
            continue;
        };
        let mut inner = section.element(&format!("roles[{index}]"), item.line, table);
        let role = inner.required_text("role", "give the role as the provider puts it into tokens");
        let granted = granted(&mut inner, sources);
        inner.finish();
        if let (Some(role), Some((scope, sources))) = (role, granted) {
            roles.push(RoleRule { role: role.value, scope, sources });
        }
    }
    let line = section.line();
    let settings = match (issuer, audience) {
        (Some(issuer), Some(audience)) => {
            if roles.is_empty() && section.line_of_key("roles").is_none() {
                section.error(line, "roles", "is missing; say what the provider's roles may do");
            }
            Some(OpenIdSettings { issuer: issuer.value, audiences: vec![audience.value], roles })
        }
        (None, None) if keys.is_none() && roles.is_empty() && ca_file.is_none() => None,
        _ => {
            section.error(line, "", "needs both issuer and audience");
            None
        }
    };
    section.finish();
    Some(OpenId { settings: settings?, keys: keys.map(|url| url.value.to_string()), ca_file })
}

fn certificates(section: &mut Section<'_>, sources: &[String]) -> Vec<CertificateRule> {
    const KEY: &str = "client_certificates";
    let mut rules = Vec::new();
    for (index, item) in section.list(KEY).unwrap_or_default().into_iter().enumerate() {
        let DeValue::Table(table) = item.value else {
            section.error(item.line, KEY, "each is { subject = \"CN=…\", name = \"…\", scope = \"read\" }");
            continue;
        };
        let mut inner = section.element(&format!("{KEY}[{index}]"), item.line, table);
        let subject = inner.text("subject");
        let fingerprint = inner.text("fingerprint");
        let name = inner.required_text("name", "give the name that stands in the journal");
        let granted = granted(&mut inner, sources);
        let mark = match (subject, fingerprint) {
            (Some(subject), None) => match subject.value.parse() {
                Ok(parsed) => Some(Mark::Subject(parsed)),
                Err(error) => {
                    inner.error(subject.line, "subject", format!("{error}"));
                    None
                }
            },
            (None, Some(print)) => {
                let digits: String =
                    print.value.chars().filter(|c| *c != ':').collect::<String>().to_lowercase();
                let sound = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                if !sound {
                    inner.error(
                        print.line,
                        "fingerprint",
                        "must be the SHA-256 of the certificate: 64 hexadecimal digits",
                    );
                }
                sound.then_some(Mark::Fingerprint(digits))
            }
            _ => {
                inner.error(item.line, "", "needs either subject or fingerprint");
                None
            }
        };
        inner.finish();
        if let (Some(mark), Some(name), Some((scope, sources))) = (mark, name, granted) {
            rules.push(CertificateRule { mark, name: name.value, scope, sources });
        }
    }
    rules
}

/// `scope` and `sources` of a rule.
fn granted(section: &mut Section<'_>, known: &[String]) -> Option<(Scope, Option<BTreeSet<String>>)> {
    let line = section.line();
    let scope = section.one_of("scope", &SCOPES).map(|scope| scope.value);
    if scope.is_none() && section.line_of_key("scope").is_none() {
        section.error(line, "scope", "is missing; it is \"read\", \"provision\" or \"admin\"");
    }
    let mut sources = None;
    for item in section.list("sources").unwrap_or_default() {
        let chosen: &mut BTreeSet<String> = sources.get_or_insert_default();
        match item.value.as_str() {
            Some(name) if known.iter().any(|one| one == name) => {
                chosen.insert(name.to_owned());
            }
            Some(name) => {
                let hint = nearest::hint(name, known.iter().map(String::as_str));
                section.error(item.line, "sources", format!("there is no source {name:?}{hint}"));
            }
            None => section.error(item.line, "sources", "must be names of sources in quotes"),
        }
    }
    if sources.is_none() && section.line_of_key("sources").is_some() {
        section.error(line, "sources", "is empty; leave it out for all sources");
    }
    Some((scope?, sources))
}

fn limits(mut section: Section<'_>) -> Limits {
    let mut limits = Limits::default();
    let size = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let seconds = |number: i64| Duration::from_secs(number.unsigned_abs());
    if let Some(megabytes) = section.integer("body_megabytes", 1..=256) {
        limits.body = size(megabytes) * 1024 * 1024;
    }
    if let Some(number) = section.integer("connections", 1..=100_000) {
        limits.connections = size(number);
    }
    if let Some(number) = section.integer("requests_per_second", 0..=1_000_000) {
        limits.requests_per_second = u32::try_from(number).unwrap_or(u32::MAX);
    }
    if let Some(number) = section.integer("head_timeout_seconds", 1..=600) {
        limits.head_time = seconds(number);
    }
    if let Some(number) = section.integer("body_timeout_seconds", 1..=3600) {
        limits.body_time = seconds(number);
    }
    if let Some(number) = section.integer("stall_timeout_seconds", 1..=3600) {
        limits.stall_time = seconds(number);
    }
    section.finish();
    limits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sample::{findings, sound};

    #[test]
    fn without_a_word_it_listens_on_loopback_and_wants_credentials() {
        let server = sound("").server;
        assert_eq!(server.listen.to_string(), "127.0.0.1:8080");
        assert!(server.tls.is_none() && server.local.is_none() && !server.metrics_open);
    }

    #[test]
    fn everything_can_be_said() {
        let config = sound(
            r#"
[server]
listen = "0.0.0.0:8443"
metrics_open = true
stop_within_seconds = 60
client_certificates = [
    { subject = "CN=midpoint, O=Contoso", name = "midpoint", scope = "provision", sources = ["contoso"] },
]
[server.tls]
certificate = "server.pem"
key = "server.key"
client_ca = "clients.pem"
[server.openid]
issuer = "https://login.microsoftonline.com/t/v2.0"
audience = "api://exogate"
roles = [{ role = "Exogate.Read", scope = "read" }]
[server.limits]
body_megabytes = 2
requests_per_second = 50
"#,
        );
        let server = config.server;
        assert_eq!(server.tls.unwrap().client_ca.unwrap(), Path::new("/etc/clients.pem"));
        assert_eq!(server.certificates[0].sources, Some(["contoso".to_owned()].into()));
        assert_eq!(server.open_id.unwrap().settings.roles[0].scope, Scope::Read);
        assert_eq!((server.limits.body, server.limits.requests_per_second), (2 * 1024 * 1024, 50));
    }

    #[test]
    fn what_would_be_open_to_others_is_refused() {
        assert_eq!(
            findings("[server]\nlisten = \"0.0.0.0:8080\"\n"),
            [
                "line 2: server.listen: 0.0.0.0:8080 is reached from other machines, which needs TLS: set server.tls"
            ]
        );
        let tls = "[server.tls]\ncertificate = \"a\"\nkey = \"b\"\n";
        let open = format!("[server]\nlisten = \"[::]:1\"\nlocal_callers = \"read\"\n{tls}");
        assert!(findings(&open)[0].contains("forbids local_callers"), "{:?}", findings(&open));
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let found = findings(
            r#"
[server]
listen = "here"
local_callers = "everything"
client_certificates = [{ name = "a", scope = "read" }, 3, { subject = "CN", name = "b", scope = "read" }]
[server.tls]
certificate = "server.pem"
[server.openid]
issuer = "http://issuer.example"
roles = [{ role = "x", scope = "read", sources = ["contos"] }]
[server.limits]
body_megabytes = 0
bodies = 1
"#,
        );
        let text = found.join("\n");
        for wanted in [
            "server.listen: \"here\" is not an address",
            "server.local_callers: \"everything\" is not one of",
            "needs either subject or fingerprint",
            "server.client_certificates: each is",
            "is not a subject such as",
            "server.tls: needs both certificate and key",
            "server.openid.issuer: must be an https address",
            "server.openid: needs both issuer and audience",
            "there is no source \"contos\"; did you mean \"contoso\"?",
            "server.limits.body_megabytes: must be a whole number from 1 to 256",
            "server.limits.bodies: is not a known key",
        ] {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
    }
}
