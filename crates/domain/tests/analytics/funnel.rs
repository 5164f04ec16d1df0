//! Any funnel over any events equals a walk through each user's events, attempt by attempt.

use chrono::TimeDelta;
use millrace_domain::analytics::filter::Selection;
use millrace_domain::analytics::funnel::{FunnelFold, FunnelQuery, Moment, Order};
use millrace_domain::analytics::posting::{Posting, user_by_user};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
struct Event {
    user: u32,
    /// Seconds.
    at: i64,
    marks: u32,
}

const SECOND: i64 = 1_000_000;

fn any_events() -> impl Strategy<Value = Vec<Event>> {
    // Of no step, of one, of two, or excluded; several at one time.
    let marks = prop::sample::select(vec![0, 1, 1, 2, 2, 4, 3, 5, 6, Moment::EXCLUSION]);
    let event = (0u32..4, 0i64..40, marks).prop_map(|(user, at, marks)| Event { user, at, marks });
    prop::collection::vec(event, 0..60)
}

fn query(order: Order, window: i64) -> FunnelQuery {
    FunnelQuery {
        steps: vec![Selection::default(); 3],
        order,
        window: TimeDelta::seconds(window),
        exclusions: Vec::new(),
        breakdown: None,
    }
}

/// The times of the best attempt of each user.
fn walk(events: &[Event], order: Order, window: i64, end: i64) -> Vec<Vec<i64>> {
    let mut best_of_users = Vec::new();
    for user in 0..4 {
        let mut events: Vec<&Event> = events.iter().filter(|event| event.user == user).collect();
        events.sort_by_key(|event| {
            let first_step = (0..3).find(|step| event.marks >> step & 1 == 1).unwrap_or(9);
            (event.at, first_step, event.marks)
        });
        let mut best: Vec<i64> = Vec::new();
        for (place, first) in events.iter().enumerate() {
            let steps = first.marks & 7;
            let begins = if order == Order::Loose { steps != 0 } else { steps & 1 == 1 };
            if !begins || first.at >= end {
                continue;
            }
            let mut done = steps;
            let mut times = match order {
                Order::Loose => vec![first.at; steps.count_ones() as usize],
                _ => vec![first.at],
            };
            for event in &events[place + 1..] {
                if event.at - first.at > window || event.marks == Moment::EXCLUSION || times.len() == 3 {
                    break;
                }
                let awaited = event.marks >> times.len() & 1 == 1;
                match order {
                    Order::Loose => {
                        let new = event.marks & 7 & !done;
                        done |= new;
                        times.extend(vec![event.at; new.count_ones() as usize]);
                    }
                    _ if awaited => times.push(event.at),
                    Order::Strict => break,
                    Order::Ordered => {}
                }
            }
            if times.len() > best.len() {
                best = times;
            }
        }
        if !best.is_empty() {
            best_of_users.push(best);
        }
    }
    best_of_users
}

fn median(mut seconds: Vec<i64>) -> Option<f64> {
    seconds.sort_unstable();
    let middle = seconds.len() / 2;
    match seconds.len() {
        0 => None,
        n if n % 2 == 1 => Some(seconds[middle] as f64),
        _ => Some(f64::midpoint(seconds[middle - 1] as f64, seconds[middle] as f64)),
    }
}

proptest! {
    #[test]
    fn a_fold_is_a_walk(
        events in any_events(),
        order in prop::sample::select(vec![Order::Ordered, Order::Strict, Order::Loose]),
        window in 1i64..30,
        end in 1i64..40,
    ) {
        let query = query(order, window);
        let attempts = walk(&events, order, window, end);
        // In whatever order the events of a user come, and however they are stored.
        let mut fold = FunnelFold::new(&query, end * SECOND);
        let postings: Vec<(u32, Posting)> = events
            .iter()
            .map(|event| (event.marks, Posting::new(vec![event.user], vec![event.at * SECOND])))
            .collect();
        let parts: Vec<(u32, &Posting)> = postings.iter().map(|(marks, posting)| (*marks, posting)).collect();
        user_by_user(&parts, 0, i64::MAX, |user, moment| fold.push(user, moment, None));
        let funnel = fold.finish();

        prop_assert!(funnel.groups.is_empty());
        prop_assert_eq!(funnel.all.len(), 3);
        for (step, level) in funnel.all.iter().enumerate() {
            let reached: Vec<&Vec<i64>> = attempts.iter().filter(|times| times.len() > step).collect();
            prop_assert_eq!(level.users, reached.len() as u64);
            let since = |earlier: usize| median(reached.iter().map(|times| times[step] - times[earlier]).collect());
            let (previous, start) = if step == 0 { (None, None) } else { (since(step - 1), since(0)) };
            prop_assert_eq!(level.median_seconds, previous);
            prop_assert_eq!(level.median_seconds_from_start, start);
        }
    }
}
