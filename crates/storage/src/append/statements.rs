//! The statements of an append and the columns they take. Columns travel as arrays: `unnest` has no limit on the
//! number of rows, where one parameter per value ends at 65,535.

use bytes::{BufMut, BytesMut};
use chrono::{DateTime, Utc};
use millrace_domain::ids::UserNo;
use postgres_types::{IsNull, ToSql, Type, accepts, to_sql_checked};
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use super::NewEvent;
use crate::error::StorageError;

const INSERT_EVENTS: &str = "\
    INSERT INTO events (occurred_at, project_id, event_id, received_at, stream_seq, user_no, user_id, event_type, \
                        session_id, properties, context) \
    SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::bigint[], $6::int[], \
                         $7::text[], $8::text[], $9::text[], $10::jsonb[], $11::jsonb[]) \
    ON CONFLICT DO NOTHING \
    RETURNING occurred_at, project_id, event_id";

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

const LOCK_NUMBERS: &str = "SELECT next_user_no FROM projects WHERE id = $1 FOR NO KEY UPDATE";

const ADD_USERS: &str = "\
    INSERT INTO users (project_id, user_id, user_no) \
    SELECT $1, new.* FROM unnest($2::text[], $3::int[]) AS new(user_id, user_no)";

const SET_NEXT_NUMBER: &str = "UPDATE projects SET next_user_no = $2 WHERE id = $1";

#[derive(Debug)]
pub(super) struct Statements {
    pub(super) insert_events: Statement,
    pub(super) add_activity: Statement,
    pub(super) add_counts: Statement,
    pub(super) zones: Statement,
    pub(super) known_users: Statement,
    pub(super) lock_numbers: Statement,
    pub(super) add_users: Statement,
    pub(super) set_next_number: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, StorageError> {
        Ok(Self {
            insert_events: client.prepare(INSERT_EVENTS).await?,
            add_activity: client.prepare(ADD_ACTIVITY).await?,
            add_counts: client.prepare(ADD_COUNTS).await?,
            zones: client.prepare(ZONES).await?,
            known_users: client.prepare(KNOWN_USERS).await?,
            lock_numbers: client.prepare(LOCK_NUMBERS).await?,
            add_users: client.prepare(ADD_USERS).await?,
            set_next_number: client.prepare(SET_NEXT_NUMBER).await?,
        })
    }
}

/// Events turned on their side.
#[derive(Default)]
pub(super) struct Columns<'a> {
    occurred_at: Vec<DateTime<Utc>>,
    project_id: Vec<Uuid>,
    event_id: Vec<Uuid>,
    received_at: Vec<DateTime<Utc>>,
    stream_seq: Vec<i64>,
    user_no: Vec<i32>,
    user_id: Vec<&'a str>,
    event_type: Vec<&'a str>,
    session_id: Vec<Option<&'a str>>,
    properties: Vec<JsonbText<'a>>,
    context: Vec<Option<JsonbText<'a>>>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(rows: &[(NewEvent<'a>, UserNo)]) -> Result<Self, StorageError> {
        let mut columns = Self::default();
        let beyond = |what: &str| StorageError::Refused(format!("{what} is beyond the database's integers"));
        for (new, user_no) in rows {
            let event = new.event;
            columns.occurred_at.push(event.occurred_at);
            columns.project_id.push(new.project_id.0);
            columns.event_id.push(event.event_id.0);
            columns.received_at.push(new.received_at);
            columns
                .stream_seq
                .push(i64::try_from(new.stream_seq).map_err(|_big| beyond("the stream sequence"))?);
            columns.user_no.push(i32::try_from(*user_no).map_err(|_big| beyond("the user number"))?);
            columns.user_id.push(event.user_id.as_str());
            columns.event_type.push(event.event_type.as_str());
            columns.session_id.push(event.session_id.as_ref().map(|id| id.as_str()));
            columns.properties.push(JsonbText(event.properties.as_str()));
            columns.context.push(event.context.as_ref().map(|json| JsonbText(json.as_str())));
        }
        Ok(columns)
    }

    pub(super) fn parameters(&self) -> [&(dyn ToSql + Sync); 11] {
        [
            &self.occurred_at,
            &self.project_id,
            &self.event_id,
            &self.received_at,
            &self.stream_seq,
            &self.user_no,
            &self.user_id,
            &self.event_type,
            &self.session_id,
            &self.properties,
            &self.context,
        ]
    }
}

/// JSON text as a `jsonb` parameter, without building a tree: the binary form is a version and the text.
#[derive(Debug)]
struct JsonbText<'a>(&'a str);

impl ToSql for JsonbText<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.put_u8(1);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    accepts!(JSONB);
    to_sql_checked!();
}
