//! Users of Entra.

use exogate_microsoft::record::Record;
use exogate_model::account::Attributes;
use exogate_store::UserRow;

use super::attributes::{AttributeReader, Misfits};
use super::{Unreadable, not_all_without, owned, required};

/// Properties that every user is read with, whatever the schema.
pub const PROPERTIES: [&str; 6] =
    ["id", "userPrincipalName", "displayName", "mail", "accountEnabled", "securityIdentifier"];

const LISTING: &str = "the listing of users";

/// Reads a page of users. A user without a principal name goes by its id.
pub fn users(
    records: &[Record],
    reader: &AttributeReader,
    misfits: &mut Misfits,
) -> Result<Vec<UserRow>, Unreadable> {
    let mut rows = identities(records)?;
    for (row, record) in rows.iter_mut().zip(records) {
        row.attributes = reader.read(record, misfits);
    }
    Ok(rows)
}

/// The same without attributes.
pub fn identities(records: &[Record]) -> Result<Vec<UserRow>, Unreadable> {
    const UPN: &str = "userPrincipalName";
    not_all_without(records, |record| record.text(UPN).is_some(), UPN, LISTING)?;
    records
        .iter()
        .map(|record| {
            let id = required(record, "id", LISTING)?;
            Ok(UserRow {
                id: id.to_owned(),
                upn: record.text(UPN).unwrap_or(id).to_owned(),
                display_name: owned(record, "displayName"),
                mail: owned(record, "mail"),
                disabled: record.flag("accountEnabled") == Some(false),
                sid: owned(record, "securityIdentifier"),
                attributes: Attributes::new(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use exogate_model::schema::Schema;

    use super::*;

    fn read(json: &[&str]) -> Result<Vec<UserRow>, Unreadable> {
        let records: Vec<_> = json.iter().map(|j| Record::from_slice(j.as_bytes()).unwrap()).collect();
        let reader = AttributeReader::entra(&Schema::account(&[], false).unwrap());
        users(&records, &reader, &mut Misfits::default())
    }

    #[test]
    fn one_nameless_user_goes_by_its_id_and_a_page_of_them_is_an_error() {
        let ada = r#"{"id":"a","userPrincipalName":"ada@contoso.com","accountEnabled":false}"#;
        let rows = read(&[ada, r#"{"id":"b","userPrincipalName":null}"#]).unwrap();
        assert_eq!((rows[0].upn.as_str(), rows[0].disabled), ("ada@contoso.com", true));
        assert_eq!((rows[1].upn.as_str(), rows[1].disabled), ("b", false));
        assert!(read(&[r#"{"id":"b","userPrincipalName":null}"#]).is_err());
        assert!(read(&[ada, r#"{"userPrincipalName":"x@contoso.com"}"#]).is_err());
        assert_eq!(read(&[]), Ok(Vec::new()));
    }
}
