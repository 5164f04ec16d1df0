//! Retention from its definition, user by user and cell by cell, without a set of users in sight.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::range::DateRange;
use millrace_domain::analytics::retention::{
    CohortKind, Lookahead, Mode, Needs, Retention, RetentionPlan, RetentionQuery,
};
use proptest::prelude::*;

use crate::history::{History, any_history};

#[derive(Clone, Debug)]
struct Question {
    interval: Interval,
    brackets: Option<Vec<(i32, i32)>>,
    periods: i32,
    mode: Mode,
    cohort: CohortKind,
    start: Option<char>,
    back: Option<char>,
    from: u64,
    days: u64,
    today: u64,
}

impl Question {
    fn brackets(&self) -> Vec<(i32, i32)> {
        self.brackets.clone().unwrap_or_else(|| (1..=self.periods).map(|period| (period, period)).collect())
    }

    fn query(&self) -> RetentionQuery {
        let lookahead = match &self.brackets {
            None => Lookahead::periods(self.periods.unsigned_abs()),
            Some(brackets) => {
                let texts: Vec<String> =
                    brackets.iter().map(|(first, last)| format!("{first}-{last}")).collect();
                Lookahead::brackets(&texts.join(","))
            }
        };
        RetentionQuery {
            interval: self.interval,
            lookahead: lookahead.expect("generated within the limits"),
            mode: self.mode,
            cohort: self.cohort,
            ..RetentionQuery::default()
        }
    }
}

/// The number of the interval that holds a date, counted from somewhere.
fn number(interval: Interval, date: NaiveDate) -> i32 {
    match interval {
        Interval::Day => date.num_days_from_ce(),
        // Day 1 of the common era was a Monday.
        Interval::Week => (date.num_days_from_ce() - 1).div_euclid(7),
        Interval::Month => date.year() * 12 + date.month0().cast_signed(),
    }
}

/// (cohort number, size, [(users, complete)]) from the events themselves.
type Row = (i32, u64, Vec<(u64, bool)>);

fn by_definition(
    history: &History,
    question: &Question,
    from: NaiveDate,
    to: NaiveDate,
    today: NaiveDate,
) -> Vec<Row> {
    let interval_of = |date| number(question.interval, date);
    let happened = |kind| history.matching(kind).filter(move |event| history.wall_date(event) <= today);
    let starts = |user: u32| -> Vec<i32> {
        let mut events: Vec<_> = happened(question.start).filter(|event| event.user == user).collect();
        events.sort_by_key(|event| event.at);
        if question.cohort == CohortKind::FirstTime {
            events.truncate(1);
        }
        events.iter().map(|event| interval_of(history.wall_date(event))).collect()
    };
    let came_back = |user: u32, wanted: &dyn Fn(i32) -> bool| {
        happened(question.back)
            .any(|event| event.user == user && wanted(interval_of(history.wall_date(event))))
    };
    let ended = |interval| interval < interval_of(today);

    (interval_of(from)..=interval_of(to))
        .map(|cohort| {
            let members: Vec<u32> = (0..12).filter(|user| starts(*user).contains(&cohort)).collect();
            let size = members.len() as u64;
            let mut cells = vec![(size, ended(cohort))];
            for (first, last) in question.brackets() {
                let wanted = |interval: i32| match question.mode {
                    Mode::On => (cohort + first..=cohort + last).contains(&interval),
                    Mode::OnOrAfter => interval >= cohort + first,
                };
                let users = members.iter().filter(|user| came_back(**user, &wanted)).count() as u64;
                cells.push((users, ended(cohort + last)));
            }
            (cohort, size, cells)
        })
        .collect()
}

fn rows(interval: Interval, answer: &Retention) -> Vec<Row> {
    answer
        .data
        .iter()
        .map(|row| {
            let cells = row.values.iter().map(|cell| (cell.users, cell.complete)).collect();
            (number(interval, row.cohort), row.size, cells)
        })
        .collect()
}

