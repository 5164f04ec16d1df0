use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What events are about, by turns, so that there is something to break down by.
const PROPERTIES: [&str; 4] = [
    r#"{"path":"/","device":"desktop","plan":"free","amount":0}}"#,
    r#"{"path":"/products/17","device":"mobile","plan":"pro","amount":12.5}}"#,
    r#"{"path":"/checkout","device":"mobile","plan":"free","amount":99.95}}"#,
    r#"{"path":"/search","device":"tablet","plan":"enterprise","amount":3}}"#,
];

/// Makes request bodies.
///
/// The generator shares the machine with what it measures, so it must cost little: an event is put together from text
/// that is there already, and only its id, time and user are written.
#[derive(Debug, Clone)]
pub(super) struct BodyMaker {
    /// Tells this run's ids from those of others in the same millisecond.
    run: u64,
    users: u64,
    before_time: String,
    size: usize,
}

impl BodyMaker {
    pub(super) fn new(event_type: &str, users: u32) -> Self {
        let before_time =
            format!(r#"","event_type":{},"occurred_at":""#, serde_json::Value::from(event_type));
        Self { run: rand::random(), users: u64::from(users.max(1)), before_time, size: 0 }
    }

    /// A JSON array of `count` events, of which the first is number `first` of the run, at `now`.
    pub(super) fn make(&mut self, first: u64, count: u64, now: DateTime<Utc>) -> Bytes {
        let time = now.to_rfc3339_opts(SecondsFormat::Millis, true);
        let milliseconds = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        let mut body = Vec::with_capacity(self.size + 64);
        for (number, properties) in (first..first + count).zip(PROPERTIES.iter().cycle()) {
            body.extend_from_slice(if body.is_empty() { b"[{\"event_id\":\"" } else { b",{\"event_id\":\"" });
            body.extend_from_slice(&self.id(number, milliseconds));
            body.extend_from_slice(self.before_time.as_bytes());
            body.extend_from_slice(time.as_bytes());
            body.extend_from_slice(b"\",\"user_id\":\"load-");
            body.extend_from_slice(&digits(number % self.users));
            body.extend_from_slice(b"\",\"properties\":");
            body.extend_from_slice(properties.as_bytes());
        }
        body.push(b']');
        self.size = self.size.max(body.len());
        body.into()
    }

    /// A UUIDv7: the time, 34 bits of the run and 40 of the number.
    fn id(&self, number: u64, milliseconds: u64) -> [u8; 36] {
        let high = (milliseconds << 16) | 0x7000 | (self.run & 0xfff);
        let low = (0b10 << 62) | ((self.run >> 12 & 0x3f_ffff) << 40) | (number & 0xff_ffff_ffff);
        let mut id = [b'-'; 36];
        let mut nibbles = (0..32).rev().map(|place: u32| {
            let half = if place >= 16 { high } else { low };
            (half >> (place % 16 * 4)) & 0xf
        });
        for (place, byte) in id.iter_mut().enumerate() {
            if !matches!(place, 8 | 13 | 18 | 23)
                && let Some(digit) = nibbles.next().and_then(|nibble| HEX.get(usize::try_from(nibble).ok()?))
            {
                *byte = *digit;
            }
        }
        id
    }
}

/// A number below 10,000,000 in seven digits.
fn digits(mut number: u64) -> [u8; 7] {
    let mut text = [b'0'; 7];
    for digit in text.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use std::collections::BTreeSet;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn bodies_are_arrays_of_events() {
        let now: DateTime<Utc> = "2026-11-01T10:00:00.123Z".parse().unwrap();
        let body = BodyMaker::new("load_\"x\"", 3).make(2, 3, now);
        let events: Vec<Value> = serde_json::from_slice(&body).unwrap();
        let users: Vec<_> = events.iter().map(|event| event["user_id"].as_str().unwrap()).collect();
        assert_eq!(users, ["load-0000002", "load-0000000", "load-0000001"]);
        for event in &events {
            let id: Uuid = event["event_id"].as_str().unwrap().parse().unwrap();
            assert_eq!(id.get_version_num(), 7);
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
            assert_eq!(id.get_timestamp().unwrap().to_unix(), (1_793_527_200, 123_000_000));
            assert_eq!(event["event_type"], "load_\"x\"");
            assert_eq!(event["occurred_at"], "2026-11-01T10:00:00.123Z");
            assert!(event["properties"].is_object());
        }
    }

    #[test]
    fn no_id_comes_twice_within_a_run_or_across_runs() {
        let now = Utc::now();
        let mut ids = BTreeSet::new();
        for mut maker in [BodyMaker::new("a", 1), BodyMaker::new("a", 1)] {
            for body in [maker.make(0, 1000, now), maker.make(1000, 1000, now)] {
                let events: Vec<Value> = serde_json::from_slice(&body).unwrap();
                ids.extend(events.into_iter().map(|event| event["event_id"].as_str().unwrap().to_owned()));
            }
        }
        assert_eq!(ids.len(), 4000);
    }
}
