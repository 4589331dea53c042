//! Microsoft's clouds: where each service lives and the name its tokens are asked for.
//!
//! An address and a token resource are two things: a gateway or a simulated tenant changes where we connect, while
//! the resource that the token is for stays the cloud's. This module owns no connection and no token.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::Service;

/// Which Microsoft cloud a tenant lives in. GCC is part of [`Cloud::Public`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// Worldwide and GCC.
    #[default]
    Public,
    /// US Government, GCC High.
    GccHigh,
    /// US Department of Defense.
    #[serde(rename = "dod")]
    DoD,
    /// Operated by 21Vianet. The Exchange module itself signs in at `login.chinacloudapi.cn` and calls
    /// `partner.outlook.cn`; both can be set as custom hosts where the documented names are not reachable.
    China,
    /// No defaults: every address and resource must be given.
    Custom,
}

impl Cloud {
    /// Every cloud, in the order in which documentation lists them.
    pub const ALL: [Cloud; 5] = [Cloud::Public, Cloud::GccHigh, Cloud::DoD, Cloud::China, Cloud::Custom];

    /// The name used in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Cloud::Public => "public",
            Cloud::GccHigh => "gcc-high",
            Cloud::DoD => "dod",
            Cloud::China => "china",
            Cloud::Custom => "custom",
        }
    }

    fn hosts(self) -> Option<Hosts> {
        match self {
            Cloud::Public => Some(Hosts {
                login: "login.microsoftonline.com",
                graph: "graph.microsoft.com",
                exchange: "outlook.office365.com",
                activity: Some("manage.office.com"),
            }),
            Cloud::GccHigh => Some(Hosts {
                login: "login.microsoftonline.us",
                graph: "graph.microsoft.us",
                exchange: "outlook.office365.us",
                activity: Some("manage.office365.us"),
            }),
            Cloud::DoD => Some(Hosts {
                login: "login.microsoftonline.us",
                graph: "dod-graph.microsoft.us",
                exchange: "outlook-dod.office365.us",
                activity: Some("manage.protection.apps.mil"),
            }),
            Cloud::China => Some(Hosts {
                login: "login.partner.microsoftonline.cn",
                graph: "microsoftgraph.chinacloudapi.cn",
                exchange: "outlook.office365.cn",
                activity: None,
            }),
            Cloud::Custom => None,
        }
    }
}

struct Hosts {
    login: &'static str,
    graph: &'static str,
    exchange: &'static str,
    activity: Option<&'static str>,
}

impl fmt::Display for Cloud {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Cloud {
    type Err = CloudError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Cloud::ALL
            .into_iter()
            .find(|cloud| cloud.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| CloudError::Unknown(text.to_owned()))
    }
}

/// A service that tokens are asked for. One governor stands before each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    /// Microsoft Graph.
    Graph,
    /// The Exchange Online admin API.
    Exchange,
    /// The Management Activity API.
    Activity,
}

impl Resource {
    /// Every resource.
    pub const ALL: [Resource; 3] = [Resource::Graph, Resource::Exchange, Resource::Activity];

    /// The service as named in errors.
    pub fn service(self) -> Service {
        match self {
            Resource::Graph => Service::Graph,
            Resource::Exchange => Service::Exchange,
            Resource::Activity => Service::Activity,
        }
    }
}

/// Where to connect, and which resource each token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The token service, without a tenant.
    pub login: Url,
    /// Root of Microsoft Graph, without a version.
    pub graph: Url,
    /// Root of the Exchange admin API's host.
    pub exchange: Url,
    /// Root of the Management Activity API; absent where the cloud documents none (China).
    pub activity: Option<Url>,
    /// Token resource of Graph, without `/.default`.
    pub graph_resource: String,
    /// Token resource of Exchange.
    pub exchange_resource: String,
    /// Token resource of the activity feed.
    pub activity_resource: Option<String>,
}

