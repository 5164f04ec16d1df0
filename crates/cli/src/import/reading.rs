use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;

use millrace_rows::{Format, Mapping, Rows};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::packer::{Packer, Slip};
use super::source::{Source, SourceError};
use crate::client::Parcel;

/// What to read, and how.
pub(super) struct Reading {
    pub(super) sources: Vec<Source>,
    pub(super) format: Option<Format>,
    pub(super) mapping: Mapping,
    pub(super) infer_types: bool,
    /// Most events in a parcel.
    pub(super) batch: usize,
}

/// Nobody takes parcels any more.
struct Closed;

impl Reading {
    /// Bytes of all sources, where that is known.
    pub(super) fn size(&self) -> Option<u64> {
        self.sources.iter().map(|source| source.size).sum()
    }

    /// Reads on a thread of its own until everything is read or `stop` is cancelled. The receiver
    /// gets how it ended, unless the thread hangs on an input that gives nothing.
    pub(super) fn start(
        self,
        parcels: mpsc::Sender<Parcel<Slip>>,
        consumed: Arc<AtomicU64>,
        stop: CancellationToken,
    ) -> oneshot::Receiver<Result<(), SourceError>> {
        let (report, ended) = oneshot::channel();
        thread::spawn(move || {
            let read_all = || {
                for source in &self.sources {
                    let read = self.read(source, &parcels, &consumed, &stop);
                    match read.map_err(|cause| SourceError { name: Arc::clone(&source.name), cause })? {
                        Ok(()) => {}
                        Err(Closed) => break,
                    }
                }
                Ok(())
            };
            let result = read_all();
            // Nobody listens after an interruption.
            let _ = report.send(result);
        });
        ended
    }

    /// Reads one source. What was read before an error is sent all the same.
    fn read(
        &self,
        source: &Source,
        parcels: &mpsc::Sender<Parcel<Slip>>,
        consumed: &Arc<AtomicU64>,
        stop: &CancellationToken,
    ) -> io::Result<Result<(), Closed>> {
        let format = self.format.or_else(|| Format::of_name(&source.name));
        let mut rows =
            Rows::new(source.open(Arc::clone(consumed))?, format, &self.mapping, self.infer_types)?;
        let mut packer = Packer::new(Arc::clone(&source.name), self.batch);
        let send = |packer: &mut Packer| match packer.take() {
            Some(parcel) => parcels.blocking_send(parcel).or(Err(Closed)),
            None => Ok(()),
        };
        loop {
            match rows.next_row() {
                Ok(Some(row)) => packer.add(row),
                end => {
                    let sent = send(&mut packer);
                    return end.map(|_| sent);
                }
            }
            if packer.is_full() {
                if stop.is_cancelled() {
                    return Ok(Err(Closed));
                }
                if let Err(closed) = send(&mut packer) {
                    return Ok(Err(closed));
                }
            }
        }
    }
}
