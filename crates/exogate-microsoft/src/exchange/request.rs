//! How a call of a cmdlet looks on the wire: address, headers, routing.

use super::cmdlet::{Anchor, Cmdlet};
use super::guard;
use crate::transport::WireRequest;
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use std::time::Duration;
use url::Url;

/// Objects per page; the service gives no more.
pub(super) const PAGE: u64 = 1000;

/// The arbitration mailbox that every tenant has; calls without a mailbox of their own go there.
const SYSTEM_MAILBOX: &str = "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}";

const X_CMDLET: HeaderName = HeaderName::from_static("x-cmdletname");
const X_ANCHOR: HeaderName = HeaderName::from_static("x-anchormailbox");
const X_FORMAT: HeaderName = HeaderName::from_static("x-responseformat");
const X_LEVEL: HeaderName = HeaderName::from_static("x-serializationlevel");
const X_CLIENT: HeaderName = HeaderName::from_static("x-clientapplication");
const CONNECTION_ID: HeaderName = HeaderName::from_static("connection-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const BY_PARAMETER: HeaderName = HeaderName::from_static("parameter-based-routing");
const COMMAND_NAME: HeaderName = HeaderName::from_static("commandname");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// One tenant's door, the same for all calls of a client: page links and reading one's own writes
/// depend on reaching the same back end again.
#[derive(Clone)]
pub(super) struct Door {
    base: Url,
    tenant: String,
    anchor: String,
    connection: String,
}

impl Door {
    pub(super) fn new(base: &Url, tenant: &str, username: Option<&str>, connection: String) -> Self {
        let anchor = match username {
            Some(upn) => format!("UPN:{upn}"),
            None if crate::record::is_guid(tenant) => format!("APP:{SYSTEM_MAILBOX}@{tenant}"),
            None => format!("UPN:{SYSTEM_MAILBOX}@{tenant}"),
        };
        Self { base: base.clone(), tenant: tenant.to_owned(), anchor, connection }
    }

    /// Where a cmdlet is run, with the properties that are asked for.
    pub(super) fn invoke(&self, cmdlet: &Cmdlet) -> Url {
        let mut url = self.place("beta", "InvokeCommand");
        let mut select = cmdlet.selected().to_vec();
        if !select.is_empty() {
            for name in guard::evidence(cmdlet) {
                if !select.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                    select.push(name.to_owned());
                }
            }
            url.set_query(Some(&format!("$select={}", select.join(","))));
        }
        url
    }

    pub(super) fn batch(&self) -> Url {
        self.place("beta", "$batch")
    }

    fn place(&self, version: &str, last: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["adminapi", version, &self.tenant, last]);
        }
        url
    }

    /// Whether a link of an answer leads back to where the question went.
    pub(super) fn owns(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// One POST of a cmdlet, to `url` if it goes on from a page.
    pub(super) fn post(&self, cmdlet: &Cmdlet, url: Url, body: Bytes, request_id: &str) -> WireRequest {
        let mut request = WireRequest::new(Method::POST, url).answer_timeout(patience(cmdlet));
        request.headers = self.headers(cmdlet, request_id);
        request.body = Some(body);
        request
    }

    pub(super) fn headers(&self, cmdlet: &Cmdlet, request_id: &str) -> HeaderMap {
        let mut headers = self.common(request_id);
        let page = cmdlet.result_size().unwrap_or(PAGE).clamp(1, PAGE);
        set(&mut headers, PREFER, &format!("odata.maxpagesize={page}"));
        set(&mut headers, X_CMDLET, cmdlet.name());
        set(&mut headers, X_LEVEL, "Partial");
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(anchor) = cmdlet.anchored_to() {
            let anchor = match anchor {
                Anchor::Smtp(address) => format!("SMTP:{address}"),
                Anchor::Mailbox(guid) => format!("MBX:{guid}@{}", self.tenant),
            };
            set(&mut headers, X_ANCHOR, &anchor);
            set(&mut headers, BY_PARAMETER, "true");
        }
        headers
    }

    pub(super) fn batch_post(&self, body: Bytes, request_id: &str) -> WireRequest {
        let mut request = WireRequest::new(Method::POST, self.batch()).answer_timeout(LONG);
        request.headers = self.common(request_id);
        set(&mut request.headers, PREFER, &format!("odata.maxpagesize={PAGE};odata.continue-on-error"));
        set(&mut request.headers, ACCEPT, "application/json; odata.metadata=minimal");
        set(&mut request.headers, CONTENT_TYPE, "application/json");
        request.body = Some(body);
        request
    }

    /// The description of the module that the service would hand to PowerShell.
    pub(super) fn module(&self, request_id: &str) -> WireRequest {
        let mut url = self.place("v1.0", "EXOModuleFile");
        url.set_query(Some("Version=3.6.0"));
        let mut request = WireRequest::new(Method::GET, url);
        request.headers = self.common(request_id);
        set(&mut request.headers, COMMAND_NAME, "*");
        request
    }

    fn common(&self, request_id: &str) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        // Errors are told in this language; their types are read first all the same.
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static("en-US"));
        set(&mut headers, X_FORMAT, "json");
        set(&mut headers, X_CLIENT, "exogate");
        set(&mut headers, X_ANCHOR, &self.anchor);
        set(&mut headers, CONNECTION_ID, &self.connection);
        set(&mut headers, REQUEST_ID, request_id);
        headers
    }
}

