//! PostHog: the legacy capture protocol (`/batch/`, `/capture/`, `/e/`) and Capture V1.
//!
//! The time is the sender's: `sent_at` and `PostHog-Request-Timestamp` are new with every attempt, and so would be a
//! time that is corrected by them.

use chrono::{DateTime, Utc};
use millrace_domain::draft::Draft;
use millrace_domain::ids::EventId;
use millrace_domain::rejection::{Rejection, RejectionCode};
use serde_json::value::RawValue;

use super::fields::Fields;
use super::{Call, OneKey, elements, envelope, gather, ids, key_in, surroundings, text_of, whole};
use crate::split::SplitError;

/// Translates a request of the legacy protocol: an object with `batch`, an array, or one event.
///
/// # Errors
/// When the body as a whole cannot be taken apart.
pub fn translate(body: &[u8], now: DateTime<Utc>) -> Result<Call, SplitError> {
    let text = text_of(body)?;
    if text.trim_start().starts_with('[') {
        return Ok(capture(OneKey::default(), elements("the body", text)?, now));
    }
    let request = envelope(body)?;
    let keys = OneKey(key_in(&request, &["api_key", "token"]));
    match request.raw("batch") {
        Some(batch) => Ok(capture(keys, elements("batch", batch)?, now)),
        None => Ok(capture(keys, vec![whole(body)?], now)),
    }
}

fn capture(mut keys: OneKey, events: Vec<&RawValue>, now: DateTime<Utc>) -> Call {
    let parsed = gather(events, |mut event| {
        let mut properties = event.object("properties", RejectionCode::InvalidProperties)?;
        let token = event.take("api_key").or_else(|| event.take("token"));
        let token = properties.take("token").or(token);
        keys.agree("token", token)?;
        let sent_id = match event.text("uuid", RejectionCode::InvalidEventId)? {
            Some(uuid) => Some(uuid),
            None => properties.text("$insert_id", RejectionCode::InvalidEventId)?,
        };
        if event.raw("distinct_id").is_none() {
            // Where browsers put it.
            properties.hand_over(&["distinct_id"], &mut event);
        }
        let mut context = Fields::default();
        surroundings::part(&mut properties, &mut context);
        let event_id = sent_id.as_deref().map_or_else(EventId::new, |id| ids::message("posthog", id));
        draft(event, properties, context, (event_id, sent_id.is_none()), now)
    });
    Call { key: keys.0, parsed }
}

/// Translates a request of Capture V1. `library` is what `PostHog-Sdk-Info` says. Beside the call come the ids of its
/// events as they were sent, which verdicts are given under.
///
/// # Errors
/// When the body as a whole cannot be taken apart, or an event has no `uuid` to give a verdict under.
pub fn translate_v1(
    body: &[u8],
    library: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(Call, Vec<String>), SplitError> {
    let request = envelope(body)?;
    let events = elements("batch", request.raw("batch").unwrap_or_default())?;
    let nameless = || SplitError::Part("batch", "must hold objects, each with a uuid".to_owned());
    let uuids = events
        .iter()
        .map(|event| Fields::read(event.get()).ok()?.text("uuid", RejectionCode::InvalidEventId).ok()?)
        .map(|uuid| uuid.ok_or_else(nameless))
        .collect::<Result<_, _>>()?;
    let parsed = gather(events, |mut event| {
        let uuid = event.text("uuid", RejectionCode::InvalidEventId)?.unwrap_or_default();
        let event_id = uuid.parse().map_err(|_not_a_uuid: uuid::Error| {
            Rejection::of_field(RejectionCode::InvalidEventId, "uuid", "must be a UUID")
        })?;
        let mut properties = event.object("properties", RejectionCode::InvalidProperties)?;
        properties.take("token");
        let mut context = Fields::default();
        surroundings::part(&mut properties, &mut context);
        if let Some((name, version)) = library.and_then(|library| library.split_once('/')) {
            context.put_text("$lib", name);
            context.put_text("$lib_version", version);
        }
        event.hand_over(&["window_id"], &mut context);
        if event.raw("options") != Some("{}") {
            event.hand_over(&["options"], &mut context);
        }
        draft(event, properties, context, (event_id, false), now)
    });
    Ok((Call { key: None, parsed }, uuids))
}

fn draft<'a>(
    mut event: Fields<'a>,
    mut properties: Fields<'a>,
    context: Fields<'a>,
    (event_id, id_was_made): (EventId, bool),
    now: DateTime<Utc>,
) -> Result<Draft, Rejection> {
    properties.hand_over(&["$session_id"], &mut event);
    let session = if event.raw("session_id").is_some() { "session_id" } else { "$session_id" };
    event.hand_over(&["$set", "$set_once"], &mut properties);
    Ok(Draft {
        event_id,
        id_was_made,
        event_type: event.event_type("event")?,
        user_id: event.user_id(&["distinct_id"])?,
        occurred_at: event.occurred_at(&["timestamp"], event_id, now)?,
        session_id: event.session_id(session)?,
        properties: properties.write("properties", RejectionCode::InvalidProperties)?,
        context: context.write_context()?,
    })
}

#[cfg(test)]
mod tests;
