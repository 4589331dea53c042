//! The properties of `microsoft.graph.orgContact`, after the v1.0 metadata.

use super::{
    COUNT, DEFAULT, EQ, Field as F, IN, Kind, NE, NOT, NULL, Property, RANGE, READ_ONLY, REQUIRED, SEARCH,
    STARTS, p,
};

/// Every property.
pub const CONTACT: [Property; 17] = [
    p("id", Kind::Text, F::Id, DEFAULT | READ_ONLY | REQUIRED, EQ | NE | NOT | IN, 0),
    p("deletedDateTime", Kind::Time, F::Deleted, DEFAULT | READ_ONLY, EQ | NE | RANGE, 0),
    p("addresses", Kind::List, F::Stored, DEFAULT, 0, 0),
    p("companyName", Kind::Text, F::Company, DEFAULT, EQ | NE | NOT | RANGE | IN | STARTS | NULL, 0),
    p("department", Kind::Text, F::Department, DEFAULT, EQ | NE | NOT | RANGE | IN | STARTS | NULL, 0),
    p(
        "displayName",
        Kind::Text,
        F::DisplayName,
        DEFAULT | SEARCH,
        EQ | NE | NOT | RANGE | IN | STARTS | NULL,
        256,
    ),
    p("givenName", Kind::Text, F::GivenName, DEFAULT, EQ | NE | NOT | RANGE | IN | STARTS | NULL, 0),
    p("jobTitle", Kind::Text, F::JobTitle, DEFAULT, EQ | NE | NOT | RANGE | IN | STARTS | NULL, 0),
    p("mail", Kind::Text, F::Mail, DEFAULT, EQ | NE | NOT | RANGE | IN | STARTS | NULL, 0),
    p("mailNickname", Kind::Text, F::Alias, DEFAULT, EQ | NE | NOT | RANGE | IN | STARTS | NULL, 0),
    p("onPremisesLastSyncDateTime", Kind::Time, F::LastSync, DEFAULT, EQ | NE | NOT | RANGE | IN, 0),
    p("onPremisesProvisioningErrors", Kind::List, F::Stored, DEFAULT, EQ | NOT, 0),
    p("onPremisesSyncEnabled", Kind::Bool, F::SyncEnabled, DEFAULT, EQ | NE | NOT | IN | NULL, 0),
    p("phones", Kind::List, F::Phones, DEFAULT, 0, 0),
    p(
        "proxyAddresses",
        Kind::Texts,
        F::Addresses,
        DEFAULT | REQUIRED,
        EQ | NE | NOT | RANGE | STARTS | COUNT,
        0,
    ),
    p("serviceProvisioningErrors", Kind::List, F::Stored, DEFAULT, EQ | NOT, 0),
    p("surname", Kind::Text, F::Surname, DEFAULT, EQ | NE | NOT | RANGE | IN | STARTS | NULL, 0),
];
