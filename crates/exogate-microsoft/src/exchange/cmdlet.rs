//! One cmdlet with its parameters: built by name, sent as JSON, shown to people as PowerShell.
//!
//! Owns the typing of parameters (switches, booleans, lists, add/remove tables) and the refusal of
//! calls that would address everything at once. Does not know which parameters a cmdlet has.

use super::powershell;
use serde_json::{Map, Value, json};
use std::fmt;

/// A parameter's value, as PowerShell types it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    Text(String),
    Number(i64),
    /// A boolean, or a switch given a value.
    Flag(bool),
    /// A switch that is simply present.
    Switch,
    /// A list that replaces what was there.
    Texts(Vec<String>),
    /// Changes to a list, the rest of which stays.
    AddRemove {
        add: Vec<String>,
        remove: Vec<String>,
    },
    /// A list is emptied.
    Clear,
    /// A single value is taken away: `$null`.
    Null,
}

/// Which back end the service should route a call to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The mailbox of this address.
    Smtp(String),
    /// The mailbox of this GUID.
    Mailbox(String),
}

/// One call of a cmdlet.
#[derive(Clone, PartialEq, Eq)]
pub struct Cmdlet {
    name: String,
    parameters: Vec<(String, Parameter)>,
    select: Vec<String>,
    anchor: Option<Anchor>,
}

/// Parameters that name an object; an empty one may mean "all of them" to the service.
const NAMING: [&str; 4] = ["Identity", "User", "Trustee", "Member"];

impl Cmdlet {
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), parameters: Vec::new(), select: Vec::new(), anchor: None }
    }

    #[must_use]
    pub fn text(self, name: &str, value: impl Into<String>) -> Self {
        self.with(name, Parameter::Text(value.into()))
    }

    #[must_use]
    pub fn number(self, name: &str, value: i64) -> Self {
        self.with(name, Parameter::Number(value))
    }

    #[must_use]
    pub fn flag(self, name: &str, value: bool) -> Self {
        self.with(name, Parameter::Flag(value))
    }

    #[must_use]
    pub fn switch(self, name: &str) -> Self {
        self.with(name, Parameter::Switch)
    }

    /// Replaces a list.
    #[must_use]
    pub fn texts<S: Into<String>>(self, name: &str, values: impl IntoIterator<Item = S>) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.with(name, Parameter::Texts(values))
    }

    /// Changes a list and leaves its other values alone.
    #[must_use]
    pub fn add_remove<A: Into<String>, R: Into<String>>(
        self,
        name: &str,
        add: impl IntoIterator<Item = A>,
        remove: impl IntoIterator<Item = R>,
    ) -> Self {
        let add = add.into_iter().map(Into::into).collect();
        let remove = remove.into_iter().map(Into::into).collect();
        self.with(name, Parameter::AddRemove { add, remove })
    }

    /// Empties a property.
    #[must_use]
    pub fn clear(self, name: &str) -> Self {
        self.with(name, Parameter::Clear)
    }

    /// Sets a parameter; a second value for the same name replaces the first.
    #[must_use]
    pub fn with(mut self, name: &str, value: Parameter) -> Self {
        match self.parameters.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.parameters.push((name.to_owned(), value)),
        }
        self
    }

    /// Asks for these properties only.
    #[must_use]
    pub fn select<S: Into<String>>(mut self, properties: impl IntoIterator<Item = S>) -> Self {
        self.select = properties.into_iter().map(Into::into).collect();
        self
    }

    /// Routes the call to one mailbox's back end instead of the client's own anchor.
    #[must_use]
    pub fn anchor(mut self, anchor: Anchor) -> Self {
        self.anchor = Some(anchor);
        self
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn parameters(&self) -> &[(String, Parameter)] {
        &self.parameters
    }

    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The text of a parameter, where it is one text.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<&str> {
        match self.parameter(name)? {
            Parameter::Text(text) => Some(text),
            _ => None,
        }
    }

    #[must_use]
    pub fn identity(&self) -> Option<&str> {
        self.text_of("Identity")
    }

    #[must_use]
    pub fn selected(&self) -> &[String] {
        &self.select
    }

    #[must_use]
    pub fn anchored_to(&self) -> Option<&Anchor> {
        self.anchor.as_ref()
    }

    /// Whether the cmdlet only reads. Judged by its verb, as PowerShell means verbs to be used.
    #[must_use]
    pub fn is_read(&self) -> bool {
        let verb = self.name.split('-').next().unwrap_or_default();
        verb.eq_ignore_ascii_case("Get") || verb.eq_ignore_ascii_case("Search")
    }

    /// A numeric `ResultSize`; `None` where it is absent or `Unlimited`.
    #[must_use]
    pub fn result_size(&self) -> Option<u64> {
        match self.parameter("ResultSize")? {
            Parameter::Number(number) => u64::try_from(*number).ok(),
            Parameter::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The call as an administrator would type it.
    #[must_use]
    pub fn powershell(&self) -> String {
        powershell::render(self)
    }

    /// Why this call must not be sent, if so.
    pub(crate) fn fault(&self) -> Option<String> {
        let mut parts = self.name.split('-');
        let word = |part: Option<&str>| {
            part.is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        };
        if !(word(parts.next()) && word(parts.next()) && parts.next().is_none()) {
            return Some(format!("'{}' is not the name of a cmdlet", self.name));
        }
        for (name, value) in &self.parameters {
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Some(format!("'{name}' is not the name of a parameter"));
            }
            let naming = NAMING.iter().any(|known| known.eq_ignore_ascii_case(name));
            let empty = match value {
                Parameter::Text(text) => matches!(text.trim(), "" | "*"),
                Parameter::Clear | Parameter::Null => true,
                _ => false,
            };
            if naming && empty {
                return Some(format!(
                    "-{name} is empty, which the service may take for every object there is"
                ));
            }
        }
        None
    }

    /// The body of the call.
    pub(crate) fn body(&self) -> Value {
        let parameters: Map<String, Value> =
            self.parameters.iter().map(|(name, value)| (name.clone(), value.json())).collect();
        json!({ "CmdletInput": { "CmdletName": self.name, "Parameters": parameters } })
    }
}

/// Shown without its values, which may be names of people or secrets.
impl fmt::Debug for Cmdlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        self.parameters.iter().try_for_each(|(name, _)| write!(f, " -{name}"))
    }
}

