//! Forgetting a user: what the broker still holds of theirs.

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::UserId;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::{subjects, wire};

/// The sequence of the last message that the log has taken; every event that was accepted by now is in a message up to
/// it.
///
/// # Errors
/// When the broker is away.
pub async fn end_of_the_log(broker: &Broker) -> Result<u64, MessagingError> {
    let stream =
        broker.jetstream.get_stream(subjects::EVENTS_STREAM).await.map_err(MessagingError::unavailable)?;
    Ok(stream.cached_info().state.last_sequence)
}

/// Whether everything up to a message of the log is stored or put away.
///
/// # Errors
/// When the broker is away.
pub async fn is_settled(broker: &Broker, sequence: u64) -> Result<bool, MessagingError> {
    let stream =
        broker.jetstream.get_stream(subjects::EVENTS_STREAM).await.map_err(MessagingError::unavailable)?;
    let state = &stream.cached_info().state;
    Ok(state.messages == 0 || state.first_sequence > sequence)
}

/// The sequences of the dead letters of a project that have something of a user in them. One that cannot be read is
/// among them, too, if the user's name is anywhere in its bytes.
///
/// # Errors
/// When the broker is away.
pub async fn dead_letters_of(
    broker: &Broker,
    project: ProjectId,
    user: &UserId,
) -> Result<Vec<u64>, MessagingError> {
    let stream = dead_letters(broker).await?;
    let config = pull::Config {
        filter_subject: subjects::dead_letters(project),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::None,
        inactive_threshold: std::time::Duration::from_secs(60),
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.map_err(MessagingError::unavailable)?;
    let mut waiting = consumer.cached_info().num_pending;
    let mut found = Vec::new();
    while waiting > 0 {
        let mut page = consumer
            .fetch()
            .max_messages(usize::try_from(waiting.min(200)).unwrap_or(200))
            .messages()
            .await
            .map_err(MessagingError::unavailable)?;
        let mut seen = 0;
        while let Some(message) = page.next().await {
            let message = message.map_err(MessagingError::unavailable)?;
            seen += 1;
            let info = message.info().map_err(MessagingError::unavailable)?;
            waiting = info.pending;
            if wire::mentions(&message.payload, user) {
                found.push(info.stream_sequence);
            }
        }
        if seen == 0 {
            break;
        }
    }
    Ok(found)
}

/// Deletes dead letters.
///
/// # Errors
/// When the broker is away; what was deleted stays deleted.
pub async fn delete_dead_letters(broker: &Broker, sequences: &[u64]) -> Result<(), MessagingError> {
    let stream = dead_letters(broker).await?;
    for sequence in sequences {
        stream.delete_message(*sequence).await.map_err(MessagingError::unavailable)?;
    }
    Ok(())
}

async fn dead_letters(broker: &Broker) -> Result<Stream, MessagingError> {
    broker.jetstream.get_stream(subjects::DEAD_LETTERS_STREAM).await.map_err(MessagingError::unavailable)
}
