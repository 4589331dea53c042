//! The cmdlets that the service knows: parameters, parameter sets, kinds and flags, read once from `data/cmdlets.json`.
//!
//! It answers questions about the catalogue; binding of a request against it is `bind`'s business.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// Every cmdlet of the service.
#[derive(Debug, Deserialize)]
pub struct Catalogue {
    cmdlets: HashMap<String, CmdletSpec>,
    #[serde(skip)]
    by_lower: HashMap<String, String>,
}

/// One cmdlet.
#[derive(Debug, Deserialize)]
pub struct CmdletSpec {
    /// `Get-Mailbox`, in the documented casing.
    #[serde(skip)]
    pub name: String,
    /// `read`, `create`, `modify` or `delete`.
    pub operation: String,
    /// Whether it exists in the client module only (`Get-EXO*`).
    pub rest_native: bool,
    /// Whether an app may run it.
    pub app_only: bool,
    /// Its parameter sets.
    pub sets: Vec<SetSpec>,
    /// Its parameters by documented name.
    pub parameters: HashMap<String, ParameterSpec>,
    #[serde(skip)]
    by_lower: HashMap<String, String>,
}

/// One parameter set.
#[derive(Debug, Deserialize)]
pub struct SetSpec {
    /// Its name.
    pub name: String,
    /// Whether it is the default one.
    pub default: bool,
    /// Whether it can be chosen in the cloud.
    pub usable: bool,
}

/// One parameter.
#[derive(Debug, Deserialize)]
pub struct ParameterSpec {
    /// The documented type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What a value must look like.
    pub kind: Kind,
    /// Whether several values are allowed.
    #[serde(default)]
    pub multi: bool,
    /// Whether the add/remove hashtable is documented for it.
    #[serde(default)]
    pub add_remove: bool,
    /// Accepted values of an enumeration.
    #[serde(default)]
    pub values: Vec<String>,
    /// Other names.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The sets it belongs to; empty = all.
    #[serde(default)]
    pub sets: Vec<String>,
    /// The sets in which it is mandatory.
    #[serde(default)]
    pub required_in: Vec<String>,
    /// Remarks of the reference.
    #[serde(default)]
    pub flags: Vec<String>,
    /// Documented limits.
    #[serde(default)]
    pub limits: Limits,
}

/// Documented limits of a value.
#[derive(Debug, Default, Deserialize)]
pub struct Limits {
    /// Most characters of a text.
    #[serde(default)]
    pub max_length: Option<usize>,
    /// Most entries of a list.
    #[serde(default)]
    pub max_entries: Option<usize>,
    /// Least number.
    #[serde(default)]
    pub min_value: Option<i64>,
    /// Greatest number.
    #[serde(default)]
    pub max_value: Option<i64>,
}

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Any text.
    String,
    /// Present or absent.
    Switch,
    /// A GUID.
    Guid,
    /// One of the listed names, or an unambiguous beginning of one.
    Enum,
    /// A number or `Unlimited`.
    IntOrUnlimited,
    /// The identity of a recipient.
    RecipientRef,
    /// The identity of a policy, a unit or the like.
    ConfigRef,
    /// True or false.
    Bool,
    /// A time span.
    Timespan,
    /// A time span or `Unlimited`.
    TimespanOrUnlimited,
    /// `SMTP:a@b`, `smtp:a@b`, `X500:…`, `SIP:…`.
    ProxyAddress,
    /// A point in time.
    Datetime,
    /// A size.
    Bytesize,
    /// A size or `Unlimited`.
    BytesizeOrUnlimited,
    /// An e-mail address.
    SmtpAddress,
    /// An encrypted text.
    Secret,
    /// A whole number.
    Int,
    /// A user name and password.
    Credential,
    /// A country.
    Country,
    /// Coordinates.
    Geo,
    /// `mailbox:\folder`.
    FolderRef,
    /// A language tag.
    Culture,
    /// A mailbox location.
    MailboxLocationRef,
    /// A time zone.
    Timezone,
    /// A certificate.
    Certificate,
}

const COMMON: [&str; 11] = [
    "Debug",
    "ErrorAction",
    "ErrorVariable",
    "InformationAction",
    "InformationVariable",
    "OutVariable",
    "OutBuffer",
    "PipelineVariable",
    "Verbose",
    "WarningAction",
    "WarningVariable",
];

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let mut catalogue: Catalogue = serde_json::from_str(include_str!("../../data/cmdlets.json"))
        .expect("the catalogue is part of the program and checked by a test");
    for (name, spec) in &mut catalogue.cmdlets {
        spec.name.clone_from(name);
        for (parameter, parameter_spec) in &spec.parameters {
            spec.by_lower.insert(parameter.to_ascii_lowercase(), parameter.clone());
            for alias in &parameter_spec.aliases {
                spec.by_lower.insert(alias.to_ascii_lowercase(), parameter.clone());
            }
        }
        catalogue.by_lower.insert(name.to_ascii_lowercase(), name.clone());
    }
    catalogue
});

/// The catalogue.
#[must_use]
pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

impl Catalogue {
    /// The cmdlet of that name, in any casing; cmdlets that exist in the client module only are not found.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&CmdletSpec> {
        let spec = self.cmdlets.get(self.by_lower.get(&name.to_ascii_lowercase())?)?;
        (!spec.rest_native).then_some(spec)
    }

    /// Every cmdlet that the service runs, by name.
    #[must_use]
    pub fn served(&self) -> Vec<&CmdletSpec> {
        let mut all: Vec<_> = self.cmdlets.values().filter(|spec| !spec.rest_native).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

impl CmdletSpec {
    /// The parameter of that name or alias, in any casing, with its documented name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<(&str, &ParameterSpec)> {
        let name = self.by_lower.get(&name.to_ascii_lowercase())?;
        self.parameters.get_key_value(name).map(|(name, spec)| (name.as_str(), spec))
    }

    /// Whether the cmdlet changes something.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.operation != "read"
    }
}

impl ParameterSpec {
    /// Whether it belongs to the set.
    #[must_use]
    pub fn in_set(&self, set: &str) -> bool {
        self.sets.is_empty() || self.sets.iter().any(|name| name == set)
    }

    /// Whether it is mandatory in the set.
    #[must_use]
    pub fn required_in(&self, set: &str) -> bool {
        self.required_in.iter().any(|name| name == set)
    }
}

/// Whether the name is one of the parameters that every cmdlet has.
#[must_use]
pub fn is_common_parameter(name: &str) -> bool {
    COMMON.iter().any(|common| common.eq_ignore_ascii_case(name))
}