/// Tables must bear this tag, or the server binds them as something else and refuses them.
const TABLE: &str = "#Exchange.GenericHashTable";

impl Parameter {
    fn json(&self) -> Value {
        match self {
            Parameter::Text(text) => Value::from(text.as_str()),
            Parameter::Number(number) => Value::from(*number),
            Parameter::Flag(flag) => Value::from(*flag),
            Parameter::Switch => Value::from(true),
            Parameter::Texts(values) => Value::from(values.clone()),
            Parameter::AddRemove { add, remove } => {
                let mut table = Map::new();
                table.insert("@odata.type".into(), Value::from(TABLE));
                for (key, values) in [("Add", add), ("Remove", remove)] {
                    if !values.is_empty() {
                        table.insert(key.into(), Value::from(values.clone()));
                    }
                }
                Value::Object(table)
            }
            Parameter::Clear => json!({ "@odata.type": TABLE }),
            Parameter::Null => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_types_each_parameter() {
        let cmdlet = Cmdlet::new("Set-Mailbox")
            .text("Identity", "shared@contoso.com")
            .add_remove("GrantSendOnBehalfTo", ["kim@contoso.com"], Vec::<String>::new())
            .texts("ResourceCustom", ["a", "b"])
            .clear("ForwardingAddress")
            .number("RecipientLimits", 500)
            .switch("Force")
            .flag("Confirm", false);
        assert_eq!(
            cmdlet.body(),
            json!({"CmdletInput": {"CmdletName": "Set-Mailbox", "Parameters": {
                "Identity": "shared@contoso.com",
                "GrantSendOnBehalfTo": {"@odata.type": "#Exchange.GenericHashTable", "Add": ["kim@contoso.com"]},
                "ResourceCustom": ["a", "b"],
                "ForwardingAddress": {"@odata.type": "#Exchange.GenericHashTable"},
                "RecipientLimits": 500, "Force": true, "Confirm": false}}})
        );
    }

    #[test]
    fn parameters_are_an_object_even_when_there_are_none() {
        assert_eq!(Cmdlet::new("Get-Mailbox").body()["CmdletInput"]["Parameters"], json!({}));
    }

    #[test]
    fn names_are_not_sensitive_to_case() {
        let cmdlet = Cmdlet::new("get-mailbox").text("identity", "a").text("Identity", "b");
        assert_eq!(cmdlet.identity(), Some("b"));
        assert_eq!(cmdlet.parameters().len(), 1);
        assert!(cmdlet.is_read());
        assert!(!Cmdlet::new("Set-Mailbox").is_read());
        assert!(!Cmdlet::new("Getaway-Mailbox").is_read());
    }

    #[test]
    fn what_could_address_everything_is_refused() {
        for value in ["", "  ", "*"] {
            for name in NAMING {
                let cmdlet = Cmdlet::new("Get-Mailbox").text(name, value);
                assert!(cmdlet.fault().is_some(), "{name}={value:?}");
            }
        }
        assert!(Cmdlet::new("Get-Mailbox").clear("Identity").fault().is_some());
        assert!(Cmdlet::new("Get-Mailbox").fault().is_none());
        assert!(Cmdlet::new("Set-Mailbox").text("DisplayName", "").fault().is_none());
        for name in ["", "Mailbox", "Get-", "Get-Mail box", "Get-A-B", "-x"] {
            assert!(Cmdlet::new(name).fault().is_some(), "{name}");
        }
        assert!(Cmdlet::new("Get-Mailbox").text("Bad Name", "x").fault().is_some());
    }

    #[test]
    fn only_a_number_limits_the_result() {
        let get = Cmdlet::new("Get-Mailbox");
        assert_eq!(get.clone().number("ResultSize", 5).result_size(), Some(5));
        assert_eq!(get.clone().text("ResultSize", "1500").result_size(), Some(1500));
        assert_eq!(get.clone().text("ResultSize", "Unlimited").result_size(), None);
        assert_eq!(get.result_size(), None);
    }

    #[test]
    fn debug_shows_no_values() {
        let cmdlet = Cmdlet::new("New-Mailbox").text("Password", "hunter2");
        assert_eq!(format!("{cmdlet:?}"), "New-Mailbox -Password");
    }
}
