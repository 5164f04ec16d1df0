//! What happens behind the stage: projects and keys are made, events are stored as workers do.

use std::time::Duration;

use millrace_cache::data_versions::DataVersions;
use millrace_domain::access::Scope;
use millrace_domain::ids::ProjectId;
use millrace_runtime::config::Env;
use millrace_security::api_key::ApiKey;
use millrace_storage::api_keys::{self, NewApiKey};
use millrace_storage::append::Appender;
use millrace_storage::compaction;
use millrace_storage::database::Connection;
use millrace_storage::postings::building::build;
use millrace_storage::postings::due;
use millrace_testkit::{story, wait};

use super::{Project, Stage};
use crate::chronicle::Teller;

impl Stage {
    /// A worker, from here on.
    pub(crate) async fn hire_a_worker(&self) {
        let env = Env::of([
            ("MILLRACE_BIND", "127.0.0.1:0"),
            ("DATABASE_URL", &self.database.url()),
            ("NATS_URL", self.nats.url()),
            ("REDIS_URL", self.redis.url()),
            ("MILLRACE_EVENTS_BYTES", "64MiB"),
            ("MILLRACE_DEAD_LETTERS_BYTES", "16MiB"),
            ("MILLRACE_MAINTENANCE", "0s"),
        ]);
        let config = millrace_worker::config::Config::from_env(env).unwrap();
        let app = millrace_worker::app::App::build(config, self.process()).await.unwrap();
        tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()) });
    }

    /// A connection to look at the stage from behind.
    pub(crate) async fn connection(&self) -> Connection {
        self.storage.connection().await.unwrap()
    }

    /// A new project, and a key that analytics knows.
    pub(crate) async fn project(&self, timezone: &str) -> Project {
        let id = story::project(&self.database.url(), timezone).await;
        let project = Project { id, key: self.key(id, &[Scope::Read]).await };
        // Auth answers on the broker a moment after it listens.
        let path = "/api/v1/stats/dau?from=2026-01-01&to=2026-01-01";
        wait::until("the key is known", async || {
            self.request(path, &project.key).send().await.is_ok_and(|response| response.status() == 200)
        })
        .await;
        project
    }

    /// A new key.
    pub(crate) async fn key(&self, project: ProjectId, scopes: &[Scope]) -> ApiKey {
        let key = ApiKey::generate().unwrap();
        let new =
            NewApiKey { name: "story", hash: &key.hash().0, shown: key.shown(), scopes, expires_at: None };
        api_keys::create(&mut *self.connection().await, project, new).await.unwrap();
        key
    }

    /// A hand that writes as a worker does.
    pub(crate) fn teller(&self) -> Teller {
        Teller {
            appender: Appender::new(self.database.url(), Duration::from_secs(20)),
            versions: DataVersions::new(self.redis.url()).unwrap(),
        }
    }

    /// Merges every part of every activity set.
    pub(crate) async fn compact(&self) {
        let mut connection = self.connection().await;
        while compaction::compact(&mut connection, 1_000).await.unwrap() > 0 {}
    }

    /// Stores who did what when, of every day of which it is not stored as it is.
    pub(crate) async fn store_postings(&self) {
        let mut connection = self.connection().await;
        let due = due::look(&mut connection, None, 10_000).await.unwrap();
        for (day, _) in due.days {
            assert!(build(&mut connection, day.project, &day.event_type, day.start).await.unwrap());
        }
    }
}
