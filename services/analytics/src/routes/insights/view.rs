//! What is shown of an insight.

use chrono::{DateTime, Utc};
use millrace_domain::ids::AccountId;
use millrace_domain::workspace::sharing::Visibility;
use millrace_storage::insights::Insight;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::markdown;

/// An insight, as those who may see it do.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct InsightView {
    /// Its id.
    id: Uuid,
    /// What it is called.
    #[schema(example = "Sign-ups by country")]
    title: String,
    /// What it says, in Markdown.
    #[schema(example = "Since the *new* landing page")]
    body: String,
    /// The same as HTML that a page may show as it is.
    #[schema(example = "<p>Since the <em>new</em> landing page</p>\n")]
    body_html: String,
    /// What it asks, a body of `POST /api/v1/query`; `null` for a note.
    #[schema(value_type = Option<Object>)]
    query: Option<Value>,
    /// Whose it is; `null` when their account is gone.
    owner_id: Option<Uuid>,
    /// `private`: its owner sees it; `project`: every member.
    #[schema(value_type = String, example = "project")]
    visibility: Visibility,
    /// Words to find it by.
    #[schema(example = json!(["growth"]))]
    tags: Vec<String>,
    /// Changes with every change; the `ETag` says the same.
    version: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

impl From<Insight> for InsightView {
    fn from(insight: Insight) -> Self {
        let Insight { id, title, body, query, kept, tags, version, created_at, updated_at } = insight;
        Self {
            id: id.0,
            title,
            body_html: markdown::to_html(&body),
            body,
            query,
            owner_id: kept.owner.map(|AccountId(id)| id),
            visibility: kept.visibility,
            tags,
            version,
            created_at,
            updated_at,
        }
    }
}
