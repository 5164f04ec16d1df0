//! The statements of an append.

use tokio_postgres::{Client, Statement};

use super::copy::COLUMNS;
use crate::error::StorageError;

const ADD_ACTIVITY: &str = "\
    INSERT INTO activity (project_id, event_type, day, users) \
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::date[], $4::bytea[])";

const ADD_COUNTS: &str = "\
    INSERT INTO event_counts (project_id, bucket, event_type, count) \
    SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::bigint[]) \
    ON CONFLICT (project_id, bucket, event_type) DO UPDATE SET count = event_counts.count + excluded.count";

const ZONES: &str = "SELECT id, timezone FROM projects WHERE id = ANY($1::uuid[])";

const KNOWN_USERS: &str =
    "SELECT user_id, user_no FROM users WHERE project_id = $1 AND user_id = ANY($2::text[])";

const NEXT_NUMBER: &str = "SELECT next_user_no FROM projects WHERE id = $1";

const LOCK_NUMBERS: &str = "SELECT next_user_no FROM projects WHERE id = $1 FOR NO KEY UPDATE";

const ADD_USERS: &str = "\
    INSERT INTO users (project_id, user_id, user_no) \
    SELECT $1, new.* FROM unnest($2::text[], $3::int[]) AS new(user_id, user_no)";

const SET_NEXT_NUMBER: &str = "UPDATE projects SET next_user_no = $2 WHERE id = $1";

/// The lock is tried for one slot after the other, until one is free.
const TAKE_TURN: &str = "\
    SELECT slot FROM generate_series(0, $1::int - 1) AS slot WHERE pg_try_advisory_lock(7206, slot) LIMIT 1";

const END_TURN: &str = "SELECT pg_advisory_unlock(7206, $1)";

#[derive(Debug)]
pub(super) struct Statements {
    /// Into `events` itself: refused as a whole when one of the rows is stored already.
    pub(super) copy_events: Statement,
    /// Into `arrivals`, for [`Statements::insert_arrivals`].
    pub(super) copy_arrivals: Statement,
    /// Stores those arrivals that are not stored yet, and says which those are. It counts how far it comes by a sequence,
    /// which does not go back when the rest does.
    pub(super) insert_arrivals: Statement,
    /// Lets that count begin.
    pub(super) begin_inserting: Statement,
    /// How far it came.
    pub(super) last_inserted: Statement,
    pub(super) clear_arrivals: Statement,
    pub(super) add_activity: Statement,
    pub(super) add_counts: Statement,
    pub(super) zones: Statement,
    pub(super) known_users: Statement,
    pub(super) next_number: Statement,
    pub(super) lock_numbers: Statement,
    pub(super) add_users: Statement,
    pub(super) set_next_number: Statement,
    pub(super) take_turn: Statement,
    pub(super) end_turn: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, StorageError> {
        client
            .batch_execute(&format!(
                "CREATE TEMPORARY TABLE arrivals ON COMMIT DELETE ROWS AS SELECT {COLUMNS} FROM events WITH NO DATA;
                 CREATE TEMPORARY SEQUENCE arrived"
            ))
            .await?;
        let copy = |table| format!("COPY {table} ({COLUMNS}) FROM STDIN (FORMAT binary)");
        let insert_arrivals = format!(
            "INSERT INTO events ({COLUMNS}) SELECT {COLUMNS} FROM pg_temp.arrivals
             WHERE nextval('pg_temp.arrived') > 0 ON CONFLICT DO NOTHING
             RETURNING occurred_at, project_id, event_id"
        );
        Ok(Self {
            copy_events: client.prepare(&copy("events")).await?,
            copy_arrivals: client.prepare(&copy("pg_temp.arrivals")).await?,
            insert_arrivals: client.prepare(&insert_arrivals).await?,
            begin_inserting: client.prepare("SELECT setval('pg_temp.arrived', 1, false)").await?,
            last_inserted: client.prepare("SELECT last_value, is_called FROM pg_temp.arrived").await?,
            clear_arrivals: client.prepare("DELETE FROM pg_temp.arrivals").await?,
            add_activity: client.prepare(ADD_ACTIVITY).await?,
            add_counts: client.prepare(ADD_COUNTS).await?,
            zones: client.prepare(ZONES).await?,
            known_users: client.prepare(KNOWN_USERS).await?,
            next_number: client.prepare(NEXT_NUMBER).await?,
            lock_numbers: client.prepare(LOCK_NUMBERS).await?,
            add_users: client.prepare(ADD_USERS).await?,
            set_next_number: client.prepare(SET_NEXT_NUMBER).await?,
            take_turn: client.prepare(TAKE_TURN).await?,
            end_turn: client.prepare(END_TURN).await?,
        })
    }
}
