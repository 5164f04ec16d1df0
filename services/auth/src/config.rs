//! What auth reads from its environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use lettre::message::Mailbox;
use millrace_files::Place;
use millrace_http::client_address::TrustedProxies;
use millrace_http::public_side::PublicUrl;
use millrace_messaging::streams::AuditLimits;
use millrace_runtime::config::{ConfigError, Env};
use millrace_security::browser_session;
use millrace_security::envelope::MasterKey;
use millrace_security::password::Cost;

use crate::mail::smtp_url::SmtpUrl;
use crate::openid::settings::Settings;
use crate::registration::Registration;

/// Where the gateway is on one machine.
pub const LOCAL_GATEWAY: &str = "http://127.0.0.1:8080";

/// The settings of auth.
#[derive(Clone, Debug)]
pub struct Config {
    /// `MILLRACE_BIND`: where to listen.
    pub bind: SocketAddr,
    /// `MILLRACE_SOCKET`: a socket in the file system to listen on as well, for a gateway on the same machine.
    pub socket: Option<PathBuf>,
    /// `DATABASE_URL`.
    pub database_url: String,
    /// `NATS_URL`.
    pub nats_url: String,
    /// `REDIS_URL`.
    pub redis_url: String,
    /// `MILLRACE_TRUSTED_PROXIES`: networks, like `10.0.0.0/8,::1`, whose word on where a request came from is taken:
    /// the gateway's, and those in front of it; this machine's own addresses if not set. Without the gateway's, all
    /// people share its address, and five wrong passwords keep everybody out; a network too many, and whoever is in
    /// it has as many addresses as it likes.
    pub trusted_proxies: TrustedProxies,
    /// `MILLRACE_PUBLIC_URL`: the address that people have in their browsers. If it begins with `https`, session
    /// cookies are sent over TLS alone; links in mails begin with it. Must be the same for the gateway, or it looks for
    /// a cookie of another name.
    pub public_url: Option<PublicUrl>,
    /// `MILLRACE_COOKIE_RENEWAL`: the age at which a session cookie is replaced and its session extended. Shorter, and
    /// the database is written to more often; longer, and a session's last use is known less exactly.
    pub cookie_renewal: Duration,
    /// `MILLRACE_MASTER_KEY`: seals the private halves of the signing keys, and session cookies. Whoever loses it
    /// loses the keys, and everybody has to sign in again.
    pub master_key: MasterKey,
    /// `MILLRACE_ISSUER`: who access tokens say they are from. Must be the same in all replicas.
    pub issuer: String,
    /// `MILLRACE_BCRYPT_COST`: the work that it takes to try a password.
    pub bcrypt_cost: Cost,
    /// The mail server. Without one nobody gets a mail, and all else works.
    pub mail: Option<MailConfig>,
    /// `MILLRACE_REGISTRATION`: whether people make accounts for themselves.
    pub registration: Registration,
    /// `MILLRACE_REGISTRATION_LIMIT`: registrations an hour from one network address.
    pub registration_limit: u32,
    /// `MILLRACE_REQUIRE_VERIFIED_EMAIL`: nobody signs in with a password before they have proved their address.
    pub require_verified_email: bool,
    /// `MILLRACE_AUDIT_BYTES`, `MILLRACE_STREAM_REPLICAS`: the stream of security events on their way to the audit log.
    pub audit: AuditLimits,
    /// The provider that people may sign in with, if there is one. It sends them back to `MILLRACE_PUBLIC_URL`: where
    /// browsers find the gateway.
    pub openid: Option<Settings>,
    /// `MILLRACE_EXPORTS`: where the files of imports and exports are; must be the same for the workers. Without it
    /// there are neither.
    pub exports: Option<Place>,
    /// `MILLRACE_IMPORT_BYTES`: how large a file may be that is sent to be imported.
    pub import_bytes: u64,
    /// `MILLRACE_SHUTDOWN_GRACE`: how long requests in hand may take once the service is asked to stop.
    pub shutdown_grace: Duration,
}

