//! Posting an alert to where somebody wants to hear of it.
//!
//! The address is anybody's choice, so it is looked up, checked, and then connected to as it was found: a name that means
//! something else the next moment leads nowhere else. Redirects are not followed, for the same reason.

use std::net::SocketAddr;
use std::time::Duration;

use millrace_security::webhook_signature::WebhookSecret;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use url::Host;
use uuid::Uuid;

use super::public_address::is_public;

/// When it was signed, and the signature: `t=1763640000,v1=5257a8…`.
const SIGNATURE: &str = "Millrace-Signature";
/// What makes two requests the same delivery.
const DELIVERY: &str = "Millrace-Delivery";

/// Where webhooks may lead, and how long they may take.
#[derive(Clone, Copy, Debug)]
pub struct Webhooks {
    /// Whether to addresses that are not public, too.
    pub private_allowed: bool,
    /// How long a receiver may take in all.
    pub patience: Duration,
}

/// Why a request was not heard.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// It may be another time.
    #[error("{0}")]
    Later(String),
    /// It never will be.
    #[error("{0}")]
    Never(&'static str),
}

/// An address that cannot be one of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It is not one that a request can go to.
    #[error("must be an http or https URL without user and password")]
    NotAUrl,
    /// It leads into our own network.
    #[error("must not lead to a private address")]
    Private,
}

impl Webhooks {
    /// Reads an address, as far as it can be judged without looking it up.
    ///
    /// # Errors
    /// When it cannot be one.
    pub fn parse(&self, text: &str) -> Result<Url, BadUrl> {
        let url: Url = text.parse().map_err(|_not_a_url| BadUrl::NotAUrl)?;
        let plain = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !plain || url.host().is_none() {
            return Err(BadUrl::NotAUrl);
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            _ => None,
        };
        match literal {
            Some(address) if !self.allows(address) => Err(BadUrl::Private),
            _ => Ok(url),
        }
    }

    fn allows(&self, address: std::net::IpAddr) -> bool {
        self.private_allowed || is_public(address)
    }

    /// Posts it, signed.
    ///
    /// # Errors
    /// When nobody has taken it.
    pub async fn post(
        &self,
        url: &str,
        secret: &WebhookSecret,
        (delivery, now): (Uuid, i64),
        body: String,
    ) -> Result<(), Undelivered> {
        let url =
            self.parse(url).map_err(|_changed_rules| Undelivered::Never("the address is not allowed"))?;
        let client = self.client(&url).await?;
        let request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE, secret.sign(now, body.as_bytes()))
            .header(DELIVERY, delivery.to_string())
            .body(body);
        let answer = request.send().await.map_err(|error| Undelivered::Later(reason(&error).to_owned()))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(Undelivered::Never("the receiver says that it is gone for good")),
            status => Err(Undelivered::Later(format!("the receiver answers {}", status.as_u16()))),
        }
    }

    /// A client that connects to nothing but what the address means now.
    async fn client(&self, url: &Url) -> Result<Client, Undelivered> {
        let mut client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(self.patience)
            .timeout(self.patience)
            .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")));
        if let Some(Host::Domain(name)) = url.host() {
            let port = url.port_or_known_default().unwrap_or(443);
            let found = tokio::time::timeout(self.patience, tokio::net::lookup_host((name, port))).await;
            let unknown = || Undelivered::Later("its name is not known".to_owned());
            let found = found.map_err(|_elapsed| unknown())?.map_err(|_unknown| unknown())?;
            let addresses: Vec<SocketAddr> = found.collect();
            // One that is private among them is enough: whoever mixes them wants us to try it.
            if addresses.is_empty() || !addresses.iter().all(|address| self.allows(address.ip())) {
                return Err(Undelivered::Later("its name leads to a private address".to_owned()));
            }
            client = client.resolve_to_addrs(name, &addresses);
        }
        client.build().map_err(|error| Undelivered::Later(format!("no client: {error}")))
    }
}

/// What went wrong, without the address: it may be a secret.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "the receiver does not answer in time"
    } else if error.is_connect() {
        "the receiver cannot be reached"
    } else {
        "the receiver does not answer as a server does"
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const STRICT: Webhooks = Webhooks { private_allowed: false, patience: Duration::from_secs(2) };

    #[test]
    fn an_address_is_one_that_a_request_can_go_to() {
        for bad in ["", "example.com", "ftp://example.com", "file:///etc/passwd", "https://ada@example.com"] {
            assert_eq!(STRICT.parse(bad), Err(BadUrl::NotAUrl), "{bad}");
        }
        // The spellings of 127.0.0.1 that a URL allows are all the same.
        for private in [
            "http://127.0.0.1",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]:80",
            "http://[::ffff:10.0.0.1]",
        ] {
            assert_eq!(STRICT.parse(private), Err(BadUrl::Private), "{private}");
        }
        assert!(STRICT.parse("https://hooks.example.com:8443/a?b=c").is_ok());
        let lax = Webhooks { private_allowed: true, ..STRICT };
        assert!(lax.parse("http://127.0.0.1").is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_never_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let secret = WebhookSecret::generate().unwrap();
        let posted = STRICT.post(&url, &secret, (Uuid::now_v7(), 0), String::new()).await;
        assert_eq!(posted, Err(Undelivered::Later("its name leads to a private address".to_owned())));
        let asked = std::pin::pin!(listener.accept());
        assert!(futures_util::poll!(asked).is_pending(), "nobody has knocked");
    }
}
