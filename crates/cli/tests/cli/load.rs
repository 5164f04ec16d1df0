use std::time::{Duration, Instant};

use millrace_cli::client::Client;
use millrace_cli::load::{Arrival, Extent, Plan, run as run_plan, watch_arrival};

use crate::command::run;
use crate::far_end::{Answer, FarEnd, INGEST_KEY, READ_KEY};

fn plan(far_end: &FarEnd, extent: Extent) -> Plan {
    Plan::new(far_end.url.parse().unwrap(), INGEST_KEY.parse().unwrap(), extent)
}

#[tokio::test]
async fn exactly_as_many_events_are_sent_as_planned() {
    let far_end = FarEnd::start();
    let plan = Plan { batch: 30, connections: 3, ..plan(&far_end, Extent::Events(1_000)) };
    let report = run_plan(plan).await.unwrap();
    assert_eq!((report.sent, report.accepted, report.duplicates), (1_000, 1_000, 0));
    assert_eq!(far_end.kept().len(), 1_000);
    assert_eq!(report.statuses.get(&202), Some(&34));
    assert_eq!(report.latency.len(), 34);
    assert!(report.latency_quantile(0.5) <= report.latency_quantile(0.99));
    assert!(report.accepted_per_second() > 0.0);
}

#[tokio::test]
async fn every_failure_is_counted_for_what_it_is() {
    let script = [Answer::Refuse(503, None), Answer::CutAfterKeeping, Answer::Refuse(429, None)];
    let far_end = FarEnd::with_script(script);
    let plan = Plan { batch: 10, connections: 1, ..plan(&far_end, Extent::Events(100)) };
    let report = run_plan(plan).await.unwrap();
    assert_eq!((report.sent, report.accepted), (100, 70));
    assert_eq!((report.refused, report.in_doubt), (20, 10));
    assert_eq!(report.statuses.iter().collect::<Vec<_>>(), [(&202, &7), (&429, &1), (&503, &1)]);
    assert_eq!(report.errors.values().sum::<u64>(), 1);
    // What was in doubt did arrive, and that is not held against anybody.
    let reader = Client::new(&far_end.url.parse().unwrap(), READ_KEY.parse().unwrap()).unwrap();
    let arrival = watch_arrival(&reader, &report, Duration::from_secs(10)).await.unwrap();
    assert!(matches!(arrival, Arrival::Complete { counted: 80, .. }), "{arrival:?}");
}

#[tokio::test]
async fn a_rate_is_kept_to() {
    let far_end = FarEnd::start();
    let plan = Plan { batch: 10, rate: Some(500.0), ..plan(&far_end, Extent::Events(500)) };
    let started = Instant::now();
    let report = run_plan(plan).await.unwrap();
    assert_eq!(report.accepted, 500);
    assert!(started.elapsed() >= Duration::from_millis(970), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_duration_ends_the_run() {
    let far_end = FarEnd::start();
    let report = run_plan(plan(&far_end, Extent::Time(Duration::from_millis(300)))).await.unwrap();
    assert!(report.elapsed >= Duration::from_millis(300));
    assert_eq!(far_end.kept().len() as u64, report.accepted);
}

#[tokio::test]
async fn a_wrong_key_ends_the_run_at_once() {
    let far_end = FarEnd::start();
    let plan =
        Plan { key: "mk_wrong".parse().unwrap(), ..plan(&far_end, Extent::Time(Duration::from_secs(60))) };
    assert!(run_plan(plan).await.unwrap_err().to_string().contains("401"));
}

#[test]
fn the_command_says_whether_everything_arrived() {
    for (miscount, code, arrived) in [(0, 0, "all"), (-1, 1, "not all"), (1, 1, "more than were sent")] {
        let far_end = FarEnd::start().miscount_by(miscount);
        let ended = run(&[
            "load",
            "--url",
            &far_end.url,
            "--key",
            INGEST_KEY,
            "--read-key",
            READ_KEY,
            "--events",
            "200",
            "--batch",
            "20",
            "--arrival-timeout",
            "1s",
        ]);
        assert_eq!(ended.code, Some(code), "{} {}", ended.stdout, ended.stderr);
        let summary = ended.summary();
        assert_eq!((summary["accepted"], summary["arrived"]), ("200", arrived));
        assert_eq!(summary["status_202"], "10");
        assert!(summary.contains_key("latency_ms_p99"));
    }
}

#[test]
fn other_machines_are_not_loaded_by_accident() {
    let ended = run(&["load", "--url", "http://192.0.2.1", "--key", INGEST_KEY, "--events", "1"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--yes-remote"), "{}", ended.stderr);
}
