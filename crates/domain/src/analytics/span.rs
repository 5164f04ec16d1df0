//! Lengths of time as questions write them.

use chrono::TimeDelta;

use crate::analytics::query_fault::QueryFault;

/// Reads `90s`, `30m`, `12h`, `7d` or `2w`: at least a second, at most `max_days`. A day here is 24 hours, whatever the
/// clocks do.
///
/// # Errors
/// Anything else.
pub fn parse(
    field: &str,
    text: Option<&str>,
    default: TimeDelta,
    max_days: i64,
) -> Result<TimeDelta, QueryFault> {
    let Some(text) = text else { return Ok(default) };
    let refused = || {
        let reason = format_args!(
            "{text:?} is not a length of time such as 90s, 30m, 12h, 7d or 2w, of at most {max_days} days"
        );
        QueryFault::new(field, "invalid_duration", reason)
    };
    let unit = text.chars().next_back().filter(char::is_ascii_alphabetic).ok_or_else(refused)?;
    let digits = text.strip_suffix(unit).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let number: i64 = digits.and_then(|digits| digits.parse().ok()).ok_or_else(refused)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return Err(refused()),
    };
    number
        .checked_mul(seconds)
        .filter(|seconds| (1..=max_days * 86_400).contains(seconds))
        .and_then(TimeDelta::try_seconds)
        .ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        let read = |text| parse("window", Some(text), TimeDelta::zero(), 366).map(|span| span.num_seconds());
        for (text, seconds) in
            [("90s", 90), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)]
        {
            assert_eq!(read(text), Ok(seconds), "{text}");
        }
        for text in ["", "7", "d", "0s", "-1d", "1.5h", "7 d", "1y", "367d", "99999999999999999999w", "1é"] {
            assert_eq!(read(text).unwrap_err().code, "invalid_duration", "{text}");
        }
    }
}
