//! What Microsoft's own module asks of the admin API, as it asks it: bootstrap, serialized objects, entities.

// Helpers of tests fail by panicking, and not every test file uses every helper of the shared tenant.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, dead_code)]

mod bootstrap;
mod clixml;
mod entities;
mod module_text;
mod rights;
#[path = "../exchange/tenant.rs"]
mod tenant;

use base64::Engine as _;
use http::{HeaderName, HeaderValue, Method};

use tenant::{Answer, Bench};

impl Bench {
    /// A GET below `/adminapi/beta/{tenant}/`, with headers.
    pub fn get_with(&self, path: &str, headers: &[(&'static str, &str)]) -> Answer {
        let mut request = self.request(self.app, &format!("/adminapi/beta/{}/{path}", self.tenant()), "");
        request.method = Method::GET;
        for (name, value) in headers {
            request.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        self.send(request)
    }

    /// A GET below `/adminapi/beta/{tenant}/`.
    pub fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    /// Follows an absolute link.
    pub fn follow(&self, link: &str, headers: &[(&'static str, &str)]) -> Answer {
        let path = link.split_once(&format!("{}/", self.tenant())).unwrap().1;
        self.get_with(path, headers)
    }

    /// What a context must be.
    pub fn context(&self, of: &str) -> String {
        format!("https://outlook.office365.com/adminapi/beta/{}/$metadata#{of}", self.tenant())
    }
}

/// A key as clients send it.
pub fn b64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}
