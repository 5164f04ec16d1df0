//! What is never written to the log.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use reqwest::Method;
use serde_json::json;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::browser::{Browser, ME};
use crate::gateway::Gateway;
use crate::stage::{PASSWORD, Stage};
use crate::upstream::Upstream;

/// Everything that this process logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let filter = EnvFilter::new("debug,millrace_gateway=trace,millrace_auth=trace,millrace_http=trace");
        tracing_subscriber::fmt().with_env_filter(filter).json().with_writer(log.clone()).init();
        log
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_what_was_asked_and_no_secret() {
    let log = log();
    let stage = Stage::with(|auth| auth.cookie_renewal = std::time::Duration::ZERO).await;
    let mirror = Upstream::mirror();
    let (email, _) = stage.person("ada").await;
    let gateway = Gateway::with(stage.settings(mirror.address));
    let browser = Browser::of(&gateway, &email).await;
    let mut secrets = vec![PASSWORD.to_owned(), browser.session(), browser.csrf()];
    browser.get(ME).await;
    secrets.push(browser.session());
    browser
        .request(Method::POST, "/api/v1/projects")
        .header("X-CSRF-Token", "a wrong one")
        .send()
        .await
        .unwrap();
    browser.post("/api/v1/auth/logout", json!({})).await;
    let ended = browser.copy();
    ended.put(&secrets[1]);
    ended.get(ME).await;
    let forged = secrets[1][..secrets[1].len() - 2].to_owned();
    ended.put(&forged);
    ended.get(ME).await;

    // What the services are shown in place of the cookie.
    let mut settings = stage.settings(mirror.address);
    settings.origins.analytics = format!("http://{}", mirror.address).parse().unwrap();
    let gateway = Gateway::with(settings);
    let browser = Browser::of(&gateway, &email).await;
    let seen = browser.request(Method::GET, "/api/v1/stats/dau").send().await.unwrap().text().await.unwrap();
    let token = seen.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap();
    secrets.extend([token.to_owned(), browser.session(), browser.csrf(), forged]);

    let written = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(written.contains("\"endpoint\":\"/api/v1/auth\""), "requests are logged: {written}");
    assert!(written.contains("a session cookie was refused"), "what auth refuses is logged: {written}");
    for secret in secrets {
        // The first part of a token says how it is made, and is the same for all.
        let telling = secret.split_once('.').map_or(secret.as_str(), |(_, telling)| telling);
        assert!(!written.contains(telling), "{secret} is in the log");
    }
}
