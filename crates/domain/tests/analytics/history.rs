//! An arbitrary history of events, kept as a plain list.

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::range::DateRange;
use millrace_domain::analytics::time_zone::TimeZone;
use proptest::prelude::*;

/// Zones with a moment around which histories are made: a plain one, a half-hour one, clocks going back, a date left
/// out, and a midnight left out. In none of them does a clock go back across midnight, so that a local day is simply
/// the date on the wall.
const ZONES: [(&str, &str); 5] = [
    ("UTC", "2028-02-20T00:00:00Z"),
    ("Asia/Kolkata", "2026-12-20T00:00:00Z"),
    ("America/New_York", "2026-10-25T00:00:00Z"),
    ("Pacific/Apia", "2011-12-20T00:00:00Z"),
    ("America/Sao_Paulo", "2018-10-25T00:00:00Z"),
];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) user: u32,
    pub(crate) at: DateTime<Utc>,
    pub(crate) kind: char,
}

#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) zone: Tz,
    pub(crate) origin: NaiveDate,
    pub(crate) events: Vec<Event>,
}

impl History {
    pub(crate) fn wall_date(&self, event: &Event) -> NaiveDate {
        self.zone.from_utc_datetime(&event.at.naive_utc()).date_naive()
    }

    pub(crate) fn matching(&self, kind: Option<char>) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| kind.is_none_or(|kind| event.kind == kind))
    }

    /// The same events as sets of users, as a store would give them for the days asked for.
    pub(crate) fn activity(&self, kind: Option<char>, days: Option<DateRange>) -> Activity {
        let zone: TimeZone = self.zone.name().parse().expect("a zone of chrono-tz");
        self.matching(kind)
            .map(|event| (zone.local_day(event.at), event.user))
            .filter(|(day, _)| days.is_some_and(|days| days.contains(*day)))
            .collect()
    }
}

pub(crate) fn any_history() -> impl Strategy<Value = History> {
    let event = (0u32..12, 0i64..120 * 24 * 4, prop::sample::select(vec!['a', 'b', 'c']));
    (prop::sample::select(ZONES.to_vec()), prop::collection::vec(event, 0..120)).prop_map(
        |((zone, origin), events)| {
            let origin: DateTime<Utc> = origin.parse().expect("an instant");
            History {
                zone: zone.parse().expect("a zone"),
                origin: origin.date_naive(),
                events: events
                    .into_iter()
                    .map(|(user, quarter, kind)| Event {
                        user,
                        at: origin + TimeDelta::minutes(15 * quarter),
                        kind,
                    })
                    .collect(),
            }
        },
    )
}
