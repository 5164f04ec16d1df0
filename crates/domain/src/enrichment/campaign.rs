//! The campaign that a page's address names: the UTM parameters.

use url::Url;

use super::additions::Additions;

/// The parameters of an address, and the names that they get.
const PARAMETERS: &[(&str, &str)] = &[
    ("utm_source", "$utm_source"),
    ("utm_medium", "$utm_medium"),
    ("utm_campaign", "$utm_campaign"),
    ("utm_term", "$utm_term"),
    ("utm_content", "$utm_content"),
];

/// Adds what `page` says of a campaign. Of a parameter that comes twice the first counts.
pub fn add(page: &Url, additions: &mut Additions) {
    for (parameter, name) in PARAMETERS {
        let value = page.query_pairs().find(|(found, _)| found == parameter).map(|(_, value)| value);
        additions.text(name, value.as_deref());
    }
}
