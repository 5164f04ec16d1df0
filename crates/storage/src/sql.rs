//! Statements that a project asks in SQL, of its own events and users.
//!
//! They are asked by a login that can see the views of the schema `project_sql` and nothing else that is anybody's, in a
//! transaction that only reads, on a connection that is made for the statement and closed after it: nothing that a
//! statement did to its session outlives it. The views show the rows of the project that the session has a ticket for;
//! a ticket is signed with a key that the login cannot read.

use std::time::Duration;

use futures_util::TryStreamExt;
use tokio_postgres::{Client, Config, NoTls, Statement};

use crate::error::StorageError;

mod login;
mod ticket;

pub use login::provide_login;
pub use ticket::Ticket;

/// How long a connection may take to be made.
const CONNECTING: Duration = Duration::from_secs(3);
/// The most columns of an answer: a row is put together by a function, and PostgreSQL's take no more arguments.
const MAX_COLUMNS: usize = 100;
/// One of these names that is that of a function, but for those that make a value of another type of it.
const A_FUNCTION: &str =
    "SELECT proname::text FROM pg_catalog.pg_proc WHERE proname = ANY($1) AND provolatile <> 'i'
     AND proname <> ALL('{date,time,timetz,timestamp,timestamptz,interval,text,name,xml,bpchar}') LIMIT 1";
/// The memory of a sort or a hash table of a statement.
const WORK_MEM: &str = "16MB";

/// What an answer may cost.
#[derive(Clone, Copy, Debug)]
pub struct SqlLimits {
    /// How long the server may work on it.
    pub patience: Duration,
    /// Its rows; there may be more, which are left out.
    pub rows: u32,
    /// The bytes of its rows as JSON.
    pub bytes: usize,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// PostgreSQL's name of its type.
    pub data_type: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Its rows, each a JSON array with a value for each column.
    pub rows: Vec<String>,
    /// Whether there are more rows.
    pub more: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// PostgreSQL refuses the statement, or fails at it.
    #[error("{message}")]
    Refused {
        /// In its words.
        message: String,
        /// The character where it sees the fault, from 1.
        position: Option<u32>,
    },
    /// It takes longer than it may.
    #[error("the statement takes longer than it may")]
    TooSlow,
    /// A name behind a dot is not that of a column.
    #[error(
        "the function {0} cannot be called here, and not by a dot: give a column of that name another one"
    )]
    NotAColumn(String),
    /// More columns than an answer may have.
    #[error("the answer has {0} columns, and may have {MAX_COLUMNS}")]
    TooWide(usize),
    /// More bytes than an answer may have.
    #[error("the answer has more than {0} bytes: select less, or fewer columns")]
    TooLarge(usize),
    /// The database is away.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Who asks statements of projects.
#[derive(Clone, Debug)]
pub struct SqlDesk {
    config: Config,
}

impl SqlDesk {
    /// Asks with the login of `url`.
    ///
    /// # Errors
    /// When that is not an address of PostgreSQL.
    pub fn new(url: &str) -> Result<Self, StorageError> {
        let mut config: Config = url.parse()?;
        config.application_name("millrace-sql").connect_timeout(CONNECTING);
        Ok(Self { config })
    }

