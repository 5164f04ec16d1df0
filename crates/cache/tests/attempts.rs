//! Failed attempts, counted in a real Redis and, with Redis away, in memory: the same stories for both.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use millrace_cache::attempts::{Attempt, Attempts, Law};
use millrace_domain::ids::AccountId;
use millrace_testkit::proxy::ChaosProxy;
use millrace_testkit::{servers, wait};

const LAW: Law = Law::LOGIN;
/// The same law in a hurry.
const QUICK: Law = Law {
    window: Duration::from_millis(200),
    first_lock: Duration::from_millis(100),
    longest_lock: Duration::from_millis(400),
    ..LAW
};

async fn both(law: Law) -> [Attempts; 2] {
    let wire = ChaosProxy::before(&servers::redis_url()).await;
    wire.cut();
    let nowhere = wire.url(&servers::redis_url());
    [Attempts::new(&servers::redis_url(), law).unwrap(), Attempts::new(&nowhere, law).unwrap()]
}

/// Somebody whom no other test knows.
fn someone() -> String {
    format!("{}@example.com", AccountId::new())
}

/// An address that no other test has.
fn somewhere() -> IpAddr {
    Ipv6Addr::from(AccountId::new().0.as_u128().swap_bytes()).into()
}

async fn wait_of(attempts: &Attempts, account: &str, address: IpAddr) -> Option<Duration> {
    attempts.begin(account, address).await.err().map(|locked| locked.wait)
}

async fn fail(attempts: &Attempts, times: usize, account: &str, address: IpAddr) {
    for _ in 0..times {
        let _failed: Attempt = attempts.begin(account, address).await.unwrap();
    }
}

#[tokio::test]
async fn five_failures_lock_an_account_wherever_they_come_from() {
    for attempts in both(LAW).await {
        let ada = someone();
        for _ in 0..5 {
            fail(&attempts, 1, &ada, somewhere()).await;
        }
        let wait = wait_of(&attempts, &ada, somewhere()).await.unwrap();
        assert!(wait > Duration::from_secs(50) && wait <= LAW.first_lock, "{wait:?}");
        assert_eq!(wait_of(&attempts, &someone(), somewhere()).await, None);
    }
}

#[tokio::test]
async fn five_failures_lock_an_address_whomever_they_are_after() {
    for attempts in both(LAW).await {
        let there = somewhere();
        for _ in 0..5 {
            fail(&attempts, 1, &someone(), there).await;
        }
        assert!(wait_of(&attempts, &someone(), there).await.is_some());
    }
}

#[tokio::test]
async fn a_refused_attempt_is_not_counted() {
    for attempts in both(LAW).await {
        let (ada, there) = (someone(), somewhere());
        fail(&attempts, 5, &someone(), there).await;
        for _ in 0..9 {
            assert!(wait_of(&attempts, &ada, there).await.is_some());
        }
        fail(&attempts, 5, &ada, somewhere()).await;
    }
}

#[tokio::test]
async fn success_forgives_the_account_and_uncounts_for_the_address() {
    for attempts in both(LAW).await {
        let (ada, there) = (someone(), somewhere());
        for _ in 0..3 {
            fail(&attempts, 1, &ada, somewhere()).await;
        }
        fail(&attempts, 1, &ada, there).await;
        let fifth = attempts.begin(&ada, there).await.unwrap();
        attempts.succeeded(fifth).await;
        for _ in 0..4 {
            fail(&attempts, 1, &ada, somewhere()).await;
        }
        fail(&attempts, 4, &someone(), there).await;
        assert!(wait_of(&attempts, &someone(), there).await.is_some(), "one failure before and four after");
    }
}

#[tokio::test]
async fn what_comes_to_nothing_is_not_counted() {
    for attempts in both(LAW).await {
        let (ada, there) = (someone(), somewhere());
        fail(&attempts, 4, &ada, there).await;
        for _ in 0..9 {
            let attempt = attempts.begin(&ada, there).await.unwrap();
            attempts.abandoned(attempt).await;
        }
        fail(&attempts, 1, &ada, there).await;
        assert!(wait_of(&attempts, &ada, there).await.is_some());
    }
}

