use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use millrace_rows::Fault;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::packer::Slip;
use super::progress::Progress;
use super::reading::Reading;
use super::rejects::{Rejects, RejectsError};
use super::source::SourceError;
use crate::client::{ClientError, Delivery, SendError, Sender, SenderConfig, deliver};
use crate::summary::Summary;

const TELL_EVERY: Duration = Duration::from_millis(200);

/// Why an import ended before its input did.
#[derive(Debug, Error)]
pub(super) enum ImportError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Rejects(#[from] RejectsError),
}

/// How an import ended.
pub(super) struct Outcome {
    pub(super) summary: Summary,
    /// Why it is not complete, if it isn't and was not interrupted.
    pub(super) failure: Option<ImportError>,
}

/// Imports: reads, sends `concurrency` batches at once, and brings the verdicts back to the rows.
pub(super) async fn settle(
    reading: Reading,
    config: SenderConfig,
    concurrency: usize,
    mut rejects: Rejects,
    interrupted: &CancellationToken,
) -> Result<Outcome, ClientError> {
    let stop = interrupted.child_token();
    let sender = Sender::new(config, stop.clone())?;
    let consumed = Arc::default();
    let mut progress = Progress::new(reading.size(), Arc::clone(&consumed));
    let mut summary = Summary::begin();
    let mut failure = None;

    let (parcels, queue) = mpsc::channel(concurrency);
    let reading = reading.start(parcels, consumed, stop.clone());
    let mut deliveries = pin!(deliver(&sender, queue, concurrency));
    let mut tick = tokio::time::interval(TELL_EVERY);
    loop {
        let delivery = tokio::select! {
            delivery = deliveries.next() => delivery,
            _ = tick.tick() => {
                progress.tell(&summary, sender.trouble().as_deref());
                continue;
            }
        };
        let Some(Delivery { slip, verdict, result }) = delivery else { break };
        summary.add(&verdict);
        summary.reject(slip.faulty.len().try_into().unwrap_or(u64::MAX));
        let reported = report(&slip, verdict, &mut rejects, &progress);
        if let Err(error) = result.map_err(ImportError::from).and(reported.map_err(ImportError::from)) {
            stop.cancel();
            failure.get_or_insert(error);
        }
    }
    if !stop.is_cancelled()
        && let Ok(Err(error)) = reading.await
    {
        failure = Some(error.into());
    }
    progress.finish();
    match rejects.finish() {
        Ok(Some(line)) => progress.say(&line),
        Ok(None) => {}
        Err(error) => failure = failure.or(Some(error.into())),
    }
    Ok(Outcome { summary, failure })
}

/// Reports the rows of a parcel that were rejected, here or by the server, in the order of the file.
fn report(
    slip: &Slip,
    verdict: crate::api::Verdict,
    rejects: &mut Rejects,
    progress: &Progress,
) -> Result<(), RejectsError> {
    let mut rejected: Vec<_> = slip.faulty.iter().map(|(place, fault)| (place, fault.clone())).collect();
    let mut named = BTreeSet::new();
    for error in verdict.errors {
        if let Some(place) = slip.sent.get(error.index)
            && named.insert(error.index)
        {
            rejected.push((place, Fault { code: error.code.into(), reason: error.message }));
        }
    }
    rejected.sort_by_key(|(place, _)| place.line);
    for (place, fault) in rejected {
        if let Some(line) = rejects.report(&slip.file, place.line, &fault, slip.raw(place))? {
            progress.say(&line);
        }
    }
    let named = named.len().try_into().unwrap_or(u64::MAX);
    if let (Some(first), Some(last), unnamed @ 1..) =
        (slip.sent.first(), slip.sent.last(), verdict.rejected.saturating_sub(named))
    {
        let reason = format!(
            "the server rejected {unnamed} rows between lines {} and {} without naming them",
            first.line, last.line
        );
        if let Some(line) = rejects.report(&slip.file, first.line, &Fault::new("unnamed", reason), b"")? {
            progress.say(&line);
        }
    }
    Ok(())
}
