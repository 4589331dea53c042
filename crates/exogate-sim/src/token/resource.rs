//! The resources that tokens are issued for, in every cloud, and how a `scope` or `resource` names them.
//! Knows host names only; whether an app may use a resource is decided elsewhere.

/// A service that accepts tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Microsoft Graph.
    Graph,
    /// The Exchange Online admin API.
    Exchange,
    /// The Office 365 Management APIs (activity feed).
    Management,
}

impl Resource {
    /// The resource's well-known application id.
    #[must_use]
    pub fn app_id(self) -> &'static str {
        match self {
            Self::Graph => "00000003-0000-0000-c000-000000000000",
            Self::Exchange => "00000002-0000-0ff1-ce00-000000000000",
            Self::Management => "c5393580-f805-4401-95e8-94b7a6ef2fc2",
        }
    }

    /// The resource's display name in the directory.
    #[must_use]
    pub fn display_name(self) -> &'static str {
        match self {
            Self::Graph => "Microsoft Graph",
            Self::Exchange => "Office 365 Exchange Online",
            Self::Management => "Office 365 Management APIs",
        }
    }

    /// Reads an audience: `https://host`, `https://host/`, or the bare application id.
    #[must_use]
    pub fn from_audience(audience: &str) -> Option<Self> {
        let lower = audience.trim().to_ascii_lowercase();
        let name = lower
            .strip_prefix("https://")
            .or_else(|| lower.strip_prefix("http://"))
            .or_else(|| lower.strip_prefix("spn:"))
            .unwrap_or(&lower)
            .trim_end_matches('/');
        let host = name.split(['/', ':']).next().unwrap_or_default();
        [Self::Graph, Self::Exchange, Self::Management]
            .into_iter()
            .find(|resource| resource.app_id() == name || resource.hosts().contains(&host))
    }

    fn hosts(self) -> &'static [&'static str] {
        match self {
            Self::Graph => &[
                "graph.microsoft.com",
                "graph.microsoft.us",
                "dod-graph.microsoft.us",
                "microsoftgraph.chinacloudapi.cn",
                "graph.svc.sovcloud.fr",
                "graph.svc.sovcloud.de",
            ],
            Self::Exchange => &[
                "outlook.office365.com",
                "outlook.office.com",
                "outlook.office365.us",
                "outlook-dod.office365.us",
                "webmail.apps.mil",
                "outlook.office365.cn",
                "partner.outlook.cn",
                "outlook.office.de",
                "ps.compliance.protection.outlook.com",
                "ps.compliance.protection.office365.us",
                "compliance.dod.microsoft.com",
                "ps.compliance.protection.partner.outlook.cn",
            ],
            Self::Management => &[
                "manage.office.com",
                "manage-gcc.office.com",
                "manage.office365.us",
                "manage.protection.apps.mil",
            ],
        }
    }
}

/// One national cloud: the hosts that its documents name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cloud {
    /// Login host of the cloud.
    pub login: &'static str,
    /// Host under which clients cache tokens.
    pub cache: &'static str,
    /// All names of the login service.
    pub aliases: &'static [&'static str],
    /// Graph host.
    pub graph: &'static str,
    /// Old directory graph host, still named in documents.
    pub directory_graph: &'static str,
    /// `cloud_instance_name` of the documents.
    pub instance: &'static str,
}

