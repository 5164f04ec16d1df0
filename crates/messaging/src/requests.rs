//! Questions between services, as NATS services: discoverable with `nats micro ls`, shared among replicas.

use std::future::Future;
use std::time::Duration;

use async_nats::service::ServiceExt;
use async_nats::service::error::Error as ServiceError;
use futures_util::StreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::error::MessagingError;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Questions answered at the same time.
const CONCURRENCY: usize = 64;
const ERROR_HEADER: &str = "Nats-Service-Error";

/// Asks and waits for the answer, both as JSON.
///
/// # Errors
/// When nobody answers in time, or with an error.
pub async fn ask<Q: Serialize, A: DeserializeOwned>(
    broker: &Broker,
    subject: &'static str,
    question: &Q,
) -> Result<A, MessagingError> {
    ask_for(broker, subject, question, ANSWER_TIMEOUT).await
}

/// Asks a question that may take its time.
///
/// # Errors
/// As [`ask`].
pub async fn ask_for<Q: Serialize, A: DeserializeOwned>(
    broker: &Broker,
    subject: &'static str,
    question: &Q,
    patience: Duration,
) -> Result<A, MessagingError> {
    let no_answer = |reason: String| MessagingError::NoAnswer { subject, reason };
    broker.check_connected().map_err(|e| no_answer(e.to_string()))?;
    let payload = serde_json::to_vec(question).map_err(|e| no_answer(e.to_string()))?;
    let request = async_nats::Request::new().payload(payload.into()).timeout(Some(patience));
    let answer = broker.client.send_request(subject, request).await.map_err(|e| no_answer(e.to_string()))?;
    if let Some(error) = answer.headers.as_ref().and_then(|headers| headers.get(ERROR_HEADER)) {
        return Err(no_answer(error.to_string()));
    }
    serde_json::from_slice(&answer.payload)
        .map_err(|e| MessagingError::BadAnswer { subject, reason: e.to_string() })
}

/// Why a question could not be answered; sent to the asker, so it names no cause.
#[derive(Debug)]
pub enum Unanswered {
    /// The question makes no sense.
    BadQuestion,
    /// Not possible right now.
    Unavailable,
}

/// Answers questions on `subject` until `shutdown`.
///
/// # Errors
/// When the broker does not accept the service, or ends it.
pub async fn answer<Q, A, F>(
    broker: &Broker,
    name: &str,
    subject: &'static str,
    shutdown: CancellationToken,
    respond: impl Fn(Q) -> F,
) -> Result<(), MessagingError>
where
    Q: DeserializeOwned,
    A: Serialize,
    F: Future<Output = Result<A, Unanswered>>,
{
    let service = broker
        .client
        .service_builder()
        .start(name, env!("CARGO_PKG_VERSION"))
        .await
        .map_err(MessagingError::unavailable)?;
    let questions = service.endpoint(subject).await.map_err(MessagingError::unavailable)?;
    let respond = &respond;
    questions
        .take_until(shutdown.cancelled_owned())
        .for_each_concurrent(CONCURRENCY, |request| async move {
            let answer = match serde_json::from_slice(&request.message.payload) {
                Ok(question) => respond(question).await,
                Err(_not_json) => Err(Unanswered::BadQuestion),
            };
            let answer = answer
                .map_err(|unanswered| match unanswered {
                    Unanswered::BadQuestion => ServiceError { code: 400, status: "bad question".to_owned() },
                    Unanswered::Unavailable => ServiceError { code: 503, status: "unavailable".to_owned() },
                })
                .and_then(|answer| {
                    serde_json::to_vec(&answer)
                        .map(Into::into)
                        .map_err(|_cannot_fail| ServiceError { code: 500, status: "internal".to_owned() })
                });
            if let Err(error) = request.respond(answer).await {
                tracing::warn!(%error, subject, "an answer could not be sent");
            }
        })
        .await;
    service.stop().await.map_err(MessagingError::unavailable)
}