#[tokio::test]
async fn a_hundred_at_once_are_five() {
    for attempts in both(LAW).await {
        let ada = someone();
        // No more: what Redis does not answer in time is counted here, and five more are let through.
        let storm = (0..100).map(|_| {
            let (attempts, ada) = (attempts.clone(), ada.clone());
            tokio::spawn(async move { attempts.begin(&ada, somewhere()).await.is_ok() })
        });
        let mut made = 0;
        for attempt in storm.collect::<Vec<_>>() {
            made += u32::from(attempt.await.unwrap());
        }
        assert_eq!(made, LAW.limit);
    }
}

#[tokio::test]
async fn locks_end_and_grow_to_a_limit() {
    for attempts in both(QUICK).await {
        let ada = someone();
        for lock in [100, 200, 400, 400] {
            for _ in 0..5 {
                fail(&attempts, 1, &ada, somewhere()).await;
            }
            let wait = wait_of(&attempts, &ada, somewhere()).await.unwrap();
            let lock = Duration::from_millis(lock);
            assert!(wait <= lock && wait > lock / 4, "{wait:?} of {lock:?}");
            wait::until("the lock ends", async || {
                let attempt = attempts.begin(&ada, somewhere()).await;
                let ended = attempt.is_ok();
                if let Ok(attempt) = attempt {
                    attempts.abandoned(attempt).await;
                }
                ended
            })
            .await;
        }
    }
}

#[tokio::test]
async fn failures_of_another_minute_do_not_add_up() {
    for attempts in both(Law { window: Duration::from_millis(20), ..QUICK }).await {
        let ada = someone();
        for _ in 0..8 {
            fail(&attempts, 1, &ada, somewhere()).await;
            // Nothing but time has to pass, and nothing tells that it has.
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!(wait_of(&attempts, &ada, somewhere()).await, None);
    }
}

#[tokio::test]
async fn what_is_counted_by_the_hour_ends_at_its_limit() {
    for attempts in both(Law::hourly("test", 3)).await {
        let (ada, there) = (someone(), somewhere());
        for _ in 0..3 {
            attempts.count_account(&ada).await.unwrap();
            attempts.count_address(there).await.unwrap();
        }
        let waits = [attempts.count_account(&ada).await, attempts.count_address(there).await];
        for locked in waits.map(Result::unwrap_err) {
            let wait = locked.wait;
            assert!(wait > Duration::from_secs(3_500) && wait <= Duration::from_secs(3_600), "{wait:?}");
        }
        attempts.count_account(&someone()).await.unwrap();
        attempts.forgive(&ada).await;
        attempts.count_account(&ada).await.unwrap();
    }
}

#[tokio::test]
async fn laws_do_not_count_for_each_other() {
    let (ada, there) = (someone(), somewhere());
    let [one, other] =
        ["one", "other"].map(|name| Attempts::new(&servers::redis_url(), Law::hourly(name, 1)).unwrap());
    one.count_account(&ada).await.unwrap();
    other.count_account(&ada).await.unwrap();
    other.count_address(there).await.unwrap();
    assert!(one.count_account(&ada).await.is_err());
}

#[tokio::test]
async fn an_operator_unlocks_an_account() {
    let attempts = Attempts::new(&servers::redis_url(), LAW).unwrap();
    let ada = someone();
    for _ in 0..5 {
        fail(&attempts, 1, &ada, somewhere()).await;
    }
    assert!(wait_of(&attempts, &ada, somewhere()).await.is_some());
    attempts.unlock(&ada).await.unwrap();
    assert_eq!(wait_of(&attempts, &ada, somewhere()).await, None);
}

#[tokio::test]
async fn an_address_is_its_network() {
    let attempts = Attempts::new(&servers::redis_url(), LAW).unwrap();
    let IpAddr::V6(there) = somewhere() else { panic!("an address of IPv6") };
    for host in 0..5 {
        let neighbour = Ipv6Addr::from(u128::from(there) ^ host);
        fail(&attempts, 1, &someone(), neighbour.into()).await;
    }
    assert!(wait_of(&attempts, &someone(), there.into()).await.is_some());
    let four = Ipv4Addr::from(u32::from_be_bytes(there.octets()[..4].try_into().unwrap()));
    fail(&attempts, 5, &someone(), four.into()).await;
    assert!(wait_of(&attempts, &someone(), four.to_ipv6_mapped().into()).await.is_some());
}