fn any_question() -> impl Strategy<Value = Question> {
    let kind = prop::option::of(prop::sample::select(vec!['a', 'b']));
    let brackets = prop::collection::btree_set(1..15i32, 1..4).prop_map(|ends| {
        let mut first = 1;
        let mut brackets = Vec::new();
        for last in ends {
            brackets.push((first, last));
            // Leaves a period out now and then.
            first = last + 1 + last % 2;
        }
        brackets.retain(|(first, last)| first <= last);
        brackets
    });
    (
        (
            prop::sample::select(vec![Interval::Day, Interval::Week, Interval::Month]),
            prop::option::of(brackets),
            1..12i32,
            prop::sample::select(vec![Mode::On, Mode::OnOrAfter]),
            prop::sample::select(vec![CohortKind::FirstTime, CohortKind::Recurring]),
        ),
        (kind.clone(), kind),
        // Ranges and todays before, within and after the history of 120 days.
        (0..130u64, 0..40u64, 0..140u64),
    )
        .prop_map(|((interval, brackets, periods, mode, cohort), (start, back), (from, days, today))| {
            Question { interval, brackets, periods, mode, cohort, start, back, from, days, today }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_algebra_agrees_with_the_definition(history in any_history(), question in any_question()) {
        let from = history.origin + Days::new(question.from) - Days::new(5);
        let to = from + Days::new(question.days);
        let today = history.origin + Days::new(question.today);
        let plan = RetentionPlan::new(question.query(), DateRange::between(from, to), today).unwrap();

        // Only what the plan asks for is loaded: all that came before it as one set on one old day, and what comes after it
        // as one set on one late day.
        let needs = plan.needs();
        let loaded_returns = |needs: &Needs| {
            let mut returns = history.activity(question.back, needs.returns);
            if let Some(days) = needs.later {
                returns.extend([(days.to(), history.activity(question.back, Some(days)).union_over(days).into_owned())]);
            }
            returns
        };
        let returns = loaded_returns(&needs);
        let mut start = history.activity(question.start, needs.start);
        if let Some(before) = needs.start_before {
            let long_ago = DateRange::new(NaiveDate::MIN, before.pred_opt().unwrap());
            let earlier: Activity = history.activity(question.start, long_ago);
            start.extend([(history.origin - Days::new(1000), earlier.union_before(before))]);
        }
        let answer = plan.answer(&start, &returns);

        prop_assert_eq!(rows(question.interval, &answer), by_definition(&history, &question, from, to, today));

        // A few cohorts at a time, the answer is the same.
        let all = DateRange::new(NaiveDate::MIN, NaiveDate::MAX);
        let start_of_all = history.activity(question.start, all);
        let parts = plan.parts(question.periods.unsigned_abs().max(1) as usize);
        let cohorts = parts.flat_map(|part| part.answer(&start_of_all, &loaded_returns(&part.needs())).data);
        prop_assert_eq!(&Retention::new(cohorts.collect()), &answer);

        // With everything loaded, the future included, the answer is the same.
        prop_assert_eq!(
            plan.answer(&history.activity(question.start, all), &history.activity(question.back, all)), answer
        );
    }

    #[test]
    fn the_average_pools_the_complete_cells(history in any_history(), question in any_question()) {
        let from = history.origin + Days::new(question.from);
        let range = DateRange::between(from, from + Days::new(question.days));
        let plan = RetentionPlan::new(question.query(), range, history.origin + Days::new(question.today)).unwrap();
        let all = DateRange::new(NaiveDate::MIN, NaiveDate::MAX);
        let answer = plan.answer(&history.activity(question.start, all), &history.activity(question.back, all));

        let mut pools: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        for (size, cell) in answer.data.iter().flat_map(|row| row.values.iter().map(|cell| (row.size, cell))) {
            let pool = pools.entry(cell.period).or_default();
            if cell.complete {
                pool.0 += cell.users;
                pool.1 += size;
            }
            prop_assert!((0.0..=1.0).contains(&cell.rate));
            prop_assert!((cell.rate * size as f64 - cell.users as f64).abs() < 1e-9);
        }
        prop_assert_eq!(pools.len(), question.brackets().len() + 1);
        for average in &answer.average {
            prop_assert_eq!((average.users, average.size), pools[&average.period]);
            match average.rate {
                Some(rate) => prop_assert!((rate * average.size as f64 - average.users as f64).abs() < 1e-9),
                None => prop_assert_eq!(average.size, 0),
            }
        }
    }
}
