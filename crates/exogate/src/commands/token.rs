//! `exogate token`: what callers of `exogate serve` prove themselves with. A token is shown once, when it is made.

use exogate_server::Scope;
use exogate_server::auth::token::mint;
use exogate_store::{StoreError, TokenRecord, Tokens};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::App;
use crate::config::Config;
use crate::connect;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Headings, Listing, Row, json_line};

/// Make, list and revoke the tokens of `exogate serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A token is shown once, when it is made; only its hash is kept, in a file beside the store. A caller sends it with every
request: Authorization: Bearer exg_… Scopes include the ones before them: read looks at what is stored, provision also
changes the tenant, admin also runs aggregations and sees what concerns the service itself.

Examples:
  exogate token create --name midpoint --scope provision --expires 90d
  exogate token create --name dashboard --scope read --only contoso
  exogate token list
  exogate token revoke midpoint")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a token, and show it this once.
    Create(Create),
    /// List the tokens: scope, sources, end, last use.
    List,
    /// Refuse a token from now on.
    Revoke {
        /// Its name, or its id as `exogate token list` shows it.
        which: String,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Who uses it: the name stands in the journal and in logs.
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: String,
    /// What it may be used for.
    #[arg(long, value_name = "SCOPE", value_parser = scope)]
    scope: Scope,
    /// The only source it may be used for; may be repeated [default: all].
    #[arg(long = "only", value_name = "SOURCE")]
    sources: Vec<String>,
    /// When it ends: a number of days (90d) or hours (12h), or a date (2027-01-31) [default: never].
    #[arg(long, value_name = "WHEN", value_parser = Expiry::parse)]
    expires: Option<Expiry>,
}

#[derive(Debug, Clone, Copy)]
enum Expiry {
    After(SignedDuration),
    At(Timestamp),
}

impl Expiry {
    fn parse(text: &str) -> Result<Self, String> {
        const WANTED: &str = "must be days (90d), hours (12h), a date (2027-01-31) or an instant in UTC";
        let number = |digits: &str| digits.parse::<i64>().ok().filter(|n| (1..=36_500).contains(n));
        if let Some(days) = text.strip_suffix('d').and_then(number) {
            return Ok(Self::After(SignedDuration::from_hours(days * 24)));
        }
        if let Some(hours) = text.strip_suffix('h').and_then(number) {
            return Ok(Self::After(SignedDuration::from_hours(hours)));
        }
        let at = text.parse::<Timestamp>().or_else(|_| {
            let date: jiff::civil::Date = text.parse()?;
            date.to_zoned(jiff::tz::TimeZone::UTC).map(|day| day.timestamp())
        });
        at.map(Self::At).map_err(|_| WANTED.to_owned())
    }

    fn instant(self, now: Timestamp) -> Result<Timestamp, Failure> {
        let at = match self {
            Self::After(time) => now.checked_add(time).map_err(|error| Failure::new(Exit::Usage, error))?,
            Self::At(at) => at,
        };
        if at <= now {
            return Err(Failure::usage(format!(
                "the token would have ended already, at {}",
                super::instant(at)
            )));
        }
        Ok(at)
    }
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::named(&text.to_lowercase()).ok_or_else(|| "must be read, provision or admin".to_owned())
}

fn name(text: &str) -> Result<String, String> {
    let sound = text.len() <= 64
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@'))
        && text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if sound {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 64 letters, digits, '-', '_', '.' and '@', beginning with a letter or digit"
            .to_owned())
    }
}

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let config = app.config()?;
    let tokens = open(&config, app)?;
    app.block_on(async {
        match &args.action {
            Action::Create(wanted) => create(wanted, &config, &tokens, app).await,
            Action::List => list(&tokens, app).await,
            Action::Revoke { which } => revoke(which, &tokens, app).await,
        }
    })
}

/// The tokens beside the store.
pub fn open(config: &Config, app: &App) -> Result<Tokens, Failure> {
    Tokens::open(Tokens::beside(&config.store), std::sync::Arc::clone(&app.environment.clock))
        .map_err(connect::from_store)
}

