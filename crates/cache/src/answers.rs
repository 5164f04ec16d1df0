//! Answers to questions, shared by the replicas that answer them.

use std::time::Duration;

use deadpool_redis::redis;
use millrace_domain::ids::ProjectId;

use crate::data_versions::DataVersions;
use crate::link::{CacheError, Link, PATIENCE};

/// Larger ones are cheaper to compute than to carry.
const MAX_BYTES: usize = 1 << 20;

/// Keeps answers for a while, as bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Answers {
    link: Link,
    kept_for: Duration,
}

impl Answers {
    /// Answers in the Redis at `url`, which is connected to when first used.
    ///
    /// # Errors
    /// When `url` is not an address of Redis.
    pub fn new(url: &str, kept_for: Duration) -> Result<Self, CacheError> {
        Ok(Self { link: Link::new(url, PATIENCE)?, kept_for })
    }

    /// The versions of the data that answers are made from, in the same Redis.
    #[must_use]
    pub fn versions(&self) -> DataVersions {
        DataVersions::through(self.link.clone())
    }

    /// The answer that is kept under `name` for a project, and for how long it still is.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn get(
        &self,
        project: ProjectId,
        name: &str,
    ) -> Result<Option<(Vec<u8>, Duration)>, CacheError> {
        let key = key(project, name);
        let mut get = redis::pipe();
        get.atomic().cmd("GET").arg(&key).cmd("PTTL").arg(&key);
        let (answer, left): (Option<Vec<u8>>, i64) =
            self.link.with(async |connection| get.query_async(connection).await).await?;
        Ok(answer.map(|answer| (answer, Duration::from_millis(u64::try_from(left).unwrap_or_default()))))
    }

    /// Keeps an answer under `name` for a project.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn put(&self, project: ProjectId, name: &str, answer: &[u8]) -> Result<(), CacheError> {
        if answer.len() > MAX_BYTES {
            return Ok(());
        }
        let mut set = redis::cmd("SET");
        let kept_for = u64::try_from(self.kept_for.as_millis()).unwrap_or(u64::MAX);
        set.arg(key(project, name)).arg(answer).arg("PX").arg(kept_for);
        self.link.with(async |connection| set.query_async(connection).await).await
    }
}

fn key(project: ProjectId, name: &str) -> String {
    format!("mr:{{{project}}}:answer:{name}")
}