/// Addresses that replace a cloud's own, one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointOverrides {
    /// Replaces the token service.
    pub login: Option<Url>,
    /// Replaces Microsoft Graph.
    pub graph: Option<Url>,
    /// Replaces the Exchange host.
    pub exchange: Option<Url>,
    /// Replaces the activity feed.
    pub activity: Option<Url>,
    /// Replaces the token resource of Graph.
    pub graph_resource: Option<String>,
    /// Replaces the token resource of Exchange.
    pub exchange_resource: Option<String>,
    /// Replaces the token resource of the activity feed.
    pub activity_resource: Option<String>,
}

/// A cloud or an address that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CloudError {
    /// Not a cloud.
    #[error("'{0}' is not a cloud; use public, gcc-high, dod, china or custom")]
    Unknown(String),
    /// A custom cloud without one of its addresses.
    #[error(
        "the custom cloud has no '{0}' address; give every address, or choose public, gcc-high, dod or china"
    )]
    Missing(&'static str),
    /// An address that is not an `https` origin.
    #[error("the '{which}' address '{url}' must be https:// with a host and without a query or user name")]
    NotAnOrigin {
        /// Which address.
        which: &'static str,
        /// As given.
        url: String,
    },
}

impl Endpoints {
    /// The addresses of `cloud`, each replaced where `overrides` says so.
    pub fn new(cloud: Cloud, overrides: &EndpointOverrides) -> Result<Self, CloudError> {
        let hosts = cloud.hosts();
        let own = |pick: fn(&Hosts) -> Option<&'static str>| hosts.as_ref().and_then(pick);

        let (login, _) = endpoint("login", overrides.login.as_ref(), None, own(|h| Some(h.login)))?;
        let (graph, graph_resource) = endpoint(
            "graph",
            overrides.graph.as_ref(),
            overrides.graph_resource.as_deref(),
            own(|h| Some(h.graph)),
        )?;
        let (exchange, exchange_resource) = endpoint(
            "exchange",
            overrides.exchange.as_ref(),
            overrides.exchange_resource.as_deref(),
            own(|h| Some(h.exchange)),
        )?;
        let activity = match endpoint(
            "activity",
            overrides.activity.as_ref(),
            overrides.activity_resource.as_deref(),
            own(|h| h.activity),
        ) {
            Ok(found) => Some(found),
            Err(CloudError::Missing(_)) => None,
            Err(error) => return Err(error),
        };
        let (activity, activity_resource) = activity.unzip();
        Ok(Self { login, graph, exchange, activity, graph_resource, exchange_resource, activity_resource })
    }

    /// The token resource of `resource`, where this cloud has it.
    pub fn resource(&self, resource: Resource) -> Option<&str> {
        match resource {
            Resource::Graph => Some(&self.graph_resource),
            Resource::Exchange => Some(&self.exchange_resource),
            Resource::Activity => self.activity_resource.as_deref(),
        }
    }
}

/// The address to connect to and the resource to ask a token for.
///
/// The resource follows the cloud, not the address: a gateway in front of Graph still wants Graph's token.
fn endpoint(
    which: &'static str,
    address: Option<&Url>,
    resource: Option<&str>,
    own_host: Option<&'static str>,
) -> Result<(Url, String), CloudError> {
    let own = own_host.and_then(|host| Url::parse(&format!("https://{host}/")).ok());
    let Some(url) = address.cloned().or_else(|| own.clone()) else {
        return Err(CloudError::Missing(which));
    };
    let loopback = url.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
    let usable = (url.scheme() == "https" || (url.scheme() == "http" && loopback))
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !usable {
        return Err(CloudError::NotAnOrigin { which, url: url.to_string() });
    }
    let resource = match (resource, &own) {
        (Some(given), _) => given.trim_end_matches('/').to_owned(),
        (None, Some(own)) => own.as_str().trim_end_matches('/').to_owned(),
        (None, None) => url.as_str().trim_end_matches('/').to_owned(),
    };
    Ok((url, resource))
}
