//! What is known of users and groups: `/engage` and `/groups`. An update is an event, so that nothing that an
//! application says is lost; it carries the operations as they were sent.

use chrono::{DateTime, Utc};
use millrace_domain::draft::Draft;
use millrace_domain::ids::EventId;
use millrace_domain::rejection::{Rejection, RejectionCode};

use super::events;
use crate::sdk::fields::Fields;
use crate::sdk::{Call, OneKey, gather};
use crate::split::SplitError;

/// What can be done to a profile.
const OPERATIONS: &[&str] =
    &["$set", "$set_once", "$add", "$append", "$union", "$remove", "$unset", "$delete", "$transactions"];

/// Whose profile it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A user's: the event `$set`.
    User,
    /// A group's: the event `$groupidentify`.
    Group,
}

/// Translates a request: an array, one update, or one a line.
///
/// # Errors
/// When the body as a whole cannot be taken apart.
pub fn translate(body: &[u8], profile: Profile, now: DateTime<Utc>) -> Result<Call, SplitError> {
    let mut keys = OneKey::default();
    let parsed = gather(events(body)?, |update| draft(update, profile, &mut keys, now));
    Ok(Call { key: keys.0, parsed })
}

fn draft(
    mut update: Fields<'_>,
    profile: Profile,
    keys: &mut OneKey,
    now: DateTime<Utc>,
) -> Result<Draft, Rejection> {
    keys.agree("$token", update.take("$token"))?;
    let mut properties = Fields::default();
    update.hand_over(OPERATIONS, &mut properties);
    if properties.is_empty() {
        let fault = format!("must have one of {}", OPERATIONS.join(", "));
        return Err(Rejection::whole(RejectionCode::InvalidProperties, fault));
    }
    let name = match profile {
        Profile::User => "$set",
        Profile::Group => {
            let [key, id] = ["$group_key", "$group_id"].map(|name| {
                let text = update.text(name, RejectionCode::InvalidUserId)?;
                text.ok_or_else(|| Rejection::of_field(RejectionCode::MissingUserId, name, "is missing"))
            });
            let (key, id) = (key?, id?);
            properties.put_text("$group_type", &key);
            properties.put_text("$group_key", &id);
            update.put_text("$distinct_id", &format!("{key}:{id}"));
            "$groupidentify"
        }
    };
    update.put_text("event", name);
    let event_id = EventId::new();
    let mut context = Fields::default();
    update.hand_over(&["$ip", "$ignore_time"], &mut context);
    Ok(Draft {
        event_id,
        id_was_made: true,
        event_type: update.event_type("event")?,
        user_id: update.user_id(&["$distinct_id", "$user_id", "$device_id"])?,
        occurred_at: update.occurred_at(&["$time"], event_id, now)?,
        session_id: None,
        properties: properties.write("properties", RejectionCode::InvalidProperties)?,
        context: context.write_context()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Parsed;

    fn one(update: &str, profile: Profile) -> Result<Draft, Rejection> {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let Parsed { mut drafts, mut rejected, .. } =
            translate(update.as_bytes(), profile, now).unwrap().parsed;
        drafts.pop().ok_or_else(|| rejected.pop().unwrap().rejection)
    }

    #[test]
    fn what_is_set_on_a_user_is_an_event_of_theirs() {
        let update = r#"{"$token": "k", "$distinct_id": "ada", "$time": 1793534400, "$ip": "0", "$set": {"plan": "pro"}, "$add": {"n": 1}}"#;
        let draft = one(update, Profile::User).unwrap();
        assert_eq!((draft.event_type.as_str(), draft.user_id.as_str()), ("$set", "ada"));
        assert_eq!(draft.occurred_at.unwrap().to_rfc3339(), "2026-11-01T12:00:00+00:00");
        assert_eq!(draft.properties.as_str(), r#"{"$add":{"n": 1},"$set":{"plan": "pro"}}"#);
    }

    #[test]
    fn what_is_set_on_a_group_is_an_event_of_the_group() {
        let update = r#"{"$token": "k", "$group_key": "company", "$group_id": 7, "$time": 1793534400, "$set": {"size": 3}}"#;
        let draft = one(update, Profile::Group).unwrap();
        assert_eq!((draft.event_type.as_str(), draft.user_id.as_str()), ("$groupidentify", "company:7"));
        let properties = r#"{"$group_key":"7","$group_type":"company","$set":{"size": 3}}"#;
        assert_eq!(draft.properties.as_str(), properties);
    }

    #[test]
    fn an_update_of_nothing_or_nobody_is_refused() {
        assert!(one(r#"{"$distinct_id": "ada"}"#, Profile::User).unwrap_err().message.contains("$set"));
        let fault = one(r#"{"$set": {}}"#, Profile::User).unwrap_err();
        assert_eq!(fault.field.as_deref(), Some("$distinct_id"));
        let fault = one(r#"{"$group_key": "company", "$set": {}}"#, Profile::Group).unwrap_err();
        assert_eq!(fault.field.as_deref(), Some("$group_id"));
    }
}
