//! What is the same of everything that members keep.

/// SQL that says whether what a row of `table` holds is still somebody's to see: everything of the project is, and what
/// is private while its owner is a member, or a system admin. What is private of somebody who has left must not go on
/// telling them, or whoever they had it tell.
pub(crate) fn is_seen(table: &str) -> String {
    format!(
        "({table}.visibility = 'project' OR EXISTS (
            SELECT FROM accounts WHERE accounts.id = {table}.owner_id AND (accounts.is_admin OR EXISTS (
                SELECT FROM members
                 WHERE members.project_id = {table}.project_id AND members.account_id = accounts.id))))"
    )
}
