//! The questions, from their parameters to their answers.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse};
use chrono::TimeDelta;
use millrace_cache::data_versions::Month;
use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::query::{Query, Question};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::ProjectId;
use millrace_http::problem::Problem;
use serde::Serialize;
use tokio::runtime::Handle;
use tracing::Span;

use crate::answer::Answer;
use crate::api_limit;
use crate::errors::AnalyticsError;
use crate::kept::{Asking, insists};
use crate::reader::{Memory, Reader};
use crate::state::State;

pub mod active_users;
pub mod cohorts;
pub mod event_types;
pub mod explained;
pub mod funnel;
pub mod lifecycle;
pub mod paths;
pub mod properties;
pub mod retention;
pub mod sessions;
pub mod stickiness;
pub mod top_events;
pub mod trends;
pub mod users;

use explained::Explained;

/// Any answer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each is named for its question")]
pub enum Answered {
    ActiveUsers(active_users::ActiveUsersAnswer),
    TopEvents(top_events::TopEventsAnswer),
    Retention(retention::RetentionAnswer),
    Trends(trends::TrendsAnswer),
    Funnel(funnel::FunnelAnswer),
    Paths(paths::PathsAnswer),
    Sessions(sessions::SessionsAnswer),
    Lifecycle(lifecycle::LifecycleAnswer),
    Stickiness(stickiness::StickinessAnswer),
}

/// Answers a question of the query language, from what is kept where that will do. `spelling` is the question in words
/// that no other question has.
///
/// # Errors
/// When the question cannot be answered.
pub async fn ask_query(
    state: &State,
    request: &HttpRequest,
    project: ProjectId,
    query: Query,
    spelling: String,
) -> Result<HttpResponse, Problem> {
    api_limit::check(state, project).await?;
    let recalled = Box::pin(answer_to(state, project, query, spelling, insists(request))).await;
    let (answer, kept) = recalled.map_err(|error| Problem::from(&*error))?;
    Ok(answer.respond(request, kept))
}

/// The answer, and whether it was kept. With `anew`, and for whoever wants an explanation, it is worked out.
///
/// # Errors
/// When the question cannot be answered.
pub async fn answer_to(
    state: &State,
    project: ProjectId,
    mut query: Query,
    spelling: String,
    anew: bool,
) -> Result<(Arc<Answer>, bool), Arc<AnalyticsError>> {
    let (kind, explain) = (query.question.kind(), query.explain);
    // Who belongs to a cohort can be a matter of any time.
    let months = if query.cohorts().is_empty() { months(&query) } else { Month::FIRST..=Month::LAST };
    let asking = Asking::spelt(kind, project, months, spelling).anew(anew || explain);
    let question = async move |reader: &mut Reader| answer(query, reader, project).await;
    let worked_out = work_out(state, kind, project, explain, question);
    Box::pin(state.answers.recall(&asking, worked_out)).await
}

/// Works out the answer to a question of the query language.
async fn answer(
    mut query: Query,
    reader: &mut Reader,
    project: ProjectId,
) -> Result<Answered, AnalyticsError> {
    let project = reader.project(project).await?;
    reader.resolve(&project, &mut query).await?;
    let Query { asked, filter, question, explain: _ } = query;
    Ok(match question {
        Question::ActiveUsers(query) => {
            Answered::ActiveUsers(active_users::answer(reader, &project, asked, query, filter).await?)
        }
        Question::TopEvents(limit) => {
            Answered::TopEvents(top_events::answer(reader, &project, asked, limit, filter).await?)
        }
        Question::Retention(query) => {
            Answered::Retention(Box::pin(retention::answer(reader, &project, asked, query, filter)).await?)
        }
        Question::Trends(query) => {
            Answered::Trends(Box::pin(trends::answer(reader, &project, asked, query, filter)).await?)
        }
        Question::Funnel(query) => {
            Answered::Funnel(Box::pin(funnel::answer(reader, &project, asked, query, filter)).await?)
        }
        Question::Paths(query) => {
            Answered::Paths(paths::answer(reader, &project, asked, query, filter).await?)
        }
        Question::Sessions(query) => {
            Answered::Sessions(sessions::answer(reader, &project, asked, query, filter).await?)
        }
        Question::Lifecycle(query) => {
            Answered::Lifecycle(lifecycle::answer(reader, &project, asked, query, filter).await?)
        }
        Question::Stickiness(query) => {
            Answered::Stickiness(stickiness::answer(reader, &project, asked, query, filter).await?)
        }
    })
}

