use chrono_tz::Tz;

/// Where visitors live.
#[derive(Debug)]
pub(super) struct Market {
    pub(super) country: &'static str,
    pub(super) locale: &'static str,
    pub(super) zones: &'static [(u32, Tz)],
}

/// What visitors look at the shop with.
#[derive(Debug, PartialEq)]
pub(super) struct Device {
    pub(super) kind: &'static str,
    pub(super) os: &'static str,
    pub(super) browser: &'static str,
}

/// The way by which a visit begins.
#[derive(Debug, PartialEq)]
pub(super) struct Channel {
    pub(super) referrer: &'static str,
    /// `utm_source`, `utm_medium`, `utm_campaign`
    pub(super) campaign: Option<[&'static str; 3]>,
}

#[rustfmt::skip]
pub(super) const MARKETS: [(u32, Market); 10] = [
    (30, Market { country: "US", locale: "en-US",
        zones: &[(50, Tz::America__New_York), (25, Tz::America__Chicago), (25, Tz::America__Los_Angeles)] }),
    (16, Market { country: "IN", locale: "en-IN", zones: &[(1, Tz::Asia__Kolkata)] }),
    (13, Market { country: "DE", locale: "de-DE", zones: &[(1, Tz::Europe__Berlin)] }),
    (12, Market { country: "GB", locale: "en-GB", zones: &[(1, Tz::Europe__London)] }),
    (7, Market { country: "FR", locale: "fr-FR", zones: &[(1, Tz::Europe__Paris)] }),
    (6, Market { country: "BR", locale: "pt-BR", zones: &[(1, Tz::America__Sao_Paulo)] }),
    (5, Market { country: "JP", locale: "ja-JP", zones: &[(1, Tz::Asia__Tokyo)] }),
    (5, Market { country: "AU", locale: "en-AU", zones: &[(3, Tz::Australia__Sydney), (1, Tz::Australia__Adelaide)] }),
    (4, Market { country: "CA", locale: "en-CA", zones: &[(3, Tz::America__Toronto), (1, Tz::America__Vancouver)] }),
    (2, Market { country: "NP", locale: "ne-NP", zones: &[(1, Tz::Asia__Kathmandu)] }),
];

const fn device(kind: &'static str, os: &'static str, browser: &'static str) -> Device {
    Device { kind, os, browser }
}

#[rustfmt::skip]
pub(super) const DEVICES: [(u32, Device); 9] = [
    (24, device("mobile", "Android", "Chrome")),
    (22, device("mobile", "iOS", "Safari")),
    (20, device("desktop", "Windows", "Chrome")),
    (11, device("desktop", "macOS", "Safari")),
    (8, device("desktop", "macOS", "Chrome")),
    (6, device("desktop", "Windows", "Edge")),
    (4, device("desktop", "Linux", "Firefox")),
    (3, device("tablet", "iPadOS", "Safari")),
    (2, device("mobile", "Android", "Firefox")),
];

const fn channel(referrer: &'static str, campaign: Option<[&'static str; 3]>) -> Channel {
    Channel { referrer, campaign }
}

/// How people find the shop.
#[rustfmt::skip]
pub(super) const FIRST_CHANNELS: [(u32, Channel); 7] = [
    (30, channel("google.com", None)),
    (20, channel("", None)),
    (14, channel("google.com", Some(["google", "cpc", "brand"]))),
    (13, channel("instagram.com", Some(["instagram", "paid_social", "brew_better"]))),
    (9, channel("youtube.com", Some(["youtube", "influencer", "morning_ritual"]))),
    (8, channel("reddit.com", None)),
    (6, channel("duckduckgo.com", None)),
];

/// How they come back.
#[rustfmt::skip]
pub(super) const LATER_CHANNELS: [(u32, Channel); 5] = [
    (52, channel("", None)),
    (20, channel("google.com", None)),
    (18, channel("", Some(["newsletter", "email", "weekly"]))),
    (6, channel("instagram.com", None)),
    (4, channel("google.com", Some(["google", "cpc", "retargeting"]))),
];

/// The sale that brings a wave of newcomers.
pub(super) const SALE: Channel =
    channel("instagram.com", Some(["instagram", "paid_social", "seasonal_sale"]));
