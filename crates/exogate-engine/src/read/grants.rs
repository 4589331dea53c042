//! Rights on mailboxes, out of the rows of three cmdlets.
//!
//! Every row is kept: the mailbox's own, inherited, denied and unknown ones as well. What is an
//! entitlement is decided where it is shown.

use std::collections::BTreeSet;

use exogate_microsoft::record::Record;
use exogate_model::right::Right;
use exogate_model::trustee::Trustee;

use super::{Unreadable, not_all_without};

/// One fact: right, trustee, denied, inherited.
pub type Fact = (Right, Trustee, bool, bool);

/// What a row of recipient permissions names its trustee by.
const OF_RECIPIENT: [&str; 2] = ["Trustee", "TrusteeSidString"];

/// The facts of a mailbox's permission rows, each once.
///
/// Rows come in two shapes: with the rights beside the user, or nested in a list of permissions.
pub fn mailbox_permissions(records: &[Record]) -> Result<Vec<Fact>, Unreadable> {
    const SHOWN: [&str; 2] = ["User", "UserSid"];
    named(records, SHOWN, "Get-MailboxPermission")?;
    let mut facts = BTreeSet::new();
    for record in records {
        let trustee = trustee(record, SHOWN);
        let nested = record.children("PermissionList");
        if nested.is_empty() {
            insert(&mut facts, record, &trustee);
        }
        for permission in &nested {
            insert(&mut facts, permission, &trustee);
        }
    }
    Ok(facts.into_iter().collect())
}

/// The facts of each row of recipient permissions.
pub fn recipient_permissions(records: &[Record]) -> Result<Vec<Vec<Fact>>, Unreadable> {
    are_recipient_permissions(records)?;
    Ok(records.iter().map(recipient_permission).collect())
}

/// Whether rows are what a listing of recipient permissions shows.
pub fn are_recipient_permissions(records: &[Record]) -> Result<(), Unreadable> {
    named(records, OF_RECIPIENT, "Get-RecipientPermission")
}

/// The facts of one row of recipient permissions.
pub fn recipient_permission(record: &Record) -> Vec<Fact> {
    let mut facts = BTreeSet::new();
    insert(&mut facts, record, &trustee(record, OF_RECIPIENT));
    facts.into_iter().collect()
}

/// Those who may send on behalf, as a mailbox lists them.
pub fn send_on_behalf(record: &Record) -> Vec<Fact> {
    let trustees: BTreeSet<String> = record.texts("GrantSendOnBehalfTo").into_iter().collect();
    trustees
        .into_iter()
        .map(|text| (Right::SendOnBehalf, Trustee { text, sid: None }, false, false))
        .collect()
}

