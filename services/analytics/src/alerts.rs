//! Alerts: looking at the numbers of insights now and then, and telling those who are to hear of it.
//!
//! Every replica does both. What is due is taken from the database by one of them at a time ([`evaluation`]); what is to
//! be told is written down with what happened, and told until it is heard or given up ([`telling`]).

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::errors::AnalyticsError;
use crate::state::State;

pub mod evaluation;
pub mod public_address;
pub mod secrets;
pub mod telling;
pub mod webhook;

/// How often the database is asked whether something is due.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many look, and how many tell, in one process: a question that takes long keeps one hand, and a receiver that hangs.
const HANDS: usize = 4;

/// Looks at what is due, until `shutdown`.
///
/// # Errors
/// None: with the database away it goes on when that is back.
pub async fn look(state: State, shutdown: CancellationToken) -> Result<(), Infallible> {
    join_all((0..HANDS).map(|_| follow(&state, "looking", evaluation::next, &shutdown))).await;
    Ok(())
}

/// Tells those who are to hear, until `shutdown`.
///
/// # Errors
/// None: with the database away it goes on when that is back.
pub async fn tell(state: State, shutdown: CancellationToken) -> Result<(), Infallible> {
    join_all((0..HANDS).map(|_| follow(&state, "telling", telling::next, &shutdown))).await;
    Ok(())
}

/// Does what is due. What is in hand when it is to end is finished.
async fn follow(
    state: &State,
    what: &'static str,
    next: impl AsyncFn(&State) -> Result<bool, AnalyticsError>,
    shutdown: &CancellationToken,
) {
    while !shutdown.is_cancelled() {
        match next(state).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, what, "alerts wait"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}
