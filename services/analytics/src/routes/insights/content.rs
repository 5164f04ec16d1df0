//! What an insight is made of, as it is sent.

use millrace_domain::text::Title;
use millrace_domain::workspace::question::KeptQuestion;
use millrace_domain::workspace::sharing::Visibility;
use millrace_domain::workspace::text::{Markdown, Tags};
use millrace_http::problem::Problem;
use millrace_storage::insights::Content;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;

/// What an insight is made of; in a change, what is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InsightContent {
    /// 1 to 200 characters. A new insight needs one.
    #[schema(min_length = 1, max_length = 200, nullable = false, example = "Sign-ups by country")]
    title: Option<String>,
    /// Markdown, at most 20,000 characters.
    #[schema(max_length = 20_000, nullable = false, example = "Since the *new* landing page")]
    body: Option<String>,
    /// A body of `POST /api/v1/query`, or one with `last` (`30d`, `12w`, `24h`) in place of `from` and `to`; `null` makes
    /// it a note.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    query: Option<Option<Value>>,
    /// `project` if absent from a new one.
    #[schema(value_type = Option<String>, nullable = false, example = "project")]
    visibility: Option<Visibility>,
    /// At most 20, each 1 to 50 characters.
    #[schema(max_items = 20, nullable = false, example = json!(["growth"]))]
    tags: Option<Vec<String>>,
}

/// Tells `null` from what is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Value>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What was checked of it.
pub(super) struct Checked {
    title: Option<Title>,
    body: Option<Markdown>,
    query: Option<Option<Value>>,
    pub(super) visibility: Option<Visibility>,
    tags: Option<Tags>,
}

impl InsightContent {
    pub(super) fn check(self) -> Result<Checked, Problem> {
        let wrong = |field: &str, fault: &dyn std::fmt::Display| {
            Problem::field(field, "invalid", format!("{field} {fault}"))
        };
        if let Some(Some(query)) = &self.query {
            check_query(query)?;
        }
        let title = self.title.map(|title| Title::parse(title.trim())).transpose();
        let body = self.body.map(Markdown::parse).transpose();
        let tags = self.tags.map(|tags| Tags::parse(&tags)).transpose();
        Ok(Checked {
            title: title.map_err(|fault| wrong("title", &fault))?,
            body: body.map_err(|fault| wrong("body", &fault))?,
            query: self.query,
            visibility: self.visibility,
            tags: tags.map_err(|fault| wrong("tags", &fault))?,
        })
    }
}

/// That the question could be asked.
fn check_query(query: &Value) -> Result<(), Problem> {
    KeptQuestion::parse(query).map(drop).map_err(|fault| {
        let fault = fault.within("query");
        Problem::field(&fault.field, fault.code, fault.message)
    })
}

impl Checked {
    /// All of a new insight.
    ///
    /// # Errors
    /// When it has no title.
    pub(super) fn whole(&self) -> Result<Content<'_>, Problem> {
        if self.title.is_none() {
            return Err(Problem::field("title", "missing", "title is required"));
        }
        Ok(Content {
            body: Some(self.body.as_ref().map_or("", Markdown::as_str)),
            visibility: Some(self.visibility.unwrap_or(Visibility::Project).as_str()),
            tags: Some(self.tags.iter().flat_map(Tags::iter).collect()),
            ..self.content()
        })
    }

    /// What changes.
    pub(super) fn content(&self) -> Content<'_> {
        Content {
            title: self.title.as_ref().map(Title::as_str),
            body: self.body.as_ref().map(Markdown::as_str),
            query: self.query.clone(),
            visibility: self.visibility.map(Visibility::as_str),
            tags: self.tags.as_ref().map(|tags| tags.iter().collect()),
        }
    }
}
