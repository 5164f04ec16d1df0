//! Retention by example: each shows one rule with numbers small enough to check by hand.

use chrono::NaiveDate;
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::range::DateRange;
use millrace_domain::analytics::retention::{Retention, RetentionParameters, RetentionPlan};
use serde_json::{Value, json};

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn activity(pairs: &[(&str, u32)]) -> Activity {
    pairs.iter().map(|(date, user)| (day(date), *user)).collect()
}

fn ask(query: Value, from: &str, to: &str, today: &str, start: &Activity, returns: &Activity) -> Retention {
    let parameters: RetentionParameters = serde_json::from_value(query).expect("parameters");
    let query = parameters.try_into().expect("a valid question");
    RetentionPlan::new(query, DateRange::between(day(from), day(to)), day(today))
        .expect("few cells")
        .answer(start, returns)
}

fn users(answer: &Retention) -> Vec<Vec<u64>> {
    answer.data.iter().map(|row| row.values.iter().map(|cell| cell.users).collect()).collect()
}

/// Users 1 and 2 start on 1 November, 3 on the 2nd; 1 comes back on the 2nd and the 4th, 2 on the 4th.
fn november() -> Activity {
    activity(&[
        ("2026-11-01", 1),
        ("2026-11-01", 2),
        ("2026-11-02", 1),
        ("2026-11-02", 3),
        ("2026-11-04", 1),
        ("2026-11-04", 2),
    ])
}

#[test]
fn the_answer_has_the_published_shape() {
    let all = november();
    let answer = ask(json!({"periods": 2}), "2026-11-01", "2026-11-02", "2026-11-04", &all, &all);
    assert_eq!(
        serde_json::to_value(&answer).unwrap(),
        json!({
            "data": [
                {"cohort": "2026-11-01", "size": 2, "values": [
                    {"period": 0, "users": 2, "rate": 1.0, "complete": true},
                    {"period": 1, "users": 1, "rate": 0.5, "complete": true},
                    {"period": 2, "users": 0, "rate": 0.0, "complete": true},
                ]},
                {"cohort": "2026-11-02", "size": 1, "values": [
                    {"period": 0, "users": 1, "rate": 1.0, "complete": true},
                    {"period": 1, "users": 0, "rate": 0.0, "complete": true},
                    {"period": 2, "users": 0, "rate": 0.0, "complete": false},
                ]},
            ],
            "average": [
                {"period": 0, "rate": 1.0, "users": 3, "size": 3},
                {"period": 1, "rate": 1.0 / 3.0, "users": 1, "size": 3},
                {"period": 2, "rate": 0.0, "users": 0, "size": 2},
            ],
        })
    );
}

#[test]
fn on_or_after_counts_every_later_return_up_to_today() {
    let all = november();
    let answer = ask(
        json!({"periods": 4, "mode": "on_or_after"}),
        "2026-11-01",
        "2026-11-01",
        "2026-11-04",
        &all,
        &all,
    );
    assert_eq!(users(&answer), [[2, 2, 2, 2, 0]]);
    let complete: Vec<bool> = answer.data[0].values.iter().map(|cell| cell.complete).collect();
    assert_eq!(complete, [true, true, true, false, false]);
}

#[test]
fn a_returning_user_is_new_only_once_but_recurs() {
    let all = november();
    let first_time = ask(json!({"periods": 2}), "2026-11-02", "2026-11-02", "2026-12-01", &all, &all);
    assert_eq!(users(&first_time), [[1, 0, 0]]);
    let recurring = ask(
        json!({"periods": 2, "cohort": "recurring"}),
        "2026-11-02",
        "2026-11-02",
        "2026-12-01",
        &all,
        &all,
    );
    assert_eq!(users(&recurring), [[2, 0, 1]]);
}

#[test]
fn brackets_are_labelled_and_complete_with_their_last_interval() {
    let all = november();
    let answer = ask(json!({"brackets": "1-3,4-7"}), "2026-11-01", "2026-11-01", "2026-11-05", &all, &all);
    assert_eq!(
        serde_json::to_value(&answer.data[0].values).unwrap(),
        json!([
            {"period": 0, "users": 2, "rate": 1.0, "complete": true},
            {"period": 1, "bracket": "1-3", "users": 2, "rate": 1.0, "complete": true},
            {"period": 2, "bracket": "4-7", "users": 0, "rate": 0.0, "complete": false},
        ])
    );
}

#[test]
fn period_0_is_the_cohort_even_when_the_return_event_differs() {
    let signups = activity(&[("2026-11-01", 1), ("2026-11-01", 2)]);
    let purchases = activity(&[("2026-11-01", 2), ("2026-11-02", 1)]);
    let answer = ask(json!({"periods": 1}), "2026-11-01", "2026-11-01", "2026-12-01", &signups, &purchases);
    assert_eq!(users(&answer), [[2, 1]]);
}

#[test]
fn cohorts_are_whole_weeks_even_where_the_range_cuts_them() {
    // 4 November 2026 is a Wednesday; user 1 started on the Monday before it, 2 on the Sunday after.
    let all = activity(&[("2026-11-02", 1), ("2026-11-08", 2), ("2026-11-09", 1)]);
    let answer =
        ask(json!({"interval": "week", "periods": 1}), "2026-11-04", "2026-11-04", "2026-12-01", &all, &all);
    assert_eq!(answer.data[0].cohort, day("2026-11-02"));
    assert_eq!(users(&answer), [[2, 1]]);
}

#[test]
fn tomorrow_s_events_wait_for_tomorrow() {
    let all = activity(&[("2026-11-04", 1), ("2026-11-05", 1), ("2026-11-05", 2)]);
    let answer = ask(json!({"periods": 1}), "2026-11-04", "2026-11-05", "2026-11-04", &all, &all);
    assert_eq!(users(&answer), [[1, 0], [0, 0]]);
}

#[test]
fn nobody_s_average_has_no_rate() {
    let nobody = Activity::default();
    let answer = ask(json!({"periods": 1}), "2026-11-01", "2026-11-01", "2026-12-01", &nobody, &nobody);
    assert_eq!(users(&answer), [[0, 0]]);
    assert_eq!(answer.average[1].rate, None);
}

#[test]
fn a_question_with_too_many_cells_is_refused() {
    let parameters: RetentionParameters = serde_json::from_value(json!({"periods": 366})).unwrap();
    let decade = DateRange::between(day("2016-01-01"), day("2025-12-31"));
    let error = RetentionPlan::new(parameters.try_into().unwrap(), decade, day("2026-01-01")).unwrap_err();
    assert_eq!((error.field(), error.code()), ("periods", "too_many_cells"));
}
