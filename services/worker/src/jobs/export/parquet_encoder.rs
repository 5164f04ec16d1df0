//! Apache Parquet: a row group for every so many events, each column of it compressed with zstd.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use millrace_storage::export::StoredEvent;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use crate::jobs::error::JobError;

/// The columns, in this order.
const SCHEMA: &str = "message event {
    required binary event_id (STRING);
    required binary event_type (STRING);
    required binary user_id (STRING);
    required int64 occurred_at (TIMESTAMP(MICROS, true));
    optional binary session_id (STRING);
    required binary properties (JSON);
    optional binary context (JSON);
}";

/// Events of a row group: what is held in memory at once.
const GROUP_ROWS: usize = 20_000;
/// And bytes of them.
const GROUP_BYTES: usize = 16 << 20;

/// Bytes that the writer has given out and nobody has taken yet.
#[derive(Clone, Default)]
struct Outlet(Arc<Mutex<Vec<u8>>>);

impl Outlet {
    fn with<T>(&self, act: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|waiting| waiting.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Turns events into a Parquet file.
pub(super) struct ParquetEncoder {
    writer: SerializedFileWriter<Outlet>,
    outlet: Outlet,
    group: Vec<StoredEvent>,
    group_bytes: usize,
}

impl ParquetEncoder {
    pub(super) fn new() -> Result<Self, JobError> {
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(failed)?);
        let level = ZstdLevel::try_new(3).map_err(failed)?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let outlet = Outlet::default();
        let writer =
            SerializedFileWriter::new(outlet.clone(), schema, Arc::new(properties)).map_err(failed)?;
        Ok(Self { writer, outlet, group: Vec::new(), group_bytes: 0 })
    }

    pub(super) fn add(&mut self, event: StoredEvent) -> Result<(), JobError> {
        self.group_bytes +=
            event.properties.len() + event.user_id.len() + event.context.as_ref().map_or(0, String::len);
        self.group.push(event);
        if self.group.len() >= GROUP_ROWS || self.group_bytes >= GROUP_BYTES {
            self.end_group().map_err(failed)?;
        }
        Ok(())
    }

    pub(super) fn waiting(&self) -> usize {
        self.outlet.with(|waiting| waiting.len())
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        self.outlet.with(mem::take)
    }

    pub(super) fn finish(mut self) -> Result<Vec<u8>, JobError> {
        self.end_group().map_err(failed)?;
        self.writer.finish().map_err(failed)?;
        // The writer keeps what it has not written yet in a buffer of its own.
        let Self { writer, outlet, .. } = self;
        drop(writer);
        Ok(outlet.with(mem::take))
    }

    fn end_group(&mut self) -> Result<(), ParquetError> {
        let events = mem::take(&mut self.group);
        self.group_bytes = 0;
        if events.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let text = |text: &str| ByteArray::from(text);
        required(&mut group, events.iter().map(|event| text(&event.event_id.to_string())).collect())?;
        required(&mut group, events.iter().map(|event| text(&event.event_type)).collect())?;
        required(&mut group, events.iter().map(|event| text(&event.user_id)).collect())?;
        let times: Vec<i64> = events.iter().map(|event| event.occurred_at.timestamp_micros()).collect();
        column(&mut group, |column| column.typed::<Int64Type>().write_batch(&times, None, None))?;
        optional(&mut group, events.iter().map(|event| event.session_id.as_deref()).collect())?;
        required(&mut group, events.iter().map(|event| text(&event.properties)).collect())?;
        optional(&mut group, events.iter().map(|event| event.context.as_deref()).collect())?;
        group.close()?;
        self.writer.flush()?;
        Ok(())
    }
}

type Group<'a> = SerializedRowGroupWriter<'a, Outlet>;

fn column(
    group: &mut Group<'_>,
    write: impl FnOnce(&mut SerializedColumnWriter<'_>) -> Result<usize, ParquetError>,
) -> Result<(), ParquetError> {
    let next = group.next_column()?;
    let mut column = next.ok_or_else(|| ParquetError::General("there is no such column".to_owned()))?;
    write(&mut column)?;
    column.close()
}

fn required(group: &mut Group<'_>, values: Vec<ByteArray>) -> Result<(), ParquetError> {
    column(group, |column| column.typed::<ByteArrayType>().write_batch(&values, None, None))
}

fn optional(group: &mut Group<'_>, values: Vec<Option<&str>>) -> Result<(), ParquetError> {
    let present: Vec<ByteArray> = values.iter().flatten().map(|text| ByteArray::from(*text)).collect();
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    column(group, |column| column.typed::<ByteArrayType>().write_batch(&present, Some(&levels), None))
}

fn failed(error: ParquetError) -> JobError {
    JobError::Failed(format!("Parquet cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use millrace_domain::jobs::task::{self, ExportFormat};
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    use super::super::encoder::tests::{encode, two_events};

    #[test]
    fn a_file_is_read_back_as_it_was_written() {
        let bytes = encode(ExportFormat::Parquet, task::Compression::None, true);
        let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let [first, second] = two_events();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].get_string(0).unwrap(), &first.event_id.to_string());
        assert_eq!(rows[0].get_string(2).unwrap(), &first.user_id);
        assert_eq!(rows[0].get_timestamp_micros(3).unwrap(), first.occurred_at.timestamp_micros());
        assert_eq!(rows[0].get_string(5).unwrap(), &first.properties);
        assert_eq!(rows[1].get_string(1).unwrap(), &second.event_type);
        assert!(rows[1].get_string(4).is_err() && rows[1].get_string(6).is_err(), "what is absent is null");
    }
}
