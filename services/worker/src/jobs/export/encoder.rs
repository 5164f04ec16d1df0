//! Events as the bytes of a file.

use millrace_domain::jobs::task::{Compression, ExportFormat};
use millrace_storage::export::StoredEvent;

use super::parquet_encoder::ParquetEncoder;
use super::text_encoder::{TextEncoder, TextFormat};
use crate::jobs::error::JobError;

/// Turns events into a file, a piece at a time.
pub(super) enum Encoder {
    Text(TextEncoder),
    Parquet(Box<ParquetEncoder>),
}

impl Encoder {
    /// Begins a file; the `first` of several that are to be joined has the header.
    pub(super) fn new(format: ExportFormat, compression: Compression, first: bool) -> Result<Self, JobError> {
        Ok(match format {
            ExportFormat::Csv => Self::Text(TextEncoder::new(TextFormat::Csv, compression, first)?),
            ExportFormat::Ndjson => Self::Text(TextEncoder::new(TextFormat::Ndjson, compression, first)?),
            ExportFormat::Parquet => Self::Parquet(Box::new(ParquetEncoder::new()?)),
        })
    }

    /// Adds an event.
    pub(super) fn add(&mut self, event: StoredEvent) -> Result<(), JobError> {
        match self {
            Self::Text(text) => text.add(&event),
            Self::Parquet(parquet) => parquet.add(event),
        }
    }

    /// How many bytes are ready to be written.
    pub(super) fn waiting(&self) -> usize {
        match self {
            Self::Text(text) => text.waiting(),
            Self::Parquet(parquet) => parquet.waiting(),
        }
    }

    /// Takes the bytes that are ready.
    pub(super) fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.take(),
            Self::Parquet(parquet) => parquet.take(),
        }
    }

    /// Ends the file, and gives its last bytes.
    pub(super) fn finish(self) -> Result<Vec<u8>, JobError> {
        match self {
            Self::Text(text) => text.finish(),
            Self::Parquet(parquet) => parquet.finish(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An event that needs every kind of quoting, and one that has nothing.
    pub(in crate::jobs::export) fn two_events() -> [StoredEvent; 2] {
        [
            StoredEvent {
                event_id: uuid::Uuid::from_u128(1),
                event_type: "a,b".to_owned(),
                user_id: "the \"user\"\nof\rlines".to_owned(),
                occurred_at: "2026-11-01T12:00:00.000001Z".parse().unwrap(),
                session_id: Some("s".to_owned()),
                properties: r#"{"n": 1.50, "text": "a, \"b\"\n"}"#.to_owned(),
                context: Some("{}".to_owned()),
            },
            StoredEvent {
                event_id: uuid::Uuid::from_u128(2),
                event_type: "login".to_owned(),
                user_id: "ada".to_owned(),
                occurred_at: "2026-11-01T12:00:00Z".parse().unwrap(),
                session_id: None,
                properties: "{}".to_owned(),
                context: None,
            },
        ]
    }

    pub(in crate::jobs::export) fn encode(
        format: ExportFormat,
        compression: Compression,
        first: bool,
    ) -> Vec<u8> {
        let mut encoder = Encoder::new(format, compression, first).unwrap();
        let mut bytes = Vec::new();
        for event in two_events() {
            encoder.add(event).unwrap();
            bytes.extend(encoder.take());
        }
        bytes.extend(encoder.finish().unwrap());
        bytes
    }
}
