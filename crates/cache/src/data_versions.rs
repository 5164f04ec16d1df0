//! Which version of a project's data an answer was made from.
//!
//! Per project one Redis hash: for each month (UTC) in which events occurred, a value that nobody has used before,
//! replaced whenever events of that month are stored. Whoever keeps an answer keeps it under what the hash said
//! *before* the data were read; whoever stores events replaces the values *after* the commit and before anybody is told
//! that they are stored. So an answer that is found under the present values has missed nothing.
//!
//! What answers depend on beside events, such as the project's zone, has the value of the month before all others. It
//! belongs to every version.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Utc};
use deadpool_redis::redis;
use millrace_domain::ids::ProjectId;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::link::{CacheError, Link, PATIENCE};

/// How long a version is remembered without new data: any time that is longer than answers are kept.
const KEPT_SECONDS: u64 = 24 * 60 * 60;

/// A month, as the number of months since the year 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(i32);

impl Month {
    /// Before all others.
    pub const FIRST: Self = Self(i32::MIN);
    /// After all others.
    pub const LAST: Self = Self(i32::MAX);

    /// The month of an instant, in UTC.
    #[must_use]
    pub fn of(instant: DateTime<Utc>) -> Self {
        let month0 = i32::try_from(instant.month0()).unwrap_or_default();
        Self(instant.year().saturating_mul(12).saturating_add(month0))
    }
}

/// A version of some months of a project's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub [u8; 32]);

/// The versions of all projects. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DataVersions {
    link: Link,
}

impl DataVersions {
    /// Versions in the Redis at `url`, which is connected to when first used.
    ///
    /// # Errors
    /// When `url` is not an address of Redis.
    pub fn new(url: &str) -> Result<Self, CacheError> {
        Ok(Self { link: Link::new(url, PATIENCE)? })
    }

    pub(crate) fn through(link: Link) -> Self {
        Self { link }
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), CacheError> {
        self.link.ping().await
    }

    /// Events that occurred in these months of these projects are stored.
    ///
    /// # Errors
    /// When Redis is away: answers that are kept may lack these events until they expire.
    pub async fn renew(&self, touched: &BTreeMap<ProjectId, BTreeSet<Month>>) -> Result<(), CacheError> {
        let version = Uuid::now_v7().to_string();
        let mut pipe = redis::pipe();
        for (project, months) in touched {
            let key = key(*project);
            let fields: Vec<(i32, &str)> = months.iter().map(|month| (month.0, version.as_str())).collect();
            pipe.hset_multiple(&key, &fields).ignore().cmd("EXPIRE").arg(&key).arg(KEPT_SECONDS).ignore();
        }
        self.link.with(async |connection| pipe.query_async::<()>(connection).await).await
    }

    /// Something has changed that every answer about the project may depend on.
    ///
    /// # Errors
    /// When Redis is away: answers that are kept may be given again until they expire.
    pub async fn renew_all(&self, project: ProjectId) -> Result<(), CacheError> {
        self.renew(&BTreeMap::from([(project, BTreeSet::from([Month::FIRST]))])).await
    }

    /// The version of what is stored of these months.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn of(&self, project: ProjectId, months: RangeInclusive<Month>) -> Result<Version, CacheError> {
        let mut all = redis::cmd("HGETALL");
        all.arg(key(project));
        let all: BTreeMap<i32, String> =
            self.link.with(async |connection| all.query_async(connection).await).await?;
        let mut digest = Sha256::new();
        let common = all.get_key_value(&Month::FIRST.0).filter(|_| *months.start() > Month::FIRST);
        for (month, version) in common.into_iter().chain(all.range(months.start().0..=months.end().0)) {
            digest.update(month.to_be_bytes());
            digest.update(version);
        }
        Ok(Version(digest.finalize().into()))
    }
}

fn key(project: ProjectId) -> String {
    format!("mr:{{{project}}}:versions")
}
