//! What was there before an operation, in words for the journal. Scripts read it as JSON.

use exogate_model::operation::{GroupDefinition, Image, Party};
use exogate_model::right::Right;

/// An image in one line.
pub fn in_words(image: &Image) -> String {
    match image {
        Image::Rights { held } if held.is_empty() => "none of these rights held".to_owned(),
        Image::Rights { held } => {
            let names: Vec<&str> = held.iter().map(Right::name).collect();
            format!("held {}", names.join(", "))
        }
        Image::Parties { present, others } => {
            let named = if present.is_empty() { "none of them".to_owned() } else { present.join(", ") };
            if *others == 0 {
                format!("on the list: {named}")
            } else {
                format!("on the list: {named}, and {others} others")
            }
        }
        Image::Attributes { values } if values.is_empty() => "no value".to_owned(),
        Image::Attributes { values } => {
            let lines: Vec<String> = values.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            lines.join("; ")
        }
        Image::Group { id: None, .. } | Image::User { id: None, .. } => "not there".to_owned(),
        Image::Group { id: Some(id), definition: None } => format!("the group {id}"),
        Image::Group { id: Some(id), definition: Some(definition) } => group_in_words(id, definition),
        Image::User { id: Some(id), password_changed: None } => format!("the user {id}"),
        Image::User { id: Some(id), password_changed: Some(at) } => {
            format!("the user {id}, password of {at}")
        }
    }
}

fn group_in_words(id: &str, group: &GroupDefinition) -> String {
    let list = |parties: &[Party]| match parties {
        [] => "none".to_owned(),
        some => some.iter().map(|party| party.name.as_str()).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!("the {} group {} ({id}), alias {}", group.kind, group.name, group.alias);
    if let Some(address) = &group.address {
        text.push_str(&format!(", {address}"));
    }
    text.push_str(&format!("; owners: {}; members: {}", list(&group.owners), list(&group.members)));
    if !group.edits.is_empty() {
        text.push_str(&format!("; {} further attributes", group.edits.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use exogate_model::account::Attributes;
    use exogate_model::group::GroupKind;
    use exogate_model::value::AttributeValue;

    #[test]
    fn each_image_has_its_words() {
        let parties = |present: &[&str], others| Image::Parties {
            present: present.iter().map(|id| (*id).to_owned()).collect(),
            others,
        };
        let group = GroupDefinition {
            kind: GroupKind::DistributionList,
            name: "Sales".into(),
            alias: "sales".into(),
            address: Some("sales@contoso.com".into()),
            owners: Vec::new(),
            members: Vec::new(),
            edits: Vec::new(),
        };
        let values = Attributes::from([("EXO_Alias".to_owned(), AttributeValue::Text("kim".into()))]);
        let table = [
            (Image::Rights { held: vec![] }, "none of these rights held"),
            (Image::Rights { held: vec![Right::FullAccess, Right::SendAs] }, "held FullAccess, SendAs"),
            (parties(&[], 0), "on the list: none of them"),
            (parties(&["a"], 2), "on the list: a, and 2 others"),
            (Image::Attributes { values: Attributes::new() }, "no value"),
            (Image::Attributes { values }, "EXO_Alias: kim"),
            (Image::Group { id: None, definition: None }, "not there"),
            (
                Image::Group { id: Some("g".into()), definition: Some(group) },
                "the distributionList group Sales (g), alias sales, sales@contoso.com; owners: none; members: none",
            ),
            (
                Image::User { id: Some("u".into()), password_changed: Some("2026-01-01".into()) },
                "the user u, password of 2026-01-01",
            ),
        ];
        for (image, words) in table {
            assert_eq!(in_words(&image), words);
        }
    }
}
