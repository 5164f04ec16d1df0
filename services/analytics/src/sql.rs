//! Which statements a project may ask in SQL: one `SELECT`, of its own events and users, with functions that compute.
//!
//! Everything is refused that is not named here. This is the outer of two walls; the inner one is the database's own, which
//! would keep other projects' rows and other tables from a statement that got through (`millrace_storage::sql`, ADR 55).

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Ident, Statement, Visit};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

mod check;
pub mod desk;
mod functions;
mod types;

use check::{Check, Refusal};

/// The most characters of a statement.
pub const MAX_CHARS: usize = 10_000;
/// The most words and signs of one: a chain of operators is as deep as it is long.
pub const MAX_TOKENS: usize = 3_000;

/// Why a statement is not asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inadmissible {
    /// It cannot be read here. PostgreSQL may know better why.
    #[error("the statement cannot be read: {0}")]
    Unreadable(String),
    /// Something in it is not for a project to ask.
    #[error("{reason}")]
    NotAllowed {
        /// What.
        reason: String,
        /// The character that it begins with, from 1, where that is known.
        position: Option<u32>,
    },
}

/// Checks a statement, and gives the names in it that must be those of columns.
///
/// # Errors
/// When it is not one that a project may ask.
pub fn check(sql: &str) -> Result<BTreeSet<String>, Inadmissible> {
    let refused = |reason: &str| Inadmissible::NotAllowed { reason: reason.to_owned(), position: None };
    if sql.chars().count() > MAX_CHARS {
        return Err(refused(&format!("a statement has at most {MAX_CHARS} characters")));
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location();
    let tokens = tokens.map_err(|error| Inadmissible::Unreadable(error.to_string()))?;
    let told = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).count();
    if told > MAX_TOKENS {
        return Err(refused(&format!("a statement has at most {MAX_TOKENS} words and signs")));
    }
    let statements = Parser::new(&PostgreSqlDialect {}).with_tokens_with_locations(tokens).parse_statements();
    let statements = statements.map_err(|error| Inadmissible::Unreadable(error.to_string()))?;
    let query = match statements.as_slice() {
        [Statement::Query(query)] => query,
        [_] => return Err(refused("only SELECT can be asked")),
        [] => return Err(refused("there is no statement")),
        _ => return Err(refused("one statement can be asked at a time")),
    };
    let mut check = Check::of(query);
    match query.visit(&mut check) {
        ControlFlow::Continue(()) => Ok(check.behind_a_dot),
        ControlFlow::Break(Refusal { reason, at }) => {
            Err(Inadmissible::NotAllowed { reason, position: at.and_then(|at| position(sql, &at)) })
        }
    }
}

