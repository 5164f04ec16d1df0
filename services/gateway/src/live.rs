//! `GET /api/v1/live`: events as they are accepted. What a client is told is described in `docs/live.md`.

use std::sync::Arc;

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use millrace_http::problem::Problem;
use serde_json::Value;

pub mod filter;
pub mod gathered;

use crate::sockets::Sockets;
use crate::sockets::access::Viewer;
use crate::sockets::connection::Feed;
use filter::Filter;
use gathered::Gathered;

/// The events that a client has asked for.
struct Live {
    filter: Filter,
}

impl Feed for Live {
    type Item = Arc<Gathered>;
    const KIND: &'static str = "events";

    async fn greeting(&self, _: bool) -> Value {
        self.filter.told("ready")
    }

    fn frame(&self, gathered: &Arc<Gathered>, _: &Viewer) -> Option<Bytes> {
        if self.filter.is_open() {
            Some(gathered.whole())
        } else {
            gathered.some(|event| self.filter.has(event))
        }
    }

    fn hear(&mut self, said: &str) -> Result<Value, String> {
        self.filter = Filter::parse(said)?;
        Ok(self.filter.told("filter"))
    }
}

/// Opens a socket.
pub(crate) async fn open(
    request: HttpRequest,
    payload: web::Payload,
    sockets: web::Data<Sockets>,
) -> HttpResponse {
    let feed = |query: Vec<(String, String)>| {
        let filter = Filter::of_query(query);
        filter
            .map(|filter| Live { filter })
            .map_err(|(field, message)| Problem::field(&field, "invalid", message))
    };
    sockets.open(&request, payload, &sockets.live, feed).await
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use millrace_domain::ids::{KeyId, ProjectId};

    use serde_json::json;

    use super::*;
    use crate::sockets::access::Who;

    #[test]
    fn a_frame_is_made_once_for_all_who_want_everything() {
        let gathered = Arc::new(gathered::tests::of(&[("paid", "ada"), ("seen", "bob")]));
        let viewer =
            Viewer { project: ProjectId::new(), who: Who::Key(KeyId::new()), good_until: Some(Utc::now()) };
        let live = |said: &str| Live { filter: Filter::parse(said).unwrap() };
        let frame = |said: &str| live(said).frame(&gathered, &viewer);
        let (one, other) = (frame("{}").unwrap(), frame("{}").unwrap());
        assert_eq!(one.as_ptr(), other.as_ptr());
        assert!(frame(r#"{"event_types": ["other"]}"#).is_none());
        assert!(frame(r#"{"event_types": ["paid"]}"#).unwrap().len() < one.len());
        assert_eq!(json!("ready"), live("{}").filter.told("ready")["type"]);
    }
}
