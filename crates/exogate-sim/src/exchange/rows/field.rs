//! Names of the properties whose values come from the state; everything else is a default or a sparse attribute.

macro_rules! fields {
    ($($name:ident)*) => {
        /// A property that the state knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Field { $($name),* }

        impl Field {
            /// The field of that name (documented casing).
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

fields! {
    AcceptMessagesOnlyFrom AcceptMessagesOnlyFromDLMembers AcceptMessagesOnlyFromSendersOrMembers
    AcceptMessagesOnlyFromDLMembersWithDisplayNames AcceptMessagesOnlyFromSendersOrMembersWithDisplayNames
    AcceptMessagesOnlyFromWithDisplayNames
    AccessType AccountDisabled AddressListMembership Alias BypassModerationFromSendersOrMembers City Company
    CountryOrRegion Department Description DirectReports DisplayName DistinguishedName
    EmailAddresses ExchangeGuid ExchangeObjectId
    ExternalDirectoryObjectId ExternalEmailAddress FirstName ForwardingAddress ForwardingAddressWithDisplayNames
    GrantSendOnBehalfTo GrantSendOnBehalfToWithDisplayNames GroupExternalMemberCount GroupMemberCount GroupType Guid
    HiddenFromAddressListsEnabled HiddenGroupMembershipEnabled Id Identity ImmutableId
    IsDirSynced IsExchangeCloudManaged IsInactiveMailbox IsMembershipDynamic IsResource IsSecurityPrincipal IsShared
    IsSoftDeletedByDisable IsSoftDeletedByRemove IsValid LastName LegacyDN LegacyExchangeDN LitigationHoldEnabled
    MailboxGuid MailboxLocations MailboxOwnerId MailboxPlan MailboxTypeDetail ManagedBy ManagedByDetails
    ManagedByWithDisplayName Manager Members MicrosoftOnlineServicesID MobilePhone ModeratedBy
    ModeratedByWithDisplayNames Name NetID Notes ObjectCategory ObjectClass Office OrganizationId OrganizationalUnit
    OrganizationalUnitRoot OriginatingServer OwnerADGuid Phone PrimarySmtpAddress RecipientContainer RecipientFilter
    RecipientSoftDeletedStatus RecipientType RecipientTypeDetails RejectMessagesFrom RejectMessagesFromDLMembers
    RejectMessagesFromSendersOrMembers ResourceProvisioningOptions ResourceType SamAccountName ServerLegacyDN
    SharePointDocumentsUrl SharePointSiteUrl Sid SKUAssigned StsRefreshTokensValidFrom Title UsageLocation
    UserPrincipalName WhenChanged WhenChangedUTC WhenCreated WhenCreatedUTC WhenMailboxCreated WhenSoftDeleted
    WindowsEmailAddress WindowsLiveID
    ItemCount DeletedItemCount TotalItemSize TotalDeletedItemSize LastLogonTime LastUserActionTime
    LastInteractionTime ExternalDirectoryOrganizationId BypassModerationFromSendersOrMembersWithDisplayNames
    RejectMessagesFromSendersOrMembersWithDisplayNames
}
