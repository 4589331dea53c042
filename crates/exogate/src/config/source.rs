//! One source as configured: tenant, hosts, sign-in, options and schemas. Reads and checks; opens nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use exogate_engine::delta::DeltaOptions;
use exogate_microsoft::cloud::{Cloud, EndpointOverrides, Endpoints};
use exogate_model::mailbox::MailboxKind;
use exogate_model::policy::ProvisioningPolicy;
use exogate_model::schema::{AttributeRequest, DeclaredAttribute, Schema, SchemaError};
use exogate_model::source::{AccountDeletion, MailboxSelection, SourceOptions};
use exogate_model::value::AttributeType;
use exogate_server::serve::schedule::{Schedule, UnreadableTiming};
use toml::de::DeValue;
use url::Url;

use super::delta;
use super::limits::Limits;
use super::policy;
use super::section::{At, Section};
use super::sign_in::{self, SignIn};
use super::webhook::{self, WebhookConfig};

/// A source.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name it is called by.
    pub name: String,
    /// Tenant id or verified domain.
    pub tenant: String,
    /// The cloud it lives in.
    pub cloud: Cloud,
    /// Where its services are.
    pub endpoints: Endpoints,
    /// Further certificate authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// An HTTP proxy.
    pub proxy: Option<Url>,
    /// How to sign in.
    pub sign_in: SignIn,
    /// What it is asked to do.
    pub options: SourceOptions,
    /// The attributes of its accounts.
    pub account_schema: Schema,
    /// The attributes of its groups.
    pub group_schema: Schema,
    /// The attributes that may be set.
    pub policy: ProvisioningPolicy,
    /// How differences are looked for.
    pub delta: DeltaOptions,
    /// How hard to push.
    pub limits: Limits,
    /// When `exogate serve` reads it.
    pub schedule: Schedule,
    /// Who is told of changes.
    pub webhooks: Vec<WebhookConfig>,
}

/// Reads one source; `None` if anything in it is wrong, which has then been noted.
pub fn read(name: String, mut section: Section<'_>, folder: &Path) -> Option<Source> {
    let line = section.line();
    let named = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !named {
        section.error(line, "", "a source is named with letters, digits, '-' and '_' only");
    }
    let tenant = tenant(&mut section);
    let clouds = Cloud::ALL.map(|cloud| (cloud.name(), cloud));
    let cloud = match section.one_of("cloud", &clouds) {
        Some(cloud) => Some(cloud.value),
        None if section.line_of_key("cloud").is_none() => Some(Cloud::Public),
        None => None,
    };
    let endpoints = endpoints(&mut section, cloud);
    let ca_file = section.file("ca_file", folder).map(|file| file.value);
    let proxy = section.url("proxy").map(|url| url.value);
    let sign_in = sign_in::read(section.section("sign_in"), folder);
    let options = options(section.section("options"));
    let exchange = options.manage_exchange_online;
    let accounts = schema(&mut section, "account_attributes", |wanted| Schema::account(wanted, exchange));
    let groups = schema(&mut section, "group_attributes", Schema::group);
    if !exchange {
        for key in ["account_attributes", "group_attributes"] {
            warn_unused_exchange_attributes(&mut section, key);
        }
    }
    let policy = section.section("policy");
    let policy = match (&accounts, &groups) {
        (Some(accounts), Some(groups)) => policy::read(policy, accounts, groups),
        // What is wrong with the schema has been told; the policy is judged once that is right.
        _ => None,
    };
    let delta = delta::read(section.section("delta"));
    let limits = Limits::read(section.section("limits"));
    let schedule = schedule(section.section("schedule"));
    let webhooks = webhook::read(&mut section, folder);
    section.finish();
    Some(Source {
        name,
        tenant: tenant?,
        cloud: cloud?,
        endpoints: endpoints?,
        ca_file,
        proxy,
        sign_in: sign_in?,
        options,
        account_schema: accounts?,
        group_schema: groups?,
        policy: policy?,
        delta,
        limits,
        schedule,
        webhooks,
    })
    .filter(|_| named)
}

