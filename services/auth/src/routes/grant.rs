//! What whoever signs in, or goes on, is given.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use millrace_security::{refresh_token, token};
use serde::Serialize;
use utoipa::ToSchema;

use crate::sessions::Granted;

/// What lets in.
#[derive(Serialize, ToSchema)]
pub(super) struct Grant {
    /// To be sent as `Authorization: Bearer …`.
    access_token: String,
    /// Gets the next two tokens, once, from `/api/v1/auth/refresh`.
    #[schema(example = "mrr_Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGx5")]
    refresh_token: String,
    /// How to send the access token.
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// How long the access token is good, in seconds.
    #[schema(example = 900)]
    expires_in: u64,
    /// How long the refresh token is good, in seconds.
    #[schema(example = 604_800)]
    refresh_expires_in: u64,
}

impl Grant {
    /// What is sent of it.
    pub(super) fn new(granted: &Granted) -> Self {
        Self {
            access_token: granted.access_token.clone(),
            refresh_token: granted.refresh_token.reveal().to_owned(),
            token_type: "bearer",
            expires_in: token::LIFETIME.as_secs(),
            refresh_expires_in: refresh_token::LIFETIME.as_secs(),
        }
    }

    /// The answer, which nobody on the way may keep.
    pub(super) fn answer(granted: &Granted) -> HttpResponse {
        HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Self::new(granted))
    }
}
