//! Who belongs to cohorts, from the stored sets as far as they reach.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use chrono::{DateTime, NaiveDate, Utc};
use millrace_domain::analytics::audience::Audience;
use millrace_domain::analytics::cohort::{Definition, Did, Leaf};
use millrace_domain::analytics::filter::Selection;
use millrace_domain::analytics::query::Query;
use millrace_domain::analytics::query_fault::QueryFault;
use millrace_domain::ids::UserNo;
use millrace_storage::cohorts::{self, Cohort};
use millrace_storage::error::StorageError;
use millrace_storage::projects::Project;
use millrace_storage::{raw, users};
use roaring::RoaringBitmap;

use super::Reader;
use crate::errors::AnalyticsError;
use crate::working_memory::bytes_of_set;

/// After every event: the last day of the calendar that questions know.
const END: NaiveDate = match NaiveDate::from_ymd_opt(9999, 12, 31) {
    Some(day) => day,
    None => NaiveDate::MAX,
};

impl Reader {
    /// Puts the users of cohorts into the filters of a question.
    ///
    /// # Errors
    /// When there is no such cohort, or the database fails.
    pub async fn resolve(&mut self, project: &Project, query: &mut Query) -> Result<(), AnalyticsError> {
        let asked = query.cohorts();
        if asked.is_empty() {
            return Ok(());
        }
        let conn = self.roll_ups("cohorts").await?;
        let found = cohorts::among(conn, project.id, asked.iter().copied()).await?;
        if let Some(missing) = asked.iter().find(|id| found.iter().all(|cohort| cohort.id != **id)) {
            let reason = format_args!("{missing} does not exist in this project");
            return Err(QueryFault::new("cohort", "unknown_cohort", reason).into());
        }
        let mut members = BTreeMap::new();
        let cohorts = u64::try_from(found.len()).unwrap_or(u64::MAX);
        self.keep_room((cohorts + 8).saturating_mul(bytes_of_set(project.users))).await?;
        for cohort in found {
            members.insert(cohort.id, self.audience(project, &cohort).await?);
        }
        query.resolve(&members);
        Ok(())
    }

    /// Who of all users belongs to a cohort.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members(
        &mut self,
        project: &Project,
        cohort: &Cohort,
    ) -> Result<RoaringBitmap, AnalyticsError> {
        let audience = self.audience(project, cohort).await?;
        let everybody = self.users_before(project, &Selection::default(), end(project)).await?;
        Ok(audience.among(everybody))
    }

    async fn audience(&mut self, project: &Project, cohort: &Cohort) -> Result<Audience, AnalyticsError> {
        let unreadable = |fault: QueryFault| StorageError::Corrupt(format!("cohort {}: {fault}", cohort.id));
        let definition = Definition::parse(cohort.definition.clone()).map_err(unreadable)?;
        let mut leaves = Vec::new();
        for leaf in definition.leaves() {
            leaves.push(match leaf {
                Leaf::Did(did) => self.who_did(project, did).await?,
                Leaf::Users(names) => {
                    users::numbers(self.roll_ups("the users of a list").await?, project.id, names).await?
                }
            });
        }
        Ok(definition.members(leaves))
    }

    async fn who_did(&mut self, project: &Project, did: &Did) -> Result<RoaringBitmap, AnalyticsError> {
        let within = did.within.instants(project.timezone, self.today(project.timezone));
        match (within, did.at_least) {
            (None, 1) => Ok(self.users_before(project, &did.events, end(project)).await?),
            (Some(instants), 1) => Ok(self.users_within(project, &did.events, &instants).await?),
            (None, at_least) => {
                let conn = self.events("how often users did something").await?;
                let ever = DateTime::UNIX_EPOCH..end(project);
                Ok(raw::users_who_did(conn, project.id, &did.events, &ever, at_least).await?)
            }
            (Some(instants), at_least) => {
                if let Some(users) = self.often_in_memory(project, &did.events, &instants, at_least).await? {
                    return Ok(users);
                }
                let conn = self.events("how often users did something").await?;
                Ok(raw::users_who_did(conn, project.id, &did.events, &instants, at_least).await?)
            }
        }
    }

    /// Who did something often, where the type alone selects it and memory has room for its events.
    async fn often_in_memory(
        &mut self,
        project: &Project,
        events: &Selection,
        instants: &Range<DateTime<Utc>>,
        at_least: u32,
    ) -> Result<Option<RoaringBitmap>, AnalyticsError> {
        let Some(event_type) = events.event.event_type().filter(|_| events.is_plain()) else {
            return Ok(None);
        };
        let Some(days) = self.postings(project, &[event_type], None, instants).await? else {
            return Ok(None);
        };
        let (from, to) = (instants.start.timestamp_micros(), instants.end.timestamp_micros());
        // Half of a map is empty, at most.
        let _room = self.room(u64::from(project.users).saturating_mul(24)).await?;
        let mut times: HashMap<UserNo, u32> = HashMap::new();
        for (_, posting) in days.iter().flatten().flat_map(|day| &day.by_value) {
            posting.each(|user, at| {
                if from <= at && at < to {
                    *times.entry(user).or_default() += 1;
                }
            });
        }
        Ok(Some(times.into_iter().filter(|(_, times)| *times >= at_least).map(|(user, _)| user).collect()))
    }
}

fn end(project: &Project) -> DateTime<Utc> {
    project.timezone.day_start(END)
}
