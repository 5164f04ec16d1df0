//! From a body to drafts: every event held to the laws, the ones that break one set aside.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use millrace_domain::draft::{Draft, readable_event_id};
use millrace_domain::ids::EventId;
use millrace_domain::rejection::Rejection;
use uuid::Uuid;

use crate::split::{Form, SplitError, split};

/// An event that was refused.
#[derive(Debug)]
pub struct Rejected {
    /// Its place in the request, from 0.
    pub index: usize,
    /// Its id, as far as it can be read.
    pub event_id: Option<EventId>,
    /// Why.
    pub rejection: Rejection,
}

/// A request's events.
#[derive(Debug)]
pub struct Parsed {
    /// How many were sent.
    pub sent: usize,
    /// The sound ones, each id once.
    pub drafts: Vec<Draft>,
    /// Those whose id stood earlier in the same request.
    pub repeated: usize,
    /// The others.
    pub rejected: Vec<Rejected>,
}

impl Parsed {
    /// Holds each event to the laws as `read` knows them.
    pub fn gather<T>(
        events: Vec<T>,
        mut read: impl FnMut(T) -> Result<Draft, (Option<EventId>, Rejection)>,
    ) -> Self {
        let sent = events.len();
        let mut parsed = Self { sent, drafts: Vec::with_capacity(sent), repeated: 0, rejected: vec![] };
        let mut ids = HashSet::with_capacity(sent);
        for (index, event) in events.into_iter().enumerate() {
            match read(event) {
                Ok(draft) if ids.insert(draft.event_id) => parsed.drafts.push(draft),
                Ok(_) => parsed.repeated += 1,
                Err((event_id, rejection)) => parsed.rejected.push(Rejected { index, event_id, rejection }),
            }
        }
        parsed
    }
}

/// Takes a body apart and checks its events.
///
/// # Errors
/// When the body as a whole cannot be taken apart.
pub fn parse(body: &[u8], form: Form, now: DateTime<Utc>) -> Result<Parsed, SplitError> {
    Ok(Parsed::gather(split(body, form)?, |text| {
        let text = text.map_err(|rejection| (None, rejection))?;
        Draft::parse(text, now, Uuid::now_v7).map_err(|rejection| (readable_event_id(text), rejection))
    }))
}
