//! Which insights are listed, and how.

use millrace_domain::ids::AccountId;
use millrace_storage::insights::list::{Filter, Order};
use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Words that the title or the body holds, in any case.
    #[param(nullable = false, max_length = 200, example = "sign-ups")]
    pub(super) q: Option<String>,
    /// A tag that they have.
    #[param(nullable = false, example = "growth")]
    pub(super) tag: Option<String>,
    /// Whose they are.
    #[param(value_type = Option<Uuid>, nullable = false)]
    pub(super) owner: Option<AccountId>,
    /// `updated` (the last changed first; the default), `created` (the last made first) or `title`.
    #[serde(default)]
    #[param(value_type = Option<String>, nullable = false, example = "title")]
    pub(super) sort: Sort,
    /// How many entries a page holds, 1 to 200; 50 if absent.
    #[param(value_type = Option<u16>, nullable = false, minimum = 1, maximum = 200, default = 50)]
    pub(super) limit: Option<String>,
    /// The `next_cursor` of the page before.
    #[param(nullable = false)]
    pub(super) cursor: Option<String>,
}

impl Search {
    /// Which insights are meant.
    pub(super) fn filter(&self) -> Filter<'_> {
        Filter {
            words: self.q.as_deref(),
            tag: self.tag.as_ref().map(|tag| tag.trim().to_lowercase()),
            owner: self.owner,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sort {
    #[default]
    Updated,
    Created,
    Title,
}

impl From<Sort> for Order {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Updated => Self::Updated,
            Sort::Created => Self::Created,
            Sort::Title => Self::Title,
        }
    }
}
