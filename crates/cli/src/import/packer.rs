use std::ops::Range;
use std::sync::Arc;

use millrace_rows::{Fault, Row, row_id};

use crate::client::{Parcel, PushError};

/// Bytes of events after which a batch is sent, however few they are.
const ENOUGH_BYTES: usize = 4 * 1024 * 1024;

/// The rows that a parcel was made of.
#[derive(Debug)]
pub(super) struct Slip {
    /// The file they come from.
    pub(super) file: Arc<str>,
    /// One row for each event of the parcel, in the same order.
    pub(super) sent: Vec<Place>,
    /// Rows that became no event.
    pub(super) faulty: Vec<(Place, Fault)>,
    raw: Vec<u8>,
}

/// Where a row is in its file, and in its slip.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The number of the line on which it begins, from 1.
    pub(super) line: u64,
    raw: Range<usize>,
}

impl Slip {
    fn new(file: Arc<str>) -> Self {
        Self { file, sent: Vec::new(), faulty: Vec::new(), raw: Vec::new() }
    }

    /// The bytes of a row as its file has them.
    pub(super) fn raw(&self, place: &Place) -> &[u8] {
        self.raw.get(place.raw.clone()).unwrap_or_default()
    }
}

/// Puts the rows of a file into parcels.
pub(super) struct Packer {
    batch: usize,
    position: u64,
    parcel: Parcel<Slip>,
}

impl Packer {
    pub(super) fn new(file: Arc<str>, batch: usize) -> Self {
        Self { batch, position: 0, parcel: Parcel { events: Default::default(), slip: Slip::new(file) } }
    }

    /// Adds a row, as an event or as a fault.
    pub(super) fn add(&mut self, row: Row<'_>) {
        let Row { line, raw, draft } = row;
        let Parcel { events, slip } = &mut self.parcel;
        let begin = slip.raw.len();
        slip.raw.extend_from_slice(raw);
        let place = Place { line, raw: begin..slip.raw.len() };
        let position = self.position;
        self.position += 1;
        let packed = draft.and_then(|mut draft| {
            draft.identify(|| row_id(position, raw));
            events.push(&draft).map_err(|error| match error {
                PushError::TooLarge(_) => Fault::new("event_too_large", error.to_string()),
                PushError::Json(error) => Fault::json(&error, line),
            })
        });
        match packed {
            Ok(()) => slip.sent.push(place),
            Err(fault) => slip.faulty.push((place, fault)),
        }
    }

    /// Whether the parcel should be on its way.
    pub(super) fn is_full(&self) -> bool {
        let Parcel { events, slip } = &self.parcel;
        events.len() >= self.batch
            || slip.faulty.len() >= self.batch
            || events.size() >= ENOUGH_BYTES
            || slip.raw.len() >= ENOUGH_BYTES
    }

    /// The parcel as it is, unless it is empty; the next rows go into a new one.
    pub(super) fn take(&mut self) -> Option<Parcel<Slip>> {
        let next = Slip::new(Arc::clone(&self.parcel.slip.file));
        let parcel = std::mem::replace(&mut self.parcel, Parcel { events: Default::default(), slip: next });
        let empty = parcel.slip.sent.is_empty() && parcel.slip.faulty.is_empty();
        (!empty).then_some(parcel)
    }
}
