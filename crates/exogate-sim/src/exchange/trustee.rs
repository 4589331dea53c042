//! How the holder of a right is shown, and what a trustee text of a parameter stands for.

use crate::state::{Object, Trustee};

use super::knobs::TrusteeForm;
use super::reader::Reader;
use super::rows::sam_account_name;

/// The security identifier of SELF.
pub const SELF_SID: &str = "S-1-5-10";
const SELF_NAME: &str = "NT AUTHORITY\\SELF";

/// Whether an entry is visible with the switches that were given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown {
    /// Users in the recycle bin too.
    pub soft_deleted: bool,
    /// Principals that no longer resolve too.
    pub unresolved: bool,
}

/// A trustee as a row shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The name.
    pub name: String,
    /// The security identifier.
    pub sid: String,
    /// The primary address, when there is one.
    pub address: String,
    /// The display name, when there is one.
    pub display_name: String,
}

impl Rendered {
    fn bare(name: &str, sid: &str) -> Self {
        Self {
            name: name.to_owned(),
            sid: sid.to_owned(),
            address: String::new(),
            display_name: String::new(),
        }
    }
}

impl Reader<'_> {
    /// Shows a mailbox trustee, or nothing when it is hidden.
    #[must_use]
    pub fn mailbox_trustee(&self, trustee: &Trustee, shown: Shown) -> Option<Rendered> {
        let Trustee::Object(idx) = trustee else {
            return self.fixed(trustee).filter(|_| shown.unresolved || !matches!(trustee, Trustee::Sid(_)));
        };
        let sid = self.state.sid(*idx)?;
        match self.state.get(*idx) {
            Some(object) if object.is_live() || shown.soft_deleted => Some(self.resolved(object, sid)),
            Some(_) => None,
            None => shown.unresolved.then(|| Rendered::bare(&sid, &sid)),
        }
    }

    /// Shows a SendAs trustee; nobody is hidden here.
    #[must_use]
    pub fn recipient_trustee(&self, trustee: &Trustee) -> Option<Rendered> {
        let Trustee::Object(idx) = trustee else { return self.fixed(trustee) };
        let sid = self.state.sid(*idx)?;
        Some(match self.state.get(*idx) {
            Some(object) if object.is_live() => self.resolved(object, sid),
            Some(object) => Rendered::bare(&self.sam_name(object), &sid),
            None => Rendered::bare(&sid, &sid),
        })
    }

    fn fixed(&self, trustee: &Trustee) -> Option<Rendered> {
        match trustee {
            Trustee::Itself => Some(Rendered::bare(SELF_NAME, SELF_SID)),
            Trustee::Sid(sid) => Some(Rendered::bare(sid, sid)),
            Trustee::Known { name, sid } => Some(Rendered::bare(name, sid)),
            Trustee::Object(_) => None,
        }
    }

    fn resolved(&self, object: &Object, sid: String) -> Rendered {
        let mut form =
            if object.group().is_some() { self.knobs.trustee_groups } else { self.knobs.trustee_users };
        if form == TrusteeForm::Mixed {
            form = match object.rid % 6 {
                0 => TrusteeForm::UserPrincipalName,
                1 => TrusteeForm::DisplayName,
                2 => TrusteeForm::Name,
                3 => TrusteeForm::Sid,
                4 => TrusteeForm::SamAccount,
                _ => TrusteeForm::Guid,
            };
        }
        let name = match form {
            TrusteeForm::UserPrincipalName => object.upn().unwrap_or_else(|| object.name()).to_owned(),
            TrusteeForm::DisplayName => object.display_name.to_string(),
            TrusteeForm::Name | TrusteeForm::Mixed => object.name().to_owned(),
            TrusteeForm::Sid => sid.clone(),
            TrusteeForm::SamAccount => self.sam_name(object),
            TrusteeForm::Guid => object.id.to_string(),
        };
        Rendered {
            name,
            sid,
            address: object.primary_smtp().unwrap_or_default().to_owned(),
            display_name: object.display_name.to_string(),
        }
    }

    fn sam_name(&self, object: &Object) -> String {
        let forest = self.state.tenant.forest.split('.').next().unwrap_or_default();
        let own = object.on_premises.as_deref().and_then(|site| site.sam_account_name.as_deref());
        let sam = own.map_or_else(|| sam_account_name(object.rid, object.id.as_u128()), str::to_owned);
        format!("{forest}\\{sam}")
    }

    /// The trustee that a text names: SELF, an object (deleted ones too), or a SID.
    #[must_use]
    pub fn trustees_named(&self, text: &str) -> Vec<Trustee> {
        let text = text.trim();
        if text.eq_ignore_ascii_case(SELF_NAME) || text.eq_ignore_ascii_case("SELF") || text == SELF_SID {
            return vec![Trustee::Itself];
        }
        let mut found: Vec<Trustee> =
            self.named(text).into_iter().map(|(idx, _)| Trustee::Object(idx)).collect();
        if found.is_empty() {
            let deleted = self.deleted_named(text).into_iter();
            found.extend(deleted.map(|(idx, _)| Trustee::Object(idx)));
        }
        found
    }

    /// Whether a trustee bears a text that no longer (or never) resolved: its SID, its name, its forest account.
    #[must_use]
    pub fn trustee_is_called(&self, trustee: &Trustee, text: &str) -> bool {
        let rendered = self.recipient_trustee(trustee);
        rendered.is_some_and(|it| it.sid.eq_ignore_ascii_case(text) || it.name.eq_ignore_ascii_case(text))
            || matches!(trustee, Trustee::Object(idx) if self.state.get(*idx).is_some_and(|object| {
                self.sam_name(object).eq_ignore_ascii_case(text)
            }))
    }
}
