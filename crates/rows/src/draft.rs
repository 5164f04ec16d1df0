use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::fault::Fault;
use crate::field::Field;

/// A value as its row has it.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    /// Text, from a CSV cell.
    Text(Cow<'a, str>),
    /// JSON, kept as it is written: no digit of a number is lost.
    Json(&'a RawValue),
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Json(json) => json.serialize(serializer),
        }
    }
}

/// An event in the making: what a row's columns give. It serialises to the event that is sent.
#[derive(Debug, Default)]
pub struct Draft<'a> {
    event_id: Option<Value<'a>>,
    event_type: Option<Value<'a>>,
    user_id: Option<Value<'a>>,
    occurred_at: Option<Value<'a>>,
    session_id: Option<Value<'a>>,
    properties: Option<Cow<'a, RawValue>>,
    context: Option<Cow<'a, RawValue>>,
    extra: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Draft<'a> {
    /// Takes a column's value. Absent values (an empty cell, `null` for a field) are passed over.
    pub(crate) fn set(&mut self, field: Field<'a>, value: Value<'a>) -> Result<(), Fault> {
        if matches!(&value, Value::Text(text) if text.is_empty()) {
            return Ok(());
        }
        let taken = match field {
            Field::Property(key) => {
                self.extra.push((key, value));
                return Ok(());
            }
            Field::Properties => fill(&mut self.properties, object(value, &field)?),
            Field::Context => fill(&mut self.context, object(value, &field)?),
            Field::EventId => fill(&mut self.event_id, text(value, &field)?),
            Field::EventType => fill(&mut self.event_type, text(value, &field)?),
            Field::UserId => fill(&mut self.user_id, text(value, &field)?),
            Field::OccurredAt => fill(&mut self.occurred_at, text(value, &field)?),
            Field::SessionId => fill(&mut self.session_id, text(value, &field)?),
        };
        if taken {
            Ok(())
        } else {
            Err(Fault::new("conflicting_columns", format!("two columns give {}", field.name())))
        }
    }

    /// Gives the event an id, if its row gave none.
    pub fn identify(&mut self, id: impl FnOnce() -> String) {
        self.event_id.get_or_insert_with(|| Value::Text(Cow::Owned(id())));
    }

    /// The properties with those from columns of their own, which win over a key of the same name.
    fn merged(&self) -> Result<BTreeMap<Cow<'_, str>, Value<'_>>, serde_json::Error> {
        let mut merged = BTreeMap::new();
        if let Some(properties) = &self.properties {
            let given: BTreeMap<String, &RawValue> = serde_json::from_str(properties.get())?;
            merged.extend(given.into_iter().map(|(key, value)| (Cow::Owned(key), Value::Json(value))));
        }
        merged.extend(self.extra.iter().map(|(key, value)| (Cow::Borrowed(key.as_ref()), value.clone())));
        Ok(merged)
    }
}

/// Fills an empty place; false when it was taken. Nothing fills nothing.
fn fill<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let conflict = place.is_some() && value.is_some();
    *place = place.take().or(value);
    !conflict
}

/// A field that is text. Numbers become text: ids are often written so.
fn text<'a>(value: Value<'a>, field: &Field<'_>) -> Result<Option<Value<'a>>, Fault> {
    let Value::Json(json) = value else { return Ok(Some(value)) };
    match json.get().as_bytes() {
        b"null" | b"\"\"" => Ok(None),
        [b'"', ..] => Ok(Some(value)),
        [b'-' | b'0'..=b'9', ..] => Ok(Some(Value::Text(Cow::Borrowed(json.get())))),
        _ => Err(Fault::new("invalid_json", format!("{} must be a string", field.name()))),
    }
}

