//! What every request may use.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, web};
use millrace_cache::attempts::Attempts;
use millrace_cache::data_versions::DataVersions;
use millrace_cache::revocations::RevocationCount;
use millrace_files::Files;
use millrace_http::client_address::TrustedProxies;
use millrace_http::problem::Problem;
use millrace_http::public_side::PublicSide;
use millrace_messaging::broker::Broker;
use millrace_storage::database::{Connection, Database};

use crate::errors::AuthError;
use crate::known_tokens::KnownTokens;
use crate::mail::outbox::Outbox;
use crate::openid::OpenId;
use crate::passwords::Passwords;
use crate::registration::Admission;
use crate::tokens::Tokens;

/// Shared by all workers of the server.
#[derive(Clone, Debug)]
pub struct State {
    /// Accounts, projects, keys.
    pub database: Database,
    /// Where other services ask and listen.
    pub broker: Broker,
    /// Makes and believes access tokens.
    pub tokens: Arc<Tokens>,
    /// Tokens that were checked a moment ago.
    pub known_tokens: KnownTokens,
    /// Says that answers about a project are old.
    pub versions: DataVersions,
    /// Tells whom the broker does not reach.
    pub revocations: RevocationCount,
    /// Tries and makes passwords.
    pub passwords: Passwords,
    /// Counts the tries.
    pub attempts: Attempts,
    /// Notes the mails that people ask for.
    pub outbox: Outbox,
    /// Who may have an account, and what it takes to sign in.
    pub admission: Admission,
    /// The provider that people may sign in with, if there is one.
    pub openid: Option<Arc<OpenId>>,
    /// Where the files of jobs are, if there is a place for them.
    pub files: Option<Files>,
    /// How many bytes a file that is sent here may have.
    pub import_bytes: u64,
    /// Whose word on where a request came from is taken.
    pub trusted_proxies: TrustedProxies,
    /// The side that browsers see.
    pub public_side: PublicSide,
    /// The age at which a session cookie is replaced.
    pub cookie_renewal: Duration,
}

impl State {
    /// What a request may use.
    ///
    /// # Errors
    /// 500 when the service was put together without it.
    pub fn of(request: &HttpRequest) -> Result<&web::Data<Self>, Problem> {
        request.app_data().ok_or_else(|| Problem::internal(&"this service has no state"))
    }

    /// A connection to the database.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn connection(&self) -> Result<Connection, AuthError> {
        Ok(self.database.connection().await?)
    }
}
