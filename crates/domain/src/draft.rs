//! From the bytes of one event, as a client wrote them, to an event whose time may still have to be settled.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::batch::MAX_EVENT_BYTES;
use crate::event::Event;
use crate::ids::EventId;
use crate::json::{JsonFault, JsonObject};
use crate::rejection::{Rejection, RejectionCode};
use crate::text::{EventType, SessionId, TextFault, UserId};

/// How far ahead of the server's clock an event may claim to have happened.
pub const MAX_AHEAD: TimeDelta = TimeDelta::hours(24);

/// A checked event, except that its sender may have left the time to us.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The sender's id, or the one made for the event.
    pub event_id: EventId,
    /// Whether the id was made here, and the sender has to be told.
    pub id_was_made: bool,
    /// What happened.
    pub event_type: EventType,
    /// Whom it happened to.
    pub user_id: UserId,
    /// The sender's time, or the one inside a UUIDv7 id. `None`: the time of first sight, which only a shared
    /// memory can tell, because a retry must be given the same.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The session the sender put it in.
    pub session_id: Option<SessionId>,
    /// Whatever else the sender said.
    pub properties: JsonObject,
    /// About the sending.
    pub context: Option<JsonObject>,
}

impl Draft {
    /// Reads one event.
    ///
    /// `now` is the server's clock; `new_id` makes the id of an event that came without one.
    ///
    /// # Errors
    /// The first law the event breaks, with the field's name.
    pub fn parse(text: &str, now: DateTime<Utc>, new_id: impl FnOnce() -> Uuid) -> Result<Self, Rejection> {
        check_size(text.len())?;
        let fields = Fields::read(text)?;
        let sent_id = fields.event_id()?;
        let event_id = sent_id.unwrap_or_else(|| EventId(new_id()));
        let event_type =
            fields.event_type.ok_or_else(|| missing(RejectionCode::MissingEventType, "event_type"))?;
        let user_id = fields.user_id.ok_or_else(|| missing(RejectionCode::MissingUserId, "user_id"))?;
        let draft = Self {
            event_id,
            id_was_made: sent_id.is_none(),
            event_type: bounded(event_type, RejectionCode::InvalidEventType, EventType::parse)?,
            user_id: bounded(user_id, RejectionCode::InvalidUserId, UserId::parse)?,
            occurred_at: fields.occurred_at()?.or_else(|| time_inside(event_id)),
            session_id: fields
                .session_id
                .filter(Field::is_present)
                .map(|f| bounded(f, RejectionCode::InvalidSessionId, SessionId::parse))
                .transpose()?,
            properties: fields
                .properties
                .map(|f| object(f, RejectionCode::InvalidProperties))
                .transpose()?
                .unwrap_or_else(JsonObject::empty),
            context: fields.context.map(|f| object(f, RejectionCode::InvalidContext)).transpose()?,
        };
        if let Some(time) = draft.occurred_at {
            check_time("occurred_at", time, now)?;
        }
        Ok(draft)
    }

    /// The event, given the time to use if its sender gave none.
    #[must_use]
    pub fn settle(self, first_sight: DateTime<Utc>) -> Event {
        Event {
            event_id: self.event_id,
            event_type: self.event_type,
            user_id: self.user_id,
            occurred_at: self.occurred_at.unwrap_or_else(|| to_micros(first_sight)),
            session_id: self.session_id,
            properties: self.properties,
            context: self.context,
        }
    }
}

/// The id of an event that was refused, as far as it can be read: so that its sender can find it again.
#[must_use]
pub fn readable_event_id(text: &str) -> Option<EventId> {
    Fields::read(text).ok()?.event_id().ok()?
}

/// Cuts a time to PostgreSQL's resolution.
#[must_use]
pub fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time)
}

/// Refuses an event whose text has more bytes than one may have.
///
/// # Errors
/// Says how many it has.
pub fn check_size(found: usize) -> Result<(), Rejection> {
    if found <= MAX_EVENT_BYTES {
        return Ok(());
    }
    let message = format!("an event may have at most {MAX_EVENT_BYTES} bytes, this one has {found}");
    Err(Rejection::whole(RejectionCode::EventTooLarge, message))
}

/// Refuses a time before 1970 or too far ahead of the server's clock, under the name that its sender has for it.
///
/// # Errors
/// Says which of the two, and what the time is.
pub fn check_time(field: &str, time: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Rejection> {
    let fault = if time < DateTime::UNIX_EPOCH {
        "before 1970"
    } else if time > now + MAX_AHEAD {
        "more than 24 hours ahead"
    } else {
        return Ok(());
    };
    let fault = format!("must not be {fault}, is {}", time.to_rfc3339());
    Err(Rejection::of_field(RejectionCode::InvalidOccurredAt, field, fault))
}

fn missing(code: RejectionCode, field: &str) -> Rejection {
    Rejection::of_field(code, field, "is missing")
}

/// The millisecond a UUIDv7 was made (RFC 9562, section 5.7): the time of an event that came without another.
#[must_use]
pub fn time_inside(id: EventId) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = match id.0.get_version_num() {
        7 => id.0.get_timestamp()?.to_unix(),
        _ => return None,
    };
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos).map(to_micros)
}

