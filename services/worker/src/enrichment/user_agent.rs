//! Browser, system and device by a user agent. The data is that of the Woothee project.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use millrace_domain::enrichment::additions::Additions;
use millrace_domain::enrichment::bot::is_bot;
use woothee::parser::Parser;

/// Agents that are remembered. Some thousands make up nearly all traffic; beyond this, all are forgotten at once.
const REMEMBERED: usize = 10_000;

/// What an agent is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    browser: Option<String>,
    browser_version: Option<String>,
    os: Option<String>,
    os_version: Option<String>,
    device: Option<&'static str>,
    bot: bool,
}

/// Looks at user agents, and remembers what it saw.
#[derive(Debug, Default)]
pub struct Agents {
    seen: Mutex<HashMap<Box<str>, Arc<Agent>>>,
}

impl Agents {
    /// What this agent is.
    pub fn look_at(&self, agent: &str) -> Arc<Agent> {
        // Whoever panicked with it left a map as good as before.
        let seen = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = seen().get(agent) {
            return Arc::clone(found);
        }
        let found = Arc::new(Agent::parse(agent));
        let mut seen = seen();
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(agent.into(), Arc::clone(&found));
        found
    }
}

impl Agent {
    /// Takes a user agent apart.
    #[must_use]
    pub fn parse(agent: &str) -> Self {
        let bot = is_bot(agent);
        let Some(found) = Parser::new().parse(agent) else { return Self { bot, ..Self::default() } };
        let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty() && text != "UNKNOWN");
        if bot || found.category == "crawler" {
            return Self { browser: known(found.name), bot: true, ..Self::default() };
        }
        Self {
            browser: known(found.name),
            browser_version: known(found.version),
            os: known(found.os),
            os_version: known(&found.os_version),
            device: device(found.category, found.os, agent),
            bot,
        }
    }

    /// Adds it.
    pub fn add(&self, additions: &mut Additions) {
        additions.text("$browser", self.browser.as_deref());
        additions.text("$browser_version", self.browser_version.as_deref());
        additions.text("$os", self.os.as_deref());
        additions.text("$os_version", self.os_version.as_deref());
        additions.text("$device", self.device);
        additions.mark("$bot", self.bot);
    }
}

/// Tablets are told by what their makers say: Android without `Mobile` is one, and so is an iPad.
fn device(category: &str, os: &str, agent: &str) -> Option<&'static str> {
    match category {
        "pc" => Some("desktop"),
        "smartphone" if os == "iPad" || (os == "Android" && !agent.contains("Mobile")) => Some("tablet"),
        "smartphone" | "mobilephone" => Some("mobile"),
        "appliance" => Some("appliance"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(agent: &str) -> (Option<String>, Option<String>, Option<&'static str>, bool) {
        let agent = Agents::default().look_at(agent);
        (agent.browser.clone(), agent.os.clone(), agent.device, agent.bot)
    }

    #[test]
    fn agents_are_what_they_look_like() {
        let known = |browser: &str, os: &str, device| {
            (Some(browser.to_owned()), Some(os.to_owned()), Some(device), false)
        };
        assert_eq!(
            seen("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0"),
            known("Firefox", "Windows 10", "desktop")
        );
        assert_eq!(
            seen(
                "Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/116.0.0.0 Mobile Safari/537.36"
            ),
            known("Chrome", "Android", "mobile")
        );
        assert_eq!(
            seen(
                "Mozilla/5.0 (Linux; Android 13; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/116.0.0.0 Safari/537.36"
            ),
            known("Chrome", "Android", "tablet")
        );
        assert_eq!(
            seen(
                "Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1 Mobile/15E148 Safari/604.1"
            ),
            known("Safari", "iPad", "tablet")
        );
        let (_, _, device, bot) =
            seen("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)");
        assert_eq!((device, bot), (None, true));
        assert_eq!(seen(""), (None, None, None, false));
    }

    #[test]
    fn the_memory_is_bounded() {
        let agents = Agents::default();
        for n in 0..=REMEMBERED {
            agents.look_at(&format!("agent {n}"));
        }
        assert!(agents.seen.lock().unwrap().len() <= REMEMBERED);
    }
}
