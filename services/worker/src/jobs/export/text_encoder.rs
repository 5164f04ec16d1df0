//! CSV and NDJSON, compressed or not. What is written here, `millrace import` and the import job read.

use std::borrow::Cow;
use std::io::{self, Write};

use chrono::SecondsFormat;
use flate2::write::GzEncoder;
use millrace_domain::jobs::task::Compression;
use millrace_storage::export::StoredEvent;

use crate::jobs::error::JobError;

const HEADER: &[u8] = b"event_id,event_type,user_id,occurred_at,session_id,properties,context\n";

/// A format of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextFormat {
    Csv,
    Ndjson,
}

/// Where lines go.
enum Sink {
    Plain(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::Encoder<'static, Vec<u8>>),
}

impl Sink {
    fn ready(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(bytes) => bytes.write_all(line),
            Self::Gzip(encoder) => encoder.write_all(line),
            Self::Zstd(encoder) => encoder.write_all(line),
        }
    }
}

/// Turns events into lines.
pub(super) struct TextEncoder {
    format: TextFormat,
    sink: Sink,
    line: Vec<u8>,
    waiting: usize,
}

impl TextEncoder {
    pub(super) fn new(format: TextFormat, compression: Compression, header: bool) -> Result<Self, JobError> {
        let sink = match compression {
            Compression::None => Sink::Plain(Vec::new()),
            Compression::Gzip => Sink::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::default())),
            Compression::Zstd => Sink::Zstd(zstd::Encoder::new(Vec::new(), 3).map_err(failed)?),
        };
        let mut encoder = Self { format, sink, line: Vec::new(), waiting: 0 };
        if header && format == TextFormat::Csv {
            encoder.sink.write(HEADER).map_err(failed)?;
        }
        Ok(encoder)
    }

    pub(super) fn add(&mut self, event: &StoredEvent) -> Result<(), JobError> {
        self.line.clear();
        match self.format {
            TextFormat::Csv => self.line_of_cells(event),
            TextFormat::Ndjson => self.line_of_json(event)?,
        }
        self.sink.write(&self.line).map_err(failed)?;
        self.waiting = self.sink.ready().len();
        Ok(())
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        self.waiting = 0;
        std::mem::take(self.sink.ready())
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, JobError> {
        match self.sink {
            Sink::Plain(bytes) => Ok(bytes),
            Sink::Gzip(encoder) => encoder.finish().map_err(failed),
            Sink::Zstd(encoder) => encoder.finish().map_err(failed),
        }
    }

    fn line_of_cells(&mut self, event: &StoredEvent) {
        let (id, time) = (event.event_id.to_string(), time(event));
        let cells = [
            id.as_str(),
            &event.event_type,
            &event.user_id,
            &time,
            event.session_id.as_deref().unwrap_or_default(),
            &event.properties,
            event.context.as_deref().unwrap_or_default(),
        ];
        for (n, cell) in cells.into_iter().enumerate() {
            if n > 0 {
                self.line.push(b',');
            }
            self.line.extend_from_slice(quoted(cell).as_bytes());
        }
        self.line.push(b'\n');
    }

    /// Written by hand, so that the JSON of the database is passed on as it is.
    fn line_of_json(&mut self, event: &StoredEvent) -> Result<(), JobError> {
        let line = &mut self.line;
        text_field(line, "{\"event_id\":", &event.event_id.to_string())?;
        text_field(line, ",\"event_type\":", &event.event_type)?;
        text_field(line, ",\"user_id\":", &event.user_id)?;
        text_field(line, ",\"occurred_at\":", &time(event))?;
        if let Some(session) = &event.session_id {
            text_field(line, ",\"session_id\":", session)?;
        }
        line.extend_from_slice(b",\"properties\":");
        line.extend_from_slice(event.properties.as_bytes());
        if let Some(context) = &event.context {
            line.extend_from_slice(b",\"context\":");
            line.extend_from_slice(context.as_bytes());
        }
        line.extend_from_slice(b"}\n");
        Ok(())
    }
}

fn text_field(line: &mut Vec<u8>, before: &str, text: &str) -> Result<(), JobError> {
    line.extend_from_slice(before.as_bytes());
    serde_json::to_writer(line, text).map_err(|error| JobError::Failed(error.to_string()))
}

fn time(event: &StoredEvent) -> String {
    event.occurred_at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A cell of RFC 4180.
fn quoted(cell: &str) -> Cow<'_, str> {
    if cell.contains(['"', ',', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", cell.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(cell)
    }
}

fn failed(error: io::Error) -> JobError {
    JobError::Failed(format!("a line cannot be compressed: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use millrace_domain::jobs::task::ExportFormat;
    use millrace_rows::{Format, Mapping, Rows, inflated};

    use super::super::encoder::tests::encode;
    use super::*;

    /// What the import makes of what the export wrote.
    fn read_back(bytes: Vec<u8>, format: Format) -> Vec<String> {
        let source = inflated(Cursor::new(bytes)).unwrap();
        let mut rows = Rows::new(source, Some(format), &Mapping::default(), false).unwrap();
        let mut events = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            events.push(serde_json::to_string(&row.draft.unwrap()).unwrap());
        }
        events
    }

    #[test]
    fn what_is_exported_can_be_imported_part_by_part_and_joined() {
        let ada = r#"{"event_id":"00000000-0000-0000-0000-000000000002","event_type":"login","user_id":"ada","occurred_at":"2026-11-01T12:00:00.000000Z","properties":{}}"#;
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let csv = |first| encode(ExportFormat::Csv, compression, first);
            let events = read_back([csv(true), csv(false)].concat(), Format::Csv);
            assert_eq!(events.len(), 4);
            assert_eq!((&events[0], events[1].as_str()), (&events[2], ada));
            assert!(events[0].contains(r#""user_id":"the \"user\"\nof\rlines""#), "{}", events[0]);
            assert!(events[0].contains(r#""properties":{"n": 1.50, "text": "a, \"b\"\n"},"context":{}"#));

            let json = |first| encode(ExportFormat::Ndjson, compression, first);
            assert_eq!(read_back([json(true), json(false)].concat(), Format::Jsonl), events);
        }
    }
}
