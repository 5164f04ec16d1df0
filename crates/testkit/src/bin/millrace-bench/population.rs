//! Ten million events to ask about: a month of a product with many users, and a few days before it, stored the way the
//! worker stores them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::event::Event;
use millrace_domain::ids::{EventId, ProjectId};
use millrace_domain::json::JsonObject;
use millrace_domain::text::{EventType, UserId};
use millrace_storage::append::{Appender, NewEvent};
use uuid::Uuid;

const BATCH: u64 = 5_000;
const WRITERS: u64 = 2;
/// The first of the thirty days that the questions are about.
const FIRST_DAY: &str = "2026-10-01T00:00:00Z";
const SECONDS: u64 = 30 * 86_400;
/// Of every so many days, one more comes before the first: windows that reach back find something, and so does whoever
/// looks for users who were there before.
const LEAD_IN: u64 = 6;
/// The types, the frequent ones more than once.
const TYPES: [&str; 8] = [
    "page_view",
    "page_view",
    "page_view",
    "product_viewed",
    "product_viewed",
    "search",
    "added_to_cart",
    "order_completed",
];
const PLANS: [&str; 4] = ["free", "team", "business", "enterprise"];

/// How many events come before the first day.
pub fn lead_in(events: u64) -> u64 {
    events / LEAD_IN
}

/// Stores `events` of `users` users within the month, and those before it, and returns how long that took. Without `sets`
/// it does not note who was active.
pub async fn store(
    url: &str,
    project: ProjectId,
    events: u64,
    users: u64,
    sets: bool,
) -> anyhow::Result<Duration> {
    let started = std::time::Instant::now();
    let all = events + lead_in(events);
    let batches = all.div_ceil(BATCH);
    let writers = (0..WRITERS).map(|writer| {
        let url = url.to_owned();
        tokio::spawn(async move {
            let appender = Appender::new(url, Duration::from_secs(60));
            let mut appender = if sets { appender } else { appender.without_sets() };
            for batch in (writer..batches).step_by(WRITERS as usize) {
                let from = batch * BATCH;
                let happened: Vec<Event> =
                    (from..all.min(from + BATCH)).map(|n| event(n, events, users)).collect();
                let rows: Vec<NewEvent<'_>> = happened
                    .iter()
                    .map(|event| NewEvent {
                        project_id: project,
                        stream_seq: batch,
                        received_at: event.occurred_at,
                        event,
                    })
                    .collect();
                appender.append(&rows).await?;
            }
            anyhow::Ok(())
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await??;
    }
    Ok(started.elapsed())
}

/// The `n`th event of all, `events` of which are of the month: times rise through it, users and types are scattered by a fixed mixing of `n`.
fn event(n: u64, events: u64, users: u64) -> Event {
    let mixed = mix(n);
    let start: DateTime<Utc> = FIRST_DAY.parse().expect("the first day is a day");
    let second = |n: u64| i64::try_from(n * SECONDS / events).expect("a month has few seconds");
    let second = second(n) - second(lead_in(events));
    // Squared, so that some users do much and most do little.
    let share = (mixed >> 11) as f64 / (1u64 << 53) as f64;
    let user = (share * share * users as f64) as u64;
    let properties = format!(
        r#"{{"plan":"{}","value":{},"path":"/p/{}"}}"#,
        PLANS[(mixed % 4) as usize],
        mixed % 1_000,
        mixed % 97
    );
    Event {
        event_id: EventId(Uuid::from_u64_pair(mixed, n)),
        event_type: EventType::parse(TYPES[(mixed >> 7) as usize % TYPES.len()])
            .expect("the types are sound"),
        user_id: UserId::parse(&format!("user-{user}")).expect("the users are sound"),
        occurred_at: start + TimeDelta::seconds(second) + TimeDelta::microseconds((mixed % 1_000_000) as i64),
        session_id: None,
        properties: JsonObject::parse(&properties).expect("the properties are sound"),
        context: None,
    }
}

/// SplitMix64: scatters consecutive numbers, the same ones in every run.
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
