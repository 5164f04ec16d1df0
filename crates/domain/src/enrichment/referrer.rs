//! The site that brought the user.

use url::Url;

/// The host of `referrer`, without `www.`, unless it is the page's own: within a site nobody is brought by anybody.
#[must_use]
pub fn referring_domain(referrer: &Url, page: Option<&Url>) -> Option<String> {
    let domain = bare_host(referrer)?;
    let own = page.and_then(bare_host);
    (own.as_ref() != Some(&domain)).then_some(domain)
}

fn bare_host(url: &Url) -> Option<String> {
    let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https" | "android-app"))?;
    Some(host.strip_prefix("www.").unwrap_or(host).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_does_not_refer_to_itself() {
        let parsed = |text: &str| Url::parse(text).unwrap();
        let domain = |referrer, page| referring_domain(&parsed(referrer), Some(&parsed(page)));
        assert_eq!(
            domain("https://www.Example.org/a", "https://shop.example/"),
            Some("example.org".to_owned())
        );
        assert_eq!(domain("https://www.shop.example/a", "https://shop.example/b"), None);
        assert_eq!(referring_domain(&parsed("about:blank"), None), None);
    }
}