/// The service cuts a cmdlet after fifteen minutes, a few membership cmdlets after an hour.
const LONG: Duration = Duration::from_secs(960);
const LONGER: Duration = Duration::from_secs(3600);

fn patience(cmdlet: &Cmdlet) -> Duration {
    let slow = ["Get-DistributionGroupMember", "Update-DistributionGroupMember", "Set-UnifiedGroup"];
    if slow.iter().any(|name| name.eq_ignore_ascii_case(cmdlet.name())) { LONGER } else { LONG }
}

/// A value that no header can hold is left out; none of them is needed for acceptance.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "11111111-2222-4333-8444-555555555555";

    fn door(tenant: &str, user: Option<&str>) -> Door {
        let base = Url::parse("https://outlook.office365.com/").expect("url");
        Door::new(&base, tenant, user, "c0".into())
    }

    fn header(headers: &HeaderMap, name: &str) -> String {
        headers.get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
    }

    #[test]
    fn the_anchor_follows_who_signs_in() {
        let anchor = |tenant, user| {
            header(&door(tenant, user).headers(&Cmdlet::new("Get-Mailbox"), "r"), "X-AnchorMailbox")
        };
        assert_eq!(
            anchor(TENANT, None),
            format!("APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{TENANT}")
        );
        assert_eq!(
            anchor("contoso.onmicrosoft.com", None),
            "UPN:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@contoso.onmicrosoft.com"
        );
        assert_eq!(anchor(TENANT, Some("admin@contoso.com")), "UPN:admin@contoso.com");
    }

    #[test]
    fn an_anchor_of_the_cmdlet_comes_with_its_routing() {
        let cmdlet = Cmdlet::new("Get-MailboxStatistics").anchor(Anchor::Smtp("a@contoso.com".into()));
        let headers = door(TENANT, None).headers(&cmdlet, "r");
        assert_eq!(header(&headers, "X-AnchorMailbox"), "SMTP:a@contoso.com");
        assert_eq!(header(&headers, "parameter-based-routing"), "true");
        let cmdlet = Cmdlet::new("Get-MailboxStatistics").anchor(Anchor::Mailbox("g".into()));
        let headers = door(TENANT, None).headers(&cmdlet, "r");
        assert_eq!(header(&headers, "X-AnchorMailbox"), format!("MBX:g@{TENANT}"));
    }

    #[test]
    fn the_address_names_the_tenant_and_the_properties() {
        let cmdlet = Cmdlet::new("Get-MailboxPermission").text("Identity", "x").select(["Identity", "User"]);
        assert_eq!(
            door(TENANT, None).invoke(&cmdlet).as_str(),
            format!(
                "https://outlook.office365.com/adminapi/beta/{TENANT}/InvokeCommand?$select=Identity,User"
            )
        );
        let base = Url::parse("https://gateway.example/exo/").expect("url");
        let door = Door::new(&base, "a b", None, "c".into());
        assert_eq!(door.batch().as_str(), "https://gateway.example/exo/adminapi/beta/a%20b/$batch");
    }

    #[test]
    fn a_question_about_one_object_asks_for_its_ids_too() {
        let cmdlet = Cmdlet::new("Get-Mailbox").text("Identity", TENANT).select(["DisplayName", "guid"]);
        let url = door(TENANT, None).invoke(&cmdlet);
        assert_eq!(url.query(), Some("$select=DisplayName,guid,ExternalDirectoryObjectId,Name,ExchangeGuid"));
    }

    #[test]
    fn the_page_is_no_larger_than_the_result() {
        let prefer = |size: i64| {
            let cmdlet = Cmdlet::new("Get-Mailbox").number("ResultSize", size);
            header(&door(TENANT, None).headers(&cmdlet, "r"), "Prefer")
        };
        assert_eq!(prefer(5), "odata.maxpagesize=5");
        assert_eq!(prefer(5000), "odata.maxpagesize=1000");
    }
}
