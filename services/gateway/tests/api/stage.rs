//! What stories of browser sessions need: auth and analytics, running, with people and projects.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::access::{Role, Scope};
use millrace_domain::ids::{AccountId, ProjectId};
use millrace_gateway::config::Config;
use millrace_messaging::broker::Broker;
use millrace_messaging::revocations::{self, Revoked};
use millrace_runtime::config::Env;
use millrace_runtime::launch::Process;
use millrace_security::api_key::ApiKey;
use millrace_security::password::{Cost, Password};
use millrace_security::signing_key::SigningKey;
use millrace_storage::accounts::{self, NewAccount};
use millrace_storage::api_keys::{self, NewApiKey};
use millrace_storage::database::{Connection, Database, PoolSettings};
use millrace_storage::signing_keys::{self, NewSigningKey};
use millrace_storage::{members, projects};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::gateway::{Gateway, client, settings};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery";
const MASTER_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

pub(crate) struct Stage {
    pub(crate) database: TestDatabase,
    pub(crate) nats: TestNats,
    auth: SocketAddr,
    analytics: SocketAddr,
    auth_running: CancellationToken,
    _analytics_running: DropGuard,
    storage: Database,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.auth_running.cancel();
    }
}

impl Stage {
    pub(crate) async fn set() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings of auth.
    pub(crate) async fn with(change: impl FnOnce(&mut millrace_auth::config::Config)) -> Self {
        let (database, nats) = tokio::join!(TestDatabase::create(), TestNats::isolated());
        let (auth_running, analytics_running) = (CancellationToken::new(), CancellationToken::new());
        let mut auth = millrace_auth::config::Config::from_env(Env::of([
            ("MILLRACE_BIND", "127.0.0.1:0"),
            ("DATABASE_URL", &database.url()),
            ("NATS_URL", nats.url()),
            ("REDIS_URL", "redis://127.0.0.1:1"),
            ("MILLRACE_MASTER_KEY", MASTER_KEY),
        ]))
        .unwrap();
        auth.bcrypt_cost = Cost::new(4).unwrap();
        change(&mut auth);
        let process = Process { shutdown: auth_running.clone(), metrics: None };
        let app = millrace_auth::app::App::build(auth, process).await.unwrap();
        let auth = app.address().unwrap();
        tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()) });

        let analytics = millrace_analytics::config::Config::from_env(Env::of([
            ("MILLRACE_BIND", "127.0.0.1:0"),
            ("DATABASE_URL", &database.url()),
            ("NATS_URL", nats.url()),
            ("REDIS_URL", "redis://127.0.0.1:1"),
        ]))
        .unwrap();
        let process = Process { shutdown: analytics_running.clone(), metrics: None };
        let app = millrace_analytics::app::App::build(analytics, process).await.unwrap();
        let analytics = app.address().unwrap();
        tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()) });

        Self {
            storage: Database::new(&database.url(), PoolSettings::named("test")).unwrap(),
            _analytics_running: analytics_running.drop_guard(),
            auth_running,
            database,
            nats,
            auth,
            analytics,
        }
    }

    /// Where auth is.
    pub(crate) fn auth_url(&self) -> String {
        format!("http://{}", self.auth)
    }

    /// The settings of a gateway in front. Whoever else is behind it shows what it was sent.
    pub(crate) fn settings(&self, everybody_else: SocketAddr) -> Config {
        let mut settings = settings(everybody_else);
        settings.origins.auth = self.auth_url().parse().unwrap();
        settings.origins.analytics = format!("http://{}", self.analytics).parse().unwrap();
        settings.nats_url = self.nats.url().to_owned();
        settings
    }

    pub(crate) fn gateway(&self) -> Gateway {
        Gateway::with(self.settings(crate::gateway::nobody()))
    }

    /// A gateway that is told of TLS by a proxy in front of it.
    pub(crate) fn gateway_behind_tls(&self) -> Gateway {
        let mut settings = self.settings(crate::gateway::nobody());
        settings.trusted_proxies = "127.0.0.1".parse().unwrap();
        Gateway::with(settings)
    }

    /// An account. Returns its address and its id.
    pub(crate) async fn person(&self, name: &str) -> (String, AccountId) {
        let email = format!("{name}@example.com");
        let password_hash = &Password::parse(PASSWORD).unwrap().hash(Cost::new(4).unwrap()).unwrap();
        let new = NewAccount {
            email: &email,
            password_hash: Some(password_hash),
            full_name: Some(name),
            is_admin: false,
            email_verified: true,
        };
        let id = accounts::create(&mut *self.store().await, new).await.unwrap().id;
        (email, id)
    }

    /// A project with this member.
    pub(crate) async fn project_of(&self, member: AccountId) -> ProjectId {
        let mut store = self.store().await;
        let project = projects::create(&mut store, "A story", "UTC".parse().unwrap()).await.unwrap().id;
        members::set(&mut store, project, member, Role::Owner).await.unwrap();
        project
    }

    /// A key to a project.
    pub(crate) async fn key(&self, project: ProjectId, scopes: &[Scope]) -> ApiKey {
        let key = ApiKey::generate().unwrap();
        let new =
            NewApiKey { name: "story", hash: &key.hash().0, shown: key.shown(), scopes, expires_at: None };
        api_keys::create(&mut *self.store().await, project, new).await.unwrap();
        key
    }

    /// A person's access token.
    pub(crate) async fn token(&self, gateway: &Gateway, email: &str) -> String {
        let body = json!({"email": email, "password": PASSWORD});
        let login = client().post(gateway.url("/api/v1/auth/login")).json(&body);
        let granted: Value = login.send().await.unwrap().json().await.unwrap();
        granted["access_token"].as_str().unwrap().to_owned()
    }

    /// The database, past the services.
    pub(crate) async fn store(&self) -> Connection {
        self.storage.connection().await.unwrap()
    }

    /// The broker, as another service has it.
    pub(crate) async fn broker(&self) -> Broker {
        Broker::connect(self.nats.url(), "test", Duration::from_secs(2)).await.unwrap()
    }

    /// Ends auth.
    pub(crate) fn without_auth(&self) {
        self.auth_running.cancel();
    }

    /// A new key signs, and the one before has not for so long. Or it replaces all others.
    pub(crate) async fn rotate(&self, ago: Option<TimeDelta>) {
        let key = SigningKey::generate().unwrap();
        let (public, private_box) = (key.public(), &key.seal(&MASTER_KEY.parse().unwrap()).unwrap());
        let new = NewSigningKey { kid: public.kid(), public_pem: public.pem(), private_box };
        let mut store = self.store().await;
        match ago {
            Some(ago) => {
                signing_keys::succeed(&mut store, new, Utc::now() - ago, DateTime::UNIX_EPOCH).await.unwrap();
            }
            None => signing_keys::replace_all(&mut store, new).await.unwrap(),
        }
        revocations::announce(&self.broker().await, &Revoked::SigningKeys).await.unwrap();
    }
}
