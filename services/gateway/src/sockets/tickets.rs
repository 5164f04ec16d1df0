//! Tickets: how a page of another origin, which can send neither a header nor a cookie of ours, opens a socket.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use millrace_domain::ids::ProjectId;
use millrace_http::problem::{Code, Problem, ProblemBody};
use millrace_security::ticket::{LIFETIME, Ticket};
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Shown;
use super::{Refused, Sockets, project_header};

/// Gives and takes tickets.
#[derive(Clone, Debug)]
pub struct Tickets(pub(super) millrace_cache::tickets::Tickets);

/// A ticket.
#[derive(Serialize, ToSchema)]
struct Given {
    /// Put it into the address of the socket: `?ticket=…`. Good once.
    #[schema(example = "mrt_Zk9xQ2J1b1VYcGZ5c0h3dE5qQm1MZ0F2RWlSa1RvWWM")]
    ticket: String,
    /// Until when it is good: half a minute.
    expires_at: DateTime<Utc>,
    /// The project that it shows.
    #[schema(value_type = uuid::Uuid)]
    project_id: ProjectId,
}

/// A ticket for a WebSocket
///
/// For pages that can send no header when they open one. It stands for the credentials of this request, and opens
/// `/api/v1/live` or `/ws/notifications` of one project, once, within half a minute.
#[utoipa::path(
    post, path = "/api/v1/live/tickets", tag = "Live", operation_id = "create_live_ticket",
    params(("X-Project-Id" = Option<uuid::Uuid>, Header, description = "Which project, where the caller has several")),
    responses(
        (status = 201, description = "A ticket", body = Given),
        (status = 401, description = "No credentials, or none that are good", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope `read`, or the CSRF token is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such project among the caller's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The caller has several projects and names none", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Tickets cannot be kept, or nobody knows the caller; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []), ("x_api_key" = []), ("browser_session" = [])),
)]
pub(crate) async fn give(request: HttpRequest, sockets: web::Data<Sockets>) -> HttpResponse {
    sockets.try_give(&request).await.unwrap_or_else(|Refused(answer)| answer)
}

impl Sockets {
    async fn try_give(&self, request: &HttpRequest) -> Result<HttpResponse, Refused> {
        let (shown, admitted) = self.access.shown(request).await?;
        let given = self.give(request, shown).await?;
        let mut answer = HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(given);
        if let Some(admitted) = admitted {
            admitted.renew(answer.headers_mut());
        }
        Ok(answer)
    }

    async fn give(&self, request: &HttpRequest, shown: Shown) -> Result<Given, Problem> {
        let viewer = self.access.admit(&shown, project_header(request)?).await?;
        let shown = match shown {
            // It is a key to the whole account, and this is for one socket.
            Shown::Cookie(cookie) => {
                let token = self.access.sessions.access_token(&cookie).await;
                let token = token.map_err(|error| Problem::unavailable("auth", &error))?;
                Shown::Token(
                    token.ok_or_else(|| Problem::new(Code::Unauthenticated, "the session has ended"))?,
                )
            }
            shown => shown,
        };
        let ticket = Ticket::generate().map_err(|error| Problem::internal(&error))?;
        let secret =
            serde_json::to_vec(&(shown, viewer.project)).map_err(|error| Problem::internal(&error))?;
        let sealed = ticket.seal(&secret).map_err(|error| Problem::internal(&error))?;
        let kept = self.tickets.0.keep(&ticket.hash(), &sealed, LIFETIME).await;
        kept.map_err(|error| Problem::unavailable("the memory for tickets", &error))?;
        let expires_at = Utc::now() + LIFETIME;
        Ok(Given { ticket: ticket.reveal().to_owned(), expires_at, project_id: viewer.project })
    }
}

impl Tickets {
    /// What a ticket stands for. It is of no use any more then.
    ///
    /// # Errors
    /// 401 for one that is not good, 503 when nobody can tell.
    pub(super) async fn redeem(&self, text: &str) -> Result<(Shown, ProjectId), Problem> {
        let refused = || {
            let detail = "the ticket is not good: it can be used once, within half a minute";
            Problem::new(Code::Unauthenticated, detail)
        };
        let ticket = Ticket::parse(text).ok_or_else(refused)?;
        let sealed = self.0.take(&ticket.hash()).await;
        let sealed = sealed.map_err(|error| Problem::unavailable("the memory for tickets", &error))?;
        let secret = ticket.open(&sealed.ok_or_else(refused)?).map_err(|_not_ours| refused())?;
        serde_json::from_slice(&secret).map_err(|_of_another_version| refused())
    }
}
