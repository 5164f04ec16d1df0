//! What a cohort is made of, as it is sent.

use millrace_domain::analytics::cohort::Definition;
use millrace_domain::text::Title;
use millrace_http::problem::Problem;
use millrace_storage::cohorts::Content;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What a cohort is made of; in a change, what is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CohortContent {
    /// 1 to 200 characters. A new cohort needs one.
    #[schema(min_length = 1, max_length = 200, nullable = false, example = "Buyers")]
    name: Option<String>,
    /// Who belongs to it: `and`, `or`, `not`, `did`, `had` and `users`. A new cohort needs one.
    #[schema(
        value_type = Object, nullable = false,
        example = json!({"did": {"event_type": "purchase", "at_least": 2, "days": 30}}),
    )]
    definition: Option<Value>,
}

/// What was checked of it.
pub(super) struct Checked {
    name: Option<Title>,
    definition: Option<Value>,
}

impl CohortContent {
    pub(super) fn check(self) -> Result<Checked, Problem> {
        let name = self.name.map(|name| Title::parse(name.trim())).transpose();
        if let Some(definition) = &self.definition {
            Definition::parse(definition.clone())
                .map_err(|fault| Problem::field(&fault.field, fault.code, fault.message))?;
        }
        Ok(Checked {
            name: name.map_err(|fault| Problem::field("name", "invalid", format!("name {fault}")))?,
            definition: self.definition,
        })
    }
}

impl Checked {
    /// All of a new cohort.
    ///
    /// # Errors
    /// When something of it is missing.
    pub(super) fn whole(&self) -> Result<Content<'_>, Problem> {
        for (field, given) in [("name", self.name.is_some()), ("definition", self.definition.is_some())] {
            if !given {
                return Err(Problem::field(field, "missing", format!("{field} is required")));
            }
        }
        Ok(self.content())
    }

    /// What changes.
    pub(super) fn content(&self) -> Content<'_> {
        Content { name: self.name.as_ref().map(Title::as_str), definition: self.definition.as_ref() }
    }
}
