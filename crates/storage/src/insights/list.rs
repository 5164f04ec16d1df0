//! Insights in an order, those that somebody looks for.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, InsightId, ProjectId};
use millrace_domain::workspace::sharing::Member;
use serde::{Deserialize, Serialize};

use super::{Insight, Row};
use crate::error::StorageError;
use crate::kept::seen_by;
use crate::schema::insights;

/// How a list is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// What was changed last comes first.
    #[default]
    Updated,
    /// What was made last comes first.
    Created,
    /// By title, then by id.
    Title,
}

/// Where an insight stands in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// In a list by time.
    Time(DateTime<Utc>, InsightId),
    /// In a list by title.
    Title(String, InsightId),
}

impl Insight {
    /// Where it stands in a list of this order.
    #[must_use]
    pub fn place(&self, order: Order) -> Place {
        match order {
            Order::Updated => Place::Time(self.updated_at, self.id),
            Order::Created => Place::Time(self.created_at, self.id),
            Order::Title => Place::Title(self.title.clone(), self.id),
        }
    }
}

/// Which insights a list holds.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// Those whose title or body holds these words, in any case.
    pub words: Option<&'a str>,
    /// Those with this tag.
    pub tag: Option<String>,
    /// Those of this account.
    pub owner: Option<AccountId>,
}

/// At most `limit` of the insights that a member sees, of those `after` a place of the same order.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    member: Member,
    filter: &Filter<'_>,
    order: Order,
    after: Option<Place>,
    limit: u16,
) -> Result<Vec<Insight>, StorageError> {
    let all = insights::table
        .filter(insights::project_id.eq(project.0))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    let mut query = seen_by!(member, insights, all);
    if let Some(words) = filter.words {
        let pattern = containing(words);
        query = query.filter(insights::title.ilike(pattern.clone()).or(insights::body.ilike(pattern)));
    }
    if let Some(tag) = &filter.tag {
        query = query.filter(insights::tags.contains(vec![tag]));
    }
    if let Some(AccountId(owner)) = filter.owner {
        query = query.filter(insights::owner_id.eq(owner));
    }
    query = match order {
        Order::Updated => query.order((insights::updated_at.desc(), insights::id.desc())),
        Order::Created => query.order((insights::created_at.desc(), insights::id.desc())),
        Order::Title => query.order((insights::title, insights::id)),
    };
    query = match (order, after) {
        (_, None) => query,
        (Order::Updated, Some(Place::Time(time, InsightId(id)))) => {
            let same_time = insights::updated_at.eq(time).and(insights::id.lt(id));
            query.filter(insights::updated_at.lt(time).or(same_time))
        }
        (Order::Created, Some(Place::Time(time, InsightId(id)))) => {
            let same_time = insights::created_at.eq(time).and(insights::id.lt(id));
            query.filter(insights::created_at.lt(time).or(same_time))
        }
        (Order::Title, Some(Place::Title(title, InsightId(id)))) => {
            let same_title = insights::title.eq(title.clone()).and(insights::id.gt(id));
            query.filter(insights::title.gt(title).or(same_title))
        }
        (_, Some(_of_another_order)) => return Ok(Vec::new()),
    };
    let rows: Vec<Row> = query.load(conn).await?;
    rows.into_iter().map(Insight::try_from).collect()
}

/// The pattern of `LIKE` for texts that hold these words as they are.
fn containing(words: &str) -> String {
    let literal = words.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    format!("%{literal}%")
}
