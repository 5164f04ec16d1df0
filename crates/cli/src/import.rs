//! `millrace import`: files of events, through the public API.
//!
//! A thread reads (`reading`) and turns rows into events ([`millrace_rows`]); the events travel in batches
//! through a bounded channel to the sender, several requests at once; the server's verdicts come
//! back to the rows they belong to (`settling`). Memory is bounded by the batches in flight,
//! whatever the size of the files.

mod packer;
mod progress;
mod reading;
mod rejects;
mod settling;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, value_parser};

use crate::client::{BaseUrl, Compress, Key, SenderConfig};
use crate::signal;
use millrace_rows::{Format, Mapped};

/// Import files of events
///
/// Reads CSV, JSON lines and JSON (an array, or {"events": […]}), plain or compressed with gzip or
/// zstd, and sends the rows as events. Compression is recognised by content; the format by the
/// file's name, or by content where the name doesn't tell.
///
/// The columns event_id, user_id, event_type, occurred_at, properties, session_id and context may
/// come in any order; timestamp, data and metadata are other names for occurred_at, properties and
/// context. `properties.x` is the property x, and so is any column with a name not listed here.
/// Empty CSV cells are absent values.
///
/// An import can be repeated, after an interruption or by mistake, without doubling anything: the
/// server knows events by their event_id, and a row without one gets an id made from its content
/// and its position in the file (UUIDv5). So the same file gives the same ids under any name and
/// compression; inserting or deleting rows changes the ids of the rows below.
///
/// A row that cannot be read doesn't stop the import. A broken quote in CSV costs the line it is
/// on: reading goes on with the next line.
///
/// Exit codes: 0 everything is in; 1 some rows were rejected; 2 the import did not finish; 130
/// interrupted. In the last two cases it is safe to run the same command again.
#[derive(Args)]
pub struct ImportArgs {
    /// Files to read; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Format of all files, whatever their names say
    #[arg(long, value_name = "csv|jsonl|json")]
    format: Option<Format>,
    /// Take a field from another column: --map ts=occurred_at --map ref=properties.referrer
    #[arg(long, value_name = "COLUMN=FIELD")]
    map: Vec<Mapped>,
    /// Make numbers and booleans of CSV cells that look like them (other columns are text)
    #[arg(long)]
    infer_types: bool,
    /// Write rejected rows here, as CSV: file, line, reason, code, raw row
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Address of the server
    #[arg(long, env = "MILLRACE_URL", default_value = "http://127.0.0.1:8080")]
    url: BaseUrl,
    /// Key with the scope `ingest`
    #[arg(long, env = "MILLRACE_INGEST_KEY", hide_env_values = true)]
    key: Key,
    /// Events in a request (a request has at most about 4 MiB, too)
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u16).range(1..=10_000))]
    batch: u16,
    /// Requests in flight
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Compress requests with gzip (auto: unless the server is on this machine)
    #[arg(long, value_enum, default_value = "auto")]
    compress: Compress,
    /// How long to try again when the server is away or busy
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    retry_for: Duration,
    /// Go on once rows are accepted, not once they are stored: faster, but rows that were imported
    /// more than some minutes before count as accepted again (they are not stored again)
    #[arg(long)]
    no_wait: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `millrace import`.
///
/// # Errors
/// When the import could not begin: a file that isn't there, a column that no row can do without.
pub async fn execute(args: ImportArgs) -> anyhow::Result<ExitCode> {
    let interrupted = signal::interruption()?;
    let sender = SenderConfig {
        url: args.url,
        key: args.key,
        compress: args.compress,
        retry_for: args.retry_for,
        wait: !args.no_wait,
    };
    let reading = reading::Reading {
        sources: args.files.iter().map(|path| source::Source::find(path)).collect::<Result<_, _>>()?,
        format: args.format,
        mapping: args.map.into_iter().collect(),
        infer_types: args.infer_types,
        batch: usize::from(args.batch),
    };
    let rejects = rejects::Rejects::create(args.rejects.as_deref())?;
    let outcome =
        settling::settle(reading, sender, usize::from(args.concurrency), rejects, &interrupted).await?;
    outcome.summary.print("read", args.json)?;
    Ok(match outcome.failure {
        _ if interrupted.is_cancelled() => ExitCode::from(signal::INTERRUPTED),
        Some(failure) => {
            return Err(anyhow::Error::new(failure).context(format!(
                "the import did not finish: {} rows are settled; run the same command again, nothing will be doubled",
                outcome.summary.total
            )));
        }
        None if outcome.summary.rejected > 0 => ExitCode::from(1),
        None => ExitCode::SUCCESS,
    })
}
