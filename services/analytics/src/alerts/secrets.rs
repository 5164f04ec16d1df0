//! What deliveries are signed with: sealed where it lies, so that whoever reads the database signs nothing in our name.
//!
//! The key is not the master key of auth: analytics runs what projects ask in SQL, and is not to hold what signs tokens.

use std::convert::Infallible;
use std::time::Duration;

use millrace_domain::ids::AlertId;
use millrace_security::envelope::{EnvelopeError, MasterKey};
use millrace_security::webhook_signature::WebhookSecret;
use millrace_storage::alerts::secrets::{self, KeptSecret};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::webhook::Undelivered;
use crate::errors::AnalyticsError;
use crate::state::State;

/// How often it is looked whether secrets lie in the clear: a replica without the key may still write such.
const INTERVAL: Duration = Duration::from_secs(600);
/// How many of them are sealed at a time.
const BATCH: u16 = 100;

/// The key for the secrets of webhooks, where there is one.
#[derive(Clone, Debug)]
pub struct WebhookKey(pub Option<MasterKey>);

impl WebhookKey {
    /// How the secret of an alert is kept.
    ///
    /// # Errors
    /// When there is no randomness to seal it with.
    pub fn keep(&self, alert: AlertId, secret: &WebhookSecret) -> Result<KeptSecret, EnvelopeError> {
        match &self.0 {
            Some(key) => Ok(KeptSecret::Sealed(key.seal(&context(alert), secret.reveal().as_bytes())?)),
            None => Ok(KeptSecret::Clear(secret.reveal().to_owned())),
        }
    }

    /// The secret of an alert.
    ///
    /// # Errors
    /// When it has none, or this is not the key that it was sealed with.
    pub fn open(&self, alert: AlertId, kept: Option<KeptSecret>) -> Result<WebhookSecret, Undelivered> {
        let unreadable = || Undelivered::Never("its secret cannot be read");
        match kept {
            None => Err(Undelivered::Never("the alert has no webhook any more")),
            Some(KeptSecret::Clear(clear)) => WebhookSecret::parse(&clear).ok_or_else(unreadable),
            Some(KeptSecret::Sealed(sealed)) => {
                // Another process may have the key, and this one tomorrow.
                let closed = || Undelivered::Later("its secret is sealed with another key".to_owned());
                let key = self.0.as_ref().ok_or_else(closed)?;
                let opened = key.open(&context(alert), &sealed).map_err(|_another_key| closed())?;
                let clear = std::str::from_utf8(opened.expose_secret()).map_err(|_not_text| unreadable())?;
                WebhookSecret::parse(clear).ok_or_else(unreadable)
            }
        }
    }
}

/// What a secret is sealed for: moved to another alert, it does not open.
fn context(alert: AlertId) -> String {
    format!("webhook secret of alert {alert}")
}

/// Seals what lies in the clear, until `shutdown`.
///
/// # Errors
/// None: with the database away it goes on when that is back.
pub async fn seal(state: State, shutdown: CancellationToken) -> Result<(), Infallible> {
    if state.webhook_key.0.is_none() {
        tracing::warn!("MILLRACE_WEBHOOK_KEY is not set: the secrets of webhooks lie in the clear");
        shutdown.cancelled().await;
        return Ok(());
    }
    while !shutdown.is_cancelled() {
        match seal_some(&state).await {
            Ok(sealed) if sealed == usize::from(BATCH) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "secrets of webhooks lie in the clear"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
    Ok(())
}

async fn seal_some(state: &State) -> Result<usize, AnalyticsError> {
    let mut conn = state.connection().await?;
    let clear = secrets::in_the_clear(&mut conn, BATCH).await?;
    for (alert, clear) in &clear {
        let Some(secret) = WebhookSecret::parse(clear) else { continue };
        match state.webhook_key.keep(*alert, &secret) {
            Ok(KeptSecret::Sealed(sealed)) => secrets::seal(&mut conn, *alert, clear, &sealed).await?,
            Ok(KeptSecret::Clear(_)) => {}
            Err(error) => tracing::warn!(%error, %alert, "the secret of a webhook lies in the clear"),
        }
    }
    Ok(clear.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: &str) -> WebhookKey {
        WebhookKey(Some(digit.repeat(64).parse().unwrap()))
    }

    #[test]
    fn a_secret_opens_for_its_alert_with_its_key_and_not_otherwise() {
        let (alert, secret) = (AlertId::new(), WebhookSecret::generate().unwrap());
        let sealed = key("a").keep(alert, &secret).unwrap();
        let opens = |key: &WebhookKey, alert: AlertId| {
            key.open(alert, Some(sealed.clone())).map(|opened| opened.reveal().to_owned())
        };
        assert_eq!(opens(&key("a"), alert), Ok(secret.reveal().to_owned()));
        for (key, alert) in [(key("b"), alert), (key("a"), AlertId::new()), (WebhookKey(None), alert)] {
            assert!(matches!(opens(&key, alert), Err(Undelivered::Later(_))), "it may open another time");
        }
        assert!(matches!(key("a").open(alert, None), Err(Undelivered::Never(_))));
    }

    #[test]
    fn without_a_key_and_of_earlier_versions_it_is_in_the_clear() {
        let (alert, secret) = (AlertId::new(), WebhookSecret::generate().unwrap());
        let clear = WebhookKey(None).keep(alert, &secret).unwrap();
        assert!(clear == KeptSecret::Clear(secret.reveal().to_owned()));
        assert_eq!(key("a").open(alert, Some(clear)).unwrap().reveal(), secret.reveal());
    }
}
