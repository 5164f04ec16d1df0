//! The members of a JSON object, one level deep: what is below stays the text it was, so that numbers and the order of
//! things survive a translation.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, SubsecRound, TimeDelta, Utc};
use millrace_domain::draft::{check_time, time_inside, to_micros};
use millrace_domain::ids::EventId;
use millrace_domain::json::JsonObject;
use millrace_domain::rejection::{Rejection, RejectionCode};
use millrace_domain::text::{EventType, SessionId, TextFault, UserId};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// Members by name. Of two with one name the last counts, as in the languages that SDKs are written in.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Fields<'a>(BTreeMap<String, Cow<'a, RawValue>>);

/// Whole numbers below this are seconds since 1970, others milliseconds: in seconds it is the year 5138, in
/// milliseconds the year 1973.
const MILLISECONDS_FROM: u64 = 100_000_000_000;

impl<'a> Fields<'a> {
    /// Reads an object.
    ///
    /// # Errors
    /// When the text is something else.
    pub fn read(text: &'a str) -> Result<Self, Rejection> {
        if !text.trim_start().starts_with('{') {
            return Err(Rejection::whole(RejectionCode::NotAnObject, "an event must be a JSON object"));
        }
        Self::parse(text)
            .map_err(|e| Rejection::whole(RejectionCode::MalformedJson, format!("not valid JSON: {e}")))
    }

