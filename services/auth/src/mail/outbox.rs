//! Asking for a mail, no more often than is allowed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use millrace_cache::attempts::{Attempts, CacheError, Law};
use millrace_http::problem::Quota;
use millrace_storage::database::Database;
use millrace_storage::error::StorageError;
use millrace_storage::mails::{self, Kind, Wish};
use tokio::sync::Notify;

use crate::errors::AuthError;

/// Mails of a kind to one address, and by one account. Beyond, nothing is sent, and nobody is told.
const A_KIND: Law = Law::hourly("mail", 5);
/// Mails that one network address may ask for, whomever they are for.
const BY_A_CALLER: Law = Law::hourly("mail_caller", 20);
/// What a caller is told who asks for more.
pub const QUOTA: Quota = Quota { policy: "mail", limit: BY_A_CALLER.limit, window: BY_A_CALLER.window };

/// Notes the mails that people ask for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// Whether there is a mail server to hand them to.
    open: bool,
    database: Database,
    mailboxes: Attempts,
    callers: Attempts,
    noted: Arc<Notify>,
}

impl Outbox {
    /// `open`: whether there is a mail server.
    ///
    /// # Errors
    /// When `redis_url` is not an address of Redis.
    pub fn new(open: bool, database: Database, redis_url: &str) -> Result<Self, CacheError> {
        let mailboxes = Attempts::new(redis_url, A_KIND)?;
        let callers = Attempts::new(redis_url, BY_A_CALLER)?;
        Ok(Self { open, database, mailboxes, callers, noted: Arc::default() })
    }

    /// Whether mails are sent at all.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Counts a caller who is about to ask.
    ///
    /// # Errors
    /// [`AuthError::TooManyMails`] when they asked too often.
    pub async fn admit(&self, caller: IpAddr) -> Result<(), AuthError> {
        self.callers.count_address(caller).await.map_err(|locked| AuthError::TooManyMails(locked.wait))
    }

    /// Asks for a mail. What is not sent, because there is no mail server or the address had enough of them, is counted
    /// and logged, and nobody is told: the answer to whoever asked must not depend on it.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn ask(&self, wish: Wish<'_>) -> Result<(), StorageError> {
        if let Some(reason) = self.declined(wish).await? {
            count(wish.kind, reason);
            tracing::warn!(kind = wish.kind.as_str(), reason, "a mail that was asked for is not sent");
        }
        Ok(())
    }

    async fn declined(&self, wish: Wish<'_>) -> Result<Option<&'static str>, StorageError> {
        if !self.open {
            return Ok(Some("unconfigured"));
        }
        // An account that wants one address after the other sends mail to strangers.
        let asker = wish.account.map(|account| account.to_string());
        for counted in [Some(wish.address.to_owned()), asker].into_iter().flatten() {
            let counted = format!("{} {counted}", wish.kind.as_str());
            if self.mailboxes.count_account(&counted).await.is_err() {
                return Ok(Some("limited"));
            }
        }
        let mut conn = self.database.connection().await?;
        let noted = mails::ask(&mut conn, wish, Utc::now()).await?;
        self.wake();
        Ok((!noted).then_some("full"))
    }

    /// Tells those who send that there is something to send.
    pub fn wake(&self) {
        self.noted.notify_one();
    }

    /// Waits until something is asked for, at most for `longest`.
    pub(super) async fn noted(&self, longest: Duration) {
        // Elapsing is as good.
        let _ = tokio::time::timeout(longest, self.noted.notified()).await;
    }
}

/// Counts what became of a mail.
pub(super) fn count(kind: Kind, result: &'static str) {
    metrics::counter!("auth_mails_total", "kind" => kind.as_str(), "result" => result).increment(1);
}
