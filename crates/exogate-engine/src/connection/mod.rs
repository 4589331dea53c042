//! The test of a connection: every host, sign-in, permission, role and cmdlet that the configured
//! features need, one check each, told as soon as it is known.
//!
//! Only reads, and as little as shows the point. Judges by what the services do, not by what a
//! token says of itself; but for what only a write would show.

mod exchange;
mod graph;
mod users;

use exogate_microsoft::{ErrorKind, Resource, WireError};

use crate::tenant::{SourceContext, Tenant};

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// Signing in.
    SignIn,
    /// The directory.
    Graph,
    /// Exchange.
    Exchange,
}

impl Area {
    /// The name used in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignIn => "signIn",
            Self::Graph => "graph",
            Self::Exchange => "exchange",
        }
    }
}

/// How a check went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Passed,
    /// It works, but should be otherwise.
    Warning {
        /// What to do about it.
        remedy: String,
    },
    /// It does not work.
    Failed {
        /// What to do about it.
        remedy: String,
        /// The service's answer, where there was one.
        error: Option<Box<WireError>>,
    },
    /// It could not be checked because another check failed.
    Skipped,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is about.
    pub area: Area,
    /// What was checked: `permission User.Read.All`.
    pub what: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen, in a sentence.
    pub detail: Option<String>,
}

impl Check {
    fn passed(area: Area, what: impl Into<String>, detail: Option<String>) -> Self {
        Self { area, what: what.into(), verdict: Verdict::Passed, detail }
    }

    fn warning(
        area: Area,
        what: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let verdict = Verdict::Warning { remedy: remedy.into() };
        Self { area, what: what.into(), verdict, detail: Some(detail.into()) }
    }

    fn failed(area: Area, what: impl Into<String>, error: WireError) -> Self {
        let (detail, remedy) = (error.to_string(), error.remedy().to_owned());
        let verdict = Verdict::Failed { remedy, error: Some(Box::new(error)) };
        Self { area, what: what.into(), verdict, detail: Some(detail) }
    }

    fn skipped(area: Area, what: impl Into<String>) -> Self {
        Self { area, what: what.into(), verdict: Verdict::Skipped, detail: None }
    }

    /// With a remedy that knows more than the error's own.
    fn remedied(mut self, better: impl Into<String>) -> Self {
        if let Verdict::Failed { remedy, .. } = &mut self.verdict {
            *remedy = better.into();
        }
        self
    }

    /// Whether the connection is not good enough because of it.
    pub fn is_failure(&self) -> bool {
        matches!(self.verdict, Verdict::Failed { .. })
    }
}

/// Tells each check as it is made, and keeps it.
struct Told<'a> {
    tell: &'a mut (dyn FnMut(&Check) + Send),
    checks: Vec<Check>,
    hosts: Vec<String>,
}

impl Told<'_> {
    fn add(&mut self, check: Check) {
        (self.tell)(&check);
        self.checks.push(check);
    }

    /// Adds a check of a host, unless that host was checked before: several services may share one.
    fn add_host(&mut self, host: &str, check: impl FnOnce(String) -> Check) {
        if !self.hosts.iter().any(|known| known == host) {
            self.hosts.push(host.to_owned());
            self.add(check(format!("host {host}")));
        }
    }
}

/// Tests a connection; `tell` hears of each check as soon as it is made. The connection is good if
/// no check [`Check::is_failure`].
pub async fn test(
    tenant: &Tenant,
    context: &SourceContext,
    tell: &mut (dyn FnMut(&Check) + Send),
) -> Vec<Check> {
    let mut told = Told { tell, checks: Vec::new(), hosts: Vec::new() };
    if tenant.caller.username().is_some() {
        told.add(Check::warning(
            Area::SignIn,
            "sign-in method",
            "a user name and a password are used",
            "Prefer a certificate: a password cannot pass multi-factor authentication, is stopped by Conditional \
             Access, expires without notice, and Microsoft is retiring this flow.",
        ));
    }
    let graph = sign_in(tenant, Resource::Graph, &mut told).await;
    graph::test(tenant, context, graph == SignedIn::Yes, &mut told).await;
    users::test(tenant, context, graph == SignedIn::Yes, &mut told).await;
    if tenant.exchange.is_some() {
        let exchange = match graph {
            // The same host would fail again for the same reason.
            SignedIn::Unreachable => {
                told.add(Check::skipped(Area::SignIn, signing_in(Resource::Exchange)));
                SignedIn::Unreachable
            }
            SignedIn::Yes | SignedIn::Refused => sign_in(tenant, Resource::Exchange, &mut told).await,
        };
        exchange::test(tenant, context, exchange == SignedIn::Yes, &mut told).await;
    }
    told.checks
}

/// Whether signing in to a service worked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SignedIn {
    Yes,
    Refused,
    Unreachable,
}

fn signing_in(resource: Resource) -> &'static str {
    match resource {
        Resource::Graph => "sign-in for Microsoft Graph",
        _ => "sign-in for Exchange Online",
    }
}

/// Signs in to one service.
async fn sign_in(tenant: &Tenant, resource: Resource, told: &mut Told<'_>) -> SignedIn {
    let host = host(tenant.caller.signs_in_at());
    let what = signing_in(resource);
    match tenant.caller.sign_in(resource).await {
        Ok(hints) => {
            told.add_host(&host, |what| Check::passed(Area::SignIn, what, None));
            let who = hints.upn.or(hints.app_displayname).or(hints.appid);
            told.add(Check::passed(Area::SignIn, what, who.map(|who| format!("as {who}"))));
            SignedIn::Yes
        }
        Err(error) if is_about_the_host(&error) => {
            told.add_host(&host, |what| Check::failed(Area::SignIn, what, error));
            told.add(Check::skipped(Area::SignIn, what));
            SignedIn::Unreachable
        }
        Err(error) => {
            told.add_host(&host, |what| Check::passed(Area::SignIn, what, None));
            told.add(Check::failed(Area::SignIn, what, error));
            SignedIn::Refused
        }
    }
}

/// Whether an error says that the host was not reached, rather than what it thinks of us.
fn is_about_the_host(error: &WireError) -> bool {
    matches!(error.kind, ErrorKind::Unreachable | ErrorKind::NotMicrosoft | ErrorKind::LostAnswer)
}

fn host(url: &impl ToString) -> String {
    let text = url.to_string();
    let rest = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default().to_owned()
}
