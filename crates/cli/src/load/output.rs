use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::arrival::Arrival;
use super::report::Report;

const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)];

/// Prints a report on standard output, an entry a line or as one JSON object.
pub(super) fn print(report: &Report, arrival: Option<&Arrival>, as_json: bool) -> io::Result<()> {
    let entries = entries(report, arrival);
    let mut out = io::stdout().lock();
    if as_json {
        return writeln!(out, "{}", Value::Object(entries.into_iter().collect::<Map<_, _>>()));
    }
    for (name, value) in entries {
        match value {
            Value::String(text) => writeln!(out, "{name}: {text}")?,
            value => writeln!(out, "{name}: {value}")?,
        }
    }
    Ok(())
}

fn entries(report: &Report, arrival: Option<&Arrival>) -> Vec<(String, Value)> {
    let mut entries: Vec<(String, Value)> = vec![
        ("event_type".into(), json!(report.event_type)),
        ("sent".into(), json!(report.sent)),
        ("accepted".into(), json!(report.accepted)),
        ("duplicates".into(), json!(report.duplicates)),
        ("rejected".into(), json!(report.rejected)),
        ("refused".into(), json!(report.refused)),
        ("in_doubt".into(), json!(report.in_doubt)),
    ];
    entries.extend(report.statuses.iter().map(|(status, count)| (format!("status_{status}"), json!(count))));
    entries.extend(
        report
            .errors
            .iter()
            .map(|(error, count)| (format!("error_{}", error.replace(' ', "_")), json!(count))),
    );
    entries.push(("seconds".into(), rounded(report.elapsed.as_secs_f64())));
    entries.push(("events_per_second".into(), rounded(report.accepted_per_second())));
    entries.push(("requests_per_second".into(), rounded(report.requests_per_second())));
    entries.extend(
        QUANTILES.iter().map(|(name, share)| {
            (format!("latency_ms_{name}"), milliseconds(report.latency_quantile(*share)))
        }),
    );
    let (arrived, counted, after) = match arrival {
        None => ("not checked (give --read-key)", None, None),
        Some(Arrival::Complete { counted, after }) => ("all", Some(counted), Some(after)),
        Some(Arrival::Missing { counted }) => ("not all", Some(counted), None),
        Some(Arrival::Excess { counted }) => ("more than were sent", Some(counted), None),
    };
    entries.push(("arrived".into(), json!(arrived)));
    entries.extend(counted.map(|counted| ("arrived_events".into(), json!(counted))));
    entries.extend(after.map(|after| ("arrived_after_seconds".into(), rounded(after.as_secs_f64()))));
    entries
}

fn milliseconds(duration: Duration) -> Value {
    rounded(duration.as_secs_f64() * 1000.0)
}

fn rounded(value: f64) -> Value {
    json!((value * 1000.0).round() / 1000.0)
}
