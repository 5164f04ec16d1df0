//! What an alert looks out for.

use serde::{Deserialize, Serialize};

/// What an alert looks out for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// The number is beyond a bound.
    Threshold {
        /// On which side of the bound is beyond it.
        direction: Direction,
        /// The bound.
        value: f64,
        /// Where the number has to be back; `value` if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clear: Option<f64>,
    },
    /// The number differs from the one before by more percent of that.
    Change {
        /// Whether rising, falling or both count.
        direction: Swing,
        /// So many percent.
        percent: f64,
        /// To how many the difference has to be back; `percent` if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clear: Option<f64>,
    },
    /// There is no number, or it is 0.
    NoData,
}

/// A side of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More than that.
    Above,
    /// Less than that.
    Below,
}

/// A way in which a number changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Swing {
    /// It rises.
    Up,
    /// It falls.
    Down,
    /// It does one of them.
    Either,
}

/// Why a condition was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionFault {
    /// No number, or an endless one.
    #[error("must have finite numbers")]
    NotANumber,
    /// A number that comes back on the wrong side.
    #[error("must have a `clear` that is not beyond its bound")]
    ClearBeyond,
    /// A change that is none.
    #[error("must have a `percent` above 0 and a `clear` of 0 or more")]
    NoChange,
}

impl Condition {
    /// Checks its bounds.
    ///
    /// # Errors
    /// Says which law they break.
    pub fn check(&self) -> Result<(), ConditionFault> {
        match *self {
            Self::NoData => Ok(()),
            Self::Threshold { direction, value, clear } => {
                let clear = clear.unwrap_or(value);
                if !value.is_finite() || !clear.is_finite() {
                    return Err(ConditionFault::NotANumber);
                }
                let behind = match direction {
                    Direction::Above => clear <= value,
                    Direction::Below => clear >= value,
                };
                if behind { Ok(()) } else { Err(ConditionFault::ClearBeyond) }
            }
            Self::Change { percent, clear, .. } => {
                let clear = clear.unwrap_or(percent);
                if !percent.is_finite() || !clear.is_finite() {
                    Err(ConditionFault::NotANumber)
                } else if percent <= 0.0 || clear < 0.0 {
                    Err(ConditionFault::NoChange)
                } else if clear > percent {
                    Err(ConditionFault::ClearBeyond)
                } else {
                    Ok(())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_make_no_sense_are_refused() {
        let above = |value, clear| {
            Condition::Threshold { direction: Direction::Above, value, clear: Some(clear) }.check()
        };
        assert_eq!(above(1.0, 1.0), Ok(()));
        assert_eq!(above(1.0, 2.0), Err(ConditionFault::ClearBeyond));
        assert_eq!(above(f64::NAN, 2.0), Err(ConditionFault::NotANumber));
        let change = |percent, clear| Condition::Change { direction: Swing::Up, percent, clear }.check();
        assert_eq!((change(10.0, None), change(10.0, Some(5.0))), (Ok(()), Ok(())));
        assert_eq!(
            (change(0.0, None), change(5.0, Some(-1.0))),
            (Err(ConditionFault::NoChange), Err(ConditionFault::NoChange))
        );
        assert_eq!(change(5.0, Some(6.0)), Err(ConditionFault::ClearBeyond));
    }
}