async fn create(wanted: &Create, config: &Config, tokens: &Tokens, app: &App) -> Outcome {
    for source in &wanted.sources {
        config.source(Some(source))?;
    }
    let sources = (!wanted.sources.is_empty()).then(|| wanted.sources.iter().cloned().collect());
    let expires = wanted.expires.map(|end| end.instant(app.environment.clock.now())).transpose()?;
    let (secret, kept) = mint(&wanted.name, wanted.scope, sources, expires);
    let id = kept.id.clone();
    tokens.add(kept).await.map_err(|error| match error {
        StoreError::TokenNameTaken { .. } => Failure::new(Exit::Usage, error)
            .hint(format!("revoke it first: exogate token revoke {}", wanted.name)),
        other => connect::from_store(other),
    })?;
    if app.global.json {
        let value = json!({
            "token": secret.expose_secret(), "id": id, "name": wanted.name, "scope": wanted.scope.name(),
            "sources": (!wanted.sources.is_empty()).then_some(&wanted.sources),
            "expires": expires.map(|at| at.to_string()),
        });
        let mut stdout = app.console.stdout();
        json_line(&value, &mut stdout)?;
        std::io::Write::flush(&mut stdout)?;
    } else {
        // The token alone on standard output, so that it can be piped into a secret store.
        app.console.print(secret.expose_secret())?;
        app.console.note(&format!(
            "Token {:?} ({}) is shown this once. Callers send it as: Authorization: Bearer {}…",
            wanted.name,
            wanted.scope.name(),
            &secret.expose_secret()[..8],
        ));
    }
    Ok(Exit::Done)
}

async fn list(tokens: &Tokens, app: &App) -> Outcome {
    let records = tokens.list().await.map_err(connect::from_store)?;
    let now = app.environment.clock.now();
    let headings = Headings::same(&["name", "id", "scope", "sources", "state", "expires", "last used"]);
    app.list(|sink| {
        let mut listing = Listing::new(sink, app.view_format(), headings);
        for record in records {
            listing.row(&Token { record, now })?;
        }
        listing.finish()
    })?;
    Ok(Exit::Done)
}

async fn revoke(which: &str, tokens: &Tokens, app: &App) -> Outcome {
    match tokens.revoke(which).await.map_err(connect::from_store)? {
        Some(token) => {
            app.console.note(&format!(
                "Token {:?} ({}) is refused from now on; a running `exogate serve` knows it within a second.",
                token.name, token.id
            ));
            Ok(Exit::Done)
        }
        None => {
            Err(Failure::message(Exit::Failed, format!("there is no token {which:?} that could be revoked"))
                .hint("see them with: exogate token list"))
        }
    }
}

struct Token {
    record: TokenRecord,
    now: Timestamp,
}

impl Token {
    fn state(&self) -> &'static str {
        match (&self.record.revoked, &self.record.expires) {
            (Some(_), _) => "revoked",
            (None, Some(end)) if *end <= self.now => "expired",
            _ => "good",
        }
    }
}

impl Row for Token {
    fn table(&self) -> Vec<String> {
        let instant = |at: Option<Timestamp>| at.map_or("never".to_owned(), super::instant);
        let token = &self.record;
        vec![
            token.name.clone(),
            token.id.clone(),
            token.scope.clone(),
            token.sources.as_ref().map_or("all".to_owned(), |sources| sources.join(", ")),
            self.state().to_owned(),
            instant(token.expires),
            instant(token.last_used),
        ]
    }

    fn json(&self) -> Value {
        let mut value = json!(self.record);
        value["state"] = json!(self.state());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_days_hours_a_date_or_an_instant() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let at = |text| Expiry::parse(text).unwrap().instant(now).map(|at| at.to_string());
        assert_eq!(at("2d").unwrap(), "2026-01-03T00:00:00Z");
        assert_eq!(at("12h").unwrap(), "2026-01-01T12:00:00Z");
        assert_eq!(at("2027-01-31").unwrap(), "2027-01-31T00:00:00Z");
        assert_eq!(at("2026-01-01T00:00:01Z").unwrap(), "2026-01-01T00:00:01Z");
        assert_eq!(at("2025-12-31").unwrap_err().exit(), Exit::Usage);
        for bad in ["", "0d", "-1d", "d", "soon", "999999d", "2026-13-01"] {
            assert!(Expiry::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_can_stand_in_a_log() {
        assert!(name("mid.point-1@hr").is_ok());
        for bad in ["", "-x", "a b", "a\n", &"x".repeat(65)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
