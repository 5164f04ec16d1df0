//! TLS, with certificates made for the test.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use millrace_gateway::tls::TlsFiles;
use millrace_testkit::wait;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Certificate, Client, Identity, Version};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::gateway::{DEADLINE, Gateway, nobody, settings};
use crate::http2::Frames;
use crate::upstream::Upstream;

/// Somebody who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for `localhost` and its key, in PEM.
    fn sign(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// Puts a certificate where a gateway looks for it.
    pub(crate) fn sign_into(&self, folder: &Path) -> TlsFiles {
        let (certificate, key) = self.sign();
        let files = TlsFiles {
            certificate: folder.join("certificate.pem"),
            key: folder.join("key.pem"),
            client_authorities: None,
        };
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        files
    }

    /// The settings of a client that trusts nobody else, and speaks HTTP/2.
    pub(crate) fn http2(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    /// A client that trusts nobody else.
    pub(crate) fn client(&self) -> reqwest::ClientBuilder {
        let root = Certificate::from_pem(self.0.pem().as_bytes()).unwrap();
        Client::builder().no_proxy().timeout(DEADLINE).tls_certs_only([root])
    }
}

fn url(port: u16, path: &str) -> String {
    format!("https://localhost:{port}{path}")
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_http_are_spoken_and_browsers_are_told_to_stay() {
    let (upstream, authority, folder) = (Upstream::mirror(), Authority::new(), TempDir::new().unwrap());
    let mut settings = settings(upstream.address);
    settings.tls = Some(authority.sign_into(folder.path()));
    let gateway = Gateway::with(settings);
    let port = gateway.address.port();
    for (client, version) in [
        (authority.client().build().unwrap(), Version::HTTP_2),
        (authority.client().http1_only().build().unwrap(), Version::HTTP_11),
    ] {
        let answer = client.post(url(port, "/api/v1/events")).body("body").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
        let seen = answer.text().await.unwrap();
        for line in [
            "x-forwarded-proto: https".to_owned(),
            format!("x-forwarded-host: localhost:{port}"),
            format!("forwarded: for=127.0.0.1;host=\"localhost:{port}\";proto=https"),
        ] {
            assert!(seen.contains(&format!("\n{line}\n")), "{line} not in {seen}");
        }
        assert!(seen.ends_with("\n\nbody"), "{seen}");
    }
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(plain.get(gateway.url("/api/v1/stats")).send().await.is_err(), "nothing is said without TLS");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_nothing_is_let_go() {
    let (upstream, authority, folder) = (Upstream::mirror(), Authority::new(), TempDir::new().unwrap());
    let mut settings = settings(upstream.address);
    settings.tls = Some(authority.sign_into(folder.path()));
    settings.client_timeout = Duration::from_millis(300);
    let gateway = Gateway::with(settings);
    Frames::to(gateway.address, &authority).await.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_clients_must_have_certificates_those_without_are_nobody() {
    let (upstream, authority, folder) = (Upstream::mirror(), Authority::new(), TempDir::new().unwrap());
    let clients = Authority::new();
    let mut files = authority.sign_into(folder.path());
    let authorities = folder.path().join("clients.pem");
    std::fs::write(&authorities, clients.0.pem()).unwrap();
    files.client_authorities = Some(authorities);
    let mut settings = settings(upstream.address);
    settings.tls = Some(files);
    let gateway = Gateway::with(settings);
    let with = |who: &Authority| {
        let (certificate, key) = who.sign();
        authority.client().identity(Identity::from_pem((certificate + &key).as_bytes()).unwrap())
    };
    let ask = async |client: reqwest::ClientBuilder| {
        client.build().unwrap().get(url(gateway.address.port(), "/api/v1/stats")).send().await
    };
    assert_eq!(ask(with(&clients)).await.unwrap().status(), 200);
    assert!(ask(with(&Authority::new())).await.is_err(), "another authority's");
    assert!(ask(authority.client()).await.is_err(), "none");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tls_health_is_told_and_everybody_else_sent_on() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let mut settings = settings(nobody());
    settings.tls = Some(authority.sign_into(folder.path()));
    settings.plain_bind = Some(([127, 0, 0, 1], 0).into());
    settings.public_url = Some("https://events.example".parse().unwrap());
    let gateway = Gateway::with(settings);
    let plain = format!("http://{}", gateway.plain.unwrap());
    let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    assert_eq!(client.get(format!("{plain}/health/live")).send().await.unwrap().status(), 200);
    let sent_on = client.post(format!("{plain}/api/v1/events?strict=true")).header("host", "evil.example");
    let answer = sent_on.send().await.unwrap();
    assert_eq!(answer.status(), 308);
    assert_eq!(answer.headers()["location"], "https://events.example/api/v1/events?strict=true");
}

#[test]
fn files_that_do_not_fit_are_refused_at_the_start() {
    let folder = TempDir::new().unwrap();
    let files = Authority::new().sign_into(folder.path());
    let other = Authority::new().sign().1;
    for (file, text) in [(&files.key, other.as_str()), (&files.key, "no key"), (&files.certificate, "")] {
        std::fs::write(file, text).unwrap();
        assert!(millrace_gateway::tls::load(files.clone()).is_err(), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_shown_on_hangup_and_no_connection_is_dropped() {
    let (upstream, folder) = (Upstream::mirror(), TempDir::new().unwrap());
    let (old, new) = (Authority::new(), Authority::new());
    let files = old.sign_into(folder.path());
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_millrace-gateway"))
        .env_clear()
        .env("MILLRACE_BIND", "127.0.0.1:0")
        .env("MILLRACE_ANALYTICS_URL", format!("http://{}", upstream.address))
        .env("MILLRACE_API_LIMIT", "off")
        .env("MILLRACE_TLS_CERT", &files.certificate)
        .env("MILLRACE_TLS_KEY", &files.key)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(gateway.stdout.take().unwrap()).lines();
    let mut next = async || {
        let line = tokio::time::timeout(DEADLINE, log.next_line()).await.unwrap().unwrap().unwrap();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()
    };
    let port = loop {
        if let Some(address) = next().await["address"].as_str() {
            break address.parse::<std::net::SocketAddr>().unwrap().port();
        }
    };
    let hang_up = async || {
        let pid = gateway.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().await.unwrap().success());
    };
    let ask = async |client: &Client| client.get(url(port, "/api/v1/stats")).send().await;
    let before = old.client().http1_only().pool_max_idle_per_host(1).build().unwrap();
    wait::until("it answers", async || ask(&before).await.is_ok()).await;

    std::fs::write(&files.key, "half a fi").unwrap();
    hang_up().await;
    while next().await["level"] != "ERROR" {}
    assert!(ask(&old.client().build().unwrap()).await.is_ok(), "files that cannot be used change nothing");

    new.sign_into(folder.path());
    hang_up().await;
    wait::until("the new one is shown", async || ask(&new.client().build().unwrap()).await.is_ok()).await;
    assert!(ask(&old.client().build().unwrap()).await.is_err(), "and the old one is not");
    assert_eq!(ask(&before).await.unwrap().status(), 200, "who was there before is still there");
}
