//! The properties of `microsoft.graph.servicePrincipal` that lists of any type show, after the v1.0 metadata.

use super::{
    DEFAULT, EQ, Field as F, IN, Kind, NE, NOT, Property, RANGE, READ_ONLY, REQUIRED, SEARCH, STARTS, p,
};

/// Every property.
pub const PRINCIPAL: [Property; 10] = [
    p("id", Kind::Text, F::Id, DEFAULT | READ_ONLY | REQUIRED, EQ | NE | NOT | IN, 0),
    p("deletedDateTime", Kind::Time, F::Deleted, DEFAULT | READ_ONLY, EQ | NE | RANGE, 0),
    p("accountEnabled", Kind::Bool, F::Enabled, DEFAULT, EQ | NE | NOT | IN, 0),
    p("alternativeNames", Kind::Texts, F::Stored, DEFAULT | REQUIRED, EQ | NE | NOT | STARTS, 0),
    p("appDisplayName", Kind::Text, F::DisplayName, DEFAULT, EQ | NE | NOT | IN | STARTS, 0),
    p("appId", Kind::Text, F::AppId, DEFAULT, EQ | NE | NOT | IN, 0),
    p("displayName", Kind::Text, F::DisplayName, DEFAULT | SEARCH, EQ | NE | NOT | IN | STARTS, 256),
    p("servicePrincipalNames", Kind::Texts, F::PrincipalNames, DEFAULT | REQUIRED, EQ | NOT | STARTS, 0),
    p("servicePrincipalType", Kind::Text, F::PrincipalType, DEFAULT, EQ | NE | NOT | IN, 0),
    p("tags", Kind::Texts, F::Stored, DEFAULT | REQUIRED, EQ | NOT | STARTS, 0),
];
