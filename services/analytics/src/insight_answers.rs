//! What insights answer at present: each with its own answer, or its own reason why there is none.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use millrace_domain::analytics::query::Query;
use millrace_domain::ids::ProjectId;
use millrace_domain::workspace::question::KeptQuestion;
use millrace_http::problem::{Code, Problem};
use millrace_storage::insight_results::{self, Given};
use millrace_storage::insights::Insight;
use millrace_storage::projects::{self, Project};
use serde_json::Value;

use crate::answer::Answer;
use crate::api_limit;
use crate::errors::AnalyticsError;
use crate::questions::answer_to;
use crate::state::State;

/// The largest answer that stands beside others. Fifty of them still make one that can be sent.
const LARGEST: usize = 1 << 20;
/// The largest that is kept with its insight.
const LARGEST_KEPT: usize = 256 << 10;

/// What became of an insight's question.
#[derive(Debug)]
pub enum Said {
    /// It has none: it is a note.
    Nothing,
    /// An answer, and whether it was kept from before.
    Answer(Arc<Answer>, bool),
    /// Why there is no answer.
    Refused(Problem),
}

/// The project whose insights are asked.
///
/// # Errors
/// When it is gone, or the database is away.
pub async fn project(state: &State, id: ProjectId) -> Result<Project, AnalyticsError> {
    projects::find(&mut *state.connection().await?, id).await?.ok_or(AnalyticsError::NoProject)
}

/// What an insight's question is answered at present.
///
/// # Errors
/// When it cannot be answered.
pub async fn answer(
    state: &State,
    project: &Project,
    query: &Value,
    anew: bool,
) -> Result<(Arc<Answer>, bool), Problem> {
    let kept = KeptQuestion::parse(query).map_err(AnalyticsError::from)?;
    let asked = kept.at(project.timezone, (state.clock)()).map_err(AnalyticsError::from)?;
    // As the query language spells it, so that its answer is kept for whoever asks there, too.
    let spelling = serde_json::to_string(&asked).map_err(|error| Problem::internal(&error))?;
    let query = Query::parse(asked).map_err(AnalyticsError::from)?;
    api_limit::check(state, project.id).await?;
    let recalled = Box::pin(answer_to(state, project.id, query, format!("query {spelling}"), anew)).await;
    let (answer, kept) = recalled.map_err(|error| Problem::from(&*error))?;
    if answer.size() > LARGEST {
        let detail = "the answer is too large to stand beside others: ask for less";
        return Err(Problem::new(Code::TooLarge, detail));
    }
    Ok((answer, kept))
}

/// What all of these insights answer at present, in their order. Half of a project's turns are taken at most, so that
/// whoever asks one question meanwhile need not wait for all of these.
pub async fn answer_all(state: &State, project: &Project, insights: &[Insight], anew: bool) -> Vec<Said> {
    let answers = insights.iter().map(|insight| async move {
        match &insight.query {
            None => Said::Nothing,
            Some(query) => match answer(state, project, query, anew).await {
                Ok((answer, kept)) => Said::Answer(answer, kept),
                Err(problem) => Said::Refused(problem),
            },
        }
    });
    let said: Vec<Said> = stream::iter(answers).buffered(state.turns.half()).collect().await;
    keep(state, insights, &said).await;
    said
}

/// Keeps what was just worked out with the insights, for when they cannot be answered.
async fn keep(state: &State, insights: &[Insight], said: &[Said]) {
    let given: Vec<Given<'_>> = insights
        .iter()
        .zip(said)
        .filter_map(|(insight, said)| match said {
            Said::Answer(answer, false) if answer.size() <= LARGEST_KEPT => Some(Given {
                insight: insight.id,
                query: insight.query.as_ref()?,
                answer: std::str::from_utf8(answer.body()).ok()?,
            }),
            _ => None,
        })
        .collect();
    if given.is_empty() {
        return;
    }
    let kept = async {
        let mut conn = state.connection().await?;
        Ok::<_, AnalyticsError>(insight_results::keep(&mut conn, &given, (state.clock)()).await?)
    };
    if let Err(error) = kept.await {
        tracing::warn!(%error, "answers are not kept with their insights");
    }
}
