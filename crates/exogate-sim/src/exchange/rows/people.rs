//! What rows say of people and groups: persons' data, owners, members, and lists of other recipients.

use std::borrow::Cow;

use crate::state::{AttrValue, Body, GroupKind, Idx, KeyKind, Object, RecipientTypeDetails};

use super::{Field, RecipientRow};
use crate::exchange::schema::RowClass;
use crate::exchange::value::Value;

/// Whether the property holds other recipients, which are kept by object id.
#[must_use]
pub fn reference_property(name: &str) -> bool {
    matches!(
        name,
        "AcceptMessagesOnlyFrom"
            | "AcceptMessagesOnlyFromDLMembers"
            | "AcceptMessagesOnlyFromSendersOrMembers"
            | "BypassModerationFromSendersOrMembers"
            | "ForwardingAddress"
            | "ModeratedBy"
            | "RejectMessagesFrom"
            | "RejectMessagesFromDLMembers"
            | "RejectMessagesFromSendersOrMembers"
            | "ArbitrationMailbox"
    )
}

impl<'a> RecipientRow<'a> {
    pub(super) fn person(&self, field: Field) -> Option<Value<'a>> {
        use Field as F;
        if let Body::Contact(contact) = &self.object.body {
            return Some(match field {
                F::FirstName => Value::text(contact.given_name.as_deref().unwrap_or_default()),
                F::LastName => Value::text(contact.surname.as_deref().unwrap_or_default()),
                F::Title => Value::text(contact.job_title.as_deref().unwrap_or_default()),
                F::Department => Value::text(contact.department.as_deref().unwrap_or_default()),
                F::Company => Value::text(contact.company.as_deref().unwrap_or_default()),
                F::Phone => Value::text(contact.phone.as_deref().unwrap_or_default()),
                _ => return None,
            });
        }
        let user = self.object.user()?;
        let or_empty = |text: Option<&'a str>| Value::text(text.unwrap_or_default());
        Some(match field {
            F::FirstName => or_empty(user.given_name.as_deref()),
            F::LastName => or_empty(user.surname.as_deref()),
            F::Title => or_empty(user.job_title.as_deref()),
            F::Department => or_empty(user.department.as_deref()),
            F::Company => or_empty(user.company.as_deref()),
            F::City => or_empty(user.city.as_deref()),
            F::CountryOrRegion => Value::optional(user.country.as_deref()),
            F::Office => or_empty(user.office.as_deref()),
            F::MobilePhone => or_empty(user.mobile_phone.as_deref()),
            F::Phone => or_empty(user.business_phone.as_deref()),
            F::Manager => match user.manager.and_then(|manager| self.reader.list_name(manager)) {
                Some(name) => Value::owned(name),
                None => Value::Null,
            },
            F::DirectReports => self.names(self.reader.state.direct_reports(self.idx)),
            F::UsageLocation => Value::text(country_name(user.usage_location.as_deref()?)),
            F::AccountDisabled => Value::Bool(!user.account_enabled),
            F::IsSecurityPrincipal => Value::Bool(true),
            F::StsRefreshTokensValidFrom => {
                Value::Time(user.sessions_valid_from.unwrap_or(self.object.created))
            }
            _ => return None,
        })
    }

    pub(super) fn group(&self, field: Field) -> Option<Value<'a>> {
        use Field as F;
        match field {
            F::GrantSendOnBehalfTo => {
                return Some(self.names(self.recipient()?.send_on_behalf.iter().copied()));
            }
            F::GrantSendOnBehalfToWithDisplayNames => {
                return Some(self.labels(self.recipient()?.send_on_behalf.iter().copied()));
            }
            F::ModeratedByWithDisplayNames
            | F::ForwardingAddressWithDisplayNames
            | F::AcceptMessagesOnlyFromWithDisplayNames
            | F::AcceptMessagesOnlyFromDLMembersWithDisplayNames
            | F::AcceptMessagesOnlyFromSendersOrMembersWithDisplayNames
            | F::BypassModerationFromSendersOrMembersWithDisplayNames
            | F::RejectMessagesFromSendersOrMembersWithDisplayNames => return self.companion(field),
            _ => {}
        }
        let group = self.object.group()?;
        Some(match field {
            F::GroupType => Value::text(group_type(group.kind)),
            F::ManagedBy if self.class == RowClass::DynamicDistributionGroup => {
                match group.owners.first().and_then(|owner| self.reader.list_name(*owner)) {
                    Some(name) => Value::owned(name),
                    None => Value::Null,
                }
            }
            F::ManagedBy => self.names(group.owners.iter().copied()),
            F::ManagedByWithDisplayName | F::ManagedByDetails => self.labels(group.owners.iter().copied()),
            F::Members => self.names(group.members.iter().copied()),
            F::Description => match group.description.as_deref() {
                Some(text) => Value::List(vec![Cow::Borrowed(text)]),
                None => Value::List(Vec::new()),
            },
            F::Notes => Value::text(group.description.as_deref().unwrap_or_default()),
            F::HiddenGroupMembershipEnabled => Value::Bool(group.hidden_membership),
            F::AccessType => Value::text(group.visibility.as_deref().unwrap_or("Public")),
            F::GroupMemberCount => Value::Int(i64::try_from(group.members.len()).unwrap_or(i64::MAX)),
            F::GroupExternalMemberCount => {
                let guest = |idx: &&Idx| {
                    self.reader.state.get(**idx).and_then(Object::details)
                        == Some(RecipientTypeDetails::GuestMailUser)
                };
                Value::Int(i64::try_from(group.members.iter().filter(guest).count()).unwrap_or(i64::MAX))
            }
            F::IsMembershipDynamic => Value::Bool(group.rule.is_some()),
            F::RecipientFilter => Value::text(group.recipient_filter.as_deref().unwrap_or_default()),
            F::RecipientContainer => Value::text(&self.reader.organizational_unit),
            F::ResourceProvisioningOptions if group.team => Value::List(vec!["Team".into()]),
            F::SharePointSiteUrl => Value::owned(self.site("")),
            F::SharePointDocumentsUrl => Value::owned(self.site("/Shared Documents")),
            F::IsSecurityPrincipal => Value::Bool(group.security_enabled()),
            _ => return None,
        })
    }

    fn site(&self, path: &str) -> String {
        let label = self.reader.state.tenant.initial_domain().split('.').next().unwrap_or_default();
        format!("https://{label}.sharepoint.com/sites/{}{path}", self.object.alias)
    }

    fn names(&self, list: impl Iterator<Item = Idx>) -> Value<'a> {
        Value::List(list.filter_map(|idx| self.reader.list_name(idx)).map(Cow::Owned).collect())
    }

    /// `address;display name`, as the display-name companions show it.
    fn labels(&self, list: impl Iterator<Item = Idx>) -> Value<'a> {
        let label = |idx: Idx| {
            let object = self.reader.state.get(idx).filter(|object| object.is_live())?;
            Some(Cow::Owned(format!("{};{}", object.primary_smtp().unwrap_or_default(), object.display_name)))
        };
        Value::List(list.filter_map(label).collect())
    }

    fn companion(&self, field: Field) -> Option<Value<'a>> {
        let base = match field {
            Field::ModeratedByWithDisplayNames => "ModeratedBy",
            Field::ForwardingAddressWithDisplayNames => "ForwardingAddress",
            Field::AcceptMessagesOnlyFromWithDisplayNames => "AcceptMessagesOnlyFrom",
            Field::AcceptMessagesOnlyFromDLMembersWithDisplayNames => "AcceptMessagesOnlyFromDLMembers",
            Field::BypassModerationFromSendersOrMembersWithDisplayNames => {
                "BypassModerationFromSendersOrMembers"
            }
            Field::RejectMessagesFromSendersOrMembersWithDisplayNames => "RejectMessagesFromSendersOrMembers",
            _ => "AcceptMessagesOnlyFromSendersOrMembers",
        };
        let held = self.object.extra()?.exchange.get(base)?;
        Some(self.labels(self.referenced(held).into_iter()))
    }

    fn referenced(&self, held: &AttrValue) -> Vec<Idx> {
        let find = |text: &str| self.reader.state.live_by_text(KeyKind::Id, text).first().copied();
        match held {
            AttrValue::Text(text) => find(text).into_iter().collect(),
            AttrValue::List(list) => list.iter().filter_map(|text| find(text)).collect(),
            _ => Vec::new(),
        }
    }

    /// References kept by object id, as the settings show them.
    pub(super) fn references(&self, held: &AttrValue) -> Value<'a> {
        let names = self.names(self.referenced(held).into_iter());
        match (held, names) {
            (AttrValue::Text(_), Value::List(list)) => {
                list.into_iter().next().map_or(Value::Null, Value::Text)
            }
            (_, names) => names,
        }
    }

    /// The distinguished names behind a reference property, as filters compare them.
    pub(super) fn reference_dns(&self, list: impl Iterator<Item = Idx>) -> Value<'a> {
        let dn = |idx: Idx| self.reader.state.get(idx).map(|object| Cow::Owned(self.reader.dn(object)));
        Value::List(list.filter_map(dn).collect())
    }

    /// The recipients behind a property that filters compare by distinguished name.
    pub(super) fn referenced_by(&self, name: &str) -> Option<Vec<Idx>> {
        Some(match name {
            "GrantSendOnBehalfTo" => self.recipient()?.send_on_behalf.clone(),
            "ManagedBy" => self.object.group()?.owners.clone(),
            "Members" => self.object.group()?.members.clone(),
            "MemberOfGroup" => self.reader.state.member_of(self.idx).to_vec(),
            "Manager" => self.object.user()?.manager.into_iter().collect(),
            "DirectReports" => self.reader.state.direct_reports(self.idx).collect(),
            _ if reference_property(name) => self
                .object
                .extra()
                .and_then(|extra| extra.exchange.get(name))
                .map_or(Vec::new(), |held| self.referenced(held)),
            _ => return None,
        })
    }
}

/// `GroupType` as Exchange prints it.
#[must_use]
pub fn group_type(kind: GroupKind) -> &'static str {
    match kind {
        GroupKind::Distribution | GroupKind::Microsoft365 | GroupKind::DynamicDistribution => "Universal",
        GroupKind::Security | GroupKind::MailEnabledSecurity => "Universal, SecurityEnabled",
    }
}

fn country_name(code: &str) -> &str {
    match code {
        "US" => "United States",
        "IE" => "Ireland",
        "DE" => "Germany",
        "GB" => "United Kingdom",
        "FR" => "France",
        "NL" => "Netherlands",
        "ES" => "Spain",
        "IT" => "Italy",
        "CH" => "Switzerland",
        "AT" => "Austria",
        "IN" => "India",
        "JP" => "Japan",
        "CA" => "Canada",
        "AU" => "Australia",
        "PL" => "Poland",
        "SE" => "Sweden",
        other => other,
    }
}
