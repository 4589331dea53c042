//! Listings page by page: what all of them take and give, beside what each is filtered by.

use std::borrow::Cow;
use std::marker::PhantomData;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::value::StringDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, forward_to_deserialize_any};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::extract::{Answer, Query};
use super::page::{self, Limit, Text};
use super::problem::Problem;
use crate::gateway::Gateway;

/// The parameters of every listing.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Where to go on: `next` of the page before.
    #[param(value_type = Option<String>, min_length = 1)]
    cursor: Option<Text>,
    /// How many at most.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, default = 100)]
    limit: Limit,
}

/// What is asked of a listing: a page of what passes a filter.
pub struct Listing<F, P> {
    /// What the listing is filtered by.
    pub filter: F,
    /// Where the page begins; nowhere else than at the beginning if there is none.
    pub after: Option<P>,
    /// How many at most.
    pub limit: usize,
}

impl<F, P> FromRequestParts<Gateway> for Listing<F, P>
where
    F: DeserializeOwned + Send,
    P: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let Query(Asked { filter, paging }) = Query::from_request_parts(parts, gateway).await?;
        let after = page::decode(paging.cursor.as_ref())?;
        Ok(Self { filter, after, limit: paging.limit.get().into() })
    }
}

/// Objects that are listed page by page.
pub trait Listed: ToSchema + Serialize {
    /// What the document calls a page.
    const PAGE: &'static str;
    /// What it says of a page.
    const ABOUT: &'static str;
    /// What it says of what is on it.
    const ITEMS: &'static str;
}

/// A page as it is answered.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> Page<T> {
    /// A page, and the place where the next one begins.
    pub fn of(items: impl IntoIterator<Item = T>, next: Option<&impl Serialize>) -> Answer<Self> {
        let next = next.map(page::encode).transpose()?;
        Ok(Json(Self { items: items.into_iter().collect(), next }))
    }
}

impl<T: Listed> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new()
            .items(RefOr::<Schema>::Ref(Ref::from_schema_name(T::name())))
            .description(Some(T::ITEMS));
        let next = ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("Send this as `cursor` to get the next page; absent on the last one."));
        let page = ObjectBuilder::new()
            .description(Some(T::ABOUT))
            .property("items", items)
            .required("items")
            .property("next", next);
        RefOr::T(page.into())
    }
}

impl<T: Listed> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed(T::PAGE)
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// A query with the parameters of a listing among those of its filter.
struct Asked<F> {
    filter: F,
    paging: Paging,
}

impl<'de, F: Deserialize<'de>> Deserialize<'de> for Asked<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parameters<F>(PhantomData<F>);

        impl<'de, F: Deserialize<'de>> Visitor<'de> for Parameters<F> {
            type Value = Asked<F>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("parameters")
            }

            fn visit_map<A: MapAccess<'de>>(self, parameters: A) -> Result<Asked<F>, A::Error> {
                let (mut cursor, mut limit) = (None, None);
                let filter =
                    F::deserialize(Rest { parameters, fields: &[], cursor: &mut cursor, limit: &mut limit })?;
                Ok(Asked { filter, paging: Paging { cursor, limit: limit.unwrap_or_default() } })
            }
        }

        deserializer.deserialize_map(Parameters(PhantomData))
    }
}

/// Keeps the parameters of a listing, and hands on those of its filter.
struct Rest<'a, A> {
    parameters: A,
    /// The parameters of the filter.
    fields: &'static [&'static str],
    cursor: &'a mut Option<Text>,
    limit: &'a mut Option<Limit>,
}

impl<'de, A: MapAccess<'de>> Deserializer<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_map(Self { fields, ..self })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.parameters.next_key::<String>()? {
            match name.as_str() {
                "cursor" => once(self.cursor, "cursor", &mut self.parameters)?,
                "limit" => once(self.limit, "limit", &mut self.parameters)?,
                known if self.fields.contains(&known) => {
                    let name: StringDeserializer<A::Error> = name.into_deserializer();
                    return seed.deserialize(name).map(Some);
                }
                unknown => {
                    let known: Vec<String> = ["cursor", "limit"]
                        .iter()
                        .chain(self.fields)
                        .map(|name| format!("`{name}`"))
                        .collect();
                    let known = known.join(", ");
                    return Err(A::Error::custom(format!(
                        "unknown field `{unknown}`, expected one of {known}"
                    )));
                }
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.parameters.next_value_seed(seed)
    }
}

fn once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    place: &mut Option<T>,
    name: &'static str,
    parameters: &mut A,
) -> Result<(), A::Error> {
    match place.replace(parameters.next_value()?) {
        None => Ok(()),
        Some(_) => Err(A::Error::duplicate_field(name)),
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;
    use http::Uri;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        search: Option<Text>,
        disabled: Option<bool>,
    }

    fn asked(query: &str) -> Result<Asked<Filter>, String> {
        let uri: Uri = format!("/?{query}").parse().unwrap_or_else(|_| panic!("an address"));
        Query::try_from_uri(&uri).map(|Query(asked)| asked).map_err(|error| error.body_text())
    }

    #[test]
    fn the_parameters_of_page_and_filter_are_told_apart() {
        let asked =
            asked("disabled=true&limit=7&search=a%26b&cursor=x").unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((asked.paging.limit.get(), asked.paging.cursor), (7, Some(Text("x".into()))));
        assert_eq!((asked.filter.search, asked.filter.disabled), (Some(Text("a&b".into())), Some(true)));
        let plain = self::asked("").unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((plain.paging.limit.get(), plain.paging.cursor), (100, None));
    }

    #[test]
    fn what_is_wrong_is_told_by_name() {
        for (query, why) in [
            ("limit=0", "limit: "),
            ("limit=1&limit=2", "duplicate field `limit`"),
            ("disabled=true&disabled=true", "duplicate field `disabled`"),
            ("disabled=perhaps", "disabled: "),
            ("curser=x", "unknown field `curser`, expected one of `cursor`, `limit`, `search`, `disabled`"),
        ] {
            let told = asked(query).err().unwrap_or_else(|| panic!("{query} is refused"));
            assert!(told.contains(why), "{query}: {told}");
        }
    }
}
