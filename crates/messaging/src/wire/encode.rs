//! A batch of events as messages.

use std::ops::Range;

use bytes::Bytes;
use millrace_domain::batch::EventBatch;
use millrace_domain::event::Event;
use prost::Message;

use super::{named, v1};
use crate::source::Run;

/// A part of a batch, encoded.
#[derive(Debug)]
pub struct Encoded {
    /// The bytes.
    pub payload: Bytes,
    /// Which of the batch's events are in it.
    pub events: Range<usize>,
}

/// Encodes a batch whose events came in these runs into messages of at most about `max_bytes` each; an event is never
/// split. Events beyond the last run are of nobody known.
#[must_use]
pub fn encode(batch: &EventBatch, runs: &[Run<'_>], max_bytes: usize) -> Vec<Encoded> {
    let mut messages = Vec::new();
    let mut first = 0;
    let mut pending = empty(batch);
    let mut size = pending.encoded_len();
    let mut runs = runs.iter().map(|run| (run.events, named::to_wire(run.source)));
    let mut run = runs.next();
    let mut run_is_named = false;
    for (index, event) in batch.events.iter().enumerate() {
        while run.as_ref().is_some_and(|(left, _)| *left == 0) {
            (run, run_is_named) = (runs.next(), false);
        }
        let event = to_wire(event);
        let framed = framed(&event);
        // What naming the source may cost, its count included.
        let naming = run.as_ref().filter(|_| !run_is_named).map_or(0, |(_, source)| framed_source(source));
        if size + framed + naming > max_bytes && !pending.events.is_empty() {
            messages.push(Encoded { payload: Bytes::from(pending.encode_to_vec()), events: first..index });
            pending = empty(batch);
            first = index;
            size = pending.encoded_len();
            run_is_named = false;
        }
        size += framed;
        pending.events.push(event);
        if let Some((left, source)) = &mut run {
            *left -= 1;
            if !run_is_named {
                size += framed_source(source);
                pending.sources.push(source.clone());
                run_is_named = true;
            }
            if let Some(named) = pending.sources.last_mut() {
                named.events += 1;
            }
        }
    }
    if !pending.events.is_empty() {
        messages.push(Encoded {
            payload: Bytes::from(pending.encode_to_vec()),
            events: first..batch.events.len(),
        });
    }
    messages
}

/// The tag, and the length as a varint, before what they announce.
fn framed(message: &impl Message) -> usize {
    let length = message.encoded_len();
    1 + prost::length_delimiter_len(length) + length
}

/// The size of a source whose count is still to be written.
fn framed_source(source: &v1::Source) -> usize {
    framed(source) + 12
}

pub(super) fn empty(batch: &EventBatch) -> v1::EventBatch {
    v1::EventBatch {
        project_id: batch.project_id.0.as_bytes().to_vec(),
        received_at_us: batch.received_at.timestamp_micros(),
        events: Vec::new(),
        sources: Vec::new(),
    }
}

pub(super) fn to_wire(event: &Event) -> v1::Event {
    v1::Event {
        event_id: event.event_id.0.as_bytes().to_vec(),
        event_type: event.event_type.as_str().to_owned(),
        user_id: event.user_id.as_str().to_owned(),
        occurred_at_us: event.occurred_at.timestamp_micros(),
        session_id: event.session_id.as_ref().map(|id| id.as_str().to_owned()),
        properties: event.properties.as_str().to_owned(),
        context: event.context.as_ref().map(|json| json.as_str().to_owned()),
    }
}
