//! Segment and RudderStack: `/v1/track` and its siblings, and `/v1/batch`.
//!
//! The time is the sender's. Segment would correct it by the difference between `sentAt` and its own clock; but a retry
//! has a new `sentAt`, and the event another time then, which makes it another event.

use chrono::{DateTime, Utc};
use millrace_domain::draft::Draft;
use millrace_domain::ids::EventId;
use millrace_domain::rejection::{Rejection, RejectionCode};
use millrace_domain::text::EventType;

use super::fields::Fields;
use super::{Call, elements, envelope, gather, ids, key_in, whole};
use crate::split::SplitError;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something happened.
    Track,
    /// Who a user is.
    Identify,
    /// A page was seen.
    Page,
    /// A screen was seen.
    Screen,
    /// Which group a user belongs to.
    Group,
    /// Two ids are one user.
    Alias,
}

/// What is sent to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// One message of a kind.
    One(Kind),
    /// Messages that name their kinds.
    Batch,
}

impl Path {
    /// What is sent to `/v1/{name}`, in full or by the letter that browsers use.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "b" | "batch" => Some(Self::Batch),
            "t" => Some(Self::One(Kind::Track)),
            "i" => Some(Self::One(Kind::Identify)),
            "p" => Some(Self::One(Kind::Page)),
            "s" => Some(Self::One(Kind::Screen)),
            "g" => Some(Self::One(Kind::Group)),
            "a" => Some(Self::One(Kind::Alias)),
            name => Kind::parse(name).map(Self::One),
        }
    }
}

impl Kind {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "track" => Some(Self::Track),
            "identify" => Some(Self::Identify),
            "page" => Some(Self::Page),
            "screen" => Some(Self::Screen),
            "group" => Some(Self::Group),
            "alias" => Some(Self::Alias),
            _ => None,
        }
    }

    fn named_in(message: &Fields<'_>) -> Result<Self, Rejection> {
        let name = message.text("type", RejectionCode::InvalidEventType)?.unwrap_or_default();
        Self::parse(&name).ok_or_else(|| {
            let fault = "must be track, identify, page, screen, group or alias";
            Rejection::of_field(RejectionCode::InvalidEventType, "type", fault)
        })
    }

    fn shape(self, message: &Fields<'_>) -> Result<Shape, Rejection> {
        let (event_type, properties, also): (_, _, &[_]) = match self {
            Self::Track => (message.event_type("event")?, "properties", &[]),
            Self::Identify => (ours("$identify")?, "traits", &[]),
            Self::Page => (ours("$page")?, "properties", &["name", "category"]),
            Self::Screen => (ours("$screen")?, "properties", &["name", "category"]),
            Self::Group => (ours("$group")?, "traits", &["groupId"]),
            Self::Alias => (ours("$alias")?, "properties", &["previousId"]),
        };
        Ok(Shape { event_type, properties, also })
    }
}

/// What an event of a kind is made of.
struct Shape {
    event_type: EventType,
    /// The member that its properties come from.
    properties: &'static str,
    /// Members that belong among them.
    also: &'static [&'static str],
}

fn ours(name: &str) -> Result<EventType, Rejection> {
    EventType::parse(name)
        .map_err(|fault| Rejection::of_field(RejectionCode::InvalidEventType, "type", fault))
}

/// Translates a request.
///
/// # Errors
/// When the body as a whole cannot be taken apart.
pub fn translate(body: &[u8], path: Path, now: DateTime<Utc>) -> Result<Call, SplitError> {
    let request = envelope(body)?;
    let key = key_in(&request, &["writeKey"]);
    let parsed = match path {
        Path::One(kind) => {
            gather(vec![whole(body)?], |message| draft(message, kind, &Fields::default(), now))
        }
        Path::Batch => {
            let shared = request
                .object("context", RejectionCode::InvalidContext)
                .map_err(|_other| SplitError::Part("context", "must be an object".to_owned()))?;
            let messages = elements("batch", request.raw("batch").unwrap_or_default())?;
            gather(messages, |message| {
                let kind = Kind::named_in(&message)?;
                draft(message, kind, &shared, now)
            })
        }
    };
    Ok(Call { key, parsed })
}

fn draft<'a>(
    mut message: Fields<'a>,
    kind: Kind,
    shared: &Fields<'a>,
    now: DateTime<Utc>,
) -> Result<Draft, Rejection> {
    let sent_id = message.text("messageId", RejectionCode::InvalidEventId)?;
    let event_id = sent_id.as_deref().map_or_else(EventId::new, |id| ids::message("segment", id));
    let Shape { event_type, properties: source, also } = kind.shape(&message)?;
    let mut context = message.object("context", RejectionCode::InvalidContext)?;
    let mut properties = message.object(source, RejectionCode::InvalidProperties)?;
    if kind == Kind::Identify && message.raw("traits").is_none() {
        // Where RudderStack's SDKs put them.
        properties = context.object("traits", RejectionCode::InvalidProperties)?;
        context.take("traits");
    }
    context.fill_in(shared);
    let user_id = message.user_id(&["userId", "anonymousId"])?;
    message.hand_over(also, &mut properties);
    message.hand_over(&["anonymousId", "channel"], &mut context);
    Ok(Draft {
        event_id,
        id_was_made: sent_id.is_none(),
        event_type,
        user_id,
        occurred_at: message.occurred_at(&["timestamp", "originalTimestamp"], event_id, now)?,
        session_id: context.session_id("sessionId")?,
        properties: properties.write(source, RejectionCode::InvalidProperties)?,
        context: context.write_context()?,
    })
}

#[cfg(test)]
mod tests;