fn tenant(section: &mut Section<'_>) -> Option<String> {
    let tenant = section.required_text(
        "tenant",
        "give the directory (tenant) id or the primary domain, such as \"contoso.onmicrosoft.com\"",
    )?;
    let is_guid = uuid::Uuid::try_parse(&tenant.value).is_ok_and(|id| !id.is_nil());
    let is_domain = tenant.value.contains('.')
        && tenant.value.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        });
    if is_guid || is_domain {
        return Some(tenant.value);
    }
    let why = if tenant.value == super::template::NIL_ID {
        "is still the placeholder; put the directory (tenant) id or the primary domain here".to_owned()
    } else {
        format!("{:?} is neither a tenant id nor a domain such as \"contoso.onmicrosoft.com\"", tenant.value)
    };
    section.error(tenant.line, "tenant", why);
    None
}

fn schedule(mut section: Section<'_>) -> Schedule {
    let mut timing = |name| {
        let text = section.text(name)?;
        let parsed = text.value.parse();
        parsed.map_err(|error: UnreadableTiming| section.error(text.line, name, error.to_string())).ok()
    };
    let (full, delta) = (timing("full"), timing("delta"));
    section.finish();
    Schedule { full, delta }
}

fn endpoints(section: &mut Section<'_>, cloud: Option<Cloud>) -> Option<Endpoints> {
    let mut hosts = section.section("hosts");
    let line = hosts.line();
    let mut url = |name| hosts.url(name).map(|url| url.value);
    let (login, graph, exchange, activity) = (url("login"), url("graph"), url("exchange"), url("activity"));
    let mut text = |name| hosts.text(name).map(|text| text.value);
    let overrides = EndpointOverrides {
        login,
        graph,
        exchange,
        activity,
        graph_resource: text("graph_resource"),
        exchange_resource: text("exchange_resource"),
        activity_resource: text("activity_resource"),
    };
    hosts.finish();
    match Endpoints::new(cloud?, &overrides) {
        Ok(endpoints) => Some(endpoints),
        Err(error) => {
            section.error(line, "hosts", error.to_string());
            None
        }
    }
}

fn options(mut section: Section<'_>) -> SourceOptions {
    let default = SourceOptions::default();
    let mut flag = |name, otherwise| section.flag(name).unwrap_or(otherwise);
    let manage_exchange_online = flag("manage_exchange_online", default.manage_exchange_online);
    let aggregate_all_groups = flag("aggregate_all_groups", default.aggregate_all_groups);
    let manage_microsoft_365_groups =
        flag("manage_microsoft_365_groups", default.manage_microsoft_365_groups);
    let send_on_behalf = flag("send_on_behalf", default.send_on_behalf);
    // The reference writes this key in its own way; both are understood.
    let bypass_security_group_manager_check =
        flag("bypass_security_group_manager_check", default.bypass_security_group_manager_check)
            && flag("enableByPassSecurityManagerCheck", true);
    let manage_users = flag("manage_users", default.manage_users);
    let delete_users = flag("delete_users", default.delete_users);
    let user_domain = section.text("user_domain").and_then(|domain| {
        let labels = domain.value.split('.').filter(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        });
        if domain.value.contains('.') && labels.count() == domain.value.split('.').count() {
            return Some(domain.value);
        }
        let message = format!("{:?} is no domain such as \"contoso.com\"", domain.value);
        section.error(domain.line, "user_domain", message);
        None
    });
    let account_deletion = section
        .one_of("account_deletion", &AccountDeletion::ALL)
        .map_or(default.account_deletion, |chosen| chosen.value);
    let keep_changes = section
        .time("keep_changes", Duration::from_secs(24 * 60 * 60), "a day")
        .unwrap_or(default.keep_changes);
    let entitlement_mailboxes = entitlement_mailboxes(&mut section).unwrap_or(default.entitlement_mailboxes);
    let deletion_guard_percent = section
        .integer("deletion_guard_percent", 0..=100)
        .and_then(|percent| u8::try_from(percent).ok())
        .unwrap_or(default.deletion_guard_percent);
    section.finish();
    SourceOptions {
        manage_exchange_online,
        aggregate_all_groups,
        manage_microsoft_365_groups,
        send_on_behalf,
        entitlement_mailboxes,
        deletion_guard_percent,
        bypass_security_group_manager_check,
        manage_users,
        user_domain,
        delete_users,
        account_deletion,
        keep_changes,
    }
}

