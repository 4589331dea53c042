//! Tests of fault rules.
