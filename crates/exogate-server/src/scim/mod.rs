//! SCIM 2.0 (RFC 7643, RFC 7644): accounts as users, groups, and mailbox rights as entitlements.
