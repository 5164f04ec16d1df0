//! Memory, while much comes in and goes out.

use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs};

use millrace_domain::ids::JobId;
use millrace_domain::jobs::Kind;
use millrace_testkit::wait;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::bench_of_work::Bench;

/// What a worker may have resident, however many rows there are. Without a bound the rows themselves would exceed it.
const MOST_RESIDENT: u64 = 512 << 20;

/// The resident memory of a process, in bytes.
fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? << 10)
}

/// A worker, and the most memory it had.
struct Watched {
    process: Child,
    peak: Arc<AtomicU64>,
}

impl Watched {
    fn start(bench: &Bench, part_rows: u64) -> Self {
        let mut worker = Command::new(env!("CARGO_BIN_EXE_millrace-worker"));
        bench.environment(&mut worker);
        worker
            .env("MILLRACE_EXPORT_PART_ROWS", part_rows.to_string())
            .env("MILLRACE_STATEMENT_TIMEOUT", "20s");
        let process = worker.env("MILLRACE_ACK_WAIT", "30s").spawn().unwrap();
        let (peak, pid) = (Arc::new(AtomicU64::new(0)), process.id().unwrap());
        let seen = Arc::clone(&peak);
        tokio::spawn(async move {
            while let Some(now) = resident(pid) {
                seen.fetch_max(now, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Self { process, peak }
    }

    fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

/// Kills the first worker half-way and lets the second finish; gives the result and the most memory either had.
async fn with_a_kill(bench: &Bench, id: JobId, half: u64, part_rows: u64) -> (Value, u64) {
    let mut first = Watched::start(bench, part_rows);
    let started = Instant::now();
    while bench.job(id).await.progress.done < half {
        assert!(started.elapsed() < Duration::from_secs(400), "it does not come further");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    first.process.kill().await.unwrap();
    let second = Watched::start(bench, part_rows);
    while !bench.job(id).await.status.has_ended() {
        assert!(started.elapsed() < Duration::from_secs(400), "it does not end");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    (bench.result_of(id).await, first.peak().max(second.peak()))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: MILLRACE_ROWS (1,000,000) rows in and out, on a machine with nothing else to do"]
async fn memory_does_not_grow_with_the_rows() {
    let rows: u64 = env::var("MILLRACE_ROWS").map_or(1_000_000, |rows| rows.parse().unwrap());
    let bench = Bench::new().await;
    let folder = bench.files.path().join(format!("imports/{}", bench.shop));
    fs::create_dir_all(&folder).unwrap();
    let mut file = BufWriter::new(fs::File::create(folder.join("large.csv")).unwrap());
    writeln!(file, "user_id,event_type,occurred_at,page,amount").unwrap();
    for n in 0..rows {
        let (user, kind) =
            (n * 7_919 % 100_000, ["view", "click", "buy", "login"][usize::try_from(n % 4).unwrap()]);
        let (day, hour, minute) = (1 + n / 1_440 % 28, n / 60 % 24, n % 60);
        writeln!(
            file,
            "user-{user},{kind},2026-10-{day:02}T{hour:02}:{minute:02}:{:02}Z,/page/{},{n}",
            n % 60,
            n % 500
        )
        .unwrap();
    }
    file.flush().unwrap();

    let started = Instant::now();
    let id = bench.ask(Kind::Import, json!({"file": "large.csv"})).await;
    let (result, peak) = with_a_kill(&bench, id, rows / 2, 250_000).await;
    println!(
        "import: {rows} rows in {:.0?}, killed once, {} MiB resident at most: {result}",
        started.elapsed(),
        peak >> 20
    );
    assert_eq!(result["rows"], rows);
    wait::until("the log is empty", async || bench.stored().await == i64::try_from(rows).unwrap()).await;
    assert!(peak < MOST_RESIDENT, "{peak}");

    for (format, part_rows) in [("csv", rows / 10), ("parquet", rows / 4)] {
        let started = Instant::now();
        let id = bench.ask(Kind::Export, json!({"format": format})).await;
        let (result, peak) = with_a_kill(&bench, id, rows / 2, part_rows).await;
        let (rows, bytes) = (&result["rows"], &result["bytes"]);
        let files = result["files"].as_array().unwrap().len();
        println!(
            "export to {format}: {rows} rows, {bytes} bytes, {files} files in {:.0?}, killed once, {} MiB resident at most",
            started.elapsed(),
            peak >> 20
        );
        assert_eq!(rows.as_i64(), Some(bench.stored().await));
        assert!(peak < MOST_RESIDENT, "{peak}");
    }
}
