//! What proves whose data may be read.

use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::ProjectId;

use crate::error::StorageError;

/// What proves to the views whose data may be read.
#[derive(Debug)]
pub struct Ticket(String);

impl Ticket {
    /// For a project's data.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(conn: &mut AsyncPgConnection, project: ProjectId) -> Result<Self, StorageError> {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = sql_types::Text)]
            ticket: String,
        }
        let row: Row = diesel::sql_query("SELECT project_sql.ticket($1) AS ticket")
            .bind::<sql_types::Uuid, _>(project.0)
            .get_result(conn)
            .await?;
        Ok(Self(row.ticket))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
