//! What happened in a story, as a plain list, and how it comes into the database: as a worker stores it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_cache::data_versions::{DataVersions, Month};
use millrace_domain::event::Event;
use millrace_storage::append::{Appender, NewEvent};
use millrace_testkit::story;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::{Project, Stage};

/// Stores events and says so, as a worker does.
pub(crate) struct Teller {
    pub(crate) appender: Appender,
    pub(crate) versions: DataVersions,
}

#[derive(Clone, Debug)]
pub(crate) struct Happened {
    pub(crate) id: Uuid,
    pub(crate) user: String,
    pub(crate) kind: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) session: Option<String>,
    pub(crate) properties: Value,
}

impl Happened {
    fn event(&self) -> Event {
        story::did(&self.user, &self.kind, &self.at.to_rfc3339())
            .with("event_id", self.id.to_string())
            .with("session_id", self.session.clone())
            .with("properties", self.properties.clone())
            .event()
    }

    /// With these properties.
    pub(crate) fn with(self, properties: Value) -> Self {
        Self { properties, ..self }
    }

    /// In this session.
    pub(crate) fn within(self, session: &str) -> Self {
        Self { session: Some(session.to_owned()), ..self }
    }
}

/// `user` did `kind` at `time` (RFC 3339).
pub(crate) fn did(user: &str, kind: &str, time: &str) -> Happened {
    happened(Uuid::now_v7(), user.to_owned(), kind.to_owned(), time.parse().unwrap())
}

/// Something without properties and session.
pub(crate) fn happened(id: Uuid, user: String, kind: String, at: DateTime<Utc>) -> Happened {
    Happened { id, user, kind, at, session: None, properties: json!({}) }
}

/// Random numbers of a history, others each time. `MILLRACE_TEST_SEED` has those of a time that failed come again.
#[expect(clippy::print_stdout, reason = "the runner shows it when the test fails")]
pub(crate) fn chance() -> StdRng {
    let named = std::env::var("MILLRACE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = named.unwrap_or_else(|| rand::rng().random());
    println!("MILLRACE_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// Properties as clients send them: some absent, some of more than one type.
fn any_properties(random: &mut StdRng) -> Value {
    let mut properties = json!({});
    match random.random_range(0..6) {
        0 => {}
        1 => properties["plan"] = Value::Null,
        n => properties["plan"] = ["free", "team", "pro", "Pro"][n - 2].into(),
    }
    properties["amount"] = match random.random_range(0..6) {
        0 => "12".into(),
        1 => json!(true),
        _ => json!(f64::from(random.random_range(-20i32..200)) / 4.0),
    };
    if random.random_bool(0.5) {
        properties["path"] = format!("/p/{}", random.random_range(0..20)).into();
    }
    properties
}

/// Instants around which much happens: midnights of several zones, among them those before and after clocks change.
const MIDNIGHTS: [&str; 8] = [
    "2025-01-31T18:30:00Z",
    "2025-02-01T00:00:00Z",
    "2025-02-28T18:30:00Z",
    "2025-03-01T05:00:00Z",
    "2025-03-09T05:00:00Z",
    "2025-03-10T04:00:00Z",
    "2025-03-31T18:30:00Z",
    "2025-04-01T04:00:00Z",
];

/// A hundred days of a few users, each event once.
pub(crate) fn invent(random: &mut StdRng, events: usize) -> Vec<Happened> {
    let origin: DateTime<Utc> = "2025-01-20T00:00:00Z".parse().unwrap();
    (0..events)
        .map(|_| {
            let at = if random.random_bool(0.4) {
                let midnight: DateTime<Utc> = MIDNIGHTS.choose(random).unwrap().parse().unwrap();
                midnight + TimeDelta::microseconds([-1, 0, 1, 600_000_000].choose(random).copied().unwrap())
            } else {
                origin + TimeDelta::seconds(random.random_range(0..100 * 86_400))
            };
            Happened {
                id: Uuid::from_u128(random.random()),
                // Few are there often, many seldom.
                user: format!("user-{}", random.random_range(0u32..40).min(random.random_range(0..40))),
                kind: ["signup", "visit", "visit", "buy"].choose(random).copied().unwrap().to_owned(),
                at,
                session: random.random_bool(0.4).then(|| format!("s{}", random.random_range(0..3))),
                properties: any_properties(random),
            }
        })
        .collect()
}

/// Stores the events in any order, in batches of any size, some of them twice: in one batch, or in a later one.
pub(crate) async fn tell_in_disorder(
    stage: &Stage,
    project: &Project,
    events: &[Happened],
    random: &mut StdRng,
) {
    let mut told = events.to_vec();
    told.extend(events.iter().filter(|_| random.random_bool(0.2)).cloned().collect::<Vec<_>>());
    told.shuffle(random);
    let mut teller = stage.teller();
    let mut rest = told.as_slice();
    while !rest.is_empty() {
        let size = [1, 7, 60, 300].choose(random).copied().unwrap().min(rest.len());
        let (batch, later) = rest.split_at(size);
        tell(&mut teller, project, batch).await;
        rest = later;
    }
}

/// Stores the events in one batch.
pub(crate) async fn tell(teller: &mut Teller, project: &Project, events: &[Happened]) {
    let events: Vec<Event> = events.iter().map(Happened::event).collect();
    let new = |event| NewEvent { project_id: project.id, stream_seq: 1, received_at: Utc::now(), event };
    teller.appender.append(&events.iter().map(new).collect::<Vec<_>>()).await.unwrap();
    let months = events.iter().map(|event| Month::of(event.occurred_at)).collect();
    teller.versions.renew(&BTreeMap::from([(project.id, months)])).await.unwrap();
}
