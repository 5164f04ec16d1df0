//! Permission in the handler's signature.
//!
//! A handler that takes [`Authorized<Ingest>`] cannot run for a caller without an ingest key, and a reader of its
//! signature knows it.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use async_trait::async_trait;
use chrono::Utc;
use millrace_domain::access::{KeyGrant, Scope};
use millrace_domain::ids::ProjectId;

use crate::credentials::Credentials;
use crate::problem::{Code, Problem};

/// Turns credentials into what they grant. The auth service asks its database; the others ask the auth service.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// What an API key opens.
    ///
    /// # Errors
    /// 401 for a key that is not live, 503 when nobody can tell.
    async fn key(&self, key: &millrace_security::api_key::ApiKey) -> Result<KeyGrant, Problem>;

    /// What an access token opens, in the project the caller names.
    ///
    /// # Errors
    /// 401 for a token that is not good, 403 or 404 where it does not reach, 503 when nobody can tell.
    async fn token(&self, token: &str, project: Option<ProjectId>) -> Result<KeyGrant, Problem>;
}

/// A scope as a type.
pub trait RequiredScope: 'static {
    /// The scope.
    const SCOPE: Scope;
}

/// May send events.
#[derive(Debug)]
pub struct Ingest;
/// May ask questions.
#[derive(Debug)]
pub struct Read;

impl RequiredScope for Ingest {
    const SCOPE: Scope = Scope::Ingest;
}
impl RequiredScope for Read {
    const SCOPE: Scope = Scope::Read;
}

/// Proof that the caller may do `S` in `project_id`. The application must hold `web::Data<dyn Authenticator>`.
#[derive(Debug)]
pub struct Authorized<S> {
    /// The project that was opened.
    pub project_id: ProjectId,
    scope: PhantomData<S>,
}

impl<S: RequiredScope> Authorized<S> {
    /// What these credentials allow, wherever in the request they stood.
    ///
    /// # Errors
    /// 401 and 403 when they are not good or not enough, 503 when nobody can tell.
    pub async fn with(request: &HttpRequest, credentials: Credentials) -> Result<Self, Problem> {
        let authenticator = request
            .app_data::<web::Data<dyn Authenticator>>()
            .map(|data| Arc::clone(data))
            .ok_or_else(|| Problem::internal(&"this service has no authenticator"))?;
        let asked = project_header(request)?;
        let grant = match credentials {
            Credentials::Key(key) => authenticator.key(&key).await?,
            Credentials::Token(token) => authenticator.token(&token, asked).await?,
        };
        if !grant.is_live(Utc::now()) {
            return Err(Problem::new(Code::Unauthenticated, "the key has expired"));
        }
        if !grant.allows(S::SCOPE) {
            return Err(Problem::new(Code::Forbidden, format!("the key lacks the scope `{}`", S::SCOPE)));
        }
        if asked.is_some_and(|project| project != grant.project_id) {
            return Err(Problem::new(
                Code::Forbidden,
                "the key belongs to another project than X-Project-Id",
            ));
        }
        Ok(Self { project_id: grant.project_id, scope: PhantomData })
    }
}

impl<S: RequiredScope> FromRequest for Authorized<S> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Self::with(&request, Credentials::read(request.headers())?).await })
    }
}

/// The project that `X-Project-Id` names.
///
/// # Errors
/// 422 when it names none.
pub fn project_header(request: &HttpRequest) -> Result<Option<ProjectId>, Problem> {
    let Some(value) = request.headers().get("x-project-id") else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    parsed.map(Some).ok_or_else(|| Problem::field("X-Project-Id", "invalid", "X-Project-Id must be a UUID"))
}
