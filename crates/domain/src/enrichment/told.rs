//! Where senders say what page, browser and address an event came from. The names are those of the SDKs that are
//! understood (Segment, PostHog, Amplitude, Mixpanel) and the plain ones that applications choose.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use crate::event::Event;
use crate::json::JsonObject;

/// What a sender told of an event's surroundings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The page.
    pub page: Option<Url>,
    /// The page before.
    pub referrer: Option<Url>,
    /// The browser.
    pub user_agent: Option<String>,
    /// The user's address.
    pub address: Option<IpAddr>,
}

impl Told {
    /// Reads an event. Of several places that say the same thing the context comes first.
    #[must_use]
    pub fn by(event: &Event) -> Self {
        let context = event.context.as_ref().map(Members::of).unwrap_or_default();
        let properties = Members::of(&event.properties);
        let nested = context.page.map(Members::of_raw).unwrap_or_default();
        let all = [&context, &nested, &properties];
        let first = |texts: fn(&Members<'_>) -> Vec<Option<String>>| {
            all.iter().flat_map(|members| texts(members)).flatten().find(|text| !text.is_empty())
        };
        let page = first(|m| vec![text(m.current_url), text(m.url), text(m.page_url)]);
        let referrer = first(|m| vec![text(m.reserved_referrer), text(m.referrer)]);
        let user_agent = first(|m| {
            vec![
                text(m.raw_user_agent),
                text(m.reserved_user_agent),
                text(m.user_agent),
                text(m.camel_user_agent),
            ]
        });
        let address = first(|m| vec![text(m.reserved_ip), text(m.ip)]);
        Self {
            page: page.and_then(|page| Url::parse(&page).ok()),
            referrer: referrer.and_then(|referrer| Url::parse(&referrer).ok()),
            user_agent,
            address: address.and_then(|address| address.parse().ok()),
        }
    }
}

/// The members that are looked for; the others are passed over without being taken apart.
#[derive(Default, Deserialize)]
struct Members<'a> {
    #[serde(borrow, default, rename = "$current_url")]
    current_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    page_url: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "$referrer")]
    reserved_referrer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    referrer: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "$raw_user_agent")]
    raw_user_agent: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "$user_agent")]
    reserved_user_agent: Option<&'a RawValue>,
    #[serde(borrow, default)]
    user_agent: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "userAgent")]
    camel_user_agent: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "$ip")]
    reserved_ip: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ip: Option<&'a RawValue>,
    #[serde(borrow, default)]
    page: Option<&'a RawValue>,
}

impl<'a> Members<'a> {
    /// None of them where a name comes twice: nobody can tell which was meant.
    fn of(object: &'a JsonObject) -> Self {
        serde_json::from_str(object.as_str()).unwrap_or_default()
    }

    fn of_raw(value: &'a RawValue) -> Self {
        serde_json::from_str(value.get()).unwrap_or_default()
    }
}

fn text(value: Option<&RawValue>) -> Option<String> {
    value
        .filter(|value| value.get().starts_with('"'))
        .and_then(|value| serde_json::from_str(value.get()).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::draft::Draft;

    fn told(properties: &Value, context: &Value) -> Told {
        let now = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        let text = json!({
            "event_type": "seen", "user_id": "ada", "occurred_at": now, "properties": properties, "context": context,
        });
        Told::by(&Draft::parse(&text.to_string(), now, uuid::Uuid::now_v7).unwrap().settle(now))
    }

    #[test]
    fn every_sdk_says_it_in_its_own_way() {
        let (page, agent) = ("https://shop.example/?utm_source=mail", "Mozilla/5.0");
        let expected = Told {
            page: Some(Url::parse(page).unwrap()),
            referrer: Some(Url::parse("https://example.org/").unwrap()),
            user_agent: Some(agent.to_owned()),
            address: Some("192.0.2.7".parse().unwrap()),
        };
        let segment = json!({
            "page": {"url": page, "referrer": "https://example.org/"}, "userAgent": agent, "ip": "192.0.2.7",
        });
        assert_eq!(told(&json!({}), &segment), expected);
        let posthog = json!({
            "$current_url": page, "$referrer": "https://example.org/", "$raw_user_agent": agent, "$ip": "192.0.2.7",
        });
        assert_eq!(told(&json!({"url": "https://elsewhere.example/"}), &posthog), expected);
        let plain = json!({"url": page, "referrer": "https://example.org/", "user_agent": agent});
        assert_eq!(told(&plain, &json!({"ip": "192.0.2.7"})), expected);
        let nonsense =
            json!({"url": 7, "referrer": "$direct", "user_agent": null, "ip": "$remote", "page": "home"});
        assert_eq!(told(&nonsense, &nonsense), Told::default());
    }
}
