//! The number of revocations on a real Redis.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millrace_cache::revocations::RevocationCount;
use millrace_testkit::proxy::ChaosProxy;
use millrace_testkit::redis::TestRedis;
use millrace_testkit::wait;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn whoever_watches_notices_each_and_what_happened_while_redis_was_out_of_reach() {
    let redis = TestRedis::isolated().await;
    let wire = ChaosProxy::before(redis.url()).await;
    let auth = RevocationCount::new(redis.url()).unwrap();
    let service = RevocationCount::new(&wire.url(redis.url())).unwrap();
    let noticed = Arc::new(AtomicU64::new(0));
    let shutdown = CancellationToken::new();
    let watching = {
        let (noticed, shutdown) = (Arc::clone(&noticed), shutdown.clone());
        tokio::spawn(service.watch(shutdown, move || {
            noticed.fetch_add(1, Ordering::SeqCst);
        }))
    };
    let times = async |number| {
        wait::until("it is noticed", async || noticed.load(Ordering::SeqCst) == number).await;
    };
    times(1).await; // whatever it was before
    auth.grow().await.unwrap();
    times(2).await;

    wire.cut();
    auth.grow().await.unwrap();
    wire.mend();
    times(3).await;

    shutdown.cancel();
    watching.await.unwrap().unwrap();
}
