use std::collections::BTreeSet;
use std::fs;

use futures_util::{StreamExt, TryStreamExt};
use millrace_domain::jobs::{Kind, Status};
use millrace_domain::notification::NotificationKind;
use millrace_files::Files;
use millrace_messaging::subjects;
use millrace_storage::jobs::{self, holding};
use millrace_testkit::peers::Peer;
use millrace_testkit::wait;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::bench_of_work::{Bench, Hired};

/// The lines of all files of an export, one after the other.
fn lines(bench: &Bench, result: &Value) -> Vec<String> {
    let files = result["files"].as_array().unwrap();
    let text =
        |file: &Value| fs::read_to_string(bench.files.path().join(file["name"].as_str().unwrap())).unwrap();
    files.iter().map(text).collect::<String>().lines().map(str::to_owned).collect()
}

async fn ids_stored(bench: &Bench, condition: &str) -> BTreeSet<String> {
    let sql = format!("SELECT event_id::text FROM events WHERE {condition}");
    bench.database.client().await.query(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_workers_are_killed_has_every_event_once() {
    let (bench, worker) = Bench::stocked(4_000).await;
    worker.dismiss().await;
    let id = bench.ask(Kind::Export, json!({"format": "csv"})).await;
    let (result, _worker) = bench.finish_with_kills(id, 3).await;

    let lines = lines(&bench, &result);
    assert!(lines[0].starts_with("event_id,"));
    let ids: Vec<String> = lines[1..].iter().map(|line| line.split(',').next().unwrap().to_owned()).collect();
    assert_eq!((ids.len(), result["rows"].as_u64()), (4_000, Some(4_000)));
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), ids_stored(&bench, "true").await);
    let times: Vec<&str> = lines[1..].iter().map(|line| line.split(',').nth(3).unwrap()).collect();
    assert!(times.is_sorted(), "in the order of time");
    // What the killed workers left half-written is gone.
    let folder = bench.files.path().join(format!("exports/{}/{id}", bench.shop));
    let found: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let noted = result["files"].as_array().unwrap().len();
    assert!(noted >= 20, "about a hundred events a file");
    assert_eq!(found.iter().filter(|name| name.ends_with(".csv")).count(), noted);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_what_was_asked_for_and_people_hear_of_it() {
    let (bench, worker) = Bench::stocked(1_500).await;
    let mut news = bench
        .broker
        .client()
        .subscribe(subjects::notification(bench.shop, NotificationKind::JobSucceeded))
        .await
        .unwrap();
    let filter = json!({
        "format": "ndjson", "from": "2026-10-22T00:00:00Z", "to": "2026-10-30T10:07:00Z", "event_types": ["login"],
    });
    let id = bench.ask(Kind::Export, filter).await;
    let result = bench.result_of(id).await;
    let exported: BTreeSet<String> = lines(&bench, &result)
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event_id"].as_str().unwrap().to_owned())
        .collect();
    let within =
        "event_type = 'login' AND occurred_at >= '2026-10-22' AND occurred_at < '2026-10-30T10:07:00Z'";
    let expected = ids_stored(&bench, within).await;
    assert!(expected.len() > 100);
    assert_eq!(exported, expected);
    let told: Value = serde_json::from_slice(&news.next().await.unwrap().payload).unwrap();
    assert_eq!((&told["job_id"], &told["details"]["status"]), (&json!(id), &json!("succeeded")));

    // One user's, compressed; nobody's; nothing's.
    let by_user = json!({"format": "csv", "compression": "gzip", "user_id": "user-3"});
    let result = bench.result_of(bench.ask(Kind::Export, by_user).await).await;
    let expected = ids_stored(&bench, "user_id = 'user-3'").await.len();
    assert_eq!(result["rows"], expected);
    assert!(result["files"][0]["name"].as_str().unwrap().ends_with(".csv.gz"));
    for nothing in [
        json!({"format": "parquet", "user_id": "nobody"}),
        json!({"format": "csv", "to": "2020-01-01T00:00:00Z"}),
    ] {
        let result = bench.result_of(bench.ask(Kind::Export, nothing).await).await;
        assert_eq!((&result["rows"], result["files"].as_array().unwrap().len()), (&json!(0), 1));
    }
    worker.dismiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_can_be_cancelled_and_resumed_and_one_that_cannot_be_done_says_why() {
    let (bench, worker) = Bench::stocked(900).await;
    worker.dismiss().await;
    // Before anybody takes it.
    let id = bench.ask(Kind::Export, json!({"format": "csv"})).await;
    let cancelled = jobs::cancel(&mut *bench.store().await, id).await.unwrap().unwrap();
    assert_eq!(cancelled.status, Status::Cancelled);
    assert!(jobs::cancel(&mut *bench.store().await, id).await.unwrap().is_none(), "it has ended");

    // In the hands of a worker that is gone: whoever takes it over finds that it is to stop.
    jobs::resume(&mut *bench.store().await, id).await.unwrap().unwrap();
    let lease = std::time::Duration::from_millis(500);
    let taken = holding::take(&mut *bench.store().await, uuid::Uuid::now_v7(), lease).await.unwrap().unwrap();
    assert_eq!(taken.id, id);
    assert_eq!(jobs::cancel(&mut *bench.store().await, id).await.unwrap().unwrap().status, Status::Running);
    let worker = Hired::with(bench.config()).await;
    assert_eq!(bench.until_it_ends(id).await.status, Status::Cancelled);

    jobs::resume(&mut *bench.store().await, id).await.unwrap().unwrap();
    assert_eq!(bench.result_of(id).await["rows"], 900);

    let hopeless = bench.ask(Kind::Import, json!({"file": "none.csv"})).await;
    let job = bench.until_it_ends(hopeless).await;
    assert_eq!(job.status, Status::Failed);
    assert!(job.error.unwrap().contains("none.csv"));
    worker.dismiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_for_a_while_is_tried_again() {
    let (bench, worker) = Bench::stocked(300).await;
    worker.dismiss().await;
    // A file where the folder should be: the store cannot write.
    let exports = bench.files.path().join("exports");
    fs::write(&exports, "in the way").unwrap();
    let worker = Hired::with(bench.config()).await;
    let id = bench.ask(Kind::Export, json!({"format": "csv"})).await;
    wait::until("it fails", async || bench.job(id).await.error.is_some()).await;
    assert_eq!(bench.job(id).await.status, Status::Pending);
    fs::remove_file(&exports).unwrap();
    assert_eq!(bench.result_of(id).await["rows"], 300);
    worker.dismiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_to_a_bucket_as_well() {
    let (bench, worker) = Bench::stocked(700).await;
    worker.dismiss().await;
    let server = Peer::start("s3.py", &["shop"]).await;
    let mut worker = Command::new(env!("CARGO_BIN_EXE_millrace-worker"));
    bench.environment(&mut worker);
    let bucket = "s3://shop/exports-of-ours";
    let variables = [
        ("AWS_ENDPOINT", server.ready.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "ada"),
        ("AWS_SECRET_ACCESS_KEY", "lovelace"),
    ];
    let _worker = worker.env("MILLRACE_EXPORTS", bucket).envs(variables).spawn().unwrap();
    let result = bench.result_of(bench.ask(Kind::Export, json!({"format": "parquet"})).await).await;
    assert_eq!(result["rows"], 700);
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let files = Files::in_environment(&bucket.parse().unwrap(), variables).unwrap();
    for file in result["files"].as_array().unwrap() {
        let reading = files.open(file["name"].as_str().unwrap()).await.unwrap();
        let content = reading.content.try_collect::<Vec<_>>().await.unwrap().concat();
        assert_eq!(content.len() as u64, file["bytes"].as_u64().unwrap());
        assert!(content.starts_with(b"PAR1") && content.ends_with(b"PAR1"));
    }
}
