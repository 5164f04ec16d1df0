//! CloudEvents 1.0 over HTTP: structured, binary and batched.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use millrace_domain::draft::{Draft, check_size};
use millrace_domain::rejection::{Rejection, RejectionCode};
use serde_json::value::RawValue;

use super::fields::Fields;
use super::{Call, elements, gather, ids, text_of, whole};
use crate::parse::Parsed;
use crate::split::SplitError;

/// How a request carries its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One event, all of it in the body.
    Structured,
    /// An array of them.
    Batched,
    /// One event: its attributes in headers, by name without `ce-`, its data in the body.
    Binary(Vec<(String, String)>),
}

impl Mode {
    /// The mode that a request's `Content-Type` announces, with what its headers say.
    ///
    /// # Errors
    /// When a format is announced that is not JSON, or a header cannot be read.
    pub fn announced<'a>(
        content_type: &str,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, SplitError> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/cloudevents" | "application/cloudevents+json" => return Ok(Self::Structured),
            "application/cloudevents-batch" | "application/cloudevents-batch+json" => {
                return Ok(Self::Batched);
            }
            other if other.starts_with("application/cloudevents") => {
                return Err(SplitError::MediaType(other.chars().take(100).collect()));
            }
            _ => {}
        }
        let mut attributes = Vec::new();
        for (name, value) in headers {
            if let Some(name) = name.strip_prefix("ce-") {
                let value = decoded(value)
                    .ok_or_else(|| SplitError::Part("a header", format!("is not UTF-8: ce-{name}")))?;
                attributes.push((name.to_owned(), value));
            }
        }
        if !content_type.is_empty() {
            attributes.push(("datacontenttype".to_owned(), content_type.to_owned()));
        }
        Ok(Self::Binary(attributes))
    }
}

/// A header's value: quotes around it are not part of it, and what is percent-encoded is decoded once.
fn decoded(value: &[u8]) -> Option<String> {
    let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    percent_encoding::percent_decode(value).decode_utf8().ok().map(Cow::into_owned)
}

/// Translates a request.
///
/// # Errors
/// When the body as a whole cannot be taken apart.
pub fn translate(body: &[u8], mode: &Mode, now: DateTime<Utc>) -> Result<Call, SplitError> {
    let parsed = match mode {
        Mode::Batched => gather(elements("the body", text_of(body)?)?, |event| draft(event, now)),
        Mode::Structured => gather(vec![whole(body)?], |event| draft(event, now)),
        Mode::Binary(attributes) => {
            let event = binary(attributes, body);
            Parsed::gather(vec![event], |event| {
                event.and_then(|event| draft(event, now)).map_err(|rejection| (None, rejection))
            })
        }
    };
    Ok(Call { key: None, parsed })
}

fn binary<'a>(attributes: &[(String, String)], body: &'a [u8]) -> Result<Fields<'a>, Rejection> {
    let mut event = Fields::default();
    for (name, value) in attributes {
        event.put_text(name, value);
    }
    if body.is_empty() {
        return Ok(event);
    }
    check_size(body.len())?;
    let media = event.text("datacontenttype", RejectionCode::InvalidContext)?.unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media.is_empty() || media.ends_with("/json") || media.ends_with("+json") {
        let data: &RawValue = serde_json::from_slice(body).map_err(|e| {
            Rejection::of_field(RejectionCode::MalformedJson, "data", format!("is not valid JSON: {e}"))
        })?;
        event.put("data", Cow::Borrowed(data));
        return Ok(event);
    }
    match std::str::from_utf8(body) {
        Ok(text) if media.starts_with("text/") => event.put_text("data", text),
        _ => event.put_text("data_base64", &STANDARD.encode(body)),
    }
    Ok(event)
}

fn draft(mut event: Fields<'_>, now: DateTime<Utc>) -> Result<Draft, Rejection> {
    let required = |name: &'static str, code| {
        event.text(name, code)?.ok_or_else(|| Rejection::of_field(code, name, "is missing"))
    };
    let id = required("id", RejectionCode::InvalidEventId)?;
    let source = required("source", RejectionCode::InvalidContext)?;
    if required("specversion", RejectionCode::InvalidContext)? != "1.0" {
        return Err(Rejection::of_field(RejectionCode::InvalidContext, "specversion", "must be 1.0"));
    }
    let event_id = ids::derived("cloudevents", &[&source, &id]);
    let event_type = event.event_type("type")?;
    let user_id = event.user_id(&["userid", "subject"])?;
    let occurred_at = event.occurred_at(&["time"], event_id, now)?;
    let session_id = event.session_id("sessionid")?;
    let mut properties = Fields::default();
    match event.object("data", RejectionCode::InvalidProperties) {
        Ok(members) => properties = members,
        Err(_not_an_object) => event.hand_over(&["data"], &mut properties),
    }
    event.hand_over(&["data_base64"], &mut properties);
    for name in ["id", "type", "time", "userid", "sessionid", "data", "data_base64"] {
        event.take(name);
    }
    Ok(Draft {
        event_id,
        id_was_made: false,
        event_type,
        user_id,
        occurred_at,
        session_id,
        properties: properties.write("data", RejectionCode::InvalidProperties)?,
        context: event.write_context()?,
    })
}

#[cfg(test)]
mod tests;
