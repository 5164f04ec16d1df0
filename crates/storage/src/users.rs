//! Distinct users.

use diesel::prelude::*;
use diesel::sql_types::{Integer, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{ProjectId, UserNo};

use crate::error::StorageError;

/// The number of a user; `None` when the project has none of that name.
///
/// # Errors
/// When the database fails.
pub async fn number(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    user: &str,
) -> Result<Option<UserNo>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Integer)]
        user_no: i32,
    }
    let row: Option<Row> =
        diesel::sql_query("SELECT user_no FROM users WHERE project_id = $1 AND user_id = $2")
            .bind::<SqlUuid, _>(project.0)
            .bind::<Text, _>(user)
            .get_result(conn)
            .await
            .optional()?;
    let number = row.map(|row| UserNo::try_from(row.user_no)).transpose();
    number.map_err(|e| StorageError::Corrupt(format!("a user number: {e}")))
}
