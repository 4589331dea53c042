//! What one request reads through: the state as the Exchange face sees it, the settings, and the tenant's own words.
//!
//! It answers with objects; rows and identities are built on it elsewhere.

use crate::clock::Time;
use crate::state::{Face, Idx, Object, State, View};

use super::knobs::{ExchangeKnobs, ListForm};
use super::service::SearchSessions;

/// Reading through the Exchange face at one moment.
pub struct Reader<'a> {
    /// The authoritative state.
    pub state: &'a State,
    /// What readers see of it.
    pub view: View<'a>,
    /// Whether writes that readers do not see yet count (they do for writers).
    authoritative: bool,
    /// The moment.
    pub now: Time,
    /// Settings.
    pub knobs: &'a ExchangeKnobs,
    /// How far audit searches have come.
    pub sessions: &'a SearchSessions,
    /// `…/Microsoft Exchange Hosted Organizations/contoso.onmicrosoft.com`.
    pub organizational_unit: String,
    /// `OrganizationId` of every object.
    pub organization_id: String,
    /// `ObjectCategory` of mailboxes, users and groups.
    pub categories: [String; 3],
    /// What follows the name in a distinguished name.
    dn_suffix: String,
    /// `OriginatingServer`.
    pub controller: String,
}

impl<'a> Reader<'a> {
    /// Begins to read.
    #[must_use]
    pub fn new(state: &'a State, now: Time, knobs: &'a ExchangeKnobs, sessions: &'a SearchSessions) -> Self {
        let tenant = &state.tenant;
        let forest = tenant.forest.to_ascii_lowercase();
        let organizational_unit = tenant.organizational_unit();
        let organization_id = format!(
            "{organizational_unit} - {forest}/ConfigurationUnits/{}/Configuration",
            tenant.initial_domain()
        );
        let category = |kind: &str| format!("{forest}/Configuration/Schema/{kind}");
        Self {
            state,
            authoritative: false,
            view: state.view(Face::Exchange, now),
            now,
            knobs,
            sessions,
            organizational_unit,
            organization_id,
            categories: [
                category("Person"),
                category("Group"),
                category("ms-Exch-Dynamic-Distribution-List"),
            ],
            dn_suffix: tenant.dn_suffix(),
            controller: format!("DB3PR01A01DC001.{}", tenant.forest),
        }
    }

    /// As a writer reads: everything that was written counts at once.
    #[must_use]
    pub fn authoritative(mut self) -> Self {
        self.authoritative = true;
        self
    }

    /// Live objects that bear the identity.
    #[must_use]
    pub fn named(&self, identity: &str) -> Vec<(Idx, &'a Object)> {
        if !self.authoritative {
            return self.view.by_identity(identity);
        }
        self.fresh(false, identity)
    }

    /// Soft-deleted objects that bear the identity.
    #[must_use]
    pub fn deleted_named(&self, identity: &str) -> Vec<(Idx, &'a Object)> {
        if !self.authoritative {
            return self.view.deleted_by_identity(identity);
        }
        self.fresh(true, identity)
    }

    fn fresh(&self, deleted: bool, identity: &str) -> Vec<(Idx, &'a Object)> {
        let found = self.state.by_identity(deleted, identity).into_iter();
        found.filter_map(|idx| self.state.get(idx).map(|object| (idx, object))).collect()
    }

    /// How an entry of a recipient list is shown; objects that are gone are not.
    #[must_use]
    pub fn list_name(&self, idx: Idx) -> Option<String> {
        let object = self.state.get(idx).filter(|object| object.is_live())?;
        Some(match self.knobs.recipient_lists {
            ListForm::Name => object.name().to_owned(),
            ListForm::Guid => object.id.to_string(),
            ListForm::DisplayName => object.display_name.to_string(),
        })
    }

    /// The distinguished name of an object.
    #[must_use]
    pub fn dn(&self, object: &Object) -> String {
        self.dn_of(object.name())
    }

    /// What follows the name in a distinguished name.
    #[must_use]
    pub fn dn_suffix(&self) -> &str {
        &self.dn_suffix
    }

    /// Whether the name cannot stand in a distinguished name as it is.
    #[must_use]
    pub fn dn_needs_escapes(&self, name: &str) -> bool {
        name.contains([',', '\\', '+', '"', '<', '>', ';', '='])
    }

    /// The distinguished name of a recipient of that name.
    #[must_use]
    pub fn dn_of(&self, name: &str) -> String {
        if self.dn_needs_escapes(name) {
            return self.state.tenant.distinguished_name(name);
        }
        let mut dn = String::with_capacity(3 + name.len() + self.dn_suffix.len());
        dn.push_str("CN=");
        dn.push_str(name);
        dn.push_str(&self.dn_suffix);
        dn
    }
}
