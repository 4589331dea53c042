//! `[[sources.NAME.webhook]]`: who is told of changes, of which, and how.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use exogate_engine::changes::Filter;
use exogate_model::change::{Happening, ObjectKind};
use exogate_server::webhook::Webhook;
use exogate_server::webhook::message::SigningKey;
use exogate_server::webhook::post::{HttpOptions, HttpPost};
use toml::de::DeValue;
use url::Url;

use super::address::is_secure;
use super::secret::SecretSource;
use super::section::Section;
use super::source::Source;
use crate::environment::Environment;

const KEY: &str = "webhook";

/// A webhook as configured.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: Url,
    /// What messages are signed with.
    pub secret: SecretSource,
    /// Further certificate authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// An HTTP proxy.
    pub proxy: Option<Url>,
    /// Which changes it wants.
    pub filter: Filter,
    /// Of these mailboxes alone; of all if empty.
    pub mailboxes: Vec<String>,
    /// After so many failures in a row a message is put aside.
    pub attempts: u32,
    /// After so long a time of failures, too.
    pub give_up_after: Duration,
    /// How long a change waits for its author to become known.
    pub await_author: Duration,
    /// How long the receiver may take.
    pub timeout: Duration,
}

impl WebhookConfig {
    /// Its address as it may be shown: a query may be a secret.
    pub fn address(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.to_string()
    }
}

/// Reads the webhooks of a source.
pub fn read(section: &mut Section<'_>, folder: &Path) -> Vec<WebhookConfig> {
    let mut hooks: Vec<WebhookConfig> = Vec::new();
    for (index, item) in section.list(KEY).unwrap_or_default().into_iter().enumerate() {
        let DeValue::Table(table) = item.value else {
            section.error(item.line, KEY, "each is a table: [[sources.NAME.webhook]]");
            continue;
        };
        let Some(hook) = one(section.element(&format!("{KEY}[{index}]"), item.line, table), folder) else {
            continue;
        };
        if hooks.iter().any(|known| known.name == hook.name) {
            section.error(item.line, KEY, format!("two webhooks are called {:?}", hook.name));
        }
        hooks.push(hook);
    }
    hooks
}

fn one(mut section: Section<'_>, folder: &Path) -> Option<WebhookConfig> {
    let line = section.line();
    let name = section.required_text("name", "give a name; what was delivered is remembered under it");
    let name = name.filter(|name| {
        let sound = name.value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !sound {
            section.error(name.line, "name", "a webhook is named with letters, digits, '-' and '_' only");
        }
        sound
    });
    let url = address(&mut section);
    if section.line_of_key("secret").is_none() {
        section.error(line, "secret", "is missing; receivers prove with it that a message is exogate's");
    }
    let secret = section.secret("secret", folder);
    let ca_file = section.file("ca_file", folder).map(|file| file.value);
    let proxy = section.url("proxy").map(|url| url.value);
    let filter = Filter {
        objects: section.some_of("objects", &ObjectKind::ALL),
        ids: None,
        what: section.some_of("what", &Happening::ALL),
        by: section.text("by").map(|text| text.value),
        outside: section.flag("outside").unwrap_or(false),
    };
    let mailboxes = texts(&mut section, "mailboxes");
    let attempts = section.integer("attempts", 1..=10_000).and_then(|n| u32::try_from(n).ok()).unwrap_or(100);
    let minute = Duration::from_secs(60);
    let give_up_after = section.time("give_up_after", minute, "one minute");
    let await_author = section.time("await_author", Duration::ZERO, "no time at all");
    let timeout = section.integer("timeout_seconds", 1..=300).map_or(20, i64::unsigned_abs);
    section.finish();
    Some(WebhookConfig {
        name: name?.value,
        url: url?,
        secret: secret?,
        ca_file,
        proxy,
        filter,
        mailboxes,
        attempts,
        give_up_after: give_up_after.unwrap_or(24 * 60 * minute),
        await_author: await_author.unwrap_or(minute),
        timeout: Duration::from_secs(timeout),
    })
}

/// Where it is. What is sent there tells of a tenant's people, and must not be overheard nor sent astray.
fn address(section: &mut Section<'_>) -> Option<Url> {
    const KEY: &str = "url";
    let found = section.url(KEY);
    let Some(url) = found else {
        if section.line_of_key(KEY).is_none() {
            section.error(section.line(), KEY, "is missing; give the address that is told");
        }
        return None;
    };
    let wrong = if !is_secure(&url.value) {
        "must be an https address; plain http only on this machine"
    } else if !url.value.username().is_empty() || url.value.password().is_some() {
        "must not hold a name or password; messages are signed with `secret`"
    } else if url.value.fragment().is_some() {
        "must not have a fragment (#…), which is never sent"
    } else {
        return Some(url.value);
    };
    section.error(url.line, KEY, wrong);
    None
}

fn texts(section: &mut Section<'_>, key: &'static str) -> Vec<String> {
    let mut texts = Vec::new();
    for item in section.list(key).unwrap_or_default() {
        match item.value.as_str().map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => texts.push(text.to_owned()),
            None => section.error(item.line, key, "must be texts in quotes"),
        }
    }
    texts
}

/// The webhooks of a source, ready to be told, or every reason why they are not. Fetches secrets; sends nothing.
pub fn open(source: &Source, environment: &Environment) -> Result<Vec<Arc<Webhook>>, Vec<String>> {
    let mut problems = Vec::new();
    let mut hooks = Vec::new();
    for config in &source.webhooks {
        let mut note = |key: &str, reason: String| {
            problems.push(format!("sources.{}.{KEY}, {:?}: {key}: {reason}", source.name, config.name));
        };
        let key = config
            .secret
            .fetch(environment)
            .map_err(|error| error.to_string())
            .and_then(|secret| SigningKey::of(&secret).map_err(|error| error.to_string()))
            .map_err(|reason| note("secret", reason))
            .ok();
        let post = post(config).map_err(|(about, reason)| note(about, reason)).ok();
        if let (Some(key), Some(post)) = (key, post) {
            hooks.push(Arc::new(Webhook {
                name: config.name.clone(),
                address: config.address(),
                filter: config.filter.clone(),
                mailboxes: config.mailboxes.clone(),
                attempts: config.attempts,
                give_up_after: config.give_up_after,
                await_author: config.await_author,
                key,
                post: Box::new(post),
            }));
        }
    }
    if problems.is_empty() { Ok(hooks) } else { Err(problems) }
}

fn post(config: &WebhookConfig) -> Result<HttpPost, (&'static str, String)> {
    let authorities = config.ca_file.as_deref().map(std::fs::read).transpose();
    let authorities = authorities.map_err(|error| {
        ("ca_file", format!("{}: {error}", config.ca_file.as_deref().unwrap_or(Path::new("")).display()))
    })?;
    let proxy = config.proxy.as_ref().map(Url::to_string);
    let options = HttpOptions { authorities, proxy, timeout: config.timeout };
    HttpPost::new(config.url.as_str(), &options).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        ("url", format!("{error}{cause}"))
    })
}