/// The clouds that instance discovery tells of.
pub const CLOUDS: [Cloud; 4] = [
    Cloud {
        login: "login.microsoftonline.com",
        cache: "login.windows.net",
        aliases: &[
            "login.microsoftonline.com",
            "login.windows.net",
            "login.microsoft.com",
            "sts.windows.net",
        ],
        graph: "graph.microsoft.com",
        directory_graph: "graph.windows.net",
        instance: "microsoftonline.com",
    },
    Cloud {
        login: "login.partner.microsoftonline.cn",
        cache: "login.partner.microsoftonline.cn",
        aliases: &["login.partner.microsoftonline.cn", "login.chinacloudapi.cn"],
        graph: "microsoftgraph.chinacloudapi.cn",
        directory_graph: "graph.chinacloudapi.cn",
        instance: "partner.microsoftonline.cn",
    },
    Cloud {
        login: "login.microsoftonline.us",
        cache: "login.microsoftonline.us",
        aliases: &["login.microsoftonline.us", "login.usgovcloudapi.net"],
        graph: "graph.microsoft.us",
        directory_graph: "graph.windows.net",
        instance: "microsoftonline.us",
    },
    Cloud {
        login: "login.microsoftonline.de",
        cache: "login.microsoftonline.de",
        aliases: &["login.microsoftonline.de"],
        graph: "graph.microsoft.de",
        directory_graph: "graph.cloudapi.de",
        instance: "microsoftonline.de",
    },
];

/// The cloud that a login host belongs to; the worldwide one for any other name (a local address, say).
#[must_use]
pub fn cloud_of(host: &str) -> &'static Cloud {
    let host = host.split(':').next().unwrap_or(host);
    CLOUDS
        .iter()
        .find(|cloud| cloud.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(host)))
        .unwrap_or(&CLOUDS[0])
}

/// Why a `scope` does not name one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeProblem {
    /// Not of the form that the grant asks for.
    Malformed(String),
    /// App-only without `/.default`.
    NotDefault(String),
    /// No such resource in the tenant.
    UnknownResource(String),
}

/// What a token request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// The service.
    pub resource: Resource,
    /// How the caller named it; becomes the audience.
    pub audience: String,
    /// Delegated permission names that were asked for (empty with `.default`).
    pub permissions: Vec<String>,
    /// Permissions were asked for without the name of their resource, and are answered so.
    pub short: bool,
    /// `openid`, `profile`, `email` and `offline_access`, as asked.
    pub oidc: Vec<String>,
}

impl Requested {
    /// `scope` of an answer: everything that was granted, named as the client named what it asked for, which is how
    /// clients find the token in their caches again.
    #[must_use]
    pub fn answered(&self, granted: &[String]) -> String {
        let audience = self.audience.trim_end_matches('/');
        let prefix = if self.short { String::new() } else { format!("{audience}/") };
        let mut names: Vec<String> = granted
            .iter()
            .filter(|scope| !OIDC.contains(&scope.as_str()))
            .map(|scope| {
                let asked = self.permissions.iter().find(|asked| asked.eq_ignore_ascii_case(scope));
                format!("{prefix}{}", asked.unwrap_or(scope))
            })
            .collect();
        if self.permissions.is_empty() && !self.short {
            names.push(format!("{audience}/.default"));
        }
        names.extend(self.oidc.iter().filter(|scope| *scope != "offline_access").cloned());
        names.join(" ")
    }
}

/// Scopes of sign-in itself, which no resource owns.
pub const OIDC: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// Reads a `scope` of the v2 endpoint.
///
/// # Errors
/// [`ScopeProblem`] when it does not name exactly one known resource in the way that the grant asks for.
pub fn read_scope(scope: &str, app_only: bool) -> Result<Requested, ScopeProblem> {
    let malformed = || ScopeProblem::Malformed(scope.to_owned());
    let mut found: Option<(Resource, String)> = None;
    let mut permissions = Vec::new();
    let mut oidc = Vec::new();
    let mut short = false;
    for part in scope.split_whitespace() {
        if OIDC.iter().any(|known| known.eq_ignore_ascii_case(part)) {
            if app_only {
                return Err(malformed());
            }
            oidc.push(part.to_ascii_lowercase());
            continue;
        }
        let (name, permission) = match part.rfind('/') {
            Some(at) => (&part[..at], &part[at + 1..]),
            None if app_only => return Err(ScopeProblem::NotDefault(part.to_owned())),
            None => {
                short = true;
                ("https://graph.microsoft.com", part)
            }
        };
        let default = permission.eq_ignore_ascii_case(".default");
        if app_only && !default {
            return Err(ScopeProblem::NotDefault(part.to_owned()));
        }
        let audience = name.trim_end_matches('/');
        if audience.is_empty() {
            return Err(malformed());
        }
        let resource = Resource::from_audience(audience)
            .ok_or_else(|| ScopeProblem::UnknownResource(audience.to_owned()))?;
        match &found {
            Some((other, _)) if *other != resource || app_only => return Err(malformed()),
            Some(_) => {}
            None => found = Some((resource, audience.to_owned())),
        }
        if !default {
            permissions.push(permission.to_owned());
        }
    }
    match found {
        Some((resource, audience)) => Ok(Requested { resource, audience, permissions, short, oidc }),
        None if !oidc.is_empty() => Ok(Requested {
            resource: Resource::Graph,
            audience: Resource::Graph.app_id().to_owned(),
            permissions,
            short: true,
            oidc,
        }),
        None => Err(malformed()),
    }
}

