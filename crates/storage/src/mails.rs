//! Mails that somebody waits for. A row is a wish; it goes when a mail server has taken the mail, or never will.
//!
//! Several processes send. One that takes a mail in hand has it for a while; should it die, another takes it up after
//! that, and the mail may arrive twice.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, AlertEventId, ProjectId};
use uuid::Uuid;

use crate::error::StorageError;
use crate::schema::mails;

/// More than this many do not wait: whoever could fill the table with made-up addresses would fill the disk.
pub const MOST_WAITING: i64 = 10_000;

/// What a mail is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// To prove that a new account reads mail at its address.
    Verify,
    /// To choose another password.
    Reset,
    /// To prove that an account reads mail at the address that it wants to have.
    Change,
    /// To say, at the old address, that an account has another one.
    Changed,
    /// To say that an alert has fired or is over.
    Alert,
}

impl Kind {
    /// Its name, in the database and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::Change => "change",
            Self::Changed => "changed",
            Self::Alert => "alert",
        }
    }

    fn parse(text: &str) -> Result<Self, StorageError> {
        let all = [Self::Verify, Self::Reset, Self::Change, Self::Changed, Self::Alert];
        let found = all.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| StorageError::Corrupt(format!("`{text}` is no kind of mail")))
    }
}

/// A mail to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// What it is for.
    pub kind: Kind,
    /// Where to.
    pub address: &'a str,
    /// Whose it is; `None`: of whoever has the address, if anybody.
    pub account: Option<AccountId>,
}

/// A mail in hand.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its id.
    pub id: Uuid,
    /// What it is for.
    pub kind: Kind,
    /// Where to.
    pub address: String,
    /// Whose it is; `None`: of whoever has the address, if anybody.
    pub account: Option<AccountId>,
    /// What it tells of, if it is about an alert.
    pub alert_event: Option<AlertEventId>,
    /// When it was last asked for.
    pub asked_at: DateTime<Utc>,
    /// How often it was taken in hand, this time included.
    pub attempts: u32,
}

/// Notes a wish. One that waits already is asked for anew: the same work, so that the time tells nobody about it.
/// `false` when too many wait.
///
/// # Errors
/// [`StorageError::Missing`] when the account does not exist.
pub async fn ask(
    conn: &mut AsyncPgConnection,
    wish: Wish<'_>,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let sql = format!(
        "INSERT INTO mails (id, kind, address, account_id, asked_at, due_at)
         SELECT $1, $2, $3, $4, $5, $5
          WHERE (SELECT count(*) FROM (SELECT FROM mails LIMIT {MOST_WAITING}) AS waiting) < {MOST_WAITING}
         ON CONFLICT ON CONSTRAINT mails_once DO UPDATE SET asked_at = excluded.asked_at"
    );
    let noted = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(Uuid::now_v7())
        .bind::<Text, _>(wish.kind.as_str())
        .bind::<Text, _>(wish.address)
        .bind::<Nullable<SqlUuid>, _>(wish.account.map(|id| id.0))
        .bind::<Timestamptz, _>(now)
        .execute(conn)
        .await?;
    Ok(noted > 0)
}

/// That somebody's alert has fired or is over.
#[derive(Clone, Copy, Debug)]
pub struct AlertMail {
    /// Whose alert it is.
    pub owner: AccountId,
    /// The project that they have to be a member of still.
    pub project: ProjectId,
    /// What has happened.
    pub event: AlertEventId,
}

/// Notes that an alert's owner is to have a mail. `false` when they are no member any more, or have not proved that they
/// read mail at their address.
///
/// # Errors
/// [`StorageError::Missing`] when the event does not exist.
pub async fn ask_for_alert(
    conn: &mut AsyncPgConnection,
    mail: AlertMail,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let noted = diesel::sql_query(
        "INSERT INTO mails (id, kind, address, account_id, alert_event_id, asked_at, due_at)
         SELECT $1, 'alert', accounts.email, accounts.id, $4, $5, $5 FROM accounts
          WHERE accounts.id = $2 AND accounts.email_verified_at IS NOT NULL
            AND (accounts.is_admin
                 OR EXISTS (SELECT FROM members WHERE project_id = $3 AND account_id = accounts.id))
         ON CONFLICT ON CONSTRAINT mails_once DO UPDATE SET asked_at = excluded.asked_at",
    )
    .bind::<SqlUuid, _>(Uuid::now_v7())
    .bind::<SqlUuid, _>(mail.owner.0)
    .bind::<SqlUuid, _>(mail.project.0)
    .bind::<SqlUuid, _>(mail.event.0)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(noted > 0)
}

/// Takes the mail in hand that is due longest, for as long as `hold`; nobody else does in that time.
///
/// # Errors
/// When the database fails.
pub async fn take(
    conn: &mut AsyncPgConnection,
    now: DateTime<Utc>,
    hold: TimeDelta,
) -> Result<Option<Waiting>, StorageError> {
    type Row = (Uuid, String, String, Option<Uuid>, Option<Uuid>, DateTime<Utc>, i32);
    conn.transaction(async |conn| {
        let due: Option<Row> = mails::table
            .filter(mails::due_at.le(now))
            .order(mails::due_at)
            .select((
                mails::id,
                mails::kind,
                mails::address,
                mails::account_id,
                mails::alert_event_id,
                mails::asked_at,
                mails::attempts,
            ))
            .for_update()
            .skip_locked()
            .first(conn)
            .await
            .optional()?;
        let Some((id, kind, address, account, event, asked_at, attempts)) = due else { return Ok(None) };
        let attempts = attempts.saturating_add(1);
        diesel::update(mails::table.find(id))
            .set((mails::due_at.eq(now + hold), mails::attempts.eq(attempts)))
            .execute(conn)
            .await?;
        Ok(Some(Waiting {
            id,
            kind: Kind::parse(&kind)?,
            address,
            account: account.map(AccountId),
            alert_event: event.map(AlertEventId),
            asked_at,
            attempts: attempts.unsigned_abs(),
        }))
    })
    .await
}

/// Forgets a mail: it is sent, or never will be.
///
/// # Errors
/// When the database fails.
pub async fn forget(conn: &mut AsyncPgConnection, id: Uuid) -> Result<(), StorageError> {
    diesel::delete(mails::table.find(id)).execute(conn).await?;
    Ok(())
}

/// Puts a mail back until `due_at`.
///
/// # Errors
/// When the database fails.
pub async fn postpone(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    due_at: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::update(mails::table.find(id)).set(mails::due_at.eq(due_at)).execute(conn).await?;
    Ok(())
}
