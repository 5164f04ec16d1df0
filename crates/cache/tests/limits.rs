//! Rate limits, counted in a real Redis and, with Redis away, in memory: the same stories for both.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on panics")]

use std::time::Duration;

use millrace_cache::limits::{Allowance, Limits};
use millrace_domain::ids::ProjectId;
use millrace_domain::rate::{Period, Rate};
use millrace_testkit::proxy::ChaosProxy;
use millrace_testkit::{servers, wait};

/// Slow enough that nothing leaks while a test takes what there is.
fn slow(burst: u32) -> Rate {
    Rate::new(1, Period::Minute, burst).unwrap()
}

fn in_redis() -> Limits {
    Limits::new(Some(&servers::redis_url())).unwrap()
}

fn on_its_own() -> Limits {
    Limits::new(None).unwrap()
}

async fn taken(limits: &Limits, allowance: &Allowance, times: u32) -> u32 {
    let mut taken = 0;
    for _ in 0..times {
        taken += u32::from(limits.take(std::slice::from_ref(allowance), 1).await.refused.is_none());
    }
    taken
}

#[tokio::test]
async fn a_bucket_gives_its_burst_and_says_how_long_to_wait() {
    for limits in [in_redis(), on_its_own()] {
        let bucket = Allowance::of_project("test", ProjectId::new(), slow(5));
        let first = limits.take(std::slice::from_ref(&bucket), 1).await;
        assert_eq!((first.refused, first.standings[0].remaining), (None, 4));
        assert_eq!(taken(&limits, &bucket, 9).await, 4);
        let refused = limits.take(std::slice::from_ref(&bucket), 1).await;
        assert_eq!((refused.refused, refused.standings[0].remaining), (Some(0), 0));
        let wait = refused.standings[0].wait;
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(60), "{wait:?}");
    }
}

#[tokio::test]
async fn it_fills_again() {
    for limits in [in_redis(), on_its_own()] {
        let bucket =
            Allowance::of_project("test", ProjectId::new(), Rate::new(20, Period::Second, 1).unwrap());
        assert_eq!(taken(&limits, &bucket, 1).await, 1);
        wait::until("another unit", async || taken(&limits, &bucket, 1).await == 1).await;
    }
}

#[tokio::test]
async fn two_that_count_in_redis_share_their_buckets() {
    let (one, other) = (in_redis(), in_redis());
    let bucket = Allowance::of_project("test", ProjectId::new(), slow(10));
    let storm = (0..100).map(|i| {
        let (limits, bucket) = (if i % 2 == 0 { &one } else { &other }.clone(), bucket.clone());
        tokio::spawn(async move { taken(&limits, &bucket, 1).await })
    });
    let mut sum = 0;
    for taking in storm.collect::<Vec<_>>() {
        sum += taking.await.unwrap();
    }
    assert_eq!(sum, 10);
}

#[tokio::test]
async fn a_narrow_bucket_keeps_the_wide_one_full() {
    for limits in [in_redis(), on_its_own()] {
        let project = ProjectId::new();
        let wide = Allowance::of_project("wide", project, slow(100));
        let narrow = Allowance::of_project("narrow", project, slow(1));
        let both = [wide.clone(), narrow];
        assert_eq!(limits.take(&both, 1).await.refused, None);
        for _ in 0..9 {
            assert_eq!(limits.take(&both, 1).await.refused, Some(1));
        }
        assert_eq!(limits.take(&[wide], 1).await.standings[0].remaining, 98);
    }
}

#[tokio::test]
async fn with_redis_away_the_process_counts_and_with_redis_back_they_share_again() {
    let wire = ChaosProxy::before(&servers::redis_url()).await;
    let limits = Limits::new(Some(&wire.url(&servers::redis_url()))).unwrap();
    let bucket = Allowance::of_project("test", ProjectId::new(), slow(3));
    assert_eq!(taken(&limits, &bucket, 2).await, 2);
    wire.cut();
    assert_eq!(taken(&limits, &bucket, 9).await, 3, "a bucket of its own, and no more than that");
    wire.mend();
    wait::until("Redis is asked again", async || limits.ping().await.is_ok()).await;
    assert!(taken(&limits, &bucket, 9).await <= 3);
    assert_eq!(taken(&in_redis(), &bucket, 1).await, 0, "what was taken there counts here");
}
