//! Whether a user agent is a program that nobody sits in front of.

/// Words that programs of this kind use of themselves: most crawlers end in one of the first three, as the robots
/// exclusion protocol (RFC 9309) has them name themselves; the others are link previews, monitors and headless browsers.
const WORDS: &[&str] = &[
    "bot",
    "crawl",
    "spider",
    "slurp",
    "facebookexternalhit",
    "embedly",
    "preview",
    "headless",
    "phantomjs",
    "lighthouse",
    "pagespeed",
    "pingdom",
    "uptime",
    "monitor",
    "scrap",
];
/// Names with such a word in them that are none.
const NAMES: &[&str] = &["cubot"];

/// Whether it is one by what it says of itself.
#[must_use]
pub fn is_bot(user_agent: &str) -> bool {
    let mut said = user_agent.to_ascii_lowercase();
    for name in NAMES {
        said = said.replace(name, "");
    }
    WORDS.iter().any(|word| said.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crawlers_say_what_they_are_and_browsers_do_not() {
        for agent in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0) Chrome/103.0.5060.134",
            "facebookexternalhit/1.1",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/119.0 Safari/537.36",
            "Baiduspider+(+http://www.baidu.com/search/spider.htm)",
        ] {
            assert!(is_bot(agent), "{agent}");
        }
        for agent in [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0",
            "Mozilla/5.0 (Linux; Android 9; CUBOT NOVA) AppleWebKit/537.36 Chrome/118.0.0.0 Mobile Safari/537.36",
            "",
        ] {
            assert!(!is_bot(agent), "{agent}");
        }
    }
}
