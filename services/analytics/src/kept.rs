//! Answers that were given a moment ago: in memory, behind that in Redis for the other replicas.
//!
//! An answer is kept under what was asked *and* the version of the data that it was made from, so it is never given
//! again once events of its time are stored: whoever sent them with `wait=stored` sees them in the next answer. What
//! does not show in the version (that a day has ended, or a worker that could not reach Redis) is bounded by the time
//! that answers are kept.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header::CACHE_CONTROL;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use millrace_cache::answers::Answers;
use millrace_cache::data_versions::{DataVersions, Month, Version};
use millrace_domain::ids::ProjectId;
use millrace_runtime::launch::Fault;
use moka::Expiry;
use moka::future::Cache;
use sha2::{Digest, Sha256};

use crate::answer::Answer;
use crate::errors::AnalyticsError;

/// A question as answers are kept under it.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Its kind, for metrics.
    pub kind: &'static str,
    /// Whose data it is about.
    pub project: ProjectId,
    /// The months whose events can change the answer.
    months: RangeInclusive<Month>,
    /// The question, in a spelling that no other question has.
    spelling: String,
    /// Whether the client insists on an answer that is made for it.
    anew: bool,
}

impl Asking {
    /// What `request` asks about `project` by its path and parameters.
    #[must_use]
    pub fn new(
        kind: &'static str,
        project: ProjectId,
        months: RangeInclusive<Month>,
        request: &HttpRequest,
    ) -> Self {
        Self::spelt(kind, project, months, request.uri().to_string()).anew(insists(request))
    }

    /// The question that is spelt so.
    #[must_use]
    pub fn spelt(
        kind: &'static str,
        project: ProjectId,
        months: RangeInclusive<Month>,
        spelling: String,
    ) -> Self {
        Self { kind, project, months, spelling, anew: false }
    }

    /// Whether the answer has to be made for whoever asks.
    #[must_use]
    pub fn anew(self, anew: bool) -> Self {
        Self { anew, ..self }
    }

    fn name(&self, version: Version) -> String {
        let mut digest = Sha256::new();
        digest.update(version.0);
        digest.update(self.project.0);
        digest.update(&self.spelling);
        URL_SAFE_NO_PAD.encode(digest.finalize())
    }
}

/// Whether the client wants no answer that was kept.
#[must_use]
pub fn insists(request: &HttpRequest) -> bool {
    let control = request.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok());
    control.is_some_and(|control| control.contains("no-cache") || control.contains("no-store"))
}

/// The answers that are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeptAnswers {
    memory: Cache<String, Held>,
    shared: Answers,
    kept_for: Duration,
    versions: DataVersions,
}

/// An answer in memory.
#[derive(Clone, Debug)]
struct Held {
    answer: Arc<Answer>,
    /// For how long: whoever made it may be another replica, a while ago.
    rest: Duration,
    /// Whether it was made here, and just then.
    made: bool,
}

/// An answer goes when its own time is over.
struct OwnTime;

impl Expiry<String, Held> for OwnTime {
    fn expire_after_create(&self, _: &String, held: &Held, _: Instant) -> Option<Duration> {
        Some(held.rest)
    }

    fn expire_after_update(
        &self,
        _: &String,
        held: &Held,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(held.rest)
    }
}

impl KeptAnswers {
    /// Keeps answers for so long: here, in at most `memory_bytes`, and in the Redis at `url`.
    ///
    /// # Errors
    /// When `url` is not an address of Redis.
    pub fn new(url: &str, kept_for: Duration, memory_bytes: u64) -> Result<Self, Fault> {
        let memory = Cache::builder()
            .weigher(|name: &String, held: &Held| {
                u32::try_from(name.len() + held.answer.size()).unwrap_or(u32::MAX)
            })
            .max_capacity(memory_bytes)
            .expire_after(OwnTime)
            .build();
        let shared = Answers::new(url, kept_for)?;
        Ok(Self { memory, versions: shared.versions(), shared, kept_for })
    }

    /// The answer, and whether it was kept; made by `make` if it was not. Of many who ask the same at the same time one
    /// makes it, and the others wait.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn recall(
        &self,
        asking: &Asking,
        make: impl Future<Output = Result<Answer, AnalyticsError>>,
    ) -> Result<(Arc<Answer>, bool), Arc<AnalyticsError>> {
        // Without its version nothing can be kept: it might be of data that has changed. The version is read before the
        // data are, or an event stored in between would be missing under the version that it made.
        let version = match asking.anew {
            false => self.versions.of(asking.project, asking.months.clone()).await.ok(),
            true => None,
        };
        let Some(version) = version else {
            count("memory", "bypass");
            return Ok((Arc::new(make.await?), false));
        };
        let name = asking.name(version);
        let entry = self
            .memory
            .entry_by_ref(&name)
            .or_try_insert_with(self.share(asking.project, &name, make))
            .await?;
        let fresh = entry.is_fresh();
        count("memory", if fresh { "miss" } else { "hit" });
        let Held { answer, made, .. } = entry.into_value();
        Ok((answer, !(fresh && made)))
    }

    /// Forgets a project's answers: a cohort has changed, on which any may depend.
    pub async fn forget(&self, project: ProjectId) {
        // Counted and logged where it fails; answers are kept for seconds only.
        let _ = self.versions.renew_all(project).await;
    }

    /// What another replica has made, for as long as it is still kept, or else what `make` makes, for the others to find.
    async fn share(
        &self,
        project: ProjectId,
        name: &str,
        make: impl Future<Output = Result<Answer, AnalyticsError>>,
    ) -> Result<Held, AnalyticsError> {
        // A Redis that fails is counted and logged where that is noticed, and costs no more than the work it would save.
        let kept = self.shared.get(project, name).await.ok().flatten();
        if let Some((bytes, rest)) = kept
            && let Some(answer) = Answer::from_bytes(bytes)
        {
            count("redis", "hit");
            return Ok(Held { answer: Arc::new(answer), rest, made: false });
        }
        count("redis", "miss");
        let answer = make.await?;
        let _ = self.shared.put(project, name, &answer.to_bytes()).await;
        Ok(Held { answer: Arc::new(answer), rest: self.kept_for, made: true })
    }
}

fn count(tier: &'static str, result: &'static str) {
    metrics::counter!("cache_requests_total", "tier" => tier, "result" => result).increment(1);
}
