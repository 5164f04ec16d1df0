use chrono::{DateTime, TimeDelta, Utc};
use uuid::Builder;

use super::catalogue::{self, CATEGORIES, CURRENCY, Product, SEARCHES};
use super::event::{Context, Event, Properties, Value};
use super::random::Random;
use super::visitor::{Plan, Visitor};

/// Longest pause within a visit, in seconds: below the half hour after which sessions are usually
/// taken to have ended.
const LONGEST_PAUSE: f64 = 900.0;

/// One visit, from the landing page until the visitor is gone. The visitor remembers what happened.
pub(super) fn visit(
    visitor: &mut Visitor,
    begins: DateTime<Utc>,
    first_visit: bool,
    random: &mut Random,
) -> Vec<Event> {
    let mut visit = Visit::new(visitor, begins, first_visit, random);
    visit.arrive();
    while visit.random.chance(0.79) {
        visit.browse();
    }
    if !visit.cart.is_empty() {
        visit.check_out();
    }
    visit.events
}

struct Visit<'a> {
    visitor: &'a mut Visitor,
    random: &'a mut Random,
    now: DateTime<Utc>,
    session: String,
    /// What every event of the visit carries.
    common: Properties,
    cart: Vec<(&'static Product, u32)>,
    events: Vec<Event>,
}

impl<'a> Visit<'a> {
    fn new(visitor: &'a mut Visitor, begins: DateTime<Utc>, first: bool, random: &'a mut Random) -> Self {
        let device = visitor.device(random);
        let channel = visitor.channel(first, random);
        let mut common = Properties::default()
            .with("country", visitor.market.country)
            .with("device", device.kind)
            .with("os", device.os)
            .with("browser", device.browser)
            .with("referrer", if channel.referrer.is_empty() { "direct" } else { channel.referrer });
        if let Some([source, medium, campaign]) = channel.campaign {
            common =
                common.with("utm_source", source).with("utm_medium", medium).with("utm_campaign", campaign);
        }
        let session = format!("session-{:016x}", random.next());
        Self { visitor, random, now: begins, session, common, cart: Vec::new(), events: Vec::new() }
    }

    fn arrive(&mut self) {
        match self.random.below(10) {
            0..5 => self.page("/", "Home"),
            5..7 => self.page("/sale", "On sale"),
            _ => self.category(),
        }
        if self.visitor.plan != Plan::Guest && self.random.chance(0.3) {
            self.pause(12.0);
            self.log("login", Properties::default().with("method", "password"));
        }
    }

    /// One more thing that the visitor does: looks for something, and perhaps at it.
    fn browse(&mut self) {
        self.pause(16.0);
        match self.random.below(10) {
            0..2 => self.search(),
            2..6 => self.category(),
            6 => self.page("/journal", "Journal"),
            _ => {}
        }
        if self.random.chance(0.62) {
            self.pause(9.0);
            self.view_product();
        }
    }

    fn search(&mut self) {
        let query = *self.random.weighted(&SEARCHES);
        let results = if query == "bean bag chair" { 0 } else { 1 + self.random.below(12) };
        self.log("search", Properties::default().with("query", query).with("results", Value::Count(results)));
    }

    fn view_product(&mut self) {
        let product = catalogue::choose(self.random, None);
        self.log("product_viewed", described(product));
        // Members know what they want.
        let intent = match self.visitor.plan {
            Plan::Guest => 0.11,
            Plan::Free => 0.17,
            Plan::Plus => 0.24,
        };
        if self.random.chance(intent) {
            self.pause(22.0);
            let quantity = *self.random.weighted(&[(80, 1), (15, 2), (5, 3)]);
            self.log("added_to_cart", described(product).with("quantity", Value::Count(quantity)));
            self.cart.push((product, quantity));
        }
    }

    fn check_out(&mut self) {
        if self.random.chance(0.12)
            && let Some((product, quantity)) = self.cart.pop()
        {
            self.pause(15.0);
            self.log("removed_from_cart", described(product).with("quantity", Value::Count(quantity)));
        }
        if self.cart.is_empty() || !self.random.chance(0.56) {
            return;
        }
        self.pause(20.0);
        let total = self.cart.iter().map(|(product, quantity)| product.price * quantity).sum();
        let amount = |items| {
            Properties::default()
                .with("value", Value::Cents(total))
                .with("currency", CURRENCY)
                .with("items", Value::Count(items))
        };
        let items = self.cart.iter().map(|(_, quantity)| quantity).sum();
        self.log("checkout_started", amount(items));
        if self.visitor.plan == Plan::Guest && self.random.chance(0.55) {
            self.sign_up();
        }
        // The form is longer on a small screen.
        let small = self.common.0.contains(&("device", "mobile".into()));
        if !self.random.chance(if small { 0.6 } else { 0.72 }) {
            return;
        }
        self.pause(48.0);
        self.visitor.orders += 1;
        let order = format!("order-{:08x}", self.random.next() >> 32);
        let payment = *self.random.weighted(&[(55, "card"), (25, "paypal"), (20, "apple_pay")]);
        let first = Value::Flag(self.visitor.orders == 1);
        self.log(
            "order_completed",
            amount(items).with("order_id", order).with("payment", payment).with("first_order", first),
        );
        if self.visitor.plan == Plan::Free && self.random.chance(0.14) {
            self.pause(30.0);
            self.visitor.plan = Plan::Plus;
            self.log("plan_changed", Properties::default().with("from", "free").with("to", "plus"));
        }
    }

