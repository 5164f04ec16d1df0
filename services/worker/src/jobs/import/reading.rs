//! Reading the rows of a file, on a thread of its own.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use millrace_domain::draft::Draft;
use millrace_domain::event::Event;
use millrace_domain::jobs::task::Import;
use millrace_files::FilesError;
use millrace_rows::{Fault, Format, Mapped, Mapping, Row, Rows, inflated, row_id};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::jobs::error::JobError;

/// Rows of a batch.
const BATCH_ROWS: u64 = 2_000;
/// Bytes of rows after which a batch is complete, however few they are.
const BATCH_BYTES: usize = 4 << 20;
/// Batches that are read ahead.
const READ_AHEAD: usize = 2;
/// Pieces of the file that are read ahead.
const PIECES: usize = 8;

/// Some rows of the file, one after the other.
pub(super) struct Batch {
    /// How many rows.
    pub(super) rows: u64,
    /// Those that are events.
    pub(super) events: Vec<Event>,
    /// Those that are not.
    pub(super) rejects: Vec<Reject>,
}

/// A row that is no event.
pub(super) struct Reject {
    pub(super) line: u64,
    pub(super) fault: Fault,
    pub(super) raw: Vec<u8>,
}

/// What to read, and how.
pub(super) struct Reading {
    format: Option<Format>,
    mapping: Mapping,
    infer_types: bool,
    /// Rows to pass over.
    skip: u64,
    /// The time that rows have which say none. The same for every attempt, or they would be other events each time.
    now: DateTime<Utc>,
}

impl Reading {
    pub(super) fn of(import: &Import, skip: u64, now: DateTime<Utc>) -> Result<Self, JobError> {
        let failed = |fault: String| JobError::Failed(format!("parameters: {fault}"));
        let mapped = |(column, field): (&String, &String)| format!("{column}={field}").parse::<Mapped>();
        let format = import.format.as_deref().map(str::parse).transpose();
        Ok(Self {
            format: format
                .map_err(|fault| failed(format!("{fault}")))?
                .or_else(|| Format::of_name(&import.file)),
            mapping: import.map.iter().map(mapped).collect::<Result<_, _>>().map_err(failed)?,
            infer_types: import.infer_types,
            skip,
            now,
        })
    }

    /// Begins to read; batches come until the file ends, or an error.
    pub(super) fn start(
        self,
        mut content: BoxStream<'static, Result<Bytes, FilesError>>,
    ) -> mpsc::Receiver<Result<Batch, JobError>> {
        let (pieces, source) = mpsc::channel(PIECES);
        tokio::spawn(async move {
            while let Some(piece) = content.next().await {
                if pieces.send(piece).await.is_err() {
                    break;
                }
            }
        });
        let (batches, received) = mpsc::channel(READ_AHEAD);
        tokio::task::spawn_blocking(move || {
            let source = Source { pieces: source, piece: Bytes::new() };
            // Whoever took the batches may be gone: the job was stopped.
            if let Err(error) = self.read(source, &batches) {
                let _ = batches.blocking_send(Err(error));
            }
        });
        received
    }

    fn read(&self, source: Source, batches: &mpsc::Sender<Result<Batch, JobError>>) -> Result<(), JobError> {
        let source = inflated(source).map_err(unreadable)?;
        let mut rows = Rows::new(source, self.format, &self.mapping, self.infer_types).map_err(unreadable)?;
        let mut position = 0;
        let (mut batch, mut bytes) = (Batch::new(), 0);
        while let Some(row) = rows.next_row().map_err(unreadable)? {
            if position >= self.skip {
                bytes += row.raw.len();
                batch.add(row, position, self.now);
            }
            position += 1;
            if batch.rows >= BATCH_ROWS || bytes >= BATCH_BYTES {
                bytes = 0;
                if batches.blocking_send(Ok(std::mem::replace(&mut batch, Batch::new()))).is_err() {
                    return Ok(());
                }
            }
        }
        if batch.rows > 0 {
            let _ = batches.blocking_send(Ok(batch));
        }
        Ok(())
    }
}

impl Batch {
    fn new() -> Self {
        Self { rows: 0, events: Vec::new(), rejects: Vec::new() }
    }

    fn add(&mut self, row: Row<'_>, position: u64, now: DateTime<Utc>) {
        self.rows += 1;
        let Row { line, raw, draft } = row;
        let event = draft.and_then(|mut draft| {
            draft.identify(|| row_id(position, raw));
            let text = serde_json::to_string(&draft).map_err(|error| Fault::json(&error, line))?;
            let draft = Draft::parse(&text, now, Uuid::now_v7)
                .map_err(|refused| Fault::new(refused.code.as_str(), refused.message))?;
            Ok(draft.settle(now))
        });
        match event {
            Ok(event) => self.events.push(event),
            Err(fault) => self.rejects.push(Reject { line, fault, raw: raw.to_vec() }),
        }
    }
}

/// What cannot be read because the store is away may be read later; what the file's bytes forbid never.
fn unreadable(error: io::Error) -> JobError {
    match error.downcast::<FilesError>() {
        Ok(error) => error.into(),
        Err(error) => JobError::Failed(format!("the file cannot be read: {error}")),
    }
}

/// The pieces of the file as they arrive.
struct Source {
    pieces: mpsc::Receiver<Result<Bytes, FilesError>>,
    piece: Bytes,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece.map_err(io::Error::other)?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        self.piece.split_to(count).copy_to_slice(buffer.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}
