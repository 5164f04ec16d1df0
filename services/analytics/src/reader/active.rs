//! Who was active, from the stored sets as far as they reach.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::text::EventType;
use millrace_storage::error::StorageError;
use millrace_storage::projects::Project;
use millrace_storage::{activity, raw};
use roaring::RoaringBitmap;

use super::Reader;
use crate::plan::{self, Parted};

impl Reader {
    /// Who was active on the days of `zone` within `instants`: one set for each `interval` with any, on its first date.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn activity(
        &mut self,
        project: &Project,
        events: &Selection,
        instants: &Range<DateTime<Utc>>,
        zone: TimeZone,
        interval: Interval,
    ) -> Result<Activity, StorageError> {
        let audience = events.audience();
        let parted = match audience {
            Some(_) => plan::days(project.timezone, zone, instants),
            None => Parted::of_events(instants),
        };
        let mut found = Activity::default();
        if let Some(days) = parted.held {
            let conn = self.roll_ups("activity sets").await?;
            found = activity::load(conn, project.id, &events.event, days, interval).await?;
            if let Some(audience) = audience {
                found.narrow(&audience);
            }
        }
        for rest in &parted.rest {
            let conn = self.events("the users of events").await?;
            found.extend(raw::activity(conn, project.id, events, rest, zone, interval).await?);
        }
        Ok(found)
    }

    /// Who was active at any time before `end`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users_before(
        &mut self,
        project: &Project,
        events: &Selection,
        end: DateTime<Utc>,
    ) -> Result<RoaringBitmap, StorageError> {
        let audience = events.audience();
        let parted = match audience {
            Some(_) => plan::history(project.timezone, end),
            None => Parted { held: None, rest: vec![DateTime::UNIX_EPOCH..end] },
        };
        let mut seen = RoaringBitmap::new();
        if let Some(day) = parted.held {
            let conn = self.roll_ups("activity sets of the past").await?;
            let held = activity::users_before(conn, project.id, &events.event, day).await?;
            seen |= audience.as_ref().map_or_else(RoaringBitmap::new, |audience| audience.among(held));
        }
        for rest in &parted.rest {
            let conn = self.events("the users of events of the past").await?;
            seen |= raw::users(conn, project.id, events, rest).await?;
        }
        Ok(seen)
    }

    /// How many distinct users did each of these event types within `instants`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users_by_type(
        &mut self,
        project: &Project,
        types: &[EventType],
        filter: Option<&Filter>,
        instants: &Range<DateTime<Utc>>,
    ) -> Result<Vec<u64>, StorageError> {
        let all = Selection { event: EventSelector::Any, filter: filter.cloned() };
        let audience = all.audience();
        let parted = match audience {
            Some(_) => plan::users(project.timezone, instants),
            None => Parted::of_events(instants),
        };
        let mut sets = BTreeMap::new();
        if let Some(days) = parted.held {
            let conn = self.roll_ups("activity sets").await?;
            sets = activity::users_by_type(conn, project.id, types, days).await?;
        }
        let mut users = Vec::new();
        for event_type in types {
            let held = sets.remove(event_type.as_str()).unwrap_or_default();
            let mut set = audience.as_ref().map_or_else(RoaringBitmap::new, |audience| audience.among(held));
            let events = Selection { event: EventSelector::Type(event_type.clone()), ..all.clone() };
            for rest in &parted.rest {
                let conn = self.events("the users of events").await?;
                set |= raw::users(conn, project.id, &events, rest).await?;
            }
            users.push(set.len());
        }
        Ok(users)
    }
}
