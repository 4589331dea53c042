//! One write: the state it changes, who changes it, and what is said and recorded of it.

use crate::clock::Time;
use crate::exchange::answer::Caller;
use crate::exchange::bind::Bound;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::Accepts;
use crate::exchange::knobs::ExchangeKnobs;
use crate::exchange::reader::Reader;
use crate::exchange::service::SearchSessions;
use crate::state::{Edit, Face, Idx, KeyKind, Object, State, StateError};

/// A write in progress.
pub(super) struct Session<'s> {
    pub state: &'s mut State,
    pub at: Time,
    pub knobs: &'s ExchangeKnobs,
    pub sessions: &'s SearchSessions,
    pub caller: &'s Caller,
    pub bound: &'s Bound,
    /// Said beside a success.
    pub warnings: Vec<String>,
    /// What the audit record names.
    pub object: String,
}

impl Session<'_> {
    /// Reads what is there now.
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(self.state, self.at, self.knobs, self.sessions).authoritative()
    }

    pub fn edit(&mut self) -> Edit<'_> {
        self.state.edit(Face::Exchange, self.at)
    }

    /// The mandatory identity.
    pub fn identity(&self) -> Result<&str, ExchangeError> {
        self.bound
            .text("Identity")
            .or(self.bound.text("MailboxLocation"))
            .filter(|text| !text.trim().is_empty())
            .ok_or_else(|| ExchangeError::new(Condition::NullParameter, ["Identity"]))
    }

    /// The one object that Identity names.
    pub fn target(&mut self, accepts: Accepts) -> Result<Idx, ExchangeError> {
        let identity = self.identity()?.to_owned();
        self.object.clone_from(&identity);
        let (idx, _) = self.reader().target(&identity, accepts)?;
        self.name_target(idx);
        Ok(idx)
    }

    /// Names the object of the audit record.
    pub fn name_target(&mut self, idx: Idx) {
        if let Some(object) = self.state.get(idx) {
            self.object = self.canonical(object);
        }
    }

    /// `<unit>/<name>`, or `tenant\name` for groups.
    fn canonical(&self, object: &Object) -> String {
        let tenant = &self.state.tenant;
        if object.group().is_some() {
            format!("{}\\{}", tenant.initial_domain(), object.name())
        } else {
            let unit = tenant.organizational_unit();
            let upper = unit.split('/').next().map_or(0, str::len);
            format!("{}{}/{}", unit[..upper].to_ascii_uppercase(), &unit[upper..], object.name())
        }
    }

    /// The object, which must still be there.
    pub fn object(&self, idx: Idx) -> Result<&Object, ExchangeError> {
        self.state.get(idx).ok_or_else(|| ExchangeError::plain(Condition::MailboxGone))
    }

    /// Changes an object; false when nothing differs afterwards.
    pub fn update(&mut self, idx: Idx, change: impl FnOnce(&mut Object)) -> Result<bool, ExchangeError> {
        let before = self.object(idx)?.clone();
        let outcome = self.edit().update(idx, change);
        outcome.map_err(|error| self.refused(error))?;
        Ok(self.state.get(idx) != Some(&before))
    }

    /// Says that nothing was changed.
    pub fn warn_unchanged(&mut self, idx: Idx) {
        if let Some(object) = self.state.get(idx) {
            let unit = self.state.tenant.organizational_unit();
            let name = object.name();
            self.warnings.push(format!(
                "The command completed successfully but no settings of '{unit}/{name}' have been modified."
            ));
        }
    }

    /// The service's words for what the state refuses.
    pub fn refused(&self, error: StateError) -> ExchangeError {
        match error {
            StateError::Taken { kind, value, holder } => {
                let holder_name =
                    self.state.find(holder).and_then(|idx| self.state.get(idx)).map(Object::name);
                match kind {
                    KeyKind::UserPrincipalName => ExchangeError::new(Condition::SignInNameInUse, [value]),
                    KeyKind::Address => {
                        let shown = if value.contains(':') { value } else { format!("SMTP:{value}") };
                        ExchangeError::new(
                            Condition::ProxyInUse,
                            [shown, holder_name.unwrap_or("").to_owned()],
                        )
                    }
                    KeyKind::Alias => ExchangeError::new(
                        Condition::RecipientTask,
                        [format!(
                            "The alias \"{value}\" is already being used by another recipient. Please choose another alias."
                        )],
                    ),
                    _ => ExchangeError::new(
                        Condition::AlreadyExists,
                        [self.state.tenant.distinguished_name(&value)],
                    ),
                }
            }
            StateError::NoSuchObject(_) | StateError::Deleted => ExchangeError::plain(Condition::MailboxGone),
            other => ExchangeError::new(Condition::RecipientTask, [other.to_string()]),
        }
    }

    /// An e-mail address must be of a domain that the organisation accepts.
    pub fn accepted(&self, address: &str) -> Result<(), ExchangeError> {
        let (kind, bare) = address.split_once(':').unwrap_or(("smtp", address));
        let domain = bare.rsplit_once('@').map_or("", |(_, domain)| domain);
        if !kind.eq_ignore_ascii_case("smtp") || self.state.tenant.domain(domain).is_some() {
            return Ok(());
        }
        Err(ExchangeError::new(
            Condition::RecipientTask,
            [format!(
                "You can't use the domain \"{domain}\" because it's not an accepted domain for your organization."
            )],
        ))
    }

    /// The caller's own user, unless the caller is an app.
    pub fn caller_user(&self) -> Option<Idx> {
        let principal = &self.caller.principal;
        (!principal.is_app()).then(|| self.state.find(principal.object_id)).flatten()
    }
}