    fn sign_up(&mut self) {
        self.pause(35.0);
        self.visitor.plan = Plan::Free;
        let method = *self.random.weighted(&[(60, "password"), (40, "google")]);
        self.log("signup", Properties::default().with("method", method));
    }

    fn category(&mut self) {
        let category = *self.random.weighted(&CATEGORIES);
        let properties =
            Properties::default().with("path", format!("/c/{category}")).with("category", category);
        self.log("page_view", properties);
    }

    fn page(&mut self, path: &'static str, title: &'static str) {
        self.log("page_view", Properties::default().with("path", path).with("title", title));
    }

    fn pause(&mut self, median: f64) {
        let seconds = self.random.pause(median, LONGEST_PAUSE).max(0.3);
        #[expect(clippy::cast_possible_truncation, reason = "it is at most LONGEST_PAUSE")]
        let milliseconds = (seconds * 1000.0) as i64;
        self.now += TimeDelta::milliseconds(milliseconds);
    }

    fn log(&mut self, event_type: &'static str, mut properties: Properties) {
        properties.extend(&self.common);
        let at = self.now;
        let noise = [self.random.next().to_be_bytes(), self.random.next().to_be_bytes()].concat();
        let mut bits = [0; 10];
        bits.iter_mut().zip(noise).for_each(|(bit, noise)| *bit = noise);
        let milliseconds = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        self.events.push(Event {
            event_id: Builder::from_unix_timestamp_millis(milliseconds, &bits).into_uuid(),
            event_type,
            user_id: self.visitor.id(),
            occurred_at: at,
            session_id: self.session.clone(),
            properties: properties.with("plan", self.visitor.plan.name()),
            context: Context { locale: self.visitor.market.locale, timezone: self.visitor.zone.name() },
        });
    }
}

fn described(product: &Product) -> Properties {
    Properties::default()
        .with("product_id", product.id.to_owned())
        .with("product", product.name.to_owned())
        .with("category", product.category.to_owned())
        .with("price", Value::Cents(product.price))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::super::visitor::Arrival;
    use super::*;

    fn visits(count: u64) -> Vec<Vec<Event>> {
        let date = NaiveDate::from_ymd_opt(2026, 9, 1).unwrap();
        (0..count)
            .map(|seed| {
                let mut visitor = Visitor::new(seed, 1, Arrival { date, by_sale: false });
                let begins = date.and_hms_opt(12, 0, 0).unwrap().and_utc();
                visit(&mut visitor, begins, true, &mut Random::new(seed))
            })
            .collect()
    }

    #[test]
    fn a_visit_begins_with_a_page_and_moves_forward_in_time() {
        for events in visits(300) {
            assert_eq!(events[0].event_type, "page_view");
            assert!(events.windows(2).all(|pair| pair[0].occurred_at <= pair[1].occurred_at));
            assert!(events.iter().all(|event| event.session_id == events[0].session_id));
        }
    }

    #[test]
    fn the_funnel_narrows_at_every_step_and_something_is_sold() {
        let visits = visits(4_000);
        let steps = ["page_view", "product_viewed", "added_to_cart", "checkout_started", "order_completed"];
        let reached = steps.map(|step| {
            visits.iter().filter(|events| events.iter().any(|event| event.event_type == step)).count()
        });
        assert_eq!(reached[0], 4_000);
        assert!(reached.windows(2).all(|pair| pair[1] < pair[0] * 9 / 10), "{reached:?}");
        assert!((80..400).contains(&reached[4]), "two to ten of a hundred visits buy: {reached:?}");
    }

    #[test]
    fn an_order_is_worth_what_its_checkout_was() {
        let mut orders = 0;
        for events in visits(2_000) {
            let value = |kind| {
                let event = events.iter().find(|event| event.event_type == kind)?;
                Some((event.properties.get("value")?.clone(), event.properties.get("currency")?.clone()))
            };
            if let Some(order) = value("order_completed") {
                assert_eq!(Some(order), value("checkout_started"));
                orders += 1;
            }
        }
        assert!(orders > 20);
    }
}
