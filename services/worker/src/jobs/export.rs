//! Events to files.
//!
//! The time is cut into windows of about as many events as a file is to have; the counts say where. Each window is
//! streamed from the database through an encoder into a file of its own, and noted once that file is complete. An
//! attempt that ends half-way leaves at most a file that nobody notes: names of files contain the attempt, so one that
//! still writes when another has taken over cannot change what is noted. What nobody noted is deleted in the end.

mod encoder;
mod parquet_encoder;
mod text_encoder;

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use millrace_domain::draft::MAX_AHEAD;
use millrace_domain::ids::{ProjectId, UserNo};
use millrace_domain::jobs::task::Export;
use millrace_domain::jobs::{Progress, Report};
use millrace_domain::text::UserId;
use millrace_storage::export::{self, Selection, Window};
use millrace_storage::users;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::jobs::Work;
use crate::jobs::error::JobError;
use encoder::Encoder;

/// Bytes that come together before they are written.
const CHUNK_BYTES: usize = 256 << 10;

/// How far an export is.
#[derive(Debug, Serialize, Deserialize)]
struct Checkpoint {
    /// Where the next window begins.
    next: DateTime<Utc>,
    /// Where the last one ends.
    until: DateTime<Utc>,
    /// The files that are complete.
    files: Vec<File>,
}

/// A complete file.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    name: String,
    rows: u64,
    bytes: u64,
}

/// Exports events.
///
/// # Errors
/// See [`JobError`].
pub async fn run(work: &Work, export: &Export) -> Result<Report, JobError> {
    let project = work.project()?;
    let mut conn = work.tools.connection().await?;
    let mut at = match work.checkpoint()? {
        Some(at) => at,
        None => Checkpoint {
            next: export.from.unwrap_or(DateTime::UNIX_EPOCH),
            until: export.to.unwrap_or(work.job.created_at + MAX_AHEAD),
            files: Vec::new(),
        },
    };
    let user = match &export.user_id {
        // What is no name of a user is nobody's.
        Some(user) => match UserId::parse(user) {
            Ok(user) => Some(users::find(&mut conn, project, &user).await?.map(|user| user.user_no)),
            Err(_nobody) => Some(None),
        },
        None => None,
    };
    let before: u64 = at.files.iter().map(|file| file.rows).sum();
    let total = match user {
        None => {
            Some(before + export::count(&mut conn, project, &(at.next..at.until), &export.event_types).await?)
        }
        Some(_) => None,
    };
    drop(conn);
    let progress = |files: &[File]| Progress { done: files.iter().map(|file| file.rows).sum(), total };
    while let Some(window) = next_window(work, export, project, user, at.next..at.until).await? {
        let selection = Selection { event_types: window.event_types, user_no: user.flatten() };
        let file = write(work, export, project, &window.instants, &selection, at.files.len()).await?;
        at.next = window.instants.end;
        if file.rows > 0 {
            at.files.push(file);
        }
        work.note(&at, progress(&at.files)).await?;
    }
    if at.files.is_empty() {
        // An export of nothing is a file with nothing in it but its header.
        let nothing = at.until..at.until;
        at.files.push(write(work, export, project, &nothing, &Selection::default(), 0).await?);
        work.note(&at, progress(&at.files)).await?;
    }
    delete_unnoted(work, project, &at.files).await?;
    let sum = |of: fn(&File) -> u64| at.files.iter().map(of).sum::<u64>();
    Ok(json!({"rows": sum(|file| file.rows), "bytes": sum(|file| file.bytes), "files": at.files}))
}

/// The next file's time. The events of one user, whose number is known if there is such a user, are one file: the counts
/// do not tell where they are.
async fn next_window(
    work: &Work,
    export: &Export,
    project: ProjectId,
    user: Option<Option<UserNo>>,
    instants: Range<DateTime<Utc>>,
) -> Result<Option<Window>, JobError> {
    let event_types = &export.event_types;
    match user {
        None => {
            let mut conn = work.tools.connection().await?;
            let rows = work.tools.settings.part_rows;
            Ok(export::window(&mut conn, project, &instants, event_types, rows).await?)
        }
        Some(Some(_)) if instants.start < instants.end => {
            Ok(Some(Window { instants, event_types: event_types.clone() }))
        }
        Some(_) => Ok(None),
    }
}

/// The folder of the job's files.
fn folder(work: &Work, project: ProjectId) -> String {
    format!("exports/{project}/{}", work.job.id)
}

/// Writes the events of one window to a file.
async fn write(
    work: &Work,
    export: &Export,
    project: ProjectId,
    instants: &Range<DateTime<Utc>>,
    selection: &Selection,
    number: usize,
) -> Result<File, JobError> {
    let (format, suffix) = (export.format, export.compression.suffix());
    let attempt = work.hold.holding.holder.simple();
    let name = format!("{}/part-{number:05}-{attempt}.{}{suffix}", folder(work, project), format.extension());
    let mut encoder = Encoder::new(format, export.compression, number == 0)?;
    let mut file = work.files()?.create(&name)?;
    let mut conn = work.tools.connection().await?;
    let mut events = export::events(&mut conn, project, instants, selection).await?;
    let mut rows = 0;
    while let Some(event) = events.try_next().await? {
        encoder.add(event)?;
        rows += 1;
        if encoder.waiting() >= CHUNK_BYTES {
            file.write(&encoder.take()).await?;
        }
    }
    if rows == 0 && number > 0 {
        file.abandon().await?;
        return Ok(File { name, rows, bytes: 0 });
    }
    file.write(&encoder.finish()?).await?;
    let bytes = file.finish().await?;
    Ok(File { name, rows, bytes })
}

/// Deletes what attempts left behind that ended half-way.
async fn delete_unnoted(work: &Work, project: ProjectId, noted: &[File]) -> Result<(), JobError> {
    let noted: BTreeSet<&str> = noted.iter().map(|file| file.name.as_str()).collect();
    let files = work.files()?;
    for name in files.list(&folder(work, project)).await? {
        if !noted.contains(name.as_str()) {
            files.delete(&name).await?;
        }
    }
    Ok(())
}
