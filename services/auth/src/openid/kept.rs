//! What a provider publishes, fetched when it is needed and kept for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::openid::error::ProviderError;

/// After a failure the provider is left alone for this long, so that requests do not queue up for its silence.
const PAUSE: Duration = Duration::from_secs(1);
/// How often something newer than what is kept is asked for.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// A document and its age. Of many who need it at once one fetches it.
#[derive(Debug)]
pub struct Kept<T> {
    lifetime: Duration,
    slot: Mutex<Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    document: Option<(Arc<T>, Instant)>,
    failed: Option<(ProviderError, Instant)>,
    renewed: Option<Instant>,
}

impl<T> Kept<T> {
    /// Keeps a document for `lifetime`.
    #[must_use]
    pub fn new(lifetime: Duration) -> Self {
        Self { lifetime, slot: Mutex::new(Slot { document: None, failed: None, renewed: None }) }
    }

    /// The document.
    ///
    /// # Errors
    /// Those of `fetch`, and of one a moment ago.
    pub async fn get(
        &self,
        fetch: impl AsyncFnOnce() -> Result<T, ProviderError>,
    ) -> Result<Arc<T>, ProviderError> {
        let mut slot = self.slot.lock().await;
        match &slot.document {
            Some((document, fetched)) if fetched.elapsed() < self.lifetime => Ok(Arc::clone(document)),
            _ => slot.fetch(fetch).await,
        }
    }

    /// A document that is not `old`, whatever its age; `None` when there was such a wish a moment ago, and this is what
    /// it brought.
    ///
    /// # Errors
    /// Those of [`Kept::get`].
    pub async fn other_than(
        &self,
        old: &Arc<T>,
        fetch: impl AsyncFnOnce() -> Result<T, ProviderError>,
    ) -> Result<Option<Arc<T>>, ProviderError> {
        let mut slot = self.slot.lock().await;
        match &slot.document {
            Some((document, _)) if !Arc::ptr_eq(document, old) => return Ok(Some(Arc::clone(document))),
            _ if slot.renewed.is_some_and(|renewed| renewed.elapsed() < RENEWAL_PAUSE) => return Ok(None),
            _ => {}
        }
        slot.renewed = Some(Instant::now());
        slot.fetch(fetch).await.map(Some)
    }
}

impl<T> Slot<T> {
    async fn fetch(
        &mut self,
        fetch: impl AsyncFnOnce() -> Result<T, ProviderError>,
    ) -> Result<Arc<T>, ProviderError> {
        if let Some((error, at)) = &self.failed
            && at.elapsed() < PAUSE
        {
            return Err(error.clone());
        }
        match fetch().await {
            Ok(document) => {
                let document = Arc::new(document);
                self.document = Some((Arc::clone(&document), Instant::now()));
                self.failed = None;
                Ok(document)
            }
            Err(error) => {
                self.failed = Some((error.clone(), Instant::now()));
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn away() -> ProviderError {
        ProviderError::Away("gone".to_owned())
    }

    #[tokio::test]
    async fn it_is_fetched_once_in_its_lifetime() {
        let fetched = Cell::new(0);
        let fetch = async || {
            fetched.set(fetched.get() + 1);
            Ok(fetched.get())
        };
        let kept = Kept::new(LONG);
        let answers = tokio::join!(kept.get(fetch), kept.get(fetch));
        assert_eq!((*answers.0.unwrap(), *answers.1.unwrap()), (1, 1));
        let short = Kept::new(Duration::ZERO);
        assert_eq!((*short.get(fetch).await.unwrap(), *short.get(fetch).await.unwrap()), (2, 3));
    }

    #[tokio::test]
    async fn whoever_wishes_for_a_newer_one_does_not_make_us_ask_again_and_again() {
        let kept = Kept::new(LONG);
        let first = kept.get(async || Ok(1)).await.unwrap();
        let second = kept.other_than(&first, async || Ok(2)).await.unwrap().unwrap();
        assert_eq!(*second, 2);
        let also_second = kept.other_than(&first, async || Err(away())).await.unwrap().unwrap();
        assert_eq!(*also_second, 2, "somebody else has fetched it");
        assert!(kept.other_than(&second, async || Err(away())).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_provider_that_fails_is_left_alone_for_a_moment() {
        let kept = Kept::new(LONG);
        assert!(kept.get(async || Err::<i32, _>(away())).await.is_err());
        assert!(kept.get(async || Ok(1)).await.is_err(), "it is not asked");
    }
}