/// A field that is an object: as JSON, or as text that holds JSON.
fn object<'a>(value: Value<'a>, field: &Field<'_>) -> Result<Option<Cow<'a, RawValue>>, Fault> {
    let wrong = |what: &str| {
        let code = if *field == Field::Context { "invalid_context" } else { "invalid_properties" };
        Fault::new(code, format!("{} {what}", field.name()))
    };
    let json = match value {
        Value::Json(json) if json.get() == "null" => return Ok(None),
        Value::Json(json) if json.get().starts_with('"') => {
            let text: String =
                serde_json::from_str(json.get()).map_err(|e| wrong(&format!("is no text: {e}")))?;
            if text.is_empty() {
                return Ok(None);
            }
            Cow::Owned(RawValue::from_string(text).map_err(|e| wrong(&format!("holds no JSON: {e}")))?)
        }
        Value::Json(json) => Cow::Borrowed(json),
        Value::Text(text) => Cow::Owned(
            RawValue::from_string(text.into_owned()).map_err(|e| wrong(&format!("holds no JSON: {e}")))?,
        ),
    };
    if json.get().trim_start().starts_with('{') { Ok(Some(json)) } else { Err(wrong("must be an object")) }
}

impl Serialize for Draft<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_map(None)?;
        for (name, value) in [
            ("event_id", &self.event_id),
            ("event_type", &self.event_type),
            ("user_id", &self.user_id),
            ("occurred_at", &self.occurred_at),
            ("session_id", &self.session_id),
        ] {
            if let Some(value) = value {
                event.serialize_entry(name, value)?;
            }
        }
        if !self.extra.is_empty() {
            event.serialize_entry("properties", &self.merged().map_err(serde::ser::Error::custom)?)?;
        } else if let Some(properties) = &self.properties {
            event.serialize_entry("properties", properties)?;
        }
        if let Some(context) = &self.context {
            event.serialize_entry("context", context)?;
        }
        event.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> Value<'_> {
        Value::Text(Cow::Borrowed(text))
    }

    fn json(text: &str) -> Value<'_> {
        Value::Json(serde_json::from_str(text).unwrap())
    }

    fn event(draft: &Draft<'_>) -> String {
        serde_json::to_string(draft).unwrap()
    }

    #[test]
    fn properties_are_passed_on_as_they_are_written() {
        let mut draft = Draft::default();
        draft.set(Field::UserId, cell("ann \"a\"")).unwrap();
        draft.set(Field::Properties, cell(r#"{"n": 1.10, "big": 12345678901234567890123}"#)).unwrap();
        assert_eq!(
            event(&draft),
            r#"{"user_id":"ann \"a\"","properties":{"n": 1.10, "big": 12345678901234567890123}}"#
        );
    }

    #[test]
    fn columns_join_the_properties_and_win() {
        let mut draft = Draft::default();
        draft.set(Field::Property("plan".into()), cell("pro")).unwrap();
        draft.set(Field::Properties, json(r#"{"plan": "free", "n": 1.50}"#)).unwrap();
        draft.set(Field::Property("empty".into()), cell("")).unwrap();
        assert_eq!(event(&draft), r#"{"properties":{"n":1.50,"plan":"pro"}}"#);
    }

    #[test]
    fn objects_may_come_as_text() {
        let mut draft = Draft::default();
        draft.set(Field::Properties, json(r#""{\"a\":1}""#)).unwrap();
        draft.set(Field::Context, json(r#""""#)).unwrap();
        assert_eq!(event(&draft), r#"{"properties":{"a":1}}"#);
    }

    #[test]
    fn numbers_are_good_ids_and_nulls_are_absent() {
        let mut draft = Draft::default();
        draft.set(Field::UserId, json("42")).unwrap();
        draft.set(Field::EventId, json("null")).unwrap();
        draft.identify(|| "made".to_owned());
        assert_eq!(event(&draft), r#"{"event_id":"made","user_id":"42"}"#);
    }

    #[test]
    fn what_does_not_fit_its_field_is_a_fault() {
        let code = |field, value| Draft::default().set(field, value).unwrap_err().code;
        assert_eq!(code(Field::UserId, json("[1]")), "invalid_json");
        assert_eq!(code(Field::Properties, cell("{broken")), "invalid_properties");
        assert_eq!(code(Field::Properties, cell("[1]")), "invalid_properties");
        assert_eq!(code(Field::Context, json("3")), "invalid_context");
        let mut draft = Draft::default();
        draft.set(Field::OccurredAt, json(r#""2024""#)).unwrap();
        assert_eq!(draft.set(Field::OccurredAt, json(r#""2025""#)).unwrap_err().code, "conflicting_columns");
    }
}
