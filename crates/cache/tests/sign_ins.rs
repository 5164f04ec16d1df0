//! Sign-ins on their way, in a real Redis.

use deadpool_redis::redis::{self, AsyncCommands};
use millrace_cache::sign_ins::{LIFETIME, SignIns};
use millrace_testkit::proxy::ChaosProxy;
use millrace_testkit::redis::TestRedis;
use tokio::join;

#[tokio::test]
async fn a_sign_in_is_taken_once_by_whoever_can_name_it() {
    let redis = TestRedis::isolated().await;
    let (one, other) = (SignIns::new(redis.url()).unwrap(), SignIns::new(redis.url()).unwrap());
    one.begin(&[1; 32], "settled").await.unwrap();
    assert_eq!(other.take(&[2; 32]).await.unwrap(), None);
    let (first, second) = join!(one.take(&[1; 32]), other.take(&[1; 32]));
    let taken: Vec<String> = [first.unwrap(), second.unwrap()].into_iter().flatten().collect();
    assert_eq!(taken, ["settled"]);
}

#[tokio::test]
async fn a_sign_in_does_not_wait_for_ever() {
    let redis = TestRedis::isolated().await;
    SignIns::new(redis.url()).unwrap().begin(&[1; 32], "settled").await.unwrap();
    let mut direct =
        redis::Client::open(redis.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let names: Vec<String> = direct.keys("*").await.unwrap();
    let left: u64 = direct.ttl(names.first().unwrap()).await.unwrap();
    assert!((1..=LIFETIME.as_secs()).contains(&left), "{left}");
}

#[tokio::test]
async fn with_redis_away_it_says_so() {
    let redis = TestRedis::isolated().await;
    let wire = ChaosProxy::before(redis.url()).await;
    let sign_ins = SignIns::new(&wire.url(redis.url())).unwrap();
    sign_ins.begin(&[1; 32], "settled").await.unwrap();
    wire.cut();
    assert!(sign_ins.begin(&[2; 32], "settled").await.is_err());
    assert!(sign_ins.take(&[1; 32]).await.is_err());
}
