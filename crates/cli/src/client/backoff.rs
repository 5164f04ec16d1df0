use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// How long to wait between attempts: exponentially longer, with jitter so that several clients do
/// not come back at the same moment, until the budget since the first failure is used up.
#[derive(Debug)]
pub(super) struct Backoff {
    budget: Duration,
    failing_since: Option<Instant>,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(budget: Duration) -> Self {
        Self { budget, failing_since: None, next: FIRST_PAUSE }
    }

    /// The pause before the next attempt, never shorter than the server `asked` for; `None` when
    /// that attempt would come too late.
    pub(super) fn pause(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let failing_for = self.failing_since.get_or_insert_with(Instant::now).elapsed();
        let jittered = self.next.mul_f64(rand::random_range(0.5..=1.0));
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        let pause = match asked {
            Some(asked) => asked + jittered.min(asked / 10),
            None => jittered,
        };
        (failing_for + pause <= self.budget).then_some(pause)
    }
}

/// Reads a `Retry-After` header: seconds or an HTTP date (RFC 9110, 10.2.3).
pub(super) fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(text.trim()).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_below_their_limit() {
        let mut backoff = Backoff::new(Duration::from_secs(3600));
        let pauses: Vec<_> = (0..12).map(|_| backoff.pause(None).unwrap()).collect();
        assert!(pauses[0] <= FIRST_PAUSE && pauses[0] >= FIRST_PAUSE / 2);
        assert!(pauses[11] <= LONGEST_PAUSE && pauses[11] >= LONGEST_PAUSE / 2);
    }

    #[test]
    fn the_server_is_never_asked_earlier_than_it_wants() {
        let mut backoff = Backoff::new(Duration::from_secs(3600));
        for _ in 0..20 {
            assert!(backoff.pause(Some(Duration::from_secs(2))).unwrap() >= Duration::from_secs(2));
        }
    }

    #[test]
    fn an_attempt_that_would_come_too_late_is_not_waited_for() {
        let mut backoff = Backoff::new(Duration::from_secs(10));
        assert_eq!(backoff.pause(Some(Duration::from_secs(60))), None);
        assert!(backoff.pause(Some(Duration::from_secs(1))).is_some());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2015-10-21T07:27:30Z".parse().unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
