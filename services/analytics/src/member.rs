//! Who keeps something: a person in a project.

use std::future::Future;
use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use chrono::Utc;
use millrace_domain::access::Role;
use millrace_domain::ids::ProjectId;
use millrace_domain::notification::{About, Notification, NotificationKind};
use millrace_domain::workspace::sharing::{Kept, Member, Visibility};
use millrace_http::authorized::project_header;
use millrace_http::credentials::Credentials;
use millrace_http::problem::{Code, Problem};
use millrace_messaging::tokens::TokenVerifier;

use crate::authenticator::{away, project_of};

/// A member of the project that the request is about, by `X-Project-Id` or as the only one they have. Programs with an
/// API key keep nothing, and are refused.
#[derive(Clone, Copy, Debug)]
pub struct ProjectMember {
    /// The project.
    pub project: ProjectId,
    /// The person.
    pub member: Member,
}

impl ProjectMember {
    async fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let Credentials::Token(token) = Credentials::read(request.headers())? else {
            return Err(Problem::new(
                Code::Forbidden,
                "this is for people: sign in and send an access token",
            ));
        };
        let verifier = request
            .app_data::<web::Data<TokenVerifier>>()
            .ok_or_else(|| Problem::internal(&"this service has no token verifier"))?;
        let claims = verifier.verify(&token).await.map_err(|error| away(&error))?;
        let claims = claims.filter(|claims| claims.is_live(Utc::now())).ok_or_else(|| {
            Problem::new(Code::Unauthenticated, "the access token is not valid, revoked or expired")
        })?;
        let project = project_of(&claims, project_header(request)?)?;
        let role = if claims.admin { Some(Role::Owner) } else { claims.roles.get(&project).copied() };
        let role =
            role.ok_or_else(|| Problem::new(Code::NotFound, "there is no such project among yours"))?;
        let member = Member { account: claims.account_id, role, system: claims.admin };
        Ok(Self { project, member })
    }

    /// That they may keep something.
    ///
    /// # Errors
    /// 403 for viewers.
    pub fn require_keeping(&self) -> Result<(), Problem> {
        if self.member.may_keep() { Ok(()) } else { Err(too_little("editor", self.member.role)) }
    }
}

impl ProjectMember {
    /// What they have just done to something, for those who see it.
    #[must_use]
    pub fn news(&self, kind: NotificationKind, about: About, kept: Kept) -> Notification {
        let news = Notification::new(kind, about, Utc::now()).by(self.member.account);
        match kept {
            Kept { visibility: Visibility::Private, owner: Some(owner) } => news.for_account(owner),
            Kept { visibility: Visibility::Private, owner: None } => news.for_account(self.member.account),
            Kept { visibility: Visibility::Project, .. } => news,
        }
    }
}

/// That a role does not suffice.
#[must_use]
pub fn too_little(needed: &str, has: Role) -> Problem {
    let detail = format!("this needs the role `{needed}` in the project, yours is `{}`", has.as_str());
    Problem::new(Code::Forbidden, detail)
}

impl FromRequest for ProjectMember {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Self::of(&request).await })
    }
}
