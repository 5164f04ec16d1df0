//! What is added to events on their way into the database: browser, system and device, bots marked as such, the campaign
//! and the site that brought the user, the country. Every part is a function of the event and its request.

use std::sync::Arc;

use millrace_domain::enrichment::additions::Additions;
use millrace_domain::enrichment::told::Told;
use millrace_domain::enrichment::{campaign, referrer};
use millrace_domain::event::Event;
use millrace_messaging::source::Source;

pub mod country;
pub mod user_agent;

use country::Countries;
use user_agent::Agents;

/// How browsers and most crawlers begin, and programs that send events in somebody's name do not.
const BROWSERS_BEGIN: &str = "Mozilla/";

/// Adds to events. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Enricher {
    agents: Arc<Agents>,
    countries: Option<Arc<Countries>>,
}

impl Enricher {
    /// Without `countries` no event gets one.
    #[must_use]
    pub fn new(countries: Option<Countries>) -> Self {
        Self { agents: Arc::default(), countries: countries.map(Arc::new) }
    }

    /// Adds to an event what follows from it and from its request. The request's user agent counts only if it is a
    /// browser's, and only where the event names none: a server that sends events is not what the user sat in front of.
    pub fn enrich(&self, event: &mut Event, source: Option<&Source>) {
        let told = Told::by(event);
        let mut additions = Additions::default();
        let of_request = source
            .and_then(|source| source.user_agent.as_deref())
            .filter(|agent| agent.starts_with(BROWSERS_BEGIN));
        if let Some(agent) = told.user_agent.as_deref().or(of_request) {
            self.agents.look_at(agent).add(&mut additions);
        }
        if let Some(page) = &told.page {
            campaign::add(page, &mut additions);
        }
        if let Some(before) = &told.referrer {
            additions.text("$referrer", Some(before.as_str()));
            let domain = referrer::referring_domain(before, told.page.as_ref());
            additions.text("$referring_domain", domain.as_deref());
        }
        let address = told.address.or(source.and_then(|source| source.address));
        if let (Some(countries), Some(address)) = (&self.countries, address) {
            additions.text("$country", countries.of(address).as_deref());
        }
        additions.apply(event);
    }
}