/// The place of an identifier among the characters of a statement, from 1.
fn position(sql: &str, ident: &Ident) -> Option<u32> {
    let start = ident.span.start;
    let line = usize::try_from(start.line.checked_sub(1)?).ok()?;
    let before: usize = sql.split_inclusive('\n').take(line).map(|line| line.chars().count()).sum();
    u32::try_from(before).ok()?.checked_add(u32::try_from(start.column).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(sql: &str) -> (String, Option<u32>) {
        match check(sql) {
            Err(Inadmissible::NotAllowed { reason, position }) => (reason, position),
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn questions_are_admitted() {
        for sql in [
            "SELECT 1",
            "select event_type, count(*) from events group by 1 order by 2 desc limit 10;",
            "SELECT date_trunc('day', occurred_at AT TIME ZONE 'Europe/Paris')::date AS day, count(DISTINCT user_id)
             FROM events WHERE properties->>'plan' = 'pro' AND (properties->>'amount')::numeric > 5 GROUP BY day",
            "WITH firsts AS (SELECT user_id, min(occurred_at) AS first FROM events GROUP BY 1)
             SELECT f.user_id, u.traits FROM firsts f JOIN users u USING (user_id) -- a comment",
            "SELECT user_id, row_number() OVER (PARTITION BY user_id ORDER BY occurred_at) FROM events e
             WHERE EXISTS (SELECT FROM events x WHERE x.user_id = e.user_id AND x.event_type = 'buy')",
            "SELECT * FROM generate_series(1, 3) AS n, LATERAL (SELECT n + 1) AS more",
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY 1), count(*) FILTER (WHERE true) FROM \"events\"",
            "SELECT key, value FROM events, jsonb_each_text(properties) UNION ALL (VALUES ('a', 'b'))",
            "SELECT CASE WHEN now() > current_timestamp - interval '1 day' THEN 1 ELSE 2 END /* nested /* comment */ */",
            "SELECT 'a' || E'\\n' || $$pg_sleep(1)$$, ARRAY[1, 2]::int[], extract(epoch FROM now())",
        ] {
            assert_eq!(check(sql).err(), None, "{sql}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for sql in [
            "",
            ";",
            "SELECT 1; SELECT 2",
            "INSERT INTO events VALUES (1)",
            "TABLE events",
            "DELETE FROM events",
            "SET ROLE x",
            "RESET ROLE",
            "BEGIN",
            "DO $$ BEGIN END $$",
            "COPY events TO STDOUT",
            "NOTIFY x",
            "LISTEN x",
            "EXPLAIN SELECT 1",
            "SHOW ALL",
            "CREATE TEMP TABLE x AS SELECT 1",
            "SELECT 1 INTO x",
            "VACUUM",
            "CALL x()",
            "WITH x AS (DELETE FROM events RETURNING 1) SELECT * FROM x",
            "WITH x AS (UPDATE events SET user_id = '' RETURNING 1) SELECT * FROM x",
            "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT 1 FROM x) SELECT * FROM x",
            "SELECT * FROM accounts",
            "SELECT * FROM public.events",
            "SELECT * FROM pg_catalog.pg_authid",
            "SELECT * FROM pg_shadow",
            "SELECT * FROM information_schema.tables",
            "SELECT * FROM \"Events\"",
            "SELECT * FROM (WITH pg_stat_activity AS (SELECT 1) SELECT * FROM pg_stat_activity) x, pg_stat_activity",
            "SELECT pg_sleep(10)",
            "SELECT PG_SLEEP(10)",
            "SELECT \"pg_sleep\"(10)",
            "SELECT pg_catalog.pg_sleep(10)",
            "SELECT count(*) FILTER (WHERE pg_sleep(1) IS NULL) FROM events",
            "SELECT rank() OVER (ORDER BY pg_advisory_lock(1)) FROM events",
            "SELECT 1 FROM events ORDER BY pg_sleep(1)",
            "SELECT 1 FROM events LIMIT length(pg_read_file('x'))",
            "SELECT 1 FROM events e JOIN users u ON pg_sleep(1) IS NULL",
            "VALUES (pg_sleep(1))",
            "SELECT (SELECT set_config('role', 'x', false))",
            "SELECT current_setting('x')",
            "SELECT current_user",
            "SELECT * FROM pg_ls_dir('.')",
            "SELECT * FROM dblink('', '') AS x(a int)",
            "SELECT lo_import('x')",
            "SELECT * FROM ROWS FROM (pg_ls_dir('.')) x",
            "SELECT query_to_xml('SELECT 1', true, true, '')",
            "SELECT 'accounts'::regclass",
            "SELECT CAST('x' AS regrole)",
            "SELECT regclass 'accounts'",
            "SELECT 1 OPERATOR(pg_catalog.+) 1",
            "SELECT * FROM events FOR UPDATE",
            "SELECT U&\"pg\\005fsleep\"(1)",
            "SELECT ARRAY(SELECT pg_sleep(1))",
            "SELECT 1 FROM unnest(ARRAY[pg_sleep(1)])",
            "SELECT 1 FROM events WINDOW w AS (ORDER BY pg_sleep(1))",
            "SELECT DISTINCT ON (pg_sleep(1)) 1 FROM events",
            "SELECT 1 FROM events GROUP BY ROLLUP (pg_sleep(1))",
            "SELECT 1 FROM events HAVING pg_sleep(1) IS NULL",
            "SELECT string_agg('a', pg_sleep(1)::text) FROM events",
            "SELECT string_agg('a', '' ORDER BY pg_sleep(1)) FROM events",
            "SELECT 1 FROM events OFFSET pg_backend_pid()",
            "SELECT coalesce(NULL, pg_sleep(1))",
            "SELECT CASE pg_sleep(1) WHEN NULL THEN 1 END",
            "SELECT jsonb_path_query('{}', '$', pg_sleep(1)) FROM events",
            "SELECT substring('a' FROM pg_backend_pid())",
            "SELECT extract(epoch FROM pg_postmaster_start_time())",
            "SELECT trim(both pg_read_file('x') from 'a')",
            "SELECT 1 FROM generate_series(1, pg_backend_pid())",
        ] {
            assert!(check(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn what_is_refused_is_named_with_its_place() {
        let (reason, position) = refused("SELECT 'é',\n  pg_sleep(10) FROM events");
        assert_eq!((reason.as_str(), position), ("the function pg_sleep cannot be called here", Some(15)));
        let (reason, position) = refused("SELECT * FROM accounts");
        assert!(reason.starts_with("accounts cannot be selected from"), "{reason}");
        assert_eq!(position, Some(15));
    }

    #[test]
    fn what_may_be_a_function_behind_a_dot_is_told() {
        let told = |sql| check(sql).unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(
            told("SELECT n.PG_sleep, (e).\"Lo_import\", e.x.y FROM events e, generate_series(1, 2) n"),
            ["Lo_import", "pg_sleep", "x", "y"]
        );
        assert_eq!(told("SELECT a[1], e.* FROM events e ORDER BY e.user_id"), ["user_id"]);
    }

    #[test]
    fn a_deep_statement_is_answered() {
        let chain = |links| format!("SELECT 1{}", "+1".repeat(links));
        assert_eq!(check(&chain(1_490)).err(), None);
        assert!(refused(&chain(1_500)).0.contains("words and signs"));
        let nested = format!("SELECT {}1{}", "(".repeat(1_400), ")".repeat(1_400));
        assert!(matches!(check(&nested), Err(Inadmissible::Unreadable(_))));
        assert!(refused(&"x".repeat(MAX_CHARS + 1)).0.contains("at most"));
    }
}
