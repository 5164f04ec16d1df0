//! Memory for questions while they are worked on.
//!
//! Every question takes room for what it is going to hold before it reads it, and more when it turns out to hold more. When
//! there is too little it waits for others to be done. So all questions together stay within one number of bytes, however
//! many there are, and whatever the size of their projects.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::errors::AnalyticsError;

/// How long a question waits for others to be done.
const WAIT: Duration = Duration::from_secs(5);
/// What room is counted in, because a semaphore counts no further than 2^32.
const UNIT: u64 = 1 << 10;
/// The users whose numbers are in one part of a set, and the most bytes of a part.
const PART: (u32, u64) = (1 << 16, (8 << 10) + 64);

/// The memory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct WorkingMemory {
    units: u32,
    free: Arc<Semaphore>,
}

/// Some of it, until this is dropped.
#[derive(Debug)]
pub struct Room {
    memory: WorkingMemory,
    taken: OwnedSemaphorePermit,
}

impl WorkingMemory {
    /// So many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX);
        let permits = usize::try_from(units).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { units, free: Arc::new(Semaphore::new(permits)) }
    }

    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        u64::from(self.units) * UNIT
    }

    /// Room for so many bytes.
    ///
    /// # Errors
    /// [`AnalyticsError::TooMuchMemory`] when there could never be so much, [`AnalyticsError::NoMemory`] when there is not
    /// in time.
    pub async fn room(&self, bytes: u64) -> Result<Room, AnalyticsError> {
        let units = self.units(bytes, 0)?;
        Ok(Room { memory: self.clone(), taken: self.take(units).await? })
    }

    fn units(&self, bytes: u64, beside: u64) -> Result<u32, AnalyticsError> {
        let needed = bytes.div_ceil(UNIT);
        let units = u32::try_from(needed).ok().filter(|_| needed + beside <= u64::from(self.units));
        let too_much =
            || AnalyticsError::TooMuchMemory { needed: (needed + beside) * UNIT, most: self.bytes() };
        units.ok_or_else(too_much)
    }

    async fn take(&self, units: u32) -> Result<OwnedSemaphorePermit, AnalyticsError> {
        let waiting = tokio::time::timeout(WAIT, self.free.clone().acquire_many_owned(units)).await;
        let taken = waiting.ok().and_then(Result::ok);
        metrics::gauge!("query_memory_free_bytes").set(self.free_bytes());
        taken.ok_or_else(|| {
            metrics::counter!("queries_without_memory_total").increment(1);
            AnalyticsError::NoMemory
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
    fn free_bytes(&self) -> f64 {
        self.free.available_permits() as f64 * UNIT as f64
    }
}

impl Room {
    /// Makes it as large as this, at least.
    ///
    /// # Errors
    /// As for [`WorkingMemory::room`].
    pub async fn at_least(&mut self, bytes: u64) -> Result<(), AnalyticsError> {
        let taken = u64::try_from(self.taken.num_permits()).unwrap_or(u64::MAX);
        let more = bytes.div_ceil(UNIT).saturating_sub(taken) * UNIT;
        if more > 0 {
            let units = self.memory.units(more, taken)?;
            self.taken.merge(self.memory.take(units).await?);
        }
        Ok(())
    }
}

/// The most bytes of a set of users with numbers below this.
#[must_use]
pub fn bytes_of_set(users: u32) -> u64 {
    let (of_part, bytes) = PART;
    u64::from(users.div_ceil(of_part).max(1)) * bytes
}

/// The most bytes of so many sets of users with numbers below this, made of so many events.
#[must_use]
pub fn bytes_of_sets(users: u32, sets: u64, events: u64) -> u64 {
    // A number takes two bytes, up to as many again in reserve, and its share of a part that may be all its own.
    let (parts, small) = (u64::from(users.div_ceil(PART.0).max(1)), 64);
    let sparse =
        events.saturating_mul(4).saturating_add(events.min(sets.saturating_mul(parts)).saturating_mul(small));
    bytes_of_set(users).saturating_mul(sets).min(sparse)
}

/// How many sets of such users are read before those read first are done with.
#[must_use]
pub fn sets_at_once(users: u32) -> usize {
    const BYTES: u64 = 8 << 20;
    usize::try_from((BYTES / bytes_of_set(users)).clamp(1, 92)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_question_that_could_never_fit_does_not_wait() {
        let memory = WorkingMemory::new(1 << 20);
        let refused = memory.room((1 << 20) + 1).await.unwrap_err();
        assert!(matches!(refused, AnalyticsError::TooMuchMemory { most: 1_048_576, .. }), "{refused}");
        let mut room = memory.room(1 << 19).await.unwrap();
        assert!(room.at_least(2 << 20).await.is_err());
        room.at_least(1 << 20).await.unwrap();
        assert_eq!(memory.free.available_permits(), 0);
        drop(room);
        assert_eq!(memory.free.available_permits(), 1 << 10);
    }

    #[test]
    fn a_set_takes_no_more_than_it_is_said_to() {
        use roaring::RoaringBitmap;
        let sets = [(0..100_000).step_by(2).collect(), (0..100_000u32).map(|n| n / 7 * 9).collect()];
        for set in sets {
            let set: RoaringBitmap = set;
            let users = set.max().unwrap() + 1;
            assert!(set.serialized_size() as u64 <= bytes_of_set(users));
            assert!(set.serialized_size() as u64 <= bytes_of_sets(users, 1, set.len()));
        }
    }
}
