//! Query strings as types.

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::future::{Ready, ready};

use crate::problem::Problem;

/// The query string, deserialised. Use `#[serde(deny_unknown_fields)]`: a parameter that is misspelt must not be
/// silently ignored, or its sender gets the answer to another question.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request.query_string()).map(Self))
    }
}

/// Reads the text of one parameter, if it is there.
///
/// # Errors
/// 422 that names the parameter and says what is wrong with it.
pub fn parameter<T, E: Display>(
    name: &str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, Problem> {
    let parsed = text.map(parse).transpose();
    parsed.map_err(|fault| Problem::field(name, "invalid", format!("{name}: {fault}")))
}

/// Reads `name=value&…`, the encoding of query strings and of forms.
///
/// # Errors
/// 422 with the parameter that is missing, unknown or not valid.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let parsed = actix_web::web::Query::<T>::from_query(text);
    parsed.map(|query| query.into_inner()).map_err(|error| {
        let message = error.to_string();
        let field = message.split('`').nth(1).unwrap_or("query").to_owned();
        Problem::field(&field, "invalid", message)
    })
}
