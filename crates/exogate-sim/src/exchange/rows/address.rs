//! Addresses, sign-in names and the other names of a recipient.

use std::borrow::Cow;

use crate::state::RecipientTypeDetails;
use crate::state::tenant::legacy_dn;

use super::{Field, RecipientRow};
use crate::exchange::value::Value;

impl<'a> RecipientRow<'a> {
    pub(super) fn address(&self, field: Field) -> Option<Value<'a>> {
        use Field as F;
        let object = self.object;
        Some(match field {
            F::EmailAddresses => {
                Value::List(object.addresses.iter().map(|text| Cow::Borrowed(&**text)).collect())
            }
            F::PrimarySmtpAddress | F::WindowsEmailAddress => {
                Value::text(object.primary_smtp().unwrap_or_default())
            }
            F::ExternalEmailAddress => Value::text(self.recipient()?.external_address.as_deref()?),
            F::UserPrincipalName => Value::text(object.upn()?),
            F::WindowsLiveID | F::MicrosoftOnlineServicesID => Value::text(object.upn().unwrap_or_default()),
            F::ServerLegacyDN => {
                let server = &self.reader.state.tenant.server;
                Value::owned(format!(
                    "/o=ExchangeLabs/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/cn={server}"
                ))
            }
            F::LegacyExchangeDN | F::LegacyDN => {
                let guid = self.recipient().map_or(object.id, |recipient| recipient.guid);
                Value::owned(legacy_dn(guid, &object.alias))
            }
            F::NetID => Value::owned(format!("{:016X}", object.id.as_u128() >> 64)),
            F::SamAccountName => {
                match object.on_premises.as_deref().and_then(|site| site.sam_account_name.as_deref()) {
                    Some(name) => Value::text(name),
                    None => Value::owned(sam_account_name(object.rid, object.id.as_u128())),
                }
            }
            F::ImmutableId => Value::text(
                object
                    .on_premises
                    .as_deref()
                    .and_then(|site| site.immutable_id.as_deref())
                    .unwrap_or_default(),
            ),
            F::IsExchangeCloudManaged => {
                Value::Bool(object.on_premises.as_deref().is_some_and(|site| site.exchange_cloud_managed))
            }
            F::Sid => Value::owned(self.reader.state.tenant.sid(object.rid)),
            F::SKUAssigned => Value::Bool(!object.user()?.licences.is_empty()),
            F::MailboxPlan => match self.details()? {
                RecipientTypeDetails::UserMailbox => return None,
                _ => Value::text(""),
            },
            _ => return None,
        })
    }
}

/// The name by which the forest knows an account that never had another.
#[must_use]
pub(in crate::exchange) fn sam_account_name(rid: u32, id: u128) -> String {
    format!("${:06X}-{:012X}", rid & 0xFF_FFFF, id >> 80)
}
