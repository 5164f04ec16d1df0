//! Questions of the other services: what does this key open, what may the holder of this token do, what does this
//! cookie stand for.

use chrono::Utc;
use millrace_domain::access::KeyGrant;
use millrace_messaging::browser_sessions::{SessionAnswer, SessionQuestion};
use millrace_messaging::error::MessagingError;
use millrace_messaging::keys::{KeyAnswer, KeyQuestion};
use millrace_messaging::requests::{self, Unanswered};
use millrace_messaging::subjects;
use millrace_messaging::tokens::{TokenAnswer, TokenClaims, TokenQuestion};
use millrace_security::api_key::KeyHash;
use millrace_storage::api_keys;
use tokio_util::sync::CancellationToken;

use crate::browser_sessions;
use crate::errors::AuthError;
use crate::state::State;

/// Answers [`subjects::RESOLVE_KEY`] until `shutdown`.
///
/// # Errors
/// When the broker ends the service.
pub async fn keys(state: State, shutdown: CancellationToken) -> Result<(), MessagingError> {
    let respond = |question| resolve(&state, question);
    requests::answer(&state.broker, "millrace-auth-keys", subjects::RESOLVE_KEY, shutdown, respond).await
}

/// Answers [`subjects::VERIFY_TOKEN`] until `shutdown`.
///
/// # Errors
/// When the broker ends the service.
pub async fn tokens(state: State, shutdown: CancellationToken) -> Result<(), MessagingError> {
    let respond = |question| verify(&state, question);
    requests::answer(&state.broker, "millrace-auth-tokens", subjects::VERIFY_TOKEN, shutdown, respond).await
}

/// Answers [`subjects::OPEN_SESSION`] until `shutdown`.
///
/// # Errors
/// When the broker ends the service.
pub async fn sessions(state: State, shutdown: CancellationToken) -> Result<(), MessagingError> {
    let respond = |question| open(&state, question);
    requests::answer(&state.broker, "millrace-auth-sessions", subjects::OPEN_SESSION, shutdown, respond).await
}

async fn resolve(state: &State, question: KeyQuestion) -> Result<KeyAnswer, Unanswered> {
    let hash = KeyHash::from_hex(&question.sha256).ok_or(Unanswered::BadQuestion)?;
    let grant = find(state, hash).await.map_err(|error| unavailable(subjects::RESOLVE_KEY, &error))?;
    Ok(KeyAnswer { grant })
}

/// What a live key grants. Services remember the answer for less than a minute, so while a key is in use they ask often
/// enough for that to be noted.
async fn find(state: &State, hash: KeyHash) -> Result<Option<KeyGrant>, AuthError> {
    let now = Utc::now();
    let mut conn = state.connection().await?;
    let grant = api_keys::grant(&mut conn, &hash.0).await?.filter(|grant| grant.is_live(now));
    if let Some(grant) = &grant
        && let Err(error) = api_keys::note_use(&mut conn, grant.project_id, grant.key_id, now).await
    {
        metrics::counter!("auth_key_uses_lost_total").increment(1);
        tracing::warn!(%error, key_id = %grant.key_id, "the use of a key is not noted");
    }
    Ok(grant)
}

async fn verify(state: &State, question: TokenQuestion) -> Result<TokenAnswer, Unanswered> {
    match state.known_tokens.claims(state, &question.token).await {
        Ok(claims) => Ok(TokenAnswer { claims: Some(TokenClaims::clone(&claims)) }),
        Err(AuthError::Token(_) | AuthError::SessionEnded) => Ok(TokenAnswer { claims: None }),
        Err(error) => Err(unavailable(subjects::VERIFY_TOKEN, &error)),
    }
}

async fn open(state: &State, question: SessionQuestion) -> Result<SessionAnswer, Unanswered> {
    let session = browser_sessions::resume(state, &question.cookie).await;
    session
        .map(|session| SessionAnswer { session })
        .map_err(|error| unavailable(subjects::OPEN_SESSION, &error))
}

fn unavailable(subject: &'static str, error: &AuthError) -> Unanswered {
    metrics::counter!("auth_unanswered_total", "subject" => subject).increment(1);
    tracing::warn!(subject, %error, "a question could not be answered");
    Unanswered::Unavailable
}
