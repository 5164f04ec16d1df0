//! How many bytes of requests may be in memory at once. A sender beyond that is told at once to come again, instead
//! of everyone sharing a machine that swaps.

use std::sync::Arc;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use millrace_domain::batch::MAX_REQUEST_BYTES;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::errors::IngestError;

const UNIT: usize = 1024;

/// A budget of bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Semaphore>);

/// The part of the budget that a request holds while it is worked on.
#[derive(Debug)]
pub struct Share(#[expect(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let units = usize::try_from(bytes).unwrap_or(usize::MAX) / UNIT;
        Self(Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))))
    }

    /// A share for a request with these headers: what it announces, or the most it can be if it announces nothing
    /// or will be inflated.
    ///
    /// # Errors
    /// When there is not so much left.
    pub fn share(&self, headers: &HeaderMap) -> Result<Share, IngestError> {
        let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
        let bytes = match announced {
            Some(length) if !headers.contains_key(CONTENT_ENCODING) => length.min(MAX_REQUEST_BYTES),
            _ => MAX_REQUEST_BYTES,
        };
        self.of(bytes)
    }

    /// A share for a body that turned out to be compressed.
    ///
    /// # Errors
    /// When there is not so much left.
    pub fn for_inflating(&self) -> Result<Share, IngestError> {
        self.of(MAX_REQUEST_BYTES)
    }

    fn of(&self, bytes: usize) -> Result<Share, IngestError> {
        let units = u32::try_from(bytes / UNIT + 1).map_err(|_too_large| IngestError::Busy)?;
        Arc::clone(&self.0).try_acquire_many_owned(units).map(Share).map_err(|_none_left| IngestError::Busy)
    }
}
