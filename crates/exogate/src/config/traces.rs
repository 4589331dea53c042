//! `[server.traces]`: where the service tells its traces, for OpenTelemetry. Reads and checks; sends nothing.

use std::path::{Path, PathBuf};

use url::Url;

use super::address::is_secure;
use super::secret::SecretSource;
use super::section::Section;

/// Where traces go, and how many.
#[derive(Clone, Debug)]
pub struct Traces {
    /// The address that takes them.
    pub endpoint: Url,
    /// What is shown to it, and in which header.
    pub credential: Option<(http::HeaderName, SecretSource)>,
    /// Further certificate authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// How many of a hundred traces are told.
    pub sample_percent: u8,
    /// The name of the service in them.
    pub service_name: String,
}

/// Where a collector takes traces, if nothing else is said.
const PATH: &str = "/v1/traces";

impl Traces {
    /// Reads the table; none where it is not there.
    pub fn read(mut section: Section<'_>, folder: &Path) -> Option<Self> {
        let endpoint = section.url("endpoint");
        let header = section.text("credential_header");
        let credential_line = section.line_of_key("credential");
        let credential = section.secret("credential", folder);
        let ca_file = section.file("ca_file", folder).map(|file| file.value);
        let sample_percent = section.integer("sample_percent", 1..=100);
        let service_name = section.text("service_name").map(|name| name.value);
        let name = match &header {
            None => Some(http::header::AUTHORIZATION),
            Some(text) => {
                let name = text.value.parse().ok();
                if name.is_none() {
                    let why = format!("{:?} is not the name of a header", text.value);
                    section.error(text.line, "credential_header", why);
                }
                name
            }
        };
        if let (Some(text), None) = (&header, credential_line) {
            section.error(text.line, "credential_header", "says where a credential goes: set credential");
        }
        let others =
            header.is_some() || credential_line.is_some() || ca_file.is_some() || sample_percent.is_some();
        let missing = endpoint.is_none() && section.line_of_key("endpoint").is_none();
        if missing && (others || service_name.is_some()) {
            let why = "is missing; give the collector's address, such as \"http://127.0.0.1:4318\"";
            section.error(section.line(), "endpoint", why);
        }
        if let Some(url) = &endpoint {
            if credential_line.is_some() && !is_secure(&url.value) {
                let why = "must be an https address, since a credential is sent along";
                section.error(url.line, "endpoint", why);
            }
            if !url.value.username().is_empty() || url.value.password().is_some() {
                section.error(url.line, "endpoint", "must not hold a credential: set credential");
            }
        }
        section.finish();
        let mut endpoint = endpoint?.value;
        if endpoint.path() == "/" {
            endpoint.set_path(PATH);
        }
        Some(Self {
            endpoint,
            credential: name.zip(credential),
            ca_file,
            sample_percent: sample_percent.and_then(|percent| u8::try_from(percent).ok()).unwrap_or(100),
            service_name: service_name.unwrap_or_else(|| "exogate".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::sample::{findings, sound};

    #[test]
    fn an_address_is_enough_and_without_one_there_are_none() {
        assert!(sound("").server.traces.is_none());
        let traces = sound("[server.traces]\nendpoint = \"http://collector:4318\"\n").server.traces.unwrap();
        assert_eq!(traces.endpoint.as_str(), "http://collector:4318/v1/traces");
        assert_eq!((traces.sample_percent, traces.service_name.as_str()), (100, "exogate"));
        let whole = "[server.traces]\nendpoint = \"https://otlp.example/in\"\ncredential = { env = \"KEY\" }\n\
                     credential_header = \"x-api-key\"\nsample_percent = 5\n";
        let traces = sound(whole).server.traces.unwrap();
        assert_eq!((traces.endpoint.path(), traces.sample_percent), ("/in", 5));
        assert_eq!(traces.credential.unwrap().0, "x-api-key");
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, wanted) in [
            ("sample_percent = 5\n", "server.traces.endpoint: is missing"),
            ("endpoint = \"collector:4318\"\n", "is not an address"),
            ("endpoint = \"http://a:b@collector\"\n", "must not hold a credential"),
            (
                "endpoint = \"http://collector\"\ncredential = { env = \"KEY\" }\n",
                "must be an https address, since a credential is sent along",
            ),
            ("endpoint = \"http://c\"\ncredential_header = \"a b\"\n", "is not the name of a header"),
            ("endpoint = \"http://c\"\ncredential_header = \"x\"\n", "set credential"),
            ("endpoint = \"http://c\"\nsample_percent = 0\n", "from 1 to 100"),
            ("endpoint = \"http://c\"\nsamples = 1\n", "is not a known key"),
        ] {
            let found = findings(&format!("[server.traces]\n{text}")).join("\n");
            assert!(found.contains(wanted), "{text}: {found}");
        }
    }
}