/// How mail is sent.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// `MILLRACE_SMTP_URL`: where it is handed over.
    pub url: SmtpUrl,
    /// `MILLRACE_SMTP_CA`: a file with the certificates that vouch for the mail server, instead of the system's.
    pub authorities: Option<PathBuf>,
    /// `MILLRACE_MAIL_FROM`: whom it comes from, like `Millrace <millrace@example.com>`.
    pub from: Mailbox,
    /// `MILLRACE_SMTP_TIMEOUT`: how long handing over one mail may take.
    pub patience: Duration,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let bind = env.or("MILLRACE_BIND", SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)));
        let socket = env.optional("MILLRACE_SOCKET");
        let database_url = env.required("DATABASE_URL");
        let nats_url = env.required("NATS_URL");
        let redis_url = env.required("REDIS_URL");
        let trusted_proxies = env.or("MILLRACE_TRUSTED_PROXIES", TrustedProxies::loopback());
        let public_url: Option<PublicUrl> = env.optional("MILLRACE_PUBLIC_URL");
        let cookie_renewal = env.duration("MILLRACE_COOKIE_RENEWAL", Duration::from_secs(15 * 60));
        let master_key = env.required("MILLRACE_MASTER_KEY");
        let issuer = env.or("MILLRACE_ISSUER", "millrace".to_owned());
        let cost = env.or("MILLRACE_BCRYPT_COST", 12);
        let smtp_url: Option<SmtpUrl> = env.optional("MILLRACE_SMTP_URL");
        let authorities = env.optional("MILLRACE_SMTP_CA");
        let from: Option<Mailbox> = env.optional("MILLRACE_MAIL_FROM");
        let patience = env.duration("MILLRACE_SMTP_TIMEOUT", Duration::from_secs(15));
        let registration = env.or("MILLRACE_REGISTRATION", Registration::Open);
        let registration_limit = env.or("MILLRACE_REGISTRATION_LIMIT", 10);
        let require_verified_email = env.or("MILLRACE_REQUIRE_VERIFIED_EMAIL", false);
        env.law(
            smtp_url.is_none() || from.is_some(),
            "MILLRACE_MAIL_FROM must be set where MILLRACE_SMTP_URL is, to an address like `Millrace <millrace@example.com>`",
        );
        env.law(
            smtp_url.is_some() || !require_verified_email,
            "MILLRACE_REQUIRE_VERIFIED_EMAIL needs MILLRACE_SMTP_URL: without mail nobody could verify an address",
        );
        env.law(
            registration_limit > 0,
            "MILLRACE_REGISTRATION_LIMIT must be at least 1: MILLRACE_REGISTRATION=closed lets nobody in",
        );
        let audit = AuditLimits {
            bytes: env.bytes("MILLRACE_AUDIT_BYTES", ByteSize::mib(256)),
            replicas: env.or("MILLRACE_STREAM_REPLICAS", 1),
        };
        let exports = env.optional("MILLRACE_EXPORTS");
        let import_bytes = env.bytes("MILLRACE_IMPORT_BYTES", ByteSize::gib(2));
        let gateway = public_url.as_ref().map_or_else(|| LOCAL_GATEWAY.to_owned(), PublicUrl::to_string);
        let openid = Settings::from_env(&mut env, &gateway);
        let shutdown_grace = env.duration("MILLRACE_SHUTDOWN_GRACE", Duration::from_secs(20));
        env.law(
            (10..=16).contains(&cost),
            "MILLRACE_BCRYPT_COST must be 10 to 16: less is cheap to guess, more keeps people waiting for seconds",
        );
        env.law(shutdown_grace >= Duration::from_secs(5), "MILLRACE_SHUTDOWN_GRACE must be at least 5s");
        env.law(
            cookie_renewal < browser_session::LIFETIME,
            "MILLRACE_COOKIE_RENEWAL must be less than 7 days, or session cookies expire before they are renewed",
        );
        env.law(
            (Duration::from_millis(100)..shutdown_grace).contains(&patience),
            "MILLRACE_SMTP_TIMEOUT must be at least 100ms and less than MILLRACE_SHUTDOWN_GRACE: the mail in hand is finished",
        );
        env.finish(|| {
            Some(Self {
                bind,
                socket,
                database_url: database_url?,
                nats_url: nats_url?,
                redis_url: redis_url?,
                trusted_proxies,
                public_url,
                cookie_renewal,
                master_key: master_key?,
                issuer,
                bcrypt_cost: Cost::new(cost)?,
                mail: smtp_url.zip(from).map(|(url, from)| MailConfig { url, authorities, from, patience }),
                registration,
                registration_limit,
                require_verified_email,
                audit,
                openid,
                exports,
                import_bytes,
                shutdown_grace,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(changes: &[(&str, &str)]) -> Env {
        let mut vars = vec![
            ("DATABASE_URL", "postgres://localhost/millrace"),
            ("NATS_URL", "nats://localhost"),
            ("REDIS_URL", "redis://localhost"),
            ("MILLRACE_MASTER_KEY", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
        ];
        vars.extend(changes);
        Env::of(vars)
    }

    #[test]
    fn four_variables_are_enough() {
        let config = Config::from_env(environment(&[])).unwrap();
        assert_eq!((config.bind.port(), config.issuer.as_str()), (8081, "millrace"));
        assert_eq!(config.bcrypt_cost, Cost::default());
    }

    #[test]
    fn half_a_provider_is_refused_and_its_secret_not_repeated() {
        for (name, value) in [
            ("MILLRACE_OIDC_CLIENT_ID", "x"),
            ("MILLRACE_OIDC_CLIENT_SECRET", "hunter2"),
            ("MILLRACE_OIDC_ISSUER", "http://id.example.com/hunter2"),
            ("MILLRACE_PUBLIC_URL", "events.example.com"),
        ] {
            let error = Config::from_env(environment(&[(name, value)])).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn cookies_are_renewed_before_they_expire_and_the_public_side_has_an_address() {
        let env = environment(&[("MILLRACE_COOKIE_RENEWAL", "7d"), ("MILLRACE_PUBLIC_URL", "/millrace")]);
        let error = Config::from_env(env).unwrap_err().to_string();
        assert!(
            error.contains("MILLRACE_COOKIE_RENEWAL") && error.contains("MILLRACE_PUBLIC_URL"),
            "{error}"
        );
    }

    #[test]
    fn mail_takes_a_server_and_a_sender() {
        let server = ("MILLRACE_SMTP_URL", "smtps://ada:hunter2@mail.example.com");
        let error = Config::from_env(environment(&[server])).unwrap_err().to_string();
        assert!(error.contains("MILLRACE_MAIL_FROM") && !error.contains("hunter2"), "{error}");
        let from = ("MILLRACE_MAIL_FROM", "Millrace <millrace@example.com>");
        let config = Config::from_env(environment(&[server, from])).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!(config.mail.unwrap().from.email.to_string(), "millrace@example.com");
        let plain = ("MILLRACE_SMTP_URL", "smtp://ada:hunter2@mail.example.com");
        let error = Config::from_env(environment(&[plain, from])).unwrap_err().to_string();
        assert!(error.contains("MILLRACE_SMTP_URL") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn who_may_sign_in_only_when_verified_must_be_able_to_get_mail() {
        let error =
            Config::from_env(environment(&[("MILLRACE_REQUIRE_VERIFIED_EMAIL", "true")])).unwrap_err();
        assert!(error.to_string().contains("MILLRACE_SMTP_URL"), "{error}");
    }

    #[test]
    fn registration_is_open_unless_it_is_said_to_be_closed() {
        assert_eq!(Config::from_env(environment(&[])).unwrap().registration, Registration::Open);
        let closed = environment(&[("MILLRACE_REGISTRATION", "closed")]);
        assert_eq!(Config::from_env(closed).unwrap().registration, Registration::Closed);
        let error = Config::from_env(environment(&[("MILLRACE_REGISTRATION", "shut")])).unwrap_err();
        assert!(error.to_string().contains("MILLRACE_REGISTRATION: must be `open` or `closed`"), "{error}");
    }

    #[test]
    fn a_weak_cost_and_a_bad_key_are_refused_together_and_not_repeated() {
        let env = environment(&[("MILLRACE_BCRYPT_COST", "9"), ("MILLRACE_MASTER_KEY", "hunter2")]);
        let error = Config::from_env(env).unwrap_err().to_string();
        assert!(error.contains("MILLRACE_BCRYPT_COST") && error.contains("MILLRACE_MASTER_KEY"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
