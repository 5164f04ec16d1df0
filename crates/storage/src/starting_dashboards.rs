//! Dashboards that are made with what stands on them.

use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use millrace_domain::ids::{AccountId, ProjectId};
use millrace_domain::workspace::layout::{Place, Tile};
use millrace_domain::workspace::sharing::Visibility;

use crate::dashboards::{self, Dashboard, NewDashboard};
use crate::error::StorageError;
use crate::insights::{self, Content, Insight};

/// Makes these insights, and a dashboard on which they stand: all of it, or nothing.
///
/// # Errors
/// [`StorageError::Missing`] when project or owner do not exist.
pub async fn create(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    owner: AccountId,
    (name, visibility): (&str, Visibility),
    contents: Vec<(Content<'_>, Place)>,
    now: DateTime<Utc>,
) -> Result<(Dashboard, Vec<Insight>), StorageError> {
    conn.transaction(async |conn| {
        let (mut made, mut layout) = (Vec::new(), Vec::new());
        for (content, place) in contents {
            let insight = insights::create(conn, project, owner, content, now).await?;
            layout.push(Tile { insight: insight.id, place });
            made.push(insight);
        }
        let new = NewDashboard { name, visibility, layout: &layout };
        Ok((dashboards::create(conn, project, owner, new, now).await?, made))
    })
    .await
}
