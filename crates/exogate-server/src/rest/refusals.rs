//! The answers that every operation of this door may give instead of its own.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{ContentBuilder, Ref, RefOr};

use super::problem;

/// What any request may meet.
pub struct Refusals;

/// What a request with a body may meet besides.
pub struct BodyRefusals;

/// What a request that changes the tenant may meet besides.
pub struct ChangeRefusals;

fn problems(of: &[(u16, &str)]) -> BTreeMap<String, RefOr<Response>> {
    of.iter()
        .map(|(status, description)| {
            let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let response =
                ResponseBuilder::new().description(*description).content(problem::MEDIA_TYPE, content);
            (status.to_string(), RefOr::T(response.build()))
        })
        .collect()
}

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            (400, "The request is not as described here"),
            (401, "The credential is missing or not valid"),
            (403, "The credential does not allow this"),
            (404, "There is no such thing, or the credential does not reach it"),
            (409, "Several things answer to a name, or something else is under way"),
            (422, "The request is as described and yet cannot be carried out"),
            (429, "Too many requests; `Retry-After` says when to send the next one"),
            (500, "exogate failed; the log of the service says why"),
            (503, "The service cannot answer now"),
        ])
    }
}

impl IntoResponses for BodyRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            (408, "The body took too long to arrive"),
            (413, "The body is too large"),
            (415, "The body is not JSON"),
        ])
    }
}

impl IntoResponses for ChangeRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[(502, "The tenant could not be read, so nothing was written")])
    }
}
