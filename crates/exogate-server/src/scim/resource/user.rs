//! Accounts as users.

use exogate_engine::view::View;
use exogate_model::account::{Account, Attributes};
use exogate_model::value::AttributeValue;
use exogate_store::{AccountRecord, Dated};
use jiff::Timestamp;

use super::json::Json;
use super::{Resource, Text, instant, location, version};
use crate::scim::schema::{Attribute, ResourceKind, ResourceType};
use crate::scim::urn;

/// Bytes that most users take.
pub const USUAL: usize = 2048;

/// An account as a user, as it is sent where nothing else is asked for.
pub fn user_text(dated: Dated<AccountRecord>, view: &View, of: &ResourceType, base: &str) -> Text {
    let user = User::new(dated, view, of, base);
    let text = user.write(false);
    let version = version(text.bytes());
    user.end(text, version)
}

/// An account as a user, with what is shown on request alone.
pub fn user(dated: Dated<AccountRecord>, view: &View, of: &ResourceType, base: &str) -> Resource {
    let user = User::new(dated, view, of, base);
    let text = user.write(false);
    // The same whatever is shown: what comes on request follows from the rest.
    let version = version(text.bytes());
    let text = if user.list("sharedMailbox").is_empty() { text } else { user.write(true) };
    user.end(text, version).resource()
}

struct User<'a> {
    account: Account,
    external_id: Option<String>,
    display_name: Option<String>,
    address: Option<String>,
    created: Timestamp,
    changed: Timestamp,
    of: &'a ResourceType,
    base: &'a str,
}

impl<'a> User<'a> {
    fn new(dated: Dated<AccountRecord>, view: &View, of: &'a ResourceType, base: &'a str) -> Self {
        let Dated { record, created, changed, external_id, .. } = dated;
        let address = match &record.mailbox {
            Some(mailbox) => Some(mailbox.primary_smtp.clone()),
            None => record.user.mail.clone(),
        };
        let display_name = record.user.display_name.clone();
        let account = view.account_of(record);
        Self { account, external_id, display_name, address, created, changed, of, base }
    }

    fn all(&self) -> &Attributes {
        &self.account.attributes
    }

    fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.all().get(name)
    }

    fn list(&self, name: &str) -> &[String] {
        match self.get(name) {
            Some(AttributeValue::Many(texts)) => texts,
            Some(AttributeValue::Text(text)) => std::slice::from_ref(text),
            _ => &[],
        }
    }

    /// Everything but what is known about the resource itself.
    fn write(&self, on_request: bool) -> Json {
        let mut json = Json::object(USUAL);
        json.put("schemas", &self.schemas());
        json.put("id", &self.account.id);
        json.put_some("externalId", self.external_id.as_ref());
        json.put("userName", &self.account.name);
        json.put_object("name", |name| {
            name.put_value("familyName", self.get("surname"));
            name.put_value("givenName", self.get("givenName"));
        });
        json.put_some("displayName", self.display_name.as_ref());
        json.put_value("title", self.get("jobTitle"));
        json.put_value("userType", self.get("userType"));
        json.put_value("preferredLanguage", self.get("preferredLanguage"));
        json.put("active", &!self.account.disabled);
        json.put_list("emails", |emails| {
            if let Some(address) = &self.address {
                emails.item(|email| {
                    email.put("value", address);
                    email.put("type", "work");
                    email.put("primary", &true);
                });
            }
        });
        json.put_list("phoneNumbers", |numbers| {
            for (from, kind) in [("businessPhones", "work"), ("mobilePhone", "mobile"), ("faxNumber", "fax")]
            {
                for value in self.list(from) {
                    numbers.item(|number| {
                        number.put("value", value);
                        number.put("type", kind);
                    });
                }
            }
        });
        self.write_address(&mut json);
        json.put_list("groups", |groups| {
            for id in self.list("groups") {
                groups.item(|group| {
                    group.put("value", id);
                    group.put("$ref", &location(self.base, ResourceKind::Group, id));
                    group.put("type", "direct");
                });
            }
        });
        json.put_list("entitlements", |rights| {
            for value in self.list("sharedMailbox") {
                rights.item(|right| {
                    right.put("value", value);
                    if on_request {
                        right.put("type", value.rsplit_once(':').map_or("", |(_, right)| right.trim()));
                        right.put("display", value);
                    }
                });
            }
        });
        self.write_enterprise(&mut json);
        json.put_object(urn::EXOGATE_USER, |own| {
            for attribute in self.own() {
                own.put_value(&attribute.name, self.get(&attribute.name));
            }
        });
        json
    }

    fn write_address(&self, json: &mut Json) {
        const PARTS: [(&str, &str); 5] = [
            ("streetAddress", "streetAddress"),
            ("locality", "city"),
            ("region", "state"),
            ("postalCode", "postalCode"),
            ("country", "country"),
        ];
        if PARTS.iter().any(|(_, from)| self.get(from).is_some()) {
            json.put_list("addresses", |addresses| {
                addresses.item(|address| {
                    for (name, from) in PARTS {
                        address.put_value(name, self.get(from));
                    }
                    address.put("type", "work");
                });
            });
        }
    }

    fn write_enterprise(&self, json: &mut Json) {
        json.put_object(urn::ENTERPRISE, |enterprise| {
            enterprise.put_value("employeeNumber", self.get("employeeId"));
            enterprise.put_value("organization", self.get("companyName"));
            enterprise.put_value("department", self.get("department"));
            if let Some(AttributeValue::Text(manager)) = self.get("manager") {
                enterprise.put_object("manager", |parts| {
                    parts.put("value", manager);
                    parts.put("$ref", &location(self.base, ResourceKind::User, manager));
                });
            }
        });
    }

    /// The attributes of the source's own schema.
    fn own(&self) -> &[Attribute] {
        self.of.extension(urn::EXOGATE_USER).map_or(&[], |schema| &schema.attributes)
    }

    /// Those of which something is shown.
    fn schemas(&self) -> Vec<&'static str> {
        let has = |name: &&str| self.get(name).is_some();
        let manager = || matches!(self.get("manager"), Some(AttributeValue::Text(_)));
        let shown = |id: &str| match id {
            urn::ENTERPRISE => ["employeeId", "companyName", "department"].iter().any(has) || manager(),
            urn::EXOGATE_USER => self.own().iter().any(|own| has(&own.name.as_str())),
            _ => false,
        };
        let extensions = self.of.extensions.iter().map(|one| one.id).filter(|id| shown(id));
        std::iter::once(self.of.core.id).chain(extensions).collect()
    }

    fn end(self, mut json: Json, version: String) -> Text {
        let Account { id, name, .. } = self.account;
        let location = location(self.base, self.of.kind, &id);
        json.put_object("meta", |meta| {
            meta.put("resourceType", self.of.kind.name());
            meta.put("created", &instant(self.created));
            meta.put("lastModified", &instant(self.changed.max(self.created)));
            meta.put("location", &location);
            meta.put("version", &version);
        });
        Text { id, name, location, version, bytes: json.end() }
    }
}
