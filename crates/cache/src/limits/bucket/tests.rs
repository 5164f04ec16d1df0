use millrace_domain::rate::Period;
use proptest::prelude::*;

use super::*;

fn rates() -> impl Strategy<Value = Rate> {
    let numbers = || prop_oneof![1..10_u32, 1..1_000_u32, 1..1_000_000_u32];
    let periods = prop_oneof![Just(Period::Second), Just(Period::Minute), Just(Period::Hour)];
    (numbers(), periods, numbers())
        .prop_map(|(per_second, period, burst)| Rate::new(per_second, period, burst).unwrap())
}

/// Takes from one bucket: whether it was taken, and how the bucket stands.
fn take_one(bucket: &mut Bucket, rate: Rate, cost: u32, now: u64) -> (bool, Standing) {
    let mut buckets = [(*bucket, rate)];
    let (refused, standings) = take(&mut buckets, cost, now);
    *bucket = buckets[0].0;
    (refused.is_none(), standings[0])
}

fn micros_of(length: Duration) -> u64 {
    length.as_micros().try_into().unwrap()
}

#[test]
fn a_burst_passes_at_once_and_one_more_does_not() {
    let rate = Rate::new(60, Period::Second, 120).unwrap();
    let mut bucket = Bucket::default();
    for taken in 1..=120 {
        let (passed, standing) = take_one(&mut bucket, rate, 1, 1_000);
        assert!(passed && standing.remaining == 120 - taken && standing.wait.is_zero());
    }
    let (passed, standing) = take_one(&mut bucket, rate, 1, 1_000);
    assert!(!passed && standing.remaining == 0);
    assert_eq!(standing.wait, Duration::from_micros(16_667), "a sixtieth of a second");
    assert!(!take_one(&mut bucket, rate, 1, 1_000 + 16_664).0);
    assert!(take_one(&mut bucket, rate, 1, 1_000 + 16_667).0);
    assert!(!take_one(&mut bucket, rate, 1, 1_000 + 16_667).0);
}

#[test]
fn what_is_larger_than_the_burst_goes_alone_and_is_paid_for_afterwards() {
    let rate = Rate::new(100, Period::Second, 200).unwrap();
    let mut bucket = Bucket::default();
    assert!(take_one(&mut bucket, rate, 1_000, 0).0);
    let (passed, standing) = take_one(&mut bucket, rate, 1, 0);
    assert!(!passed);
    assert_eq!(standing.wait, Duration::from_micros(8_010_000));
    assert!(!take_one(&mut bucket, rate, 1_000, 9_000_000).0, "not before the bucket is empty");
    assert!(take_one(&mut bucket, rate, 1_000, 10_000_000).0);
}

#[test]
fn all_are_taken_from_or_none() {
    let (wide, narrow) =
        (Rate::new(1, Period::Second, 10).unwrap(), Rate::new(1, Period::Second, 1).unwrap());
    let mut buckets = [(Bucket::default(), wide), (Bucket::default(), narrow)];
    assert_eq!(take(&mut buckets, 1, 0).0, None);
    let (refused, standings) = take(&mut buckets, 1, 0);
    assert_eq!((refused, standings[0].remaining, standings[1].remaining), (Some(1), 9, 0));
    assert_eq!((standings[0].wait, standings[1].wait), (Duration::ZERO, Duration::from_secs(1)));
}

#[test]
fn a_clock_that_goes_back_gives_nothing_away() {
    let rate = Rate::new(1, Period::Second, 1).unwrap();
    let mut bucket = Bucket::default();
    assert!(take_one(&mut bucket, rate, 1, 5_000_000).0);
    assert!(!take_one(&mut bucket, rate, 1, 1_000_000).0);
    assert!(!take_one(&mut bucket, rate, 1, 2_000_000).0);
    assert!(take_one(&mut bucket, rate, 1, 6_000_000).0);
}

proptest! {
    #[test]
    fn no_stretch_of_time_brings_more_than_the_burst_and_the_rate(
        rate in rates(), steps in prop::collection::vec((0..2_000_000_u64, 1..50_u32), 1..60),
    ) {
        let mut bucket = Bucket::default();
        let (mut now, mut taken) = (0, Vec::new());
        for (pause, cost) in steps {
            now += pause;
            let cost = cost.min(rate.burst());
            if take_one(&mut bucket, rate, cost, now).0 {
                taken.push((now, cost));
            }
        }
        for (first, (from, _)) in taken.iter().enumerate() {
            let mut sum = 0.0;
            for (until, cost) in &taken[first..] {
                sum += f64::from(*cost);
                let may = f64::from(rate.burst()) + micros(until - from) * rate.per_second() / MICROS;
                prop_assert!(sum <= may + 1e-3, "{sum} of {may}");
            }
        }
    }

    #[test]
    fn what_a_bucket_says_is_so(
        rate in rates(), pauses in prop::collection::vec((0..2_000_000_u64, 1..2_000_u32), 1..20), cost in 1..2_000_u32,
    ) {
        let mut bucket = Bucket::default();
        let mut now = 0;
        for (pause, cost) in pauses {
            now += pause;
            let (passed, standing) = take_one(&mut bucket, rate, cost, now);
            let (remaining, more) = (standing.remaining, micros_of(standing.more));
            if remaining > 0 {
                prop_assert!(take_one(&mut bucket.clone(), rate, remaining, now).0);
            }
            if remaining < rate.burst() {
                prop_assert!(!take_one(&mut bucket.clone(), rate, remaining + 1, now).0);
                prop_assert!(take_one(&mut bucket.clone(), rate, remaining + 1, now + more).0);
            }
            prop_assert_eq!(passed, standing.wait.is_zero());
        }
        let (passed, standing) = take_one(&mut bucket.clone(), rate, cost, now);
        if !passed {
            let wait = micros_of(standing.wait);
            prop_assert!(take_one(&mut bucket.clone(), rate, cost, now + wait).0);
            let slack = 3 + micros_of(from_micros(2.0 * SLACK / rate.per_second() * MICROS));
            prop_assert!(!take_one(&mut bucket.clone(), rate, cost, now + wait.saturating_sub(slack)).0);
        }
    }
}
