//! Attributes as this door shows them, and `fields`: which of them a caller wants.

use exogate_model::account::Attributes;
use exogate_model::nearest;
use exogate_model::schema::Schema;
use serde::Serialize;
use utoipa::ToSchema;

use super::page::Text;
use super::problem::Problem;

/// The value of an attribute: of the type that the schema of the source gives it. What has several
/// values is a list of texts.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes what the model's values look like; never made")]
pub enum AttributeValue {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text or an instant.
    Text(String),
    /// Several values, sorted where their order has no meaning.
    Many(Vec<String>),
}

/// The attributes (and other members of an object) that a caller wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields(Option<Vec<String>>);

impl Fields {
    /// From the parameter: names with commas between them, each of the schema or one of `others`.
    pub fn of(text: Option<&Text>, schema: &Schema, others: &[&str]) -> Result<Self, Problem> {
        let Some(Text(text)) = text else { return Ok(Self(None)) };
        let known =
            || schema.attributes().iter().map(|known| known.name.as_str()).chain(others.iter().copied());
        let mut fields = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match known().find(|known| known.eq_ignore_ascii_case(name)) {
                Some(known) => fields.push(known.to_owned()),
                None => {
                    let hint = nearest::hint(name, known());
                    return Err(Problem::unprocessable(format!(
                        "`fields`: {name:?} is not in the schema of this source{hint}."
                    )));
                }
            }
        }
        Ok(Self(Some(fields)))
    }

    /// Whether a member is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|fields| fields.iter().any(|field| field == name))
    }

    /// The attributes that are wanted.
    pub fn of_attributes(&self, mut attributes: Attributes) -> Attributes {
        attributes.retain(|name, _| self.wants(name));
        attributes
    }
}

#[cfg(test)]
mod tests {
    use exogate_model::value::AttributeValue;

    use super::*;

    #[test]
    fn fields_choose_and_refuse() {
        let schema = Schema::account(&[], true).unwrap_or_else(|_| panic!("the default schema"));
        let of = |text: &str| Fields::of(Some(&Text(text.into())), &schema, &["rights"]);
        let fields = of("displayname, rights").unwrap_or_else(|_| panic!("both are known"));
        assert!(fields.wants("displayName") && fields.wants("rights") && !fields.wants("mail"));
        let both = ["displayName", "mail"].map(|name| (name.to_owned(), AttributeValue::Text("x".into())));
        assert_eq!(fields.of_attributes(both.into()).len(), 1);
        let problem = of("displayNam").err().unwrap_or_else(|| panic!("it is unknown"));
        assert!(problem.detail.is_some_and(|detail| detail.contains("did you mean \"displayName\"?")));
        assert!(Fields(None).wants("anything"));
    }
}
