//! A period in parts, for questions whose sets of users need not all be in memory at once.

use chrono::NaiveDate;
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::range::DateRange;

/// The dates of `range`, cut between intervals into parts that share a date with at most `count` intervals, in order.
pub fn slices(range: DateRange, interval: Interval, count: usize) -> impl Iterator<Item = DateRange> {
    let starts: Vec<NaiveDate> = interval.buckets(range).collect();
    let parts: Vec<DateRange> = starts
        .chunks(count.max(1))
        .filter_map(|part| {
            let end = interval.end(*part.last()?).pred_opt()?;
            DateRange::new((*part.first()?).max(range.from()), end.min(range.to()))
        })
        .collect();
    parts.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_follow_each_other_without_gap() {
        for (from, to) in
            [("2026-01-01", "2026-01-01"), ("2026-01-01", "2026-04-02"), ("2016-01-14", "2025-12-31")]
        {
            let range = DateRange::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
            for interval in [Interval::Day, Interval::Week, Interval::Month] {
                let days: Vec<NaiveDate> = slices(range, interval, 5).flat_map(DateRange::days).collect();
                assert_eq!(days, range.days().collect::<Vec<_>>());
                assert!(slices(range, interval, 5).all(|slice| interval.buckets(slice).count() <= 5));
                let begins = slices(range, interval, 5).skip(1).map(DateRange::from);
                assert!(begins.into_iter().all(|from| interval.start_of(from) == from));
            }
        }
    }
}
