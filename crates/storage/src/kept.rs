//! What is the same of everything that members keep: whose it is, who sees it, and which version of it was seen.

/// The row of this project with this id, as long as nobody has changed it since `$version`.
macro_rules! unchanged {
    ($table:ident, $project:expr, $id:expr, $version:expr) => {
        $table::table
            .find($id.0)
            .filter($table::project_id.eq($project.0))
            .filter($table::version.eq($version))
    };
}

/// Of a query, what a member sees.
macro_rules! seen_by {
    ($member:expr, $table:ident, $query:expr) => {{
        let (query, own) = ($query, $table::owner_id.eq($member.account.0).assume_not_null());
        let shown = $table::visibility.eq(millrace_domain::workspace::sharing::Visibility::Project.as_str());
        if $member.system { query } else { query.filter(shown.or(own)) }
    }};
}

/// A query by name, behind a place.
macro_rules! by_name {
    ($after:expr, $table:ident, $query:expr) => {{
        let query = $query.order(($table::name, $table::id));
        match $after {
            None => query,
            Some((name, id)) => {
                let same_name = $table::name.eq(name.clone()).and($table::id.gt(id.0));
                query.filter($table::name.gt(name).or(same_name))
            }
        }
    }};
}

pub(crate) use {by_name, seen_by, unchanged};

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
