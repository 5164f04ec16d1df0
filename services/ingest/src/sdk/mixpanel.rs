//! Mixpanel: `/track` and `/import`, and [profiles].

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use millrace_domain::batch::MAX_EVENTS_PER_REQUEST;
use millrace_domain::draft::Draft;
use millrace_domain::ids::EventId;
use millrace_domain::rejection::{Rejection, RejectionCode};
use serde_json::value::RawValue;

use super::fields::Fields;
use super::{Call, OneKey, elements, gather, ids, surroundings, text_of};
use crate::split::SplitError;

pub mod profiles;

/// Translates a request: an array, one event, or one a line.
///
/// # Errors
/// When the body as a whole cannot be taken apart.
pub fn translate(body: &[u8], now: DateTime<Utc>) -> Result<Call, SplitError> {
    let mut keys = OneKey::default();
    let parsed = gather(events(body)?, |event| draft(&event, &mut keys, now));
    Ok(Call { key: keys.0, parsed })
}

/// The same, with the `$insert_id` of each event that is refused, by its place.
///
/// # Errors
/// When the body as a whole cannot be taken apart.
pub fn translate_import(
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(Call, HashMap<usize, String>), SplitError> {
    let call = translate(body, now)?;
    let refused = &call.parsed.rejected;
    let sent = if refused.is_empty() { Vec::new() } else { events(body)? };
    let id_at = |index: usize| insert_id(sent.get(index)?.get());
    let ids = refused.iter().filter_map(|event| Some((event.index, id_at(event.index)?))).collect();
    Ok((call, ids))
}

/// As far as it can be read.
fn insert_id(event: &str) -> Option<String> {
    let event = Fields::read(event).ok()?;
    let properties = event.object("properties", RejectionCode::InvalidProperties).ok()?;
    properties.text("$insert_id", RejectionCode::InvalidEventId).ok()?
}

fn events(body: &[u8]) -> Result<Vec<&RawValue>, SplitError> {
    let text = text_of(body)?.trim();
    if text.is_empty() {
        return Err(SplitError::Empty);
    }
    if text.starts_with('[') {
        return elements("the body", text);
    }
    // Values one behind the other, whatever is between them: an object over several lines is one, too.
    let events: Vec<&RawValue> = serde_json::Deserializer::from_str(text)
        .into_iter()
        .take(MAX_EVENTS_PER_REQUEST + 1)
        .collect::<Result<_, _>>()
        .map_err(|e| SplitError::Malformed(e.to_string()))?;
    if events.len() > MAX_EVENTS_PER_REQUEST { Err(SplitError::TooMany(events.len())) } else { Ok(events) }
}

fn draft(event: &Fields<'_>, keys: &mut OneKey, now: DateTime<Utc>) -> Result<Draft, Rejection> {
    let mut properties = event.object("properties", RejectionCode::InvalidProperties)?;
    keys.agree("token", properties.take("token"))?;
    let event_type = event.event_type("event")?;
    let user_id = properties.user_id(&["distinct_id", "$user_id", "$device_id"])?;
    let sent_id = properties.text("$insert_id", RejectionCode::InvalidEventId)?;
    let event_id = sent_id.as_deref().map_or_else(EventId::new, |id| {
        ids::derived("mixpanel", &[id, user_id.as_str(), event_type.as_str()])
    });
    let occurred_at = properties.occurred_at(&["time"], event_id, now)?;
    let session_id = properties.session_id("$session_id")?;
    for name in ["distinct_id", "$insert_id", "time", "$session_id"] {
        properties.take(name);
    }
    let mut context = Fields::default();
    surroundings::part(&mut properties, &mut context);
    Ok(Draft {
        event_id,
        id_was_made: sent_id.is_none(),
        event_type,
        user_id,
        occurred_at,
        session_id,
        properties: properties.write("properties", RejectionCode::InvalidProperties)?,
        context: context.write_context()?,
    })
}

#[cfg(test)]
mod tests;
