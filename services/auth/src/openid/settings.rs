//! What an operator says of the provider.

use std::convert::Infallible;
use std::str::FromStr;

use millrace_domain::email::Email;
use millrace_runtime::config::Env;
use oauth2::{ClientId, ClientSecret, RedirectUrl};

use crate::openid::issuer::Issuer;

/// A provider, and what it knows us by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `MILLRACE_OIDC_ISSUER`: Google if not set.
    pub issuer: Issuer,
    /// `MILLRACE_OIDC_CLIENT_ID`: nobody signs in with a provider if it is not set.
    pub client_id: ClientId,
    /// `MILLRACE_OIDC_CLIENT_SECRET`.
    pub client_secret: ClientSecret,
    /// `MILLRACE_OIDC_NAME`: what people know the provider as; `Google`, or its host, if not set.
    pub name: String,
    /// `MILLRACE_OIDC_ALLOWED_DOMAINS`: for whose addresses accounts are made; for all if not set.
    pub allowed_domains: Domains,
    /// Where the provider sends people back to, below `MILLRACE_PUBLIC_URL`. It must be known there to the letter.
    pub redirect: RedirectUrl,
}

impl Settings {
    /// Reads the environment. `None` when no provider is configured.
    pub fn from_env(env: &mut Env, public_url: &str) -> Option<Self> {
        let google: Option<Issuer> = Issuer::GOOGLE.parse().ok();
        let issuer: Option<Issuer> = env.optional("MILLRACE_OIDC_ISSUER").or_else(|| google.clone());
        let client_id: Option<String> = env.optional("MILLRACE_OIDC_CLIENT_ID");
        let client_secret: Option<String> = env.optional("MILLRACE_OIDC_CLIENT_SECRET");
        env.law(
            client_id.is_some() == client_secret.is_some(),
            "MILLRACE_OIDC_CLIENT_ID and MILLRACE_OIDC_CLIENT_SECRET must be set together",
        );
        let name: Option<String> = env.optional("MILLRACE_OIDC_NAME");
        let allowed_domains = env.or("MILLRACE_OIDC_ALLOWED_DOMAINS", Domains::default());
        let issuer = issuer?;
        let redirect = Self::redirect(public_url, &issuer);
        env.law(
            redirect.is_some(),
            "MILLRACE_PUBLIC_URL must be an address such as https://millrace.example.com",
        );
        let is_google = Some(&issuer) == google.as_ref();
        let known_as = if is_google { "Google" } else { issuer.host() };
        Some(Self {
            client_id: ClientId::new(client_id?),
            client_secret: ClientSecret::new(client_secret?),
            name: name.unwrap_or_else(|| known_as.to_owned()),
            allowed_domains,
            redirect: redirect?,
            issuer,
        })
    }

    /// Where `issuer` sends people back to. `None` when `public_url` is no address that browsers know.
    #[must_use]
    pub fn redirect(public_url: &str, issuer: &Issuer) -> Option<RedirectUrl> {
        let name = if issuer.as_str() == Issuer::GOOGLE { "google" } else { "oidc" };
        let base = public_url.trim_end_matches('/');
        let redirect = RedirectUrl::new(format!("{base}/api/v1/auth/{name}/callback")).ok();
        redirect.filter(|redirect| matches!(redirect.url().scheme(), "http" | "https"))
    }

    /// Whether browsers reach us over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.redirect.url().scheme() == "https"
    }
}

/// Domains of e-mail addresses; none means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domains(Vec<String>);

impl Domains {
    /// Whether addresses of this domain are among them. A domain below one that is named is another.
    #[must_use]
    pub fn admit(&self, email: &Email) -> bool {
        let domain = email.as_str().rsplit_once('@').map_or("", |(_, domain)| domain);
        self.0.is_empty() || self.0.iter().any(|allowed| allowed == domain)
    }
}

impl FromStr for Domains {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let domains = text.split(',').map(|domain| domain.trim().trim_start_matches('@').to_lowercase());
        Ok(Self(domains.filter(|domain| !domain.is_empty()).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(vars: &[(&str, &str)]) -> Option<Settings> {
        let mut env = Env::of(vars.iter().copied());
        Settings::from_env(&mut env, "https://events.example.com/")
    }

    const CLIENT: [(&str, &str); 2] =
        [("MILLRACE_OIDC_CLIENT_ID", "id"), ("MILLRACE_OIDC_CLIENT_SECRET", "hunter2")];

    #[test]
    fn an_id_and_a_secret_are_enough_for_google() {
        let google = settings(&CLIENT).unwrap();
        assert_eq!((google.issuer.as_str(), google.name.as_str()), (Issuer::GOOGLE, "Google"));
        assert_eq!(google.redirect.as_str(), "https://events.example.com/api/v1/auth/google/callback");
        assert!(google.is_secure() && !format!("{google:?}").contains("hunter2"));
        assert!(settings(&[]).is_none());
    }

    #[test]
    fn any_other_issuer_has_the_neutral_callback() {
        let [id, secret] = CLIENT;
        let shop =
            settings(&[id, secret, ("MILLRACE_OIDC_ISSUER", "https://id.example.com/realms/shop")]).unwrap();
        assert_eq!(shop.name, "id.example.com");
        assert_eq!(shop.redirect.as_str(), "https://events.example.com/api/v1/auth/oidc/callback");
    }

    #[test]
    fn domains_are_whole() {
        let domains: Domains = "Example.com, @shop.example.org,,".parse().unwrap();
        let admits = |email: &str| domains.admit(&email.parse().unwrap());
        assert!(admits("ada@EXAMPLE.com") && admits("ada@shop.example.org"));
        for other in ["ada@evil.com", "ada@evilexample.com", "ada@sub.example.com", "example.com@evil.com"] {
            assert!(!admits(other), "{other}");
        }
        assert!("".parse::<Domains>().unwrap().admit(&"ada@anywhere.example".parse().unwrap()));
    }
}