    /// Asks a statement. It must be a single `SELECT`; whatever else it is, it can do no harm. `fields`: names in it that
    /// must be those of columns, and not of functions that look at anything but their arguments.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn ask(
        &self,
        ticket: &Ticket,
        sql: &str,
        fields: &[String],
        limits: SqlLimits,
    ) -> Result<Table, SqlError> {
        let (client, _driver) = self.connect(limits.patience).await?;
        // Statements of the extended protocol: each is one, or an error.
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(away)?;
        client
            .execute("SELECT set_config('millrace.ticket', $1, true)", &[&ticket.as_str()])
            .await
            .map_err(away)?;
        if let Some(function) = client.query_opt(A_FUNCTION, &[&fields]).await.map_err(away)? {
            return Err(SqlError::NotAColumn(function.get(0)));
        }
        let alone = client.prepare(sql).await.map_err(|error| refused(&error, 0))?;
        let columns = columns(&alone)?;
        // Two columns may have the same name, and one may have none.
        let names: Vec<String> = (1..=columns.len()).map(|place| format!("c{place}")).collect();
        let names = names.join(", ");
        let opening = format!(
            "SELECT CASE WHEN octet_length(line) <= {bytes} THEN line END FROM \
             (SELECT json_build_array({names})::text AS line FROM (\n",
            bytes = limits.bytes
        );
        let renamed = if names.is_empty() { names } else { format!("({names})") };
        // What was one statement by itself is one in parentheses; a comment at its end ends with the line.
        let most = u64::from(limits.rows) + 1;
        let whole =
            format!("{opening}{}\n) AS asked{renamed} LIMIT {most}) AS lines", without_semicolon(sql));
        let opening = opening.chars().count();
        let refused = |error: &tokio_postgres::Error| refused(error, opening);
        let whole = client.prepare(&whole).await.map_err(|error| refused(&error))?;
        let nothing: [&str; 0] = [];
        let rows = client.query_raw(&whole, nothing).await.map_err(|error| refused(&error))?;
        let mut rows = std::pin::pin!(rows);
        let mut table = Table { columns, rows: Vec::new(), more: false };
        let mut bytes = 0;
        while let Some(row) = rows.try_next().await.map_err(|error| refused(&error))? {
            if table.rows.len() as u64 == u64::from(limits.rows) {
                table.more = true;
                break;
            }
            let line: Option<String> = row.try_get(0).map_err(|error| refused(&error))?;
            bytes += line.as_ref().map_or(limits.bytes, String::len);
            let line = line.filter(|_| bytes <= limits.bytes).ok_or(SqlError::TooLarge(limits.bytes))?;
            table.rows.push(line);
        }
        Ok(table)
    }

    /// What PostgreSQL has to say against a statement before it asks it.
    ///
    /// # Errors
    /// What it says, or that it is away.
    pub async fn parse(&self, sql: &str, patience: Duration) -> Result<(), SqlError> {
        let (client, _driver) = self.connect(patience).await?;
        client.prepare(sql).await.map_err(|error| refused(&error, 0))?;
        Ok(())
    }

    async fn connect(&self, patience: Duration) -> Result<(Client, Driver), SqlError> {
        let mut config = self.config.clone();
        config.options(format!(
            "-c statement_timeout={} -c timezone=UTC -c work_mem={WORK_MEM} -c hash_mem_multiplier=1 -c jit=off \
             -c max_parallel_workers_per_gather=0 -c lock_timeout=1s -c client_connection_check_interval=1s \
             -c idle_in_transaction_session_timeout=30s -c search_path=project_sql \
             -c default_transaction_read_only=on",
            patience.as_millis().max(1)
        ));
        let connecting = tokio::time::timeout(CONNECTING, config.connect(NoTls)).await;
        let late = |_elapsed| StorageError::Unavailable("no connection in time".to_owned());
        let (client, connection) = connecting.map_err(late)?.map_err(StorageError::from)?;
        let driver = tokio::spawn(async move {
            // Whoever asked is told by the client.
            let _ = connection.await;
        });
        Ok((client, Driver(driver)))
    }
}

/// Closes the connection when the statement is done, or nobody waits for it any more.
struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn columns(statement: &Statement) -> Result<Vec<Column>, SqlError> {
    if !statement.params().is_empty() {
        let message = "a statement has no parameters here: write the values into it".to_owned();
        return Err(SqlError::Refused { message, position: None });
    }
    let columns = statement.columns();
    if columns.len() > MAX_COLUMNS {
        return Err(SqlError::TooWide(columns.len()));
    }
    let column = |column: &tokio_postgres::Column| Column {
        name: column.name().to_owned(),
        data_type: column.type_().name().to_owned(),
    };
    Ok(columns.iter().map(column).collect())
}

fn without_semicolon(sql: &str) -> &str {
    sql.trim_end_matches(|end: char| end == ';' || end.is_whitespace())
}

fn away(error: tokio_postgres::Error) -> SqlError {
    SqlError::Storage(error.into())
}

/// What PostgreSQL says of a statement that stands behind so many characters of ours.
fn refused(error: &tokio_postgres::Error, opening: usize) -> SqlError {
    use tokio_postgres::error::{ErrorPosition, SqlState};
    let Some(said) = error.as_db_error() else {
        return SqlError::Storage(StorageError::Unavailable(error.to_string()));
    };
    if *said.code() == SqlState::QUERY_CANCELED {
        return SqlError::TooSlow;
    }
    // Connections, operators, and what is wrong with the server: not the statement's fault.
    if matches!(said.code().code().get(..2), Some("08" | "57" | "58" | "XX")) {
        return SqlError::Storage(StorageError::Unavailable(said.message().to_owned()));
    }
    let position = match said.position() {
        Some(ErrorPosition::Original(position)) => {
            u32::try_from(opening).ok().and_then(|opening| position.checked_sub(opening))
        }
        _ => None,
    };
    SqlError::Refused { message: said.message().to_owned(), position: position.filter(|place| *place > 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_statement_is_taken_off() {
        assert_eq!(without_semicolon("SELECT ';' ;\n; "), "SELECT ';'");
        assert_eq!(without_semicolon("SELECT 1 -- ;"), "SELECT 1 --");
        assert_eq!(without_semicolon("SELECT 1"), "SELECT 1");
    }
}