/// Reads a `resource` of the v1 endpoint or of a managed identity.
///
/// # Errors
/// [`ScopeProblem::UnknownResource`] when the tenant has no such resource.
pub fn read_resource(resource: &str) -> Result<Requested, ScopeProblem> {
    let known = Resource::from_audience(resource)
        .ok_or_else(|| ScopeProblem::UnknownResource(resource.to_owned()))?;
    Ok(Requested {
        resource: known,
        audience: resource.to_owned(),
        permissions: Vec::new(),
        short: false,
        oidc: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences_of_every_cloud_are_known() {
        for (audience, resource) in [
            ("https://graph.microsoft.com", Some(Resource::Graph)),
            ("https://graph.microsoft.us/", Some(Resource::Graph)),
            ("00000003-0000-0000-c000-000000000000", Some(Resource::Graph)),
            ("https://Outlook.Office365.com", Some(Resource::Exchange)),
            ("https://outlook-dod.office365.us/", Some(Resource::Exchange)),
            ("https://manage.office.com", Some(Resource::Management)),
            ("https://vault.azure.net", None),
            ("", None),
        ] {
            assert_eq!(Resource::from_audience(audience), resource, "{audience}");
        }
    }

    #[test]
    fn app_only_scopes() {
        let ok = read_scope("https://graph.microsoft.com/.default", true).unwrap();
        assert_eq!((ok.resource, ok.audience.as_str()), (Resource::Graph, "https://graph.microsoft.com"));
        let slash = read_scope("https://outlook.office365.com//.default", true).unwrap();
        assert_eq!(slash.audience, "https://outlook.office365.com");
        for (scope, problem) in [
            ("User.Read.All", ScopeProblem::NotDefault("User.Read.All".into())),
            (
                "https://graph.microsoft.com/User.Read",
                ScopeProblem::NotDefault("https://graph.microsoft.com/User.Read".into()),
            ),
            ("https://nowhere.test/.default", ScopeProblem::UnknownResource("https://nowhere.test".into())),
            ("", ScopeProblem::Malformed(String::new())),
            (
                "https://graph.microsoft.com/.default https://outlook.office365.com/.default",
                ScopeProblem::Malformed(
                    "https://graph.microsoft.com/.default https://outlook.office365.com/.default".into(),
                ),
            ),
        ] {
            assert_eq!(read_scope(scope, true), Err(problem), "{scope}");
        }
    }

    #[test]
    fn user_scopes() {
        let asked = read_scope("https://outlook.office365.com/.default openid profile offline_access", false)
            .unwrap();
        assert_eq!(asked.resource, Resource::Exchange);
        assert_eq!(asked.oidc, ["openid", "profile", "offline_access"]);
        let bare = read_scope("User.Read", false).unwrap();
        assert_eq!(
            (bare.resource, bare.permissions.as_slice(), bare.short),
            (Resource::Graph, &["User.Read".to_owned()][..], true)
        );
    }
}
