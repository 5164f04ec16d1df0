//! Rows on their way in, in the binary format of `COPY`: no array is built and taken apart again, and `jsonb` travels
//! as the text it arrived as.

use std::pin::pin;

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures_util::SinkExt;
use tokio_postgres::{CopyInSink, Statement, Transaction};

use super::writing::Numbered;

/// The columns of a row, in the order in which they are written.
pub(super) const COLUMNS: &str = "occurred_at, project_id, event_id, received_at, stream_seq, user_no, user_id, \
                                  event_type, session_id, properties, context";
const COLUMN_COUNT: i16 = 11;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: i16 = -1;
/// 2000-01-01, from which PostgreSQL counts its microseconds.
const EPOCH: i64 = 946_684_800_000_000;
/// Bytes that are sent at once: the server takes one piece in while the next is written.
const PIECE: usize = 128 << 10;

/// Sends `rows` to a `COPY … FROM STDIN (FORMAT binary)`.
///
/// # Errors
/// Those of the database, as tokio-postgres tells them: the caller knows which of them it expects.
pub(super) async fn copy(
    transaction: &Transaction<'_>,
    statement: &Statement,
    rows: &[Numbered<'_>],
) -> Result<(), tokio_postgres::Error> {
    let mut sink = pin!(transaction.copy_in(statement).await?);
    let mut piece = BytesMut::with_capacity(PIECE * 2);
    piece.put_slice(HEADER);
    for row in rows {
        write(&mut piece, row);
        if piece.len() >= PIECE {
            sink.send(piece.split().freeze()).await?;
            piece.reserve(PIECE * 2);
        }
    }
    piece.put_i16(TRAILER);
    sink.send(piece.freeze()).await?;
    CopyInSink::<Bytes>::finish(sink).await.map(drop)
}

/// Which of the rows, counted from 0, a copy was refused for; PostgreSQL tells it in the context of the error, as `COPY
/// events, line 78`, in the language of its messages.
pub(super) fn refused_row(error: &tokio_postgres::Error) -> Option<usize> {
    row_in(error.as_db_error()?.where_()?)
}

fn row_in(context: &str) -> Option<usize> {
    let told = context.lines().rev().find_map(|line| line.strip_prefix("COPY ")?.split_once(", "))?.1;
    let line = told.trim_start_matches(|c: char| !c.is_ascii_digit());
    let digits = line.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse::<usize>().ok()?.checked_sub(1)
}

fn write(out: &mut BytesMut, row: &Numbered<'_>) {
    let (new, event) = (&row.new, row.new.event);
    out.put_i16(COLUMN_COUNT);
    value(out, &time(event.occurred_at));
    value(out, new.project_id.0.as_bytes());
    value(out, event.event_id.0.as_bytes());
    value(out, &time(new.received_at));
    value(out, &row.stream_seq.to_be_bytes());
    value(out, &row.user_no.to_be_bytes());
    value(out, event.user_id.as_str().as_bytes());
    value(out, event.event_type.as_str().as_bytes());
    match &event.session_id {
        Some(id) => value(out, id.as_str().as_bytes()),
        None => null(out),
    }
    json(out, event.properties.as_str());
    match &event.context {
        Some(context) => json(out, context.as_str()),
        None => null(out),
    }
}

/// PostgreSQL's time.
fn time(time: DateTime<Utc>) -> [u8; 8] {
    (time.timestamp_micros() - EPOCH).to_be_bytes()
}

/// The binary form of `jsonb`: a version and the text.
fn json(out: &mut BytesMut, text: &str) {
    length(out, text.len() + 1);
    out.put_u8(1);
    out.put_slice(text.as_bytes());
}

fn value(out: &mut BytesMut, bytes: &[u8]) {
    length(out, bytes.len());
    out.put_slice(bytes);
}

/// A value is part of a message, so it is far from the largest length there is.
fn length(out: &mut BytesMut, length: usize) {
    out.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
}

fn null(out: &mut BytesMut) {
    out.put_i32(-1);
}

#[cfg(test)]
mod tests {
    use super::row_in;

    #[test]
    fn the_row_is_found_in_what_postgres_tells_in_any_language() {
        assert_eq!(row_in("COPY events, line 78"), Some(77));
        assert_eq!(row_in("COPY arrivals, Zeile 1, Spalte properties"), Some(0));
        assert_eq!(row_in("JSON data, line 1: {\nCOPY events, line 3, column properties"), Some(2));
        assert_eq!(row_in("PL/pgSQL function moody() line 7 at RAISE\nCOPY events, line 12"), Some(11));
        for silent in ["", "COPY events", "COPY events, line 0", "SQL statement", "JSON data, line 1: {"] {
            assert_eq!(row_in(silent), None, "{silent}");
        }
    }
}