    /// The same, for what is no event.
    ///
    /// # Errors
    /// When the text is not an object.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
        Ok(Self(members.into_iter().map(|(name, value)| (name, Cow::Borrowed(value))).collect()))
    }

    /// A member's text. `null` is as good as nothing.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get()).filter(|text| *text != "null")
    }

    /// Takes a member out.
    pub fn take(&mut self, name: &str) -> Option<Cow<'a, RawValue>> {
        self.0.remove(name)
    }

    /// Puts a member in, in place of one with the same name.
    pub fn put(&mut self, name: &str, value: Cow<'a, RawValue>) {
        self.0.insert(name.to_owned(), value);
    }

    /// Puts a text in.
    pub fn put_text(&mut self, name: &str, text: &str) {
        if let Ok(value) = to_raw_value(text) {
            self.put(name, Cow::Owned(value));
        }
    }

    /// Moves members that are there and not `null` to another object.
    pub fn hand_over(&mut self, names: &[&str], to: &mut Self) {
        for name in names {
            if self.raw(name).is_some()
                && let Some(value) = self.take(name)
            {
                to.put(name, value);
            }
        }
    }

    /// Adds what is not there yet.
    pub fn fill_in(&mut self, others: &Self) {
        for (name, value) in &others.0 {
            self.0.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text. Numbers count as what they are written as: many applications have numbers for their users.
    ///
    /// # Errors
    /// When it is an object, an array or a boolean, or holds half of a surrogate pair.
    pub fn text(&self, name: &str, code: RejectionCode) -> Result<Option<String>, Rejection> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        match raw.as_bytes().first() {
            Some(b'"') => match serde_json::from_str::<String>(raw) {
                Ok(text) if text.is_empty() => Ok(None),
                Ok(text) => Ok(Some(text)),
                Err(e) => Err(Rejection::of_field(code, name, format!("is not a valid string: {e}"))),
            },
            Some(b'-' | b'0'..=b'9') => Ok(Some(raw.to_owned())),
            _ => Err(Rejection::of_field(code, name, "must be a string")),
        }
    }

    /// What happened.
    ///
    /// # Errors
    /// When it is missing or not such a text.
    pub fn event_type(&self, name: &'static str) -> Result<EventType, Rejection> {
        let text = self.text(name, RejectionCode::InvalidEventType)?;
        let text = text.ok_or_else(|| missing(RejectionCode::MissingEventType, name))?;
        bounded(name, &text, RejectionCode::InvalidEventType, EventType::parse)
    }

    /// Whom it happened to: the first of these that is there.
    ///
    /// # Errors
    /// When all are missing, or the first is not such a text.
    pub fn user_id(&self, names: &[&'static str]) -> Result<UserId, Rejection> {
        for name in names {
            if let Some(text) = self.text(name, RejectionCode::InvalidUserId)? {
                return bounded(name, &text, RejectionCode::InvalidUserId, UserId::parse);
            }
        }
        let missing = missing(RejectionCode::MissingUserId, &names.join(" or "));
        Err(Rejection { field: names.first().map(|name| (*name).to_owned()), ..missing })
    }

    /// The session.
    ///
    /// # Errors
    /// When it is not such a text.
    pub fn session_id(&self, name: &'static str) -> Result<Option<SessionId>, Rejection> {
        let text = self.text(name, RejectionCode::InvalidSessionId)?;
        text.map(|text| bounded(name, &text, RejectionCode::InvalidSessionId, SessionId::parse)).transpose()
    }

    /// When: the first of these that is there, or the time inside the event's id. `None`: the time of first sight.
    ///
    /// # Errors
    /// When it is not a time, or one that no event can have.
    pub fn occurred_at(
        &self,
        names: &[&'static str],
        id: EventId,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, Rejection> {
        for name in names {
            let Some(text) = self.text(name, RejectionCode::InvalidOccurredAt)? else { continue };
            let time = instant(&text).map(to_micros).ok_or_else(|| {
                let fault = "must be ISO 8601, like 2026-11-01T12:00:00Z, or a number of seconds or milliseconds since 1970";
                Rejection::of_field(RejectionCode::InvalidOccurredAt, name, fault)
            })?;
            check_time(name, time, now)?;
            return Ok(Some(time));
        }
        let inside = time_inside(id);
        inside.map_or(Ok(()), |time| check_time("the time inside the id", time, now))?;
        Ok(inside)
    }

    /// An object.
    ///
    /// # Errors
    /// When it is something else.
    pub fn object(&self, name: &str, code: RejectionCode) -> Result<Fields<'a>, Rejection> {
        match self.0.get(name) {
            None => Ok(Fields::default()),
            Some(value) if value.get() == "null" => Ok(Fields::default()),
            Some(Cow::Borrowed(value)) if value.get().starts_with('{') => {
                let value: &'a RawValue = value;
                Fields::read(value.get())
            }
            Some(_) => Err(Rejection::of_field(code, name, "must be a JSON object")),
        }
    }

    /// The object as it will be stored.
    ///
    /// # Errors
    /// When it holds what the database cannot.
    pub fn write(&self, name: &str, code: RejectionCode) -> Result<JsonObject, Rejection> {
        let text = serde_json::to_string(self).map_err(|e| Rejection::of_field(code, name, e))?;
        JsonObject::from_well_formed(&text).map_err(|fault| Rejection::of_field(code, name, fault))
    }

    /// The same for a context, where nothing is not worth storing.
    ///
    /// # Errors
    /// When it holds what the database cannot.
    pub fn write_context(&self) -> Result<Option<JsonObject>, Rejection> {
        (!self.is_empty()).then(|| self.write("context", RejectionCode::InvalidContext)).transpose()
    }
}

fn missing(code: RejectionCode, name: &str) -> Rejection {
    Rejection::of_field(code, name, "is missing")
}

fn bounded<T>(
    name: &str,
    text: &str,
    code: RejectionCode,
    parse: impl FnOnce(&str) -> Result<T, TextFault>,
) -> Result<T, Rejection> {
    parse(text).map_err(|fault| Rejection::of_field(code, name, fault))
}

/// A time as SDKs write it: RFC 3339, the same without a zone (then it is UTC), or a number.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    if let Ok(time) = text.parse::<NaiveDateTime>() {
        return Some(time.and_utc());
    }
    if let Ok(number) = text.parse::<i64>() {
        let unit = if number.unsigned_abs() < MILLISECONDS_FROM { 1_000 } else { 1 };
        return DateTime::from_timestamp_millis(number.checked_mul(unit)?);
    }
    let seconds = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
    DateTime::UNIX_EPOCH
        .checked_add_signed(TimeDelta::from_std(seconds).ok()?)
        .map(|time| time.round_subsecs(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields<'_> {
        Fields::read(json).unwrap()
    }

    #[test]
    fn what_is_below_stays_as_it_was_written() {
        let text = r#"{"a":{"b":1.50,"c":12345678901234567890123},"d":[1,  2]}"#;
        assert_eq!(fields(text).write("x", RejectionCode::InvalidProperties).unwrap().as_str(), text);
    }

    #[test]
    fn null_is_nothing_and_numbers_are_texts() {
        let fields = fields(r#"{"a":null,"b":-7.50,"c":"","d":"\u00fc","e":true,"f":"\ud800"}"#);
        let text = |name| fields.text(name, RejectionCode::InvalidUserId);
        assert_eq!((text("a"), text("c"), text("none")), (Ok(None), Ok(None), Ok(None)));
        assert_eq!(text("b"), Ok(Some("-7.50".to_owned())));
        assert_eq!(text("d"), Ok(Some("ü".to_owned())));
        assert_eq!(text("e").unwrap_err().message, "e must be a string");
        assert!(text("f").is_err(), "half of a character");
    }

    #[test]
    fn what_the_database_cannot_hold_is_refused_by_name() {
        for text in [r#"{"a":"\u0000"}"#, r#"{"\u0000":1}"#, r#"{"a":1e999}"#] {
            let fault = fields(text).write("traits", RejectionCode::InvalidProperties).unwrap_err();
            assert_eq!(fault.field.as_deref(), Some("traits"), "{text}");
        }
    }

    #[test]
    fn times_are_read_in_every_spelling_and_held_to_the_laws() {
        let now: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        let time = |text: &str| {
            let text = format!("{{\"t\":{text}}}");
            let id = EventId("6a13d76c-c7a5-4b40-a74b-09f4c6f3eb56".parse().unwrap());
            fields(&text).occurred_at(&["t"], id, now).map(|time| time.map(|time| time.to_rfc3339()))
        };
        let expected = Ok(Some("2026-11-01T12:00:00.250+00:00".to_owned()));
        for text in [
            "\"2026-11-01T12:00:00.250Z\"",
            "\"2026-11-01T13:00:00.25+01:00\"",
            "\"2026-11-01T12:00:00.250\"",
            "1793534400250",
            "\"1793534400250\"",
            "1793534400.25",
        ] {
            assert_eq!(time(text), expected, "{text}");
        }
        assert_eq!(time("null"), Ok(None));
        for text in ["\"soon\"", "true", "-5", "1e300", "9223372036854775807", "\"2026-11-22T12:00:00Z\""] {
            let fault = time(text).unwrap_err();
            assert_eq!(
                (fault.code, fault.field.as_deref()),
                (RejectionCode::InvalidOccurredAt, Some("t")),
                "{text}"
            );
        }
    }
}
