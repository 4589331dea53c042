//! Addresses to which something is sent that others must not overhear.

use url::{Host, Url};

/// Whether an address is on this machine.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Whether nobody can overhear what is sent there: over TLS, or to this machine, to try things.
pub fn is_secure(url: &Url) -> bool {
    url.scheme() == "https" || is_here(url)
}
