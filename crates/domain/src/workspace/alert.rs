//! Alerts: what they look out for, and when they fire and are over.
//!
//! An alert looks at an insight's number now and then. It fires when the number has been beyond its bound a few times in
//! a row, and is over when it has been back behind another bound as often: a number that trembles around one bound
//! wakes nobody twice.

pub mod condition;
pub mod number;

pub use condition::{Condition, Direction, Swing};

/// The most times in a row that may be asked for.
pub const MAX_TIMES: u16 = 100;

/// An insight's number and the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Of the last interval that has ended.
    pub number: Option<f64>,
    /// Of the interval before.
    pub previous: Option<f64>,
}

/// How a reading stands to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Beyond the bound.
    Beyond,
    /// Back where it has to be.
    Back,
    /// Between the two, or there is nothing to compare.
    Between,
}

/// Where an alert stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether what it looks out for is the case.
    pub firing: bool,
    /// How often in a row the readings have spoken against that.
    pub against: u16,
}

impl Condition {
    fn verdict(&self, reading: Reading) -> Verdict {
        match *self {
            Self::NoData => match reading.number {
                Some(number) if number != 0.0 => Verdict::Back,
                _ => Verdict::Beyond,
            },
            Self::Threshold { direction, value, clear } => match reading.number {
                None => Verdict::Between,
                Some(number) => {
                    let clear = clear.unwrap_or(value);
                    match direction {
                        Direction::Above => judge(number, value, clear),
                        Direction::Below => judge(-number, -value, -clear),
                    }
                }
            },
            Self::Change { direction, percent, clear } => match change(reading) {
                None => Verdict::Between,
                Some(change) => {
                    let swing = match direction {
                        Swing::Up => change,
                        Swing::Down => -change,
                        Swing::Either => change.abs(),
                    };
                    judge(swing, percent, clear.unwrap_or(percent))
                }
            },
        }
    }
}

fn judge(number: f64, bound: f64, clear: f64) -> Verdict {
    if number > bound {
        Verdict::Beyond
    } else if number <= clear {
        Verdict::Back
    } else {
        Verdict::Between
    }
}

/// By how many percent the number differs from the one before; of nothing there are no percent.
fn change(Reading { number, previous }: Reading) -> Option<f64> {
    let (number, previous) = (number?, previous.filter(|previous| *previous != 0.0)?);
    Some((number - previous) / previous.abs() * 100.0)
}

impl Standing {
    /// Where the alert stands after another reading, when `times` in a row decide.
    #[must_use]
    pub fn after(self, condition: &Condition, times: u16, reading: Reading) -> Self {
        let against = match condition.verdict(reading) {
            Verdict::Beyond => !self.firing,
            Verdict::Back => self.firing,
            Verdict::Between => false,
        };
        if !against {
            return Self { against: 0, ..self };
        }
        let against = self.against.saturating_add(1);
        if against >= times.max(1) {
            Self { firing: !self.firing, against: 0 }
        } else {
            Self { against, ..self }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn above(value: f64, clear: f64) -> Condition {
        Condition::Threshold { direction: Direction::Above, value, clear: Some(clear) }
    }

    fn states(condition: Condition, times: u16, numbers: &[f64]) -> Vec<bool> {
        let mut standing = Standing::default();
        let state = |number: &f64| {
            standing = standing.after(&condition, times, Reading { number: Some(*number), previous: None });
            standing.firing
        };
        numbers.iter().map(state).collect()
    }

    #[test]
    fn it_fires_beyond_one_bound_and_is_over_behind_the_other() {
        let numbers = [99.0, 100.0, 101.0, 95.0, 91.0, 101.0, 90.0, 95.0];
        let expected = [false, false, true, true, true, true, false, false];
        assert_eq!(states(above(100.0, 90.0), 1, &numbers), expected);
        let below = Condition::Threshold { direction: Direction::Below, value: 10.0, clear: Some(20.0) };
        assert_eq!(states(below, 1, &[10.0, 9.0, 15.0, 20.0]), [false, true, true, false]);
    }

    #[test]
    fn as_many_in_a_row_decide_as_were_asked_for() {
        let numbers = [11.0, 11.0, 9.0, 11.0, 11.0, 11.0, 9.0, 11.0, 9.0, 9.0, 9.0];
        let expected = [false, false, false, false, false, true, true, true, true, true, false];
        assert_eq!(states(above(10.0, 10.0), 3, &numbers), expected);
    }

    #[test]
    fn a_change_is_in_percent_of_what_was_before() {
        let fires = |direction, number, previous| {
            let condition = Condition::Change { direction, percent: 20.0, clear: None };
            Standing::default().after(&condition, 1, Reading { number, previous }).firing
        };
        assert!(fires(Swing::Up, Some(121.0), Some(100.0)) && !fires(Swing::Up, Some(120.0), Some(100.0)));
        assert!(fires(Swing::Down, Some(79.0), Some(100.0)) && !fires(Swing::Down, Some(121.0), Some(100.0)));
        assert!(
            fires(Swing::Either, Some(79.0), Some(100.0)) && fires(Swing::Either, Some(121.0), Some(100.0))
        );
        assert!(fires(Swing::Up, Some(-50.0), Some(-100.0)), "less of a loss is more");
        assert!(!fires(Swing::Up, Some(5.0), Some(0.0)) && !fires(Swing::Up, Some(5.0), None));
    }

    #[test]
    fn no_data_is_no_number_and_none_of_anything() {
        let fires = |number| {
            Standing::default().after(&Condition::NoData, 1, Reading { number, previous: None }).firing
        };
        assert!(fires(None) && fires(Some(0.0)) && !fires(Some(1.0)) && !fires(Some(-1.0)));
    }

    proptest! {
        #[test]
        fn a_number_that_stays_between_the_bounds_changes_nothing(
            start: bool,
            times in 1u16..5,
            numbers in prop::collection::vec(90.001f64..=100.0, 0..50),
        ) {
            let mut standing = Standing { firing: start, against: 0 };
            for number in numbers {
                standing = standing.after(&above(100.0, 90.0), times, Reading { number: Some(number), previous: None });
                prop_assert_eq!(standing.firing, start);
            }
        }

        #[test]
        fn it_never_changes_more_often_than_once_in_as_many_readings_as_decide(
            times in 1u16..6,
            numbers in prop::collection::vec(80.0f64..110.0, 0..200),
        ) {
            let states = states(above(100.0, 90.0), times, &numbers);
            let changes: Vec<usize> =
                (1..states.len()).filter(|n| states[*n] != states[n - 1]).collect();
            prop_assert!(changes.windows(2).all(|pair| pair[1] - pair[0] >= times.into()));
        }
    }
}
