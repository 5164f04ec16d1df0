use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, TimeDelta};
use chrono_tz::Tz;
use millrace_testkit::recount::assert_roll_ups_equal_the_events;
use serde_json::{Value, json};

use crate::product::Product;

/// A row of the story's file.
#[derive(Clone)]
struct Row {
    user: String,
    event_type: &'static str,
    time: String,
}

/// Six weeks of a small team, in no order, each person's times with an offset of their own.
fn rows() -> Vec<Row> {
    let start = DateTime::parse_from_rfc3339("2026-02-20T00:00:00Z").unwrap();
    let offsets = ["+00:00", "+05:30", "-07:00", "+12:45"];
    (0..3_000i64)
        .map(|n| {
            let person = n * 13 % 37;
            let offset: chrono::FixedOffset = offsets[usize::try_from(person % 4).unwrap()].parse().unwrap();
            let instant = start + TimeDelta::seconds(n * 104_729 % (42 * 86_400));
            Row {
                user: format!("person-{person}"),
                event_type: ["commit", "review", "merge"][usize::try_from(n % 5 % 3).unwrap()],
                time: instant.with_timezone(&offset).to_rfc3339(),
            }
        })
        .collect()
}

fn id(n: usize) -> String {
    format!("6a13d76c-c7a5-5b40-a74b-{n:012x}")
}

fn write_csv(path: &Path, order: impl Iterator<Item = (usize, Row)>, broken: bool) {
    let mut text = "event_id,user_id,event_type,occurred_at,properties\n".to_owned();
    for (n, row) in order {
        text += &format!("{},{},{},{},\"{{\"\"n\"\": {n}}}\"\n", id(n), row.user, row.event_type, row.time);
    }
    if broken {
        text += "not-a-uuid,ada,commit,2026-03-01T00:00:00Z,{}\n";
        text += &format!("{},ada,commit,yesterday,{{}}\n", id(900_001));
    }
    std::fs::write(path, text).unwrap();
}

/// Daily active users and top events, from the rows and the definitions alone.
fn expected(rows: &[Row], zone: &str) -> (Vec<Value>, Vec<Value>) {
    let zone: Tz = zone.parse().unwrap();
    let mut days: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    let mut types: BTreeMap<&str, (u64, BTreeSet<&str>)> = BTreeMap::new();
    for row in rows {
        let day = DateTime::parse_from_rfc3339(&row.time).unwrap().with_timezone(&zone).date_naive();
        days.entry(day).or_default().insert(&row.user);
        let of_type = types.entry(row.event_type).or_default();
        of_type.0 += 1;
        of_type.1.insert(&row.user);
    }
    let first = "2026-02-15".parse::<chrono::NaiveDate>().unwrap();
    let active = first
        .iter_days()
        .take(50)
        .map(|day| json!({"date": day, "users": days.get(&day).map_or(0, BTreeSet::len)}))
        .collect();
    let mut top: Vec<_> =
        types.into_iter().map(|(name, (count, users))| (count, name, users.len())).collect();
    top.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let top = top
        .into_iter()
        .map(|(count, name, users)| json!({"event_type": name, "count": count, "users": users}))
        .collect();
    (active, top)
}

async fn assert_answers(product: &Product, rows: &[Row]) {
    for zone in [product.zone, "UTC", "America/New_York"] {
        let (active, top) = expected(rows, zone);
        let range = format!("from=2026-02-15&to=2026-04-05&timezone={zone}");
        assert_eq!(product.ask(&format!("dau?{range}")).await, active, "daily active users in {zone}");
        assert_eq!(product.ask(&format!("top-events?{range}")).await, top, "top events in {zone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_becomes_answers_and_importing_it_again_changes_nothing() {
    let product = Product::start("Asia/Kolkata").await;
    let folder = tempfile::tempdir().unwrap();
    let (file, shuffled) = (folder.path().join("team.csv"), folder.path().join("shuffled.csv"));
    let rows = rows();
    write_csv(&file, rows.iter().cloned().enumerate(), false);
    write_csv(&shuffled, rows.iter().cloned().enumerate().rev(), false);

    let (code, printed) = product.millrace(&["import", file.to_str().unwrap(), "--batch", "700"]).await;
    assert_eq!(code, 0, "{printed}");
    for line in ["read: 3000", "accepted: 3000", "duplicates: 0", "rejected: 0"] {
        assert!(printed.lines().any(|printed| printed == line), "{line} in {printed}");
    }
    assert_answers(&product, &rows).await;

    let arguments = ["import", shuffled.to_str().unwrap(), "--batch", "113", "--concurrency", "7"];
    let (code, printed) = product.millrace(&arguments).await;
    assert_eq!(code, 0, "{printed}");
    assert!(printed.lines().any(|line| line == "duplicates: 3000"), "{printed}");
    assert_answers(&product, &rows).await;
    assert_roll_ups_equal_the_events(&product.database, product.project, product.zone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_rows_are_reported_by_line_and_the_rest_is_imported() {
    let product = Product::start("UTC").await;
    let folder = tempfile::tempdir().unwrap();
    let (file, rejects) = (folder.path().join("team.csv"), folder.path().join("rejects.csv"));
    let rows = &rows()[..50];
    write_csv(&file, rows.iter().cloned().enumerate(), true);
    let arguments = ["import", file.to_str().unwrap(), "--rejects", rejects.to_str().unwrap()];
    let (code, printed) = product.millrace(&arguments).await;
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("accepted: 50") && printed.contains("rejected: 2"), "{printed}");
    let report = std::fs::read_to_string(rejects).unwrap();
    assert!(report.contains(",52,") && report.contains("invalid_event_id"), "{report}");
    assert!(report.contains(",53,") && report.contains("invalid_occurred_at"), "{report}");
    assert_answers(&product, rows).await;
}
