//! How often something may happen.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// So many in a second, a minute or an hour in the long run, and so many at once: `60/s burst 120`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    period: Period,
    burst: NonZeroU32,
}

/// What a rate is told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// `60/s`
    Second,
    /// `60/m`
    Minute,
    /// `60/h`
    Hour,
}

impl Period {
    fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Second => "/s",
            Self::Minute => "/m",
            Self::Hour => "/h",
        }
    }
}

/// A text that is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a rate such as `60/s`, `60/s burst 120` or `1000/m`, or `off`")]
pub struct NotARate;

impl Rate {
    /// `None` where one of them is zero: that would be a ban, not a rate.
    #[must_use]
    pub const fn new(count: u32, period: Period, burst: u32) -> Option<Self> {
        match (NonZeroU32::new(count), NonZeroU32::new(burst)) {
            (Some(count), Some(burst)) => Some(Self { count, period, burst }),
            _ => None,
        }
    }

    /// In the long run.
    #[must_use]
    pub fn per_second(self) -> f64 {
        f64::from(self.count.get()) / f64::from(self.period.seconds())
    }

    /// At once, after a rest.
    #[must_use]
    pub fn burst(self) -> u32 {
        self.burst.get()
    }

    /// How long the rate takes to bring a burst; in whole seconds, rounded up.
    #[must_use]
    pub fn window(self) -> Duration {
        let bursts_seconds = u64::from(self.burst()) * u64::from(self.period.seconds());
        Duration::from_secs(bursts_seconds.div_ceil(self.count.get().into()))
    }
}

/// Without a burst it is what one period brings.
impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |word: &str| word.parse::<u32>().map_err(|_not_a_number| NotARate);
        let (rate, burst) = match words.as_slice() {
            [rate] => (rate, None),
            [rate, "burst", burst] => (rate, Some(number(burst)?)),
            _ => return Err(NotARate),
        };
        let periods = [Period::Second, Period::Minute, Period::Hour];
        let read = |period: Period| Some((rate.strip_suffix(period.suffix())?, period));
        let (count, period) = periods.into_iter().find_map(read).ok_or(NotARate)?;
        let count = number(count)?;
        Self::new(count, period, burst.unwrap_or(count)).ok_or(NotARate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} burst {}", self.count, self.period.suffix(), self.burst)
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

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(rate) => rate.fmt(f),
            None => f.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_survives_the_way_through_text() {
        let rate = Rate::new(60, Period::Second, 120).unwrap();
        assert_eq!(rate.to_string(), "60/s burst 120");
        assert_eq!(rate.to_string().parse(), Ok(rate));
        assert_eq!(" 5000/m ".parse(), Ok(Rate::new(5000, Period::Minute, 5000).unwrap()));
    }

    #[test]
    fn a_window_is_what_a_burst_takes() {
        for (rate, per_second, seconds) in [
            ("60/s burst 120", 60.0, 2),
            ("60/s burst 1", 60.0, 1),
            ("30/m burst 5", 0.5, 10),
            ("36/h", 0.01, 3600),
        ] {
            let rate: Rate = rate.parse().unwrap();
            assert_eq!((rate.per_second(), rate.window().as_secs()), (per_second, seconds), "{rate}");
        }
    }

    #[test]
    fn a_limit_can_be_off() {
        assert_eq!("off".parse(), Ok(Limit(None)));
        assert_eq!(Limit(None).to_string(), "off");
        assert_eq!("60/s burst 120".parse(), Ok(Limit(Rate::new(60, Period::Second, 120))));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "60", "0/s", "/s", "60/s burst", "60/s burst 0", "60/d", "-1/s", "60/s 120", "none"]
        {
            assert_eq!(text.parse::<Limit>(), Err(NotARate), "{text}");
        }
    }
}
