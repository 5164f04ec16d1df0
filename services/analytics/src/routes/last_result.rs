//! What an insight's question was answered last.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use millrace_domain::ids::InsightId;
use millrace_storage::database::Connection;
use millrace_storage::insight_results;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;

/// The last answer to an insight's question.
#[derive(Serialize, ToSchema)]
pub(super) struct LastResult {
    /// As `POST /api/v1/query` answers.
    #[schema(value_type = Object)]
    answer: Box<RawValue>,
    /// When it was worked out.
    answered_at: DateTime<Utc>,
}

impl LastResult {
    /// Those of these insights.
    pub(super) async fn of(
        conn: &mut Connection,
        insights: &[InsightId],
    ) -> Result<BTreeMap<InsightId, Self>, AnalyticsError> {
        let found = insight_results::of(conn, insights).await?;
        let view = |last: insight_results::LastResult| {
            let answer = RawValue::from_string(last.answer)?;
            Ok((last.insight, Self { answer, answered_at: last.answered_at }))
        };
        found.into_iter().map(view).collect()
    }
}
