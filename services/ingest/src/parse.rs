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

/// Takes a body apart and checks its events.
///
/// # Errors
/// When the body as a whole cannot be taken apart.
pub fn parse(body: &[u8], form: Form, now: DateTime<Utc>) -> Result<Parsed, SplitError> {
    let texts = split(body, form)?;
    let mut parsed =
        Parsed { sent: texts.len(), drafts: Vec::with_capacity(texts.len()), repeated: 0, rejected: vec![] };
    let mut ids = HashSet::with_capacity(texts.len());
    for (index, text) in texts.into_iter().enumerate() {
        let (event_id, draft) = match text {
            Ok(text) => match Draft::parse(text, now, Uuid::now_v7) {
                Ok(draft) => (None, Ok(draft)),
                Err(rejection) => (readable_event_id(text), Err(rejection)),
            },
            Err(rejection) => (None, Err(rejection)),
        };
        match draft {
            Ok(draft) if ids.insert(draft.event_id) => parsed.drafts.push(draft),
            Ok(_) => parsed.repeated += 1,
            Err(rejection) => parsed.rejected.push(Rejected { index, event_id, rejection }),
        }
    }
    Ok(parsed)
}