/// A top-level member: the name it was sent under, which is the one to use when talking back, and its value.
#[derive(Clone, Copy)]
struct Field<'a> {
    name: &'static str,
    value: &'a RawValue,
}

impl Field<'_> {
    fn is_present(&self) -> bool {
        self.value.get() != "null"
    }

    fn text(&self, code: RejectionCode) -> Result<Cow<'_, str>, Rejection> {
        let not_a_string = || Rejection::of_field(code, self.name, "must be a string");
        if !self.value.get().starts_with('"') {
            return Err(not_a_string());
        }
        // Borrowed where nothing is escaped, which is nearly always.
        if let Ok(plain) = serde_json::from_str::<&str>(self.value.get()) {
            return Ok(Cow::Borrowed(plain));
        }
        serde_json::from_str::<String>(self.value.get())
            .map(Cow::Owned)
            .map_err(|e| Rejection::of_field(code, self.name, format!("is not a valid string: {e}")))
    }
}

fn bounded<T>(
    field: Field<'_>,
    code: RejectionCode,
    parse: impl FnOnce(&str) -> Result<T, TextFault>,
) -> Result<T, Rejection> {
    parse(&field.text(code)?).map_err(|fault| Rejection::of_field(code, field.name, fault))
}

fn object(field: Field<'_>, code: RejectionCode) -> Result<JsonObject, Rejection> {
    JsonObject::from_well_formed(field.value.get())
        .map_err(|fault: JsonFault| Rejection::of_field(code, field.name, fault))
}

/// The members of an event, still as text.
#[derive(Default)]
struct Fields<'a> {
    event_id: Option<Field<'a>>,
    event_type: Option<Field<'a>>,
    user_id: Option<Field<'a>>,
    occurred_at: Option<Field<'a>>,
    session_id: Option<Field<'a>>,
    properties: Option<Field<'a>>,
    context: Option<Field<'a>>,
    fault: Option<Rejection>,
}

impl<'a> Fields<'a> {
    fn read(text: &'a str) -> Result<Self, Rejection> {
        if !text.trim_start().starts_with('{') {
            return Err(Rejection::whole(RejectionCode::NotAnObject, "an event must be a JSON object"));
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let fields = json
            .deserialize_map(FieldsVisitor)
            .and_then(|fields| json.end().map(|()| fields))
            .map_err(|e| Rejection::whole(RejectionCode::MalformedJson, format!("not valid JSON: {e}")))?;
        match fields.fault {
            Some(fault) => Err(fault),
            None => Ok(fields),
        }
    }

    fn event_id(&self) -> Result<Option<EventId>, Rejection> {
        let code = RejectionCode::InvalidEventId;
        let Some(field) = self.event_id.filter(Field::is_present) else { return Ok(None) };
        let id = field
            .text(code)?
            .parse()
            .map_err(|_not_a_uuid: uuid::Error| Rejection::of_field(code, field.name, "must be a UUID"))?;
        Ok(Some(id))
    }

    fn occurred_at(&self) -> Result<Option<DateTime<Utc>>, Rejection> {
        let code = RejectionCode::InvalidOccurredAt;
        let Some(field) = self.occurred_at.filter(Field::is_present) else { return Ok(None) };
        let text = field.text(code)?;
        let time = DateTime::parse_from_rfc3339(&text).map_err(|_not_rfc3339| {
            Rejection::of_field(code, field.name, "must be RFC 3339 with a zone, like 2026-11-01T12:00:00Z")
        })?;
        Ok(Some(to_micros(time.to_utc())))
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let value = map.next_value::<&'de RawValue>()?;
            let (slot, name) = match key.as_ref() {
                "event_id" => (&mut fields.event_id, "event_id"),
                "event_type" => (&mut fields.event_type, "event_type"),
                "user_id" => (&mut fields.user_id, "user_id"),
                "occurred_at" => (&mut fields.occurred_at, "occurred_at"),
                "timestamp" => (&mut fields.occurred_at, "timestamp"),
                "session_id" => (&mut fields.session_id, "session_id"),
                "properties" => (&mut fields.properties, "properties"),
                "data" => (&mut fields.properties, "data"),
                "context" => (&mut fields.context, "context"),
                "metadata" => (&mut fields.context, "metadata"),
                unknown => {
                    // The rest is still read, so that text that is not JSON is called that.
                    let shown: String = unknown.chars().take(100).collect();
                    let fault = Rejection::of_field(
                        RejectionCode::UnknownField,
                        &shown,
                        "is not a field of an event",
                    );
                    fields.fault.get_or_insert(fault);
                    continue;
                }
            };
            if let Some(earlier) = slot.replace(Field { name, value }) {
                let fault = format!("is given twice (as {} and {name})", earlier.name);
                fields.fault.get_or_insert(Rejection::of_field(RejectionCode::DuplicateField, name, fault));
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests;
