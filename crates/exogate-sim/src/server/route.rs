//! Which service a request is for: by the name it was sent to, and by its path when it came under
//! a name that is none of Microsoft's.

use std::sync::Arc;

use http::StatusCode;

use super::operation::Service;
use super::{Path, Reply, Request};
use crate::world::World;

/// The service that a request on the TLS listener is for.
#[must_use]
pub fn service(host: &str, path: &Path) -> Service {
    by_host(host).unwrap_or_else(|| by_path(path))
}

fn by_host(host: &str) -> Option<Service> {
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
    let name = name.to_ascii_lowercase();
    if name.starts_with("login.")
        || name.starts_with("sts.windows")
        || name.starts_with("device.login.")
        || name.starts_with("enterpriseregistration.")
    {
        return Some(Service::Token);
    }
    if name.starts_with("graph.")
        || name.starts_with("dod-graph.")
        || name.starts_with("microsoftgraph.")
        || name.starts_with("canary.graph.")
    {
        return Some(Service::Graph);
    }
    if name.starts_with("outlook.")
        || name.starts_with("outlook-dod.")
        || name.starts_with("partner.outlook.")
        || name.starts_with("webmail.apps.")
        || name.starts_with("ps.outlook.")
        || name.starts_with("autodiscover-s.")
        || name.contains("ps.compliance.protection.")
        || name == "compliance.dod.microsoft.com"
    {
        return Some(Service::Exchange);
    }
    if name.starts_with("manage.") || name.starts_with("manage-gcc.") {
        return Some(Service::Activity);
    }
    None
}

fn by_path(path: &Path) -> Service {
    let segment = |at: usize| path.segment(at).unwrap_or("").to_ascii_lowercase();
    let (first, second) = (segment(0), segment(1));
    match first.as_str() {
        "adminapi" | "powershell-liveid" | "powershell" => return Service::Exchange,
        "v1.0" | "beta" => return Service::Graph,
        "api" => return Service::Activity,
        "common" | "organizations" | "consumers" => return Service::Token,
        _ => {}
    }
    match second.as_str() {
        "oauth2" | "v2.0" | "discovery" | ".well-known" | "userrealm" | "adminconsent"
        | "federationmetadata" => Service::Token,
        _ => Service::Unknown,
    }
}

/// Has the service answer.
pub async fn answer(world: &Arc<World>, service: Service, request: Request) -> Reply {
    match service {
        Service::Token => crate::token::handle(world, request).await,
        Service::Imds => crate::token::handle_imds(world, request).await,
        Service::Graph => crate::graph::handle(world, request).await,
        Service::Exchange => crate::exchange::handle(world, request).await,
        Service::Activity => crate::activity::handle(world, request).await,
        Service::Control => crate::control::handle(world, request).await,
        Service::Unknown => Reply::with(
            StatusCode::NOT_FOUND,
            "text/html; charset=us-ascii",
            "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\r\n\
             <HTML><HEAD><TITLE>Not Found</TITLE></HEAD><BODY><h2>Not Found</h2>\
             <hr><p>HTTP Error 404. The requested resource is not found.</p></BODY></HTML>\r\n",
        ),
    }
}
