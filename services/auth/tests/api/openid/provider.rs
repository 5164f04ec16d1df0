//! The providers of these stories: an honest one that somebody else wrote, and a hostile one.

use millrace_auth::openid::settings::{Domains, Settings};
use millrace_testkit::peers::Peer;
use oauth2::{ClientId, ClientSecret};
use serde_json::{Value, json};

use super::browser::PUBLIC;
use crate::stage::Stage;

/// npm's oidc-provider.
pub(crate) struct Honest {
    pub(crate) issuer: String,
    _peer: Peer,
}

impl Honest {
    pub(crate) async fn start() -> Self {
        Self::with(json!({})).await
    }

    pub(crate) async fn with(mut options: Value) -> Self {
        options["redirect_uri"] = json!(format!("{PUBLIC}/api/v1/auth/oidc/callback"));
        let peer = Peer::start("oidc.mjs", &[&options.to_string()]).await;
        Self { issuer: peer.ready.clone(), _peer: peer }
    }

    /// Auth, with this provider.
    pub(crate) async fn stage(&self) -> Stage {
        stage(&self.issuer).await
    }
}

/// One that says what it is told to.
pub(crate) struct Hostile {
    pub(crate) issuer: String,
    client: reqwest::Client,
    _peer: Peer,
}

impl Hostile {
    pub(crate) async fn start() -> Self {
        let peer = Peer::start("hostile_oidc.mjs", &[]).await;
        Self { issuer: peer.ready.clone(), client: reqwest::Client::new(), _peer: peer }
    }

    pub(crate) async fn stage(&self) -> Stage {
        stage(&self.issuer).await
    }

    /// It behaves so from now on.
    pub(crate) async fn behaves(&self, how: Value) {
        let told = self.client.put(format!("{}/behaviour", self.issuer)).json(&how).send().await.unwrap();
        assert_eq!(told.status(), 200);
    }

    /// How often it was asked for a path.
    pub(crate) async fn seen(&self, path: &str) -> u64 {
        let seen = self.client.get(format!("{}/seen", self.issuer)).send().await.unwrap();
        seen.json::<Value>().await.unwrap()[path].as_u64().unwrap_or_default()
    }
}

async fn stage(issuer: &str) -> Stage {
    stage_for(issuer, "").await
}

/// Auth, with the provider that has this issuer, and accounts for these domains.
pub(crate) async fn stage_for(issuer: &str, domains: &str) -> Stage {
    let settings = settings(issuer, domains.parse().unwrap());
    Stage::with(|config| config.openid = Some(settings)).await
}

pub(crate) fn settings(issuer: &str, allowed_domains: Domains) -> Settings {
    let issuer = issuer.parse().unwrap();
    Settings {
        redirect: Settings::redirect(PUBLIC, &issuer).unwrap(),
        issuer,
        client_id: ClientId::new("millrace".to_owned()),
        client_secret: ClientSecret::new("a secret & a half".to_owned()),
        name: "The provider".to_owned(),
        allowed_domains,
    }
}
