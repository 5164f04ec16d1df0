//! The questions, from their parameters to their answers.

use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use millrace_http::problem::Problem;
use millrace_storage::database::Connection;
use serde::Serialize;
use tokio::runtime::Handle;
use tracing::Span;

use crate::answer::Answer;
use crate::api_limit;
use crate::errors::AnalyticsError;
use crate::kept::Asking;
use crate::reader::Reader;
use crate::state::State;

pub mod active_users;
pub mod event_types;
pub mod retention;
pub mod top_events;

/// Answers a question, from what is kept where that will do.
///
/// # Errors
/// When the question cannot be answered.
pub async fn ask<A, Q>(
    state: &State,
    request: &HttpRequest,
    asking: Asking,
    question: Q,
) -> Result<HttpResponse, Problem>
where
    A: Serialize,
    Q: AsyncFnOnce(&mut Reader) -> Result<A, AnalyticsError> + Send + 'static,
{
    api_limit::check(state, asking.project).await?;
    let worked_out = work_out(state, asking.kind, question);
    let recalled = Box::pin(state.answers.recall(&asking, worked_out)).await;
    let (answer, kept) = recalled.map_err(|error| Problem::from(&*error))?;
    Ok(answer.respond(request, kept))
}

/// Works out the answer to a question of this `kind`.
///
/// Reading and computing are one piece of work on a thread of its own: sets of a million users take milliseconds to
/// unpack and to intersect, and the server's threads have other requests to see to. Nothing starts without a
/// connection, so the pool bounds how many questions are in memory at once.
async fn work_out<A, Q>(state: &State, kind: &'static str, question: Q) -> Result<Answer, AnalyticsError>
where
    A: Serialize,
    Q: AsyncFnOnce(&mut Reader) -> Result<A, AnalyticsError> + Send + 'static,
{
    let started = Instant::now();
    let connection = state.database.connection().await?;
    let (now, patience) = ((state.clock)(), state.patience);
    let (runtime, span) = (Handle::current(), Span::current());
    let work = move || span.in_scope(|| runtime.block_on(read(connection, now, patience, question)));
    let answer = web::block(work).await.map_err(|_stopping| AnalyticsError::Cancelled)??;
    metrics::histogram!("query_duration_seconds", "kind" => kind, "source" => answer.source().as_str())
        .record(started.elapsed());
    Ok(answer)
}

async fn read<A, Q>(
    connection: Connection,
    now: DateTime<Utc>,
    patience: Duration,
    question: Q,
) -> Result<Answer, AnalyticsError>
where
    A: Serialize,
    Q: AsyncFnOnce(&mut Reader) -> Result<A, AnalyticsError>,
{
    let mut reader = Reader::open(connection, now, patience).await?;
    let answer = question(&mut reader).await;
    let closed = reader.close().await;
    Ok(Answer::of(&answer?, closed?)?)
}
