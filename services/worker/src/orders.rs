//! Dead letters on their way back, or out: what services that serve people ask the workers to do.

use futures_util::{StreamExt, TryStreamExt, stream};
use millrace_messaging::broker::Broker;
use millrace_messaging::dead_letters::filter::Filter;
use millrace_messaging::dead_letters::letter::Letter;
use millrace_messaging::dead_letters::orders::{Done, MAX_LETTERS, Order};
use millrace_messaging::dead_letters::shelf;
use millrace_messaging::error::MessagingError;
use millrace_messaging::requests::{Unanswered, answer};
use millrace_messaging::subjects;
use tokio_util::sync::CancellationToken;

/// Letters in hand at the same time.
const CONCURRENCY: usize = 16;

/// What is done with letters.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    /// They are put back into the log.
    Replay,
    /// They are deleted.
    Drop,
}

/// Answers orders until `shutdown`.
///
/// # Errors
/// When the broker ends the service.
pub async fn serve(broker: Broker, shutdown: CancellationToken) -> Result<(), MessagingError> {
    let replays = answer(
        &broker,
        "dead-letters-replay",
        subjects::REPLAY_DEAD_LETTERS,
        shutdown.clone(),
        |order: Order| execute(&broker, order, Deed::Replay),
    );
    let drops =
        answer(&broker, "dead-letters-drop", subjects::DROP_DEAD_LETTERS, shutdown.clone(), |order| {
            execute(&broker, order, Deed::Drop)
        });
    tokio::try_join!(replays, drops).map(drop)
}

async fn execute(broker: &Broker, order: Order, deed: Deed) -> Result<Done, Unanswered> {
    let unavailable = |error: MessagingError| {
        metrics::counter!("dependency_failures_total", "dependency" => "nats").increment(1);
        tracing::warn!(%error, "an order about dead letters is not carried out");
        Unanswered::Unavailable
    };
    let (letters, next) = meant(broker, order).await?;
    let letters = carry_out(broker, letters, deed).await.map_err(unavailable)?;
    Ok(Done { letters, next })
}

/// Does it to all of them, and returns how many those are.
pub(crate) async fn carry_out(
    broker: &Broker,
    letters: Vec<Letter>,
    deed: Deed,
) -> Result<u64, MessagingError> {
    let done = stream::iter(letters)
        .map(|letter| async move {
            match deed {
                Deed::Replay => shelf::replay(broker, &letter).await,
                Deed::Drop => shelf::discard(broker, letter.id).await,
            }
        })
        .buffer_unordered(CONCURRENCY)
        .try_fold(0, |done: u64, ()| async move { Ok(done + 1) })
        .await?;
    match deed {
        Deed::Replay => metrics::counter!("dead_letters_replayed_total").increment(done),
        Deed::Drop => metrics::counter!("dead_letters_dropped_total").increment(done),
    }
    Ok(done)
}

/// The letters that are meant, and where to go on looking.
async fn meant(broker: &Broker, order: Order) -> Result<(Vec<Letter>, Option<u64>), Unanswered> {
    let away = |error: MessagingError| {
        tracing::warn!(%error, "dead letters cannot be looked at");
        Unanswered::Unavailable
    };
    match order {
        Order::Named { ids, .. } if ids.len() > MAX_LETTERS => Err(Unanswered::BadQuestion),
        Order::Named { project, ids } => {
            let mut letters = Vec::new();
            for id in ids {
                let found = shelf::get(broker, id).await.map_err(away)?;
                letters
                    .extend(found.filter(|letter| project.is_none_or(|project| letter.project == project)));
            }
            Ok((letters, None))
        }
        Order::Found { filter, after, until } => found(broker, &filter, after, until).await.map_err(away),
    }
}

/// The next letters that a filter means, none newer than `until`, and where to go on looking.
pub(crate) async fn found(
    broker: &Broker,
    filter: &Filter,
    after: Option<u64>,
    until: u64,
) -> Result<(Vec<Letter>, Option<u64>), MessagingError> {
    let mut found = shelf::page(broker, filter, after, MAX_LETTERS).await?;
    found.letters.retain(|letter| letter.id <= until);
    Ok((found.letters, found.next.filter(|next| *next < until)))
}
