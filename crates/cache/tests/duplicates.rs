//! The duplicate memory on a real Redis.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_cache::duplicates::{DuplicateMemory, Fingerprint};
use millrace_domain::ids::{EventId, ProjectId};
use millrace_testkit::proxy::ChaosProxy;
use millrace_testkit::{servers, wait};

const WINDOW: Duration = Duration::from_secs(600);

fn memory() -> DuplicateMemory {
    DuplicateMemory::new(&servers::redis_url(), WINDOW).unwrap()
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn events(count: usize) -> Vec<Fingerprint> {
    (0..count).map(|_| Fingerprint::of(EventId::new(), now())).collect()
}

#[tokio::test]
async fn what_was_accepted_is_recognised_and_nothing_else() {
    let (memory, shop) = (memory(), ProjectId::new());
    let (accepted, other) = (events(2_500), events(3));
    memory.remember(shop, &accepted, now()).await.unwrap();
    assert!(memory.seen(shop, &accepted, now()).await.unwrap().into_iter().all(|seen| seen));
    assert_eq!(memory.seen(shop, &other, now()).await.unwrap(), [false; 3]);
    assert_eq!(memory.seen(ProjectId::new(), &other, now()).await.unwrap(), [false; 3]);
}

#[tokio::test]
async fn the_same_id_at_another_time_is_another_event() {
    let (memory, shop, id) = (memory(), ProjectId::new(), EventId::new());
    memory.remember(shop, &[Fingerprint::of(id, now())], now()).await.unwrap();
    let later = Fingerprint::of(id, now() + TimeDelta::microseconds(1));
    assert_eq!(memory.seen(shop, &[later], now()).await.unwrap(), [false]);
}

#[tokio::test]
async fn a_memory_outlives_its_window_by_one_more() {
    let (memory, shop, accepted) = (memory(), ProjectId::new(), events(1));
    memory.remember(shop, &accepted, now()).await.unwrap();
    let seen_after = async |windows: i32| {
        let then = now() + TimeDelta::from_std(WINDOW).unwrap() * windows;
        memory.seen(shop, &accepted, then).await.unwrap()
    };
    assert_eq!(seen_after(1).await, [true]);
    assert_eq!(seen_after(2).await, [false]);
}

#[tokio::test]
async fn an_event_without_a_time_keeps_the_time_it_was_first_seen() {
    let (memory, shop, id) = (memory(), ProjectId::new(), EventId::new());
    let other = EventId::new();
    assert_eq!(memory.first_sight(shop, &[id], now()).await.unwrap(), [now()]);
    let later = now() + TimeDelta::seconds(90);
    assert_eq!(memory.first_sight(shop, &[other, id], later).await.unwrap(), [later, now()]);
}

#[tokio::test]
async fn away_it_says_so_at_once_and_comes_back_by_itself() {
    let wire = ChaosProxy::before(&servers::redis_url()).await;
    let memory = DuplicateMemory::new(&wire.url(&servers::redis_url()), WINDOW).unwrap();
    let (shop, accepted) = (ProjectId::new(), events(1));
    memory.remember(shop, &accepted, now()).await.unwrap();
    wire.cut();
    assert!(memory.seen(shop, &accepted, now()).await.is_err());
    assert!(memory.ping().await.is_err(), "it is left alone for a moment");
    wire.mend();
    wait::until("Redis is asked again", async || memory.ping().await.is_ok()).await;
    assert_eq!(memory.seen(shop, &accepted, now()).await.unwrap(), [true]);
}
