//! Files of events, row by row: CSV, JSON lines and JSON, plain or compressed with gzip or zstd.
//!
//! [`inflated`] undoes the compression, [`Rows`] finds the rows, and a [`Row`] is a [`Draft`] of an event or a
//! [`Fault`]. Memory is bounded by the longest row, whatever the size of the file. Nothing here knows where the bytes
//! come from or where the events go.

mod csv_rows;
mod csv_scan;
mod draft;
mod fault;
mod field;
mod format;
mod inflated;
mod json_array;
mod json_lines;
mod json_object;
mod row_id;
mod window;

pub use draft::Draft;
pub use fault::Fault;
pub use field::{Mapped, Mapping};
pub use format::{Format, Rows, UnknownFormat};
pub use inflated::inflated;
pub use row_id::row_id;

/// A row of a file.
#[derive(Debug)]
pub struct Row<'a> {
    /// The number of the line on which it begins, from 1.
    pub line: u64,
    /// Its bytes, without the line end.
    pub raw: &'a [u8],
    /// The event that it is, or why it is none.
    pub draft: Result<Draft<'a>, Fault>,
}
