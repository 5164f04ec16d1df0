//! Who was active, from the stored sets as far as they reach.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::text::EventType;
use millrace_storage::activity_editions::{self, EditionOfDay};
use millrace_storage::error::StorageError;
use millrace_storage::projects::Project;
use millrace_storage::{activity, raw};
use roaring::RoaringBitmap;

use super::Reader;
use crate::plan::{self, Parted};

/// No event is older than 1970, wherever it is.
const BEGINNING: NaiveDate = match NaiveDate::from_ymd_opt(1969, 12, 31) {
    Some(day) => day,
    None => NaiveDate::MAX,
};

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
            Some(_) => plan::days(project.sets_zone, zone, instants),
            None => Parted::of_events(instants),
        };
        let mut found = Activity::default();
        if let Some(days) = parted.held {
            let types = [activity::column(events.event.event_type())];
            let within = days.from()..days.end();
            self.sets("activity sets", project, &types, within, |day, users| {
                found.add(interval.start_of(day.day), users);
            })
            .await?;
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
            Some(_) => plan::history(project.sets_zone, end),
            None => Parted::of_events(&(DateTime::UNIX_EPOCH..end)),
        };
        let mut seen = RoaringBitmap::new();
        if let Some(day) = parted.held {
            let mut held = RoaringBitmap::new();
            let types = [activity::column(events.event.event_type())];
            let before = BEGINNING..day;
            self.sets("activity sets of the past", project, &types, before, |_, users| {
                held |= users.as_ref()
            })
            .await?;
            seen |= audience.as_ref().map_or_else(RoaringBitmap::new, |audience| audience.among(held));
        }
        for rest in &parted.rest {
            let conn = self.events("the users of events of the past").await?;
            seen |= raw::users(conn, project.id, events, rest).await?;
        }
        Ok(seen)
    }

    /// Who was active at all within `instants`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users_within(
        &mut self,
        project: &Project,
        events: &Selection,
        instants: &Range<DateTime<Utc>>,
    ) -> Result<RoaringBitmap, StorageError> {
        let audience = events.audience();
        let parted = match audience {
            Some(_) => plan::users(project.sets_zone, instants),
            None => Parted::of_events(instants),
        };
        let mut seen = RoaringBitmap::new();
        if let Some(days) = parted.held {
            let mut held = RoaringBitmap::new();
            let types = [activity::column(events.event.event_type())];
            let within = days.from()..days.end();
            self.sets("activity sets", project, &types, within, |_, users| held |= users.as_ref()).await?;
            seen |= audience.as_ref().map_or_else(RoaringBitmap::new, |audience| audience.among(held));
        }
        for rest in &parted.rest {
            let conn = self.events("the users of events").await?;
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
            Some(_) => plan::users(project.sets_zone, instants),
            None => Parted::of_events(instants),
        };
        let mut sets = BTreeMap::new();
        if let Some(days) = parted.held {
            let names: Vec<&str> = types.iter().map(EventType::as_str).collect();
            sets = self.unions("activity sets", project, &names, days.from()..days.end()).await?;
        }
        let mut users = Vec::new();
        for event_type in types {
            let held = sets.remove(event_type.as_str()).map(Arc::unwrap_or_clone).unwrap_or_default();
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

    /// Hands over the set of each of these types and days that has one, in no order: from memory, or from the database.
    async fn sets(
        &mut self,
        what: &'static str,
        project: &Project,
        types: &[&str],
        days: Range<NaiveDate>,
        take: impl FnMut(&EditionOfDay, &Arc<RoaringBitmap>),
    ) -> Result<(), StorageError> {
        let conn = self.roll_ups(what).await?;
        let days = activity_editions::editions(conn, project.id, types, days.start, days.end).await?;
        self.each_set(project, days, take).await
    }

    /// Hands over the sets of these days, in no order, as part of the read that has begun.
    pub(super) async fn each_set(
        &mut self,
        project: &Project,
        mut days: Vec<EditionOfDay>,
        mut take: impl FnMut(&EditionOfDay, &Arc<RoaringBitmap>),
    ) -> Result<(), StorageError> {
        let kept = self.memory.sets.clone();
        days.retain(|day| {
            let users = kept.get(project.id, day);
            users.iter().for_each(|users| take(day, users));
            users.is_none()
        });
        activity_editions::load(&mut self.snapshot, project.id, &days, |day, users| {
            let users = Arc::new(users);
            take(day, &users);
            kept.put(project.id, day, users);
        })
        .await
    }
}
