//! Who may ask: holders of an API key, and people who are members of a project.

use async_trait::async_trait;
use millrace_domain::access::{KeyGrant, Scope};
use millrace_domain::ids::{KeyId, ProjectId};
use millrace_http::authorized::Authenticator;
use millrace_http::problem::{Code, Problem};
use millrace_messaging::error::MessagingError;
use millrace_messaging::keys::KeyResolver;
use millrace_messaging::tokens::{NoProject, TokenClaims, TokenVerifier};
use millrace_security::api_key::ApiKey;

/// Asks auth, over the broker, behind a local memory.
#[derive(Debug)]
pub struct BrokerAuthenticator {
    keys: KeyResolver,
    tokens: TokenVerifier,
}

impl BrokerAuthenticator {
    /// Uses these memories.
    #[must_use]
    pub fn new(keys: KeyResolver, tokens: TokenVerifier) -> Self {
        Self { keys, tokens }
    }
}

#[async_trait]
impl Authenticator for BrokerAuthenticator {
    async fn key(&self, key: &ApiKey) -> Result<KeyGrant, Problem> {
        match self.keys.resolve(key.hash().0).await.map_err(|e| away(&e))? {
            Some(grant) => Ok(KeyGrant::clone(&grant)),
            None => Err(Problem::new(Code::Unauthenticated, "the API key is unknown, revoked or expired")),
        }
    }

    async fn token(&self, token: &str, project: Option<ProjectId>) -> Result<KeyGrant, Problem> {
        let Some(claims) = self.tokens.verify(token).await.map_err(|e| away(&e))? else {
            return Err(Problem::new(
                Code::Unauthenticated,
                "the access token is not valid, revoked or expired",
            ));
        };
        Ok(KeyGrant {
            key_id: KeyId(claims.account_id.0),
            project_id: project_of(&claims, project)?,
            scopes: vec![Scope::Read],
            expires_at: Some(claims.expires_at),
        })
    }
}

/// The project that the holder of a token asks about. One that is not theirs does not exist for them.
pub(crate) fn project_of(claims: &TokenClaims, asked: Option<ProjectId>) -> Result<ProjectId, Problem> {
    claims.project(asked).map_err(|reason| match reason {
        NoProject::NotTheirs => Problem::new(Code::NotFound, reason.to_string()),
        NoProject::Several => Problem::field("X-Project-Id", "required", reason.to_string()),
    })
}

pub(crate) fn away(error: &MessagingError) -> Problem {
    Problem::unavailable("the authentication service", error)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::Utc;
    use millrace_domain::access::Role;
    use millrace_domain::ids::AccountId;

    use super::*;

    fn claims(admin: bool, projects: &[ProjectId]) -> TokenClaims {
        let roles: BTreeMap<_, _> = projects.iter().map(|project| (*project, Role::Viewer)).collect();
        TokenClaims { account_id: AccountId::new(), admin, roles, expires_at: Utc::now() }
    }

    fn refused(claims: &TokenClaims, asked: Option<ProjectId>) -> &'static str {
        project_of(claims, asked).unwrap_err().code().as_str()
    }

    #[test]
    fn a_member_of_one_project_need_not_name_it() {
        let project = ProjectId::new();
        assert_eq!(project_of(&claims(false, &[project]), None).unwrap(), project);
    }

    #[test]
    fn a_member_of_several_must() {
        let (one, other) = (ProjectId::new(), ProjectId::new());
        let claims = claims(false, &[one, other]);
        assert_eq!(refused(&claims, None), "invalid");
        assert_eq!(project_of(&claims, Some(other)).unwrap(), other);
    }

    #[test]
    fn the_projects_of_others_do_not_exist() {
        assert_eq!(refused(&claims(false, &[ProjectId::new()]), Some(ProjectId::new())), "not_found");
        assert_eq!(refused(&claims(false, &[]), None), "not_found");
    }

    #[test]
    fn an_admin_sees_every_project_and_must_name_one() {
        let project = ProjectId::new();
        assert_eq!(project_of(&claims(true, &[]), Some(project)).unwrap(), project);
        assert_eq!(refused(&claims(true, &[project]), None), "invalid");
    }
}
