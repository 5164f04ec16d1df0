//! The languages of other products' SDKs, each translated into our event by a function of its own that touches nothing
//! but its arguments. What maps to what: `docs/sdks.md`.
//!
//! A body becomes a [`Call`], and from there on it is treated like any other ([`crate::admit`]). Members that a
//! translation does not know are left behind, because SDKs add new ones at any time.

pub mod amplitude;
pub mod cloudevents;
pub mod fields;
pub mod form;
pub mod ids;
pub mod mixpanel;
pub mod posthog;
pub mod segment;
mod surroundings;

use std::borrow::Cow;

use millrace_domain::draft::{Draft, check_size};
use millrace_domain::rejection::{Rejection, RejectionCode};
use serde_json::value::RawValue;

use crate::elements::Elements;
use crate::parse::Parsed;
use crate::split::SplitError;
use fields::Fields;

/// What a request of an SDK says.
#[derive(Debug)]
pub struct Call {
    /// The key, where the body holds it.
    pub key: Option<String>,
    /// The events.
    pub parsed: Parsed,
}

/// Translates events one by one.
fn gather<'a>(
    events: Vec<&'a RawValue>,
    mut translate: impl FnMut(Fields<'a>) -> Result<Draft, Rejection>,
) -> Parsed {
    Parsed::gather(events, |event: &'a RawValue| {
        check_size(event.get().len())
            .and_then(|()| Fields::read(event.get()))
            .and_then(&mut translate)
            .map_err(|rejection| (None, rejection))
    })
}

/// A body as text.
fn text_of(body: &[u8]) -> Result<&str, SplitError> {
    std::str::from_utf8(body).map_err(|e| SplitError::Malformed(e.to_string()))
}

/// The members of the object that a request is.
fn envelope(body: &[u8]) -> Result<Fields<'_>, SplitError> {
    if body.trim_ascii().is_empty() {
        return Err(SplitError::Empty);
    }
    let text = text_of(body)?;
    if !text.trim_start().starts_with('{') {
        return Err(SplitError::Part("the body", "must be a JSON object".to_owned()));
    }
    Fields::parse(text).map_err(|e| SplitError::Malformed(e.to_string()))
}

/// The elements of an array.
fn elements<'a>(name: &'static str, text: &'a str) -> Result<Vec<&'a RawValue>, SplitError> {
    if !text.trim_start().starts_with('[') {
        return Err(SplitError::Part(name, "must be an array of events".to_owned()));
    }
    serde_json::from_str::<Elements<'a>>(text).map_err(|e| SplitError::Malformed(e.to_string()))?.bounded()
}

/// A body that is one event.
fn whole(body: &[u8]) -> Result<&RawValue, SplitError> {
    serde_json::from_slice(body).map_err(|e| SplitError::Malformed(e.to_string()))
}

/// A key in a body. Anything else in its place is no key.
fn key_in(fields: &Fields<'_>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| fields.text(name, RejectionCode::MalformedJson).ok().flatten())
}

/// The one key of a request whose events hold it each for itself.
#[derive(Debug, Default)]
struct OneKey(Option<String>);

impl OneKey {
    /// Refuses an event with another key than the ones before it: it is meant for another project.
    fn agree(&mut self, name: &str, key: Option<Cow<'_, RawValue>>) -> Result<(), Rejection> {
        let Some(key) = key.and_then(|key| serde_json::from_str::<String>(key.get()).ok()) else {
            return Ok(());
        };
        if *self.0.get_or_insert_with(|| key.clone()) == key {
            return Ok(());
        }
        let fault = "must be the same for all events of a request";
        Err(Rejection::of_field(RejectionCode::InvalidProperties, name, fault))
    }
}
