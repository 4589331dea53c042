//! Which recipients look alike in all but what is their own: what the writer of rows may copy from one to the next.

use super::{Field, RecipientRow};
use crate::state::{Body, GroupKind};

impl RecipientRow<'_> {
    /// A number that rows of one listing share only if they agree in every property that is not [their own](is_own);
    /// none for rows with anything out of the ordinary.
    pub(super) fn common(&self) -> Option<u64> {
        let object = self.object;
        let recipient = self.recipient;
        let ordinary = object.is_live()
            && !self.disconnected
            && object.extra.is_none()
            && recipient.is_none_or(|recipient| recipient.send_on_behalf.is_empty());
        if !ordinary {
            return None;
        }
        let mailbox = recipient.and_then(|recipient| recipient.mailbox.as_deref());
        let user = object.user();
        let facts = [
            object.is_dir_synced(),
            object.on_premises.as_deref().is_some_and(|site| site.exchange_cloud_managed),
            recipient.is_some_and(|recipient| recipient.hidden_from_address_lists),
            mailbox.is_some(),
            mailbox.is_some_and(|mailbox| mailbox.litigation_hold),
            user.is_some_and(|user| user.account_enabled),
            user.is_some_and(|user| !user.licences.is_empty()),
            object.group().is_some_and(|group| group.team),
        ];
        let facts = facts.into_iter().fold(0, |bits, fact| bits << 1 | u64::from(fact));
        let body = match &object.body {
            Body::User(_) => 0,
            Body::Contact(_) => 1,
            Body::Principal(_) => 2,
            Body::Group(group) => match group.kind {
                GroupKind::Microsoft365 => 3,
                GroupKind::Security => 4,
                GroupKind::MailEnabledSecurity => 5,
                GroupKind::Distribution => 6,
                GroupKind::DynamicDistribution => 7,
            },
        };
        let details = recipient.map_or(0xFF, |recipient| recipient.details as u64);
        Some(details << 16 | body << 8 | facts)
    }
}

/// Whether rows of one shape may differ in the field.
pub(super) fn is_own(field: Field) -> bool {
    use Field as F;
    !matches!(
        field,
        // The same in the whole tenant.
        F::IsValid
            | F::OrganizationalUnit
            | F::OrganizationalUnitRoot
            | F::OrganizationId
            | F::OriginatingServer
            | F::ServerLegacyDN
            | F::ExternalDirectoryOrganizationId
            // By kind, and by the facts that make the shape.
            | F::ObjectCategory
            | F::ObjectClass
            | F::RecipientTypeDetails
            | F::RecipientType
            | F::MailboxTypeDetail
            | F::IsShared
            | F::IsResource
            | F::ResourceType
            | F::MailboxPlan
            | F::GroupType
            | F::ResourceProvisioningOptions
            | F::IsDirSynced
            | F::IsExchangeCloudManaged
            | F::HiddenFromAddressListsEnabled
            | F::AddressListMembership
            | F::LitigationHoldEnabled
            | F::IsInactiveMailbox
            | F::SKUAssigned
            | F::AccountDisabled
            // Rows with a shape are neither deleted nor disconnected.
            | F::WhenSoftDeleted
            | F::IsSoftDeletedByRemove
            | F::IsSoftDeletedByDisable
            | F::RecipientSoftDeletedStatus
            // Nobody acts on their behalf, and they have no sparse attributes.
            | F::GrantSendOnBehalfTo
            | F::GrantSendOnBehalfToWithDisplayNames
            | F::AcceptMessagesOnlyFrom
            | F::AcceptMessagesOnlyFromWithDisplayNames
            | F::AcceptMessagesOnlyFromDLMembers
            | F::AcceptMessagesOnlyFromDLMembersWithDisplayNames
            | F::AcceptMessagesOnlyFromSendersOrMembers
            | F::AcceptMessagesOnlyFromSendersOrMembersWithDisplayNames
            | F::BypassModerationFromSendersOrMembers
            | F::BypassModerationFromSendersOrMembersWithDisplayNames
            | F::RejectMessagesFrom
            | F::RejectMessagesFromDLMembers
            | F::RejectMessagesFromSendersOrMembers
            | F::RejectMessagesFromSendersOrMembersWithDisplayNames
            | F::ForwardingAddress
            | F::ForwardingAddressWithDisplayNames
            | F::ModeratedBy
            | F::ModeratedByWithDisplayNames
    )
}