/// The months whose events can change the answer.
fn months(query: &Query) -> RangeInclusive<Month> {
    let day = TimeDelta::days(1);
    let (before, after) = match &query.question {
        // Whoever was seen before is not new.
        Question::Retention(_) | Question::Lifecycle(_) => return Month::FIRST..=Month::LAST,
        Question::ActiveUsers(query) => (day * i32::from(query.window.days()), TimeDelta::zero()),
        Question::Trends(trends) if trends.compare => (length(&query.asked), TimeDelta::zero()),
        Question::Funnel(funnel) => (TimeDelta::zero(), funnel.window),
        _ => (TimeDelta::zero(), TimeDelta::zero()),
    };
    let covered = query.asked.period.instants(TimeZone::UTC);
    // No zone's days are a day off.
    let first = covered.start.checked_sub_signed(before + day);
    let last = covered.end.checked_add_signed(after + day);
    first.map_or(Month::FIRST, Month::of)..=last.map_or(Month::LAST, Month::of)
}

fn length(asked: &Asked) -> TimeDelta {
    let covered = asked.period.instants(TimeZone::UTC);
    covered.end - covered.start
}

/// Answers a question that is not of the query language, from what is kept where that will do.
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
    let worked_out = work_out(state, asking.kind, asking.project, false, question);
    let recalled = Box::pin(state.answers.recall(&asking, worked_out)).await;
    let (answer, kept) = recalled.map_err(|error| Problem::from(&*error))?;
    Ok(answer.respond(request, kept))
}

/// Works out the answer to a question of this `kind`.
///
/// Reading and computing are one piece of work on a thread of its own: sets of a million users take milliseconds to
/// unpack and to intersect, and the server's threads have other requests to see to. Nothing starts without a turn and a
/// connection, so these bound how many questions are in memory at once.
async fn work_out<A, Q>(
    state: &State,
    kind: &'static str,
    project: ProjectId,
    explain: bool,
    question: Q,
) -> Result<Answer, AnalyticsError>
where
    A: Serialize,
    Q: AsyncFnOnce(&mut Reader) -> Result<A, AnalyticsError> + Send + 'static,
{
    let started = Instant::now();
    let turn = state.turns.take(project).await?;
    let database = state.database.clone();
    let connection = database.connection().await?;
    let waited = started.elapsed();
    let (now, limits) = ((state.clock)(), state.limits);
    let memory =
        Memory { postings: state.postings.clone(), sets: state.sets.clone(), work: state.work.clone() };
    let (runtime, span) = (Handle::current(), Span::current());
    let explain = explain.then_some(waited);
    let work = move || {
        let read = async {
            let reader = Reader::open(connection, database, now, limits, memory).await?;
            read(reader, explain, question).await
        };
        let answer = span.in_scope(|| runtime.block_on(read));
        // Work that was begun goes on when its asker has gone, and its turn lasts as long.
        drop(turn);
        answer
    };
    let answer = tokio::task::spawn_blocking(work).await.map_err(|_stopping| AnalyticsError::Cancelled)??;
    metrics::histogram!("query_duration_seconds", "kind" => kind, "source" => answer.source().as_str())
        .record(started.elapsed());
    Ok(answer)
}

/// `explain`: how long the question waited, if it is to be explained.
async fn read<A, Q>(
    mut reader: Reader,
    explain: Option<Duration>,
    question: Q,
) -> Result<Answer, AnalyticsError>
where
    A: Serialize,
    Q: AsyncFnOnce(&mut Reader) -> Result<A, AnalyticsError>,
{
    let started = Instant::now();
    let answer = question(&mut reader).await;
    let account = reader.close().await;
    let (answer, account) = (answer?, account?);
    Ok(match explain {
        None => Answer::of(&answer, account.source)?,
        Some(waited) => {
            let source = account.source;
            Answer::of(&Explained::new(&answer, account, waited, started.elapsed()), source)?
        }
    })
}
