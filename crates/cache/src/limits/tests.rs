//! The law in Lua and the law in Rust, side by side, with a clock that the test turns.

use deadpool_redis::redis::{Script, cmd};
use millrace_domain::ids::ProjectId;
use millrace_domain::rate::Period;
use millrace_testkit::{servers, wait};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;

const EXPIRY: &str = "'PX', math.ceil(level / rate * 1000) + 1";

/// The time is the last argument; but Redis lets keys expire by a clock that nobody turns.
fn turned() -> Script {
    let law = include_str!("take.lua");
    assert_eq!(law.matches(EXPIRY).count(), 1);
    Script::new(&format!("local now = tonumber(ARGV[#ARGV])\n{}", law.replace(EXPIRY, "'EX', 60")))
}

type Story = (Vec<(u32, u32)>, Vec<(u64, u32)>);

fn stories() -> impl Strategy<Value = Story> {
    let numbers = || prop_oneof![1..10_u32, 1..1_000_u32, 1..1_000_000_u32];
    let rates = prop::collection::vec((numbers(), numbers()), 1..3);
    let steps = prop::collection::vec((prop_oneof![Just(0), 0..2_000_000_u64], 1..3_000_u32), 1..40);
    (rates, steps)
}

#[tokio::test]
async fn redis_and_this_process_count_alike() {
    let link = Link::new(&servers::redis_url(), PATIENCE).unwrap();
    let script = turned();
    let mut runner = TestRunner::default();
    for _ in 0..100 {
        let (rates, steps) = stories().new_tree(&mut runner).unwrap().current();
        let project = ProjectId::new();
        let allowances: Vec<_> = rates
            .iter()
            .enumerate()
            .map(|(i, (per_second, burst))| {
                let rate = Rate::new(*per_second, Period::Minute, *burst).unwrap();
                Allowance::of_project(&format!("test{i}"), project, rate)
            })
            .collect();
        let mut own: Vec<_> = allowances.iter().map(|a| (bucket::Bucket::default(), a.rate)).collect();
        // As far from its beginning as the clock of Redis is.
        let mut now = 1_780_000_000_000_000;
        for (pause, cost) in &steps {
            now += pause;
            let mut call = script.prepare_invoke();
            call.arg(*cost);
            for Allowance { key, rate } in &allowances {
                call.key(key).arg(rate.per_second()).arg(rate.burst());
            }
            call.arg(now);
            let answer: Vec<u64> =
                link.with(async |connection| call.invoke_async(connection).await).await.unwrap();
            let (refused, standings) = bucket::take(&mut own, *cost, now);
            assert_eq!(read(&answer), Some(Outcome { refused, standings }), "{rates:?} {steps:?}");
        }
    }
}

#[tokio::test]
async fn a_bucket_that_is_empty_again_leaves_nothing_behind() {
    let limits = Limits::new(Some(&servers::redis_url())).unwrap();
    let bucket = Allowance::of_project("test", ProjectId::new(), Rate::new(20, Period::Second, 1).unwrap());
    let link = limits.link.clone().unwrap();
    let exists = async || {
        let mut exists = cmd("EXISTS");
        exists.arg(&bucket.key);
        link.with(async |connection| exists.query_async::<u32>(connection).await).await.unwrap() == 1
    };
    assert_eq!(limits.take(std::slice::from_ref(&bucket), 1).await.refused, None);
    assert!(exists().await);
    wait::until("its key expires", async || !exists().await).await;
}