fn entitlement_mailboxes(section: &mut Section<'_>) -> Option<Vec<MailboxSelection>> {
    const KINDS: [(&str, MailboxSelection); 4] = [
        ("shared", MailboxSelection::Shared),
        ("room", MailboxSelection::Room),
        ("equipment", MailboxSelection::Equipment),
        ("user", MailboxSelection::User),
    ];
    const KEY: &str = "entitlement_mailboxes";
    let chosen = section.some_of(KEY, &KINDS);
    section.line_of_key(KEY).map(|_| chosen)
}

/// The attributes a list names, each with its line, and whether every element of it could be read.
fn attribute_requests(section: &mut Section<'_>, key: &'static str) -> (Vec<At<AttributeRequest>>, bool) {
    const TYPES: [(&str, AttributeType); 5] = [
        ("string", AttributeType::String),
        ("int", AttributeType::Int),
        ("long", AttributeType::Long),
        ("boolean", AttributeType::Boolean),
        ("date", AttributeType::Date),
    ];
    let Some(items) = section.list(key) else {
        // Absent is fine; of the wrong type is not.
        return (Vec::new(), section.line_of_key(key).is_none());
    };
    let mut wanted = Vec::new();
    let mut sound = true;
    for (index, item) in items.into_iter().enumerate() {
        let value = match item.value {
            DeValue::String(name) => AttributeRequest::Name(name.trim().to_owned()),
            DeValue::Table(table) => {
                let mut inner = section.element(&format!("{key}[{index}]"), item.line, table);
                let name = inner.required_text("name", "give the attribute's name");
                let kind = inner.one_of("type", &TYPES).map(|kind| kind.value);
                let multi_valued = inner.flag("multi_valued");
                inner.finish();
                let Some(name) = name else {
                    sound = false;
                    continue;
                };
                AttributeRequest::Declared(DeclaredAttribute { name: name.value, kind, multi_valued })
            }
            other => {
                let message = format!(
                    "an attribute is a name in quotes or {{ name = \"…\", type = \"…\", multi_valued = … }}, not {}",
                    other.type_str()
                );
                section.error(item.line, key, message);
                sound = false;
                continue;
            }
        };
        wanted.push(At { value, line: item.line });
    }
    (wanted, sound)
}

fn schema(
    section: &mut Section<'_>,
    key: &'static str,
    build: impl Fn(&[AttributeRequest]) -> Result<Schema, Vec<SchemaError>>,
) -> Option<Schema> {
    let (wanted, sound) = attribute_requests(section, key);
    let requests: Vec<AttributeRequest> = wanted.iter().map(|at| at.value.clone()).collect();
    match build(&requests) {
        Ok(schema) => sound.then_some(schema),
        Err(errors) => {
            for error in errors {
                section.error(line_of(&error, &wanted), key, error.to_string());
            }
            None
        }
    }
}

/// The line of the attribute that an error is about; of its second mention, if it is there twice.
fn line_of(error: &SchemaError, wanted: &[At<AttributeRequest>]) -> Option<usize> {
    let (SchemaError::Unknown { name, .. } | SchemaError::WrongType { name, .. } | SchemaError::Twice(name)) =
        error;
    wanted.iter().rfind(|at| request_name(&at.value).eq_ignore_ascii_case(name)).map(|at| at.line)
}

fn request_name(request: &AttributeRequest) -> &str {
    match request {
        AttributeRequest::Name(name) => name,
        AttributeRequest::Declared(declared) => &declared.name,
    }
}

fn warn_unused_exchange_attributes(section: &mut Section<'_>, key: &'static str) {
    let Some(items) = section.list(key) else { return };
    let exchange = items.iter().find(|item| {
        let name =
            item.value.as_str().or_else(|| item.value.get("name").and_then(|name| name.get_ref().as_str()));
        name.is_some_and(|name| {
            name.to_ascii_uppercase().starts_with(exogate_model::account::EXCHANGE_PREFIX)
        })
    });
    if let Some(item) = exchange {
        section.warning(
            item.line,
            key,
            "EXO_ attributes stay empty while options.manage_exchange_online is false",
        );
    }
}

/// The kinds of mailbox whose rights are entitlements, in words.
pub fn governed_kinds(options: &SourceOptions) -> String {
    let kinds = [MailboxKind::Shared, MailboxKind::Room, MailboxKind::Equipment, MailboxKind::User];
    let governed: Vec<String> =
        kinds.iter().filter(|kind| options.governs(kind)).map(ToString::to_string).collect();
    if governed.is_empty() { "none".to_owned() } else { governed.join(", ") }
}
