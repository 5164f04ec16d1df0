//! How often something may happen.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// So many a second in the long run, and so many at once: `60/s burst 120`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_second: NonZeroU32,
    burst: NonZeroU32,
}

/// A text that is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a rate such as `60/s` or `60/s burst 120`, or `off`")]
pub struct NotARate;

impl Rate {
    /// `None` where one of them is zero: that would be a ban, not a rate.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Option<Self> {
        match (NonZeroU32::new(per_second), NonZeroU32::new(burst)) {
            (Some(per_second), Some(burst)) => Some(Self { per_second, burst }),
            _ => None,
        }
    }

    /// In the long run.
    #[must_use]
    pub fn per_second(self) -> u32 {
        self.per_second.get()
    }

    /// At once, after a rest.
    #[must_use]
    pub fn burst(self) -> u32 {
        self.burst.get()
    }
}

/// Without a burst it is what one second brings.
impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |word: &str| word.parse::<u32>().map_err(|_not_a_number| NotARate);
        let per_second = |word: &str| number(word.strip_suffix("/s").ok_or(NotARate)?);
        let (per_second, burst) = match words.as_slice() {
            [rate] => (per_second(rate)?, per_second(rate)?),
            [rate, "burst", burst] => (per_second(rate)?, number(burst)?),
            _ => return Err(NotARate),
        };
        Self::new(per_second, burst).ok_or(NotARate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s burst {}", self.per_second, self.burst)
    }
}

/// A rate, or `off`: as often as one likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub Option<Rate>);

impl FromStr for Limit {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        if text.trim() == "off" { Ok(Self(None)) } else { text.parse().map(|rate| Self(Some(rate))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_survives_the_way_through_text() {
        let rate = Rate::new(60, 120).unwrap();
        assert_eq!(rate.to_string(), "60/s burst 120");
        assert_eq!(rate.to_string().parse(), Ok(rate));
        assert_eq!(" 5000/s ".parse(), Ok(Rate::new(5000, 5000).unwrap()));
    }

    #[test]
    fn a_limit_can_be_off() {
        assert_eq!("off".parse(), Ok(Limit(None)));
        assert_eq!("60/s burst 120".parse(), Ok(Limit(Rate::new(60, 120))));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "60", "0/s", "60/s burst", "60/s burst 0", "60/m", "-1/s", "60/s 120", "none"] {
            assert_eq!(text.parse::<Limit>(), Err(NotARate), "{text}");
        }
    }
}
