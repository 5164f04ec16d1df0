//! Sending what was asked for.

use std::convert::Infallible;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_security::mail_token::MailToken;
use millrace_storage::accounts::{self, Account};
use millrace_storage::alerts::history::{self, News};
use millrace_storage::database::Connection;
use millrace_storage::mail_tokens::{self, NewMailToken};
use millrace_storage::mails::{self, Kind, Waiting};
use tokio_util::sync::CancellationToken;

use crate::errors::AuthError;
use crate::mail::letter::{self, Letter};
use crate::mail::outbox::count;
use crate::mail::relay::{Relay, Undelivered};
use crate::state::State;

/// How often the table is looked at without being told: another process may have died with a mail in hand, or a mail
/// is due again.
const INTERVAL: Duration = Duration::from_secs(1);
/// After this a mail is nobody's any more.
const GIVEN_UP: TimeDelta = TimeDelta::hours(24);
/// The pause after the first failure; each that follows is twice as long.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(1);
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(5);
/// What a mail may take besides the conversation with the mail server.
const MARGIN: TimeDelta = TimeDelta::seconds(30);

/// How long what a mail carries is good.
const RESET_LIFETIME: TimeDelta = TimeDelta::hours(1);
const VERIFY_LIFETIME: TimeDelta = TimeDelta::hours(24);

/// What it takes to send.
#[derive(Clone, Debug)]
pub struct Post {
    /// The mail server.
    pub relay: Relay,
    /// Where links lead.
    pub base: String,
    /// How long handing over a mail may take; nobody else takes it up before that.
    pub patience: Duration,
}

/// Sends one mail after the other, until `shutdown`. The mail in hand is finished.
///
/// # Errors
/// None: with a server away it goes on when that is back.
pub async fn follow(state: State, post: Post, shutdown: CancellationToken) -> Result<(), Infallible> {
    while !shutdown.is_cancelled() {
        match next(&state, &post).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "mails wait"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = state.outbox.noted(INTERVAL) => {}
        }
    }
    Ok(())
}

/// Does the next mail that is due. `false` when there is none.
async fn next(state: &State, post: &Post) -> Result<bool, AuthError> {
    let hold = TimeDelta::from_std(post.patience).unwrap_or(LONGEST_PAUSE) + MARGIN;
    let mut conn = state.connection().await?;
    let Some(mail) = mails::take(&mut conn, Utc::now(), hold).await? else { return Ok(false) };
    let written = write(&mut conn, post, &mail, Utc::now()).await?;
    // Nothing is held while the mail server takes its time.
    drop(conn);
    let result = match written {
        None => "nobody",
        Some((letter, name)) => {
            settled(&mail, post.relay.hand_over(&mail.address, name.as_deref(), &letter).await)
        }
    };
    count(mail.kind, result);
    let mut conn = state.connection().await?;
    if result == "postponed" {
        mails::postpone(&mut conn, mail.id, Utc::now() + pause(mail.attempts)).await?;
    } else {
        mails::forget(&mut conn, mail.id).await?;
    }
    Ok(true)
}

/// What became of a mail, as it is counted. It does not say where the mail went: who has an account is not for the log.
fn settled(mail: &Waiting, outcome: Result<(), Undelivered>) -> &'static str {
    let (kind, attempts) = (mail.kind.as_str(), mail.attempts);
    match outcome {
        Ok(()) => {
            tracing::info!(kind, attempts, mail = %mail.id, "a mail is sent");
            "sent"
        }
        Err(Undelivered::Later(cause)) if Utc::now() - mail.asked_at < GIVEN_UP => {
            tracing::warn!(kind, attempts, mail = %mail.id, %cause, "a mail has to wait");
            "postponed"
        }
        Err(Undelivered::Later(cause)) => {
            tracing::error!(kind, attempts, mail = %mail.id, %cause, "a mail is given up");
            "expired"
        }
        Err(Undelivered::Never(cause)) => {
            tracing::error!(kind, attempts, mail = %mail.id, %cause, "a mail is refused");
            "refused"
        }
    }
}

/// The mail, and the name of whom it is for; `None` when nobody is to have it.
async fn write(
    conn: &mut Connection,
    post: &Post,
    mail: &Waiting,
    now: DateTime<Utc>,
) -> Result<Option<(Letter, Option<String>)>, AuthError> {
    let account = match mail.account {
        Some(id) => accounts::find(conn, id).await?,
        None => accounts::find_by_email(conn, &mail.address).await?,
    };
    let Some(account) = account else { return Ok(None) };
    // Anybody can make an account for another's address, and give it a name that says what they like.
    let name = account.full_name.clone().filter(|_| account.email_verified_at.is_some());
    let has_it = account.email == mail.address;
    let letter = match mail.kind {
        Kind::Reset if has_it => {
            let token = token(conn, &account, mail, now + RESET_LIFETIME).await?;
            letter::reset(&post.base, &token, name.as_deref())
        }
        Kind::Verify if has_it && account.email_verified_at.is_none() => {
            letter::verify(&post.base, &token(conn, &account, mail, now + VERIFY_LIFETIME).await?)
        }
        Kind::Change if accounts::find_by_email(conn, &mail.address).await?.is_none() => {
            letter::change(&post.base, &token(conn, &account, mail, now + VERIFY_LIFETIME).await?)
        }
        Kind::Alert if has_it => match told_of(conn, mail).await? {
            Some(news) => letter::alert(&post.base, &news, name.as_deref()),
            None => return Ok(None),
        },
        Kind::Changed => letter::changed(&post.base, &account.email, name.as_deref()),
        Kind::Reset | Kind::Verify | Kind::Change | Kind::Alert => return Ok(None),
    };
    // The holder of a new address has not proved to be the person of that name.
    Ok(Some((letter, name.filter(|_| matches!(mail.kind, Kind::Reset | Kind::Changed | Kind::Alert)))))
}

/// What a mail about an alert tells of; `None` if it is deleted.
async fn told_of(conn: &mut Connection, mail: &Waiting) -> Result<Option<News>, AuthError> {
    match mail.alert_event {
        Some(event) => Ok(history::news(conn, event).await?),
        None => Ok(None),
    }
}

/// A token in place of the account's older one.
async fn token(
    conn: &mut Connection,
    account: &Account,
    mail: &Waiting,
    expires_at: DateTime<Utc>,
) -> Result<MailToken, AuthError> {
    let token = MailToken::generate()?;
    let new = NewMailToken {
        account: account.id,
        kind: mail.kind,
        hash: &token.hash(),
        address: &mail.address,
        expires_at,
    };
    mail_tokens::put(conn, new).await?;
    Ok(token)
}

fn pause(attempts: u32) -> TimeDelta {
    let doubled = FIRST_PAUSE * (1 << attempts.saturating_sub(1).min(16));
    doubled.min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let pauses: Vec<i64> = [1, 2, 3, 9, 10, 40, u32::MAX].map(|n| pause(n).num_seconds()).to_vec();
        assert_eq!(pauses, [1, 2, 4, 256, 300, 300, 300]);
    }
}
