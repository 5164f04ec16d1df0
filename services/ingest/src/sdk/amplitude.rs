//! Amplitude: HTTP V2, `/2/httpapi`.

use chrono::{DateTime, Utc};
use millrace_domain::draft::Draft;
use millrace_domain::ids::EventId;
use millrace_domain::rejection::{Rejection, RejectionCode};

use super::fields::Fields;
use super::{Call, elements, envelope, gather, ids, key_in};
use crate::split::SplitError;

/// What stands beside `event_properties` and belongs among them.
const PROPERTIES: &[&str] =
    &["price", "quantity", "revenue", "productId", "revenueType", "currency", "groups", "group_properties"];
/// What is about the sending.
const CONTEXT: &[&str] = &[
    "device_id",
    "library",
    "platform",
    "app_version",
    "version_name",
    "os_name",
    "os_version",
    "device_brand",
    "device_manufacturer",
    "device_model",
    "carrier",
    "user_agent",
    "language",
    "country",
    "region",
    "city",
    "dma",
    "location_lat",
    "location_lng",
    "ip",
    "idfa",
    "idfv",
    "adid",
    "android_id",
    "plan",
    "ingestion_metadata",
    "partner_id",
];
/// What a client sends that has no session.
const NO_SESSION: &str = "-1";

/// Translates a request.
///
/// # Errors
/// When the body as a whole cannot be taken apart.
pub fn translate(body: &[u8], now: DateTime<Utc>) -> Result<Call, SplitError> {
    let request = envelope(body)?;
    let events = elements("events", request.raw("events").unwrap_or_default())?;
    let parsed = gather(events, |event| draft(event, now));
    Ok(Call { key: key_in(&request, &["api_key"]), parsed })
}

fn draft(mut event: Fields<'_>, now: DateTime<Utc>) -> Result<Draft, Rejection> {
    let event_type = event.event_type("event_type")?;
    let user_id = event.user_id(&["user_id", "device_id"])?;
    let sent_id = event.text("insert_id", RejectionCode::InvalidEventId)?;
    let device = event.text("device_id", RejectionCode::InvalidUserId)?;
    let device = device.as_deref().unwrap_or(user_id.as_str());
    let event_id =
        sent_id.as_deref().map_or_else(EventId::new, |id| ids::derived("amplitude", &[device, id]));
    let mut properties = event.object("event_properties", RejectionCode::InvalidProperties)?;
    if event_type.as_str() == "$identify" {
        properties.fill_in(&event.object("user_properties", RejectionCode::InvalidProperties)?);
    } else {
        event.hand_over(&["user_properties"], &mut properties);
    }
    event.hand_over(PROPERTIES, &mut properties);
    let session_id = event.session_id("session_id")?.filter(|session| session.as_str() != NO_SESSION);
    let occurred_at = event.occurred_at(&["time"], event_id, now)?;
    let mut context = Fields::default();
    event.hand_over(CONTEXT, &mut context);
    Ok(Draft {
        event_id,
        id_was_made: sent_id.is_none(),
        event_type,
        user_id,
        occurred_at,
        session_id,
        properties: properties.write("event_properties", RejectionCode::InvalidProperties)?,
        context: context.write_context()?,
    })
}

#[cfg(test)]
mod tests;
