//! A large import and a large export by a worker as operators run it: its memory beside that at a fifth of the rows, and
//! what a kill in the middle of each costs. Afterwards every row is stored once and exported once.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use millrace_domain::ids::JobId;
use millrace_domain::jobs::task::Task;
use millrace_domain::jobs::{Kind, Status};
use millrace_storage::database::{Database, PoolSettings};
use millrace_storage::jobs::{self, Job};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::product::Product;
use crate::report::{Limit, Report};

const DEADLINE: Duration = Duration::from_secs(3_600);
/// How much more memory five times the rows may take.
const MOST_GROWTH: f64 = 1.1;

/// What a job took.
struct Cost {
    time: Duration,
    /// The most memory of any of its workers, in MiB.
    peak: f64,
}

pub async fn measure(report: &mut Report, rows: u64) -> anyhow::Result<()> {
    let few = in_and_out(rows / 5, false).await?;
    let many = in_and_out(rows, true).await?;
    for (what, few, many) in [("import", &few.0, &many.0), ("export", &few.1, &many.1)] {
        report.add(&format!("{what} of {rows} rows, killed half-way"), many.time.as_secs_f64(), "s");
        report.add(&format!("{what}: rows a second"), rows as f64 / many.time.as_secs_f64(), "rows/s");
        let peak = format!("{what}: memory of a worker, at its highest");
        report.compare(&peak, many.peak, "MiB", "a fifth of the rows", few.peak);
        report.hold(&format!("{what}: its growth"), many.peak / few.peak, "times", Limit::Below(MOST_GROWTH));
    }
    Ok(())
}

/// Imports so many rows and exports them again.
async fn in_and_out(rows: u64, killed: bool) -> anyhow::Result<(Cost, Cost)> {
    let files = std::env::current_dir()?.join(format!("target/bench/files-{}", std::process::id()));
    let place = files.to_string_lossy().into_owned();
    // What else a worker does in so many seconds and not in a fifth of them is no part of a job.
    let settings = [
        ("MILLRACE_EXPORTS", place.as_str()),
        ("MILLRACE_JOB_LEASE", "2s"),
        ("MILLRACE_MAINTENANCE", "0s"),
        ("MILLRACE_POSTINGS_QUIET", "1h"),
    ];
    let mut product = Product::start_with(&["worker"], &settings).await?;
    let folder = files.join(format!("imports/{}", product.project));
    fs::create_dir_all(&folder)?;
    write_rows(&folder.join("rows.csv"), rows)?;

    let (import, _) =
        see_through(&mut product, Kind::Import, json!({"file": "rows.csv"}), rows, killed).await?;
    product.until_stored(rows, 0).await?;
    let distinct = "SELECT count(DISTINCT event_id) FROM events";
    let stored: i64 = product.database.client().await.query_one(distinct, &[]).await?.get(0);
    ensure!(u64::try_from(stored)? == rows, "{stored} distinct events are stored of {rows}");

    // A worker that has imported nothing.
    product.restart("worker").await?;
    let (export, job) =
        see_through(&mut product, Kind::Export, json!({"format": "csv"}), rows, killed).await?;
    let result = job.result.context("an export has a result")?;
    let (lines, ids) = exported(&files, &result)?;
    ensure!((lines, ids) == (rows, rows), "{lines} rows with {ids} distinct ids were exported of {rows}");
    fs::remove_dir_all(&files)?;
    Ok((import, export))
}

/// Asks for a job and waits for its end, which comes later if its first worker is killed half-way.
async fn see_through(
    product: &mut Product,
    kind: Kind,
    parameters: Value,
    rows: u64,
    killed: bool,
) -> anyhow::Result<(Cost, Job)> {
    let pool = Database::new(&product.database.url(), PoolSettings::named("bench"))?;
    let task = Task::parse(kind, parameters).map_err(|fault| anyhow::anyhow!("{fault}"))?;
    let id = JobId::new();
    let started = Instant::now();
    jobs::create(&mut *pool.connection().await?, id, Some(product.project), &task, None).await?;
    let mut peak = 0.0;
    if killed {
        let job = until(&pool, id, |job| job.progress.done >= rows / 2 || job.status.has_ended()).await?;
        ensure!(job.status == Status::Running, "the kill would come after the end");
        peak = peak_of_worker(product)?;
        product.restart("worker").await?;
    }
    let job = until(&pool, id, |job| job.status.has_ended()).await?;
    ensure!(job.status == Status::Succeeded, "the {kind} {}: {:?}", job.status, job.error);
    let cost = Cost { time: started.elapsed(), peak: peak_of_worker(product)?.max(peak) };
    Ok((cost, job))
}

async fn until(pool: &Database, id: JobId, is_so: impl Fn(&Job) -> bool) -> anyhow::Result<Job> {
    let waiting = async {
        loop {
            let job = jobs::find(&mut *pool.connection().await?, id).await?.context("the job is there")?;
            if is_so(&job) {
                return anyhow::Ok(job);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.context("the job takes too long")?
}

fn peak_of_worker(product: &Product) -> anyhow::Result<f64> {
    let peaks = product.peak_memory();
    peaks.iter().find(|(name, _)| *name == "worker").map(|(_, peak)| *peak).context("a worker runs")
}

/// Rows without ids, of four weeks and many users.
fn write_rows(path: &Path, rows: u64) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "user_id,event_type,occurred_at,page,amount")?;
    for n in 0..rows {
        let (user, kind) = (n * 7_919 % 100_000, ["view", "click", "buy", "login"][(n % 4) as usize]);
        let (day, hour, minute, second) = (1 + n / 1_440 % 28, n / 60 % 24, n % 60, n % 59);
        let time = format!("2026-10-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
        writeln!(file, "user-{user},{kind},{time},/page/{},{n}", n % 500)?;
    }
    Ok(file.flush()?)
}

/// How many rows the files of an export have, and with how many ids.
fn exported(files: &Path, result: &Value) -> anyhow::Result<(u64, u64)> {
    let (mut rows, mut ids) = (0, HashSet::new());
    for file in result["files"].as_array().context("an export has files")? {
        let path: PathBuf = files.join(file["name"].as_str().context("a file has a name")?);
        for line in BufReader::new(File::open(path)?).lines() {
            let line = line?;
            let Some(id) = line.split(',').next().and_then(|id| Uuid::parse_str(id).ok()) else {
                ensure!(line.starts_with("event_id,"), "this is no event: {line}");
                continue;
            };
            rows += 1;
            ids.insert(id);
        }
    }
    Ok((rows, u64::try_from(ids.len())?))
}
