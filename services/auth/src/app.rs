//! The service, put together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::web;
use millrace_cache::attempts::{Attempts, Law};
use millrace_cache::data_versions::DataVersions;
use millrace_cache::revocations::RevocationCount;
use millrace_files::Files;
use millrace_http::completion;
use millrace_http::public_side::PublicSide;
use millrace_http::serve::{Listener, serve};
use millrace_messaging::broker::Broker;
use millrace_messaging::streams::AuditLimits;
use millrace_runtime::health::{self, Health};
use millrace_runtime::launch::{Fault, Process, listen, listen_beside};
use millrace_runtime::lifecycle::Components;
use millrace_storage::database::{Database, PoolSettings};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::audit::intake::Intake;
use crate::config::{Config, LOCAL_GATEWAY};
use crate::known_tokens::KnownTokens;
use crate::mail::outbox::Outbox;
use crate::mail::relay::Relay;
use crate::mail::sending::{self, Post};
use crate::openid::OpenId;
use crate::passwords::Passwords;
use crate::registration::Admission;
use crate::state::State;
use crate::tokens::Tokens;
use crate::{announcements, answers, key_succession, routes};

/// How long JetStream may take to acknowledge.
const BROKER_TIMEOUT: Duration = Duration::from_secs(2);

/// Mails that are handed over at the same time: one that the mail server hangs on does not stop all others.
const SENDERS: usize = 2;

/// Auth, ready to run.
#[derive(Debug)]
pub struct App {
    listener: Listener,
    state: State,
    post: Option<Post>,
    health: Arc<Health>,
    process: Process,
    audit: AuditLimits,
    grace: Duration,
}

impl App {
    /// Connects to what auth needs.
    ///
    /// # Errors
    /// When the address is taken, the database or the broker away, or the master key not the one that sealed the
    /// signing key.
    pub async fn build(config: Config, process: Process) -> Result<Self, Fault> {
        let unix = config.socket.as_deref().map(listen_beside).transpose()?;
        let listener = Listener { net: listen(config.bind)?, unix };
        let broker = Broker::connect(&config.nats_url, "auth", BROKER_TIMEOUT).await?;
        let database = Database::new(&config.database_url, PoolSettings::named("auth"))?;
        let tokens = Tokens::load(&database, &config.master_key, &config.issuer).await?;
        let attempts = Attempts::new(&config.redis_url, Law::LOGIN)?;
        let outbox = Outbox::new(config.mail.is_some(), database.clone(), &config.redis_url)?;
        let admission = Admission::new(
            config.registration,
            config.require_verified_email,
            config.registration_limit,
            &config.redis_url,
        )?;
        let post = match config.mail {
            Some(mail) => Some(Post {
                relay: Relay::new(&mail.url, mail.authorities.as_deref(), mail.from, mail.patience)?,
                base: config
                    .public_url
                    .as_ref()
                    .map_or_else(|| LOCAL_GATEWAY.to_owned(), ToString::to_string),
                patience: mail.patience,
            }),
            None => {
                tracing::info!("MILLRACE_SMTP_URL is not set: no mail is sent");
                None
            }
        };
        let openid = config.openid.map(|settings| OpenId::new(settings, &config.redis_url)).transpose()?;
        let health = {
            let (database, broker, attempts) = (database.clone(), broker.clone(), attempts.clone());
            Health::new("auth", env!("CARGO_PKG_VERSION"), process.shutdown.clone())
                .with_metrics(process.metrics.clone())
                .requires("postgres", move || {
                    let database = database.clone();
                    async move { database.ping().await.map_err(|e| e.to_string()) }
                })
                // Without it people still sign in; only other services cannot ask.
                .prefers("nats", move || {
                    let broker = broker.clone();
                    async move { broker.ping().await.map_err(|e| e.to_string()) }
                })
                // Without it every replica counts the tries that it sees itself, and nobody signs in with a provider.
                .prefers("redis", move || {
                    let attempts = attempts.clone();
                    async move { attempts.ping().await.map_err(|e| e.to_string()) }
                })
        };
        Ok(Self {
            listener,
            state: State {
                database,
                broker,
                tokens: Arc::new(tokens),
                known_tokens: KnownTokens::default(),
                versions: DataVersions::new(&config.redis_url)?,
                revocations: RevocationCount::new(&config.redis_url)?,
                passwords: Passwords::new(config.bcrypt_cost),
                attempts,
                openid: openid.map(Arc::new),
                public_side: PublicSide { url: config.public_url, trusted: config.trusted_proxies.clone() },
                cookie_renewal: config.cookie_renewal,
                outbox,
                admission,
                trusted_proxies: config.trusted_proxies,
                files: config.exports.as_ref().map(Files::at).transpose()?,
                import_bytes: config.import_bytes,
            },
            post,
            health: Arc::new(health),
            process,
            audit: config.audit,
            grace: config.shutdown_grace,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.net.local_addr()
    }

    /// Serves until the process is asked to stop.
    ///
    /// # Errors
    /// When a component fails.
    pub async fn run(self) -> Result<(), Fault> {
        let shutdown = self.process.shutdown;
        let broker = self.state.broker.clone();
        let mut components = Components::new(shutdown.clone(), self.grace);
        components.spawn("key answers", answers::keys(self.state.clone(), shutdown.clone()));
        components.spawn("token answers", answers::tokens(self.state.clone(), shutdown.clone()));
        components.spawn("session answers", answers::sessions(self.state.clone(), shutdown.clone()));
        components.spawn("revocations", announcements::follow(self.state.clone(), shutdown.clone()));
        components.spawn("signing keys", key_succession::follow(self.state.clone(), shutdown.clone()));
        for post in self.post.iter().cycle().take(SENDERS) {
            components.spawn("mail", sending::follow(self.state.clone(), post.clone(), shutdown.clone()));
        }
        let intake = Intake {
            broker: broker.clone(),
            database: self.state.database.clone(),
            limits: self.audit,
            shutdown: shutdown.clone(),
        };
        components.spawn("audit log", intake.run());
        let (state, health) = (web::Data::new(self.state), web::Data::from(self.health));
        let configure = move |service: &mut web::ServiceConfig| {
            service.app_data(state.clone()).app_data(health.clone()).configure(health::routes);
            // Whoever hangs up must not keep what they did from being announced and recorded.
            let finished = web::scope("").wrap(from_fn(completion::middleware)).configure(|service| {
                routes::configure(&mut ServiceConfig::new(service));
                routes::aliases(service);
            });
            service.service(finished);
        };
        components.spawn("http", serve(self.listener, configure, shutdown, self.grace)?);
        components.run().await?;
        broker.close().await;
        Ok(())
    }
}