fn named(records: &[Record], shown: [&'static str; 2], listing: &'static str) -> Result<(), Unreadable> {
    let shows = |record: &Record| shown.iter().any(|property| record.text(property).is_some());
    not_all_without(records, shows, shown[0], listing)
}

/// The trustee of a row: its text, or its identifier; a single row may have neither, and is kept.
fn trustee(record: &Record, [text, sid]: [&'static str; 2]) -> Trustee {
    let sid = record.text(sid).map(str::to_owned);
    let text = record.text(text).map(str::to_owned).or_else(|| sid.clone()).unwrap_or_default();
    Trustee { text, sid }
}

fn insert(facts: &mut BTreeSet<Fact>, row: &Record, trustee: &Trustee) {
    let denied = row.flag("Deny").unwrap_or(false)
        || row.text("AccessControlType").is_some_and(|control| control.eq_ignore_ascii_case("Deny"));
    let inherited = row.flag("IsInherited").unwrap_or(false);
    for element in row.texts("AccessRights") {
        for right in Right::split(&element) {
            facts.insert((right, trustee.clone(), denied, inherited));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn records(rows: &serde_json::Value) -> Vec<Record> {
        rows.as_array().unwrap().iter().map(|row| Record::from_value(row).unwrap()).collect()
    }

    fn trustee(text: &str, sid: Option<&str>) -> Trustee {
        Trustee { text: text.into(), sid: sid.map(Into::into) }
    }

    #[test]
    fn every_row_is_kept_and_joined_rights_are_split() {
        let own = || trustee("NT AUTHORITY\\SELF", Some("S-1-5-10"));
        let facts = mailbox_permissions(&records(&json!([
            {"User":"NT AUTHORITY\\SELF","UserSid":"S-1-5-10","AccessRights":["FullAccess, ReadPermission"],"Deny":false,"IsInherited":false},
            {"User":"NT AUTHORITY\\SELF","UserSid":"S-1-5-10","AccessRights":["FullAccess, ExternalAccount"],"Deny":false,"IsInherited":false},
            {"User":"kim@contoso.com","AccessRights":["FullAccess"],"Deny":"True","IsInherited":"False"},
            {"User":"Domain Admins","AccessRights":["FullAccess"],"Deny":true,"IsInherited":true},
            {"User":"lee@contoso.com","AccessRights":["Brew"]},
        ])))
        .unwrap();
        assert_eq!(
            facts,
            [
                (Right::ExternalAccount, own(), false, false),
                (Right::FullAccess, trustee("Domain Admins", None), true, true),
                (Right::FullAccess, own(), false, false),
                (Right::FullAccess, trustee("kim@contoso.com", None), true, false),
                (Right::ReadPermission, own(), false, false),
                (Right::Other("Brew".into()), trustee("lee@contoso.com", None), false, false),
            ]
        );
    }

    #[test]
    fn the_nested_shape_gives_the_same_facts() {
        let flat = json!([{"User":"kim@contoso.com","AccessRights":["FullAccess"],"Deny":false,"IsInherited":false},
            {"User":"kim@contoso.com","AccessRights":["ReadPermission"],"Deny":true,"IsInherited":false}]);
        let nested = json!([{"User":"kim@contoso.com","PermissionList":[
            {"AccessRights":["FullAccess"],"Deny":false,"IsInherited":false},
            {"AccessRights":["ReadPermission"],"Deny":true,"IsInherited":false}]}]);
        assert_eq!(mailbox_permissions(&records(&flat)), mailbox_permissions(&records(&nested)));
    }

    #[test]
    fn recipient_permissions_deny_by_their_control_type() {
        let read = |row| recipient_permissions(&records(&json!([row]))).unwrap().concat();
        let kim = || trustee("kim@contoso.com", Some("S-1-5-21-1"));
        let row = |control: &str| {
            json!({"Trustee":"kim@contoso.com","TrusteeSidString":"S-1-5-21-1","AccessRights":["SendAs"],
                "AccessControlType":control})
        };
        assert_eq!(read(row("Allow")), [(Right::SendAs, kim(), false, false)]);
        assert_eq!(read(row("Deny")), [(Right::SendAs, kim(), true, false)]);
    }

    #[test]
    fn rows_without_any_trustee_are_an_error_and_an_identifier_will_do() {
        assert!(mailbox_permissions(&records(&json!([{"AccessRights":["FullAccess"]}]))).is_err());
        let facts = mailbox_permissions(&records(
            &json!([{"User":"","UserSid":"S-1-5-21-1","AccessRights":["FullAccess"]}]),
        ));
        assert_eq!(facts.unwrap()[0].1, trustee("S-1-5-21-1", Some("S-1-5-21-1")));
        let one = mailbox_permissions(&records(
            &json!([{"AccessRights":["FullAccess"]}, {"User":"kim","AccessRights":["FullAccess"]}]),
        ));
        assert_eq!(one.unwrap().len(), 2, "kept");
    }

    proptest! {
        /// However the tenant joins and repeats them, the facts are those of the rows one by one.
        #[test]
        fn joining_changes_nothing(rows in proptest::collection::vec(
            ("[a-c]@x", proptest::collection::vec(0usize..8, 1..4), any::<bool>(), any::<bool>()), 0..8)) {
            let name = |i: &usize| exogate_model::right::KNOWN[*i].name().to_owned();
            let joined = json!(rows.iter().map(|(user, rights, deny, inherited)| json!({
                "User": user, "Deny": deny, "IsInherited": inherited,
                "AccessRights": [rights.iter().map(name).collect::<Vec<_>>().join(", ")]})).collect::<Vec<_>>());
            let single = json!(rows.iter().rev().flat_map(|(user, rights, deny, inherited)| rights.iter().map(move |r| json!({
                "User": user, "Deny": deny.to_string(), "IsInherited": inherited, "AccessRights": name(r)}))).collect::<Vec<_>>());
            prop_assert_eq!(mailbox_permissions(&records(&joined)), mailbox_permissions(&records(&single)));
        }
    }
}
