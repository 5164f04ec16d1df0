use chrono::NaiveDate;
use chrono_tz::Tz;

use super::market::{Channel, DEVICES, Device, FIRST_CHANNELS, LATER_CHANNELS, MARKETS, Market, SALE};
use super::random::Random;
use super::rhythm;

/// How far someone's relation with the shop goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    Guest,
    Free,
    Plus,
}

impl Plan {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Free => "free",
            Self::Plus => "plus",
        }
    }
}

/// Someone who comes to the shop, once or again and again.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) number: u32,
    pub(super) market: &'static Market,
    pub(super) zone: Tz,
    /// The day of the first visit, in the visitor's own time zone.
    pub(super) joined: NaiveDate,
    pub(super) plan: Plan,
    pub(super) orders: u32,
    first_channel: &'static Channel,
    device: &'static Device,
    second_device: &'static Device,
    /// How much of a regular somebody is: the chance to be back the day after the first visit.
    attachment: f64,
}

/// What decides over a visitor beside the seed and the number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) date: NaiveDate,
    pub(super) by_sale: bool,
}

impl Visitor {
    pub(super) fn new(seed: u64, number: u32, arrival: Arrival) -> Self {
        let mut random = Random::derived(seed, &[1, u64::from(number)]);
        let market = random.weighted(&MARKETS);
        let zone = *random.weighted(market.zones);
        let first_channel = if arrival.by_sale { &SALE } else { random.weighted(&FIRST_CHANNELS) };
        // Few regulars and many who hardly return. Those whom a sale brings return least.
        let unit = random.unit();
        let attachment = (0.07 + 0.78 * unit * unit * unit) * if arrival.by_sale { 0.6 } else { 1.0 };
        Self {
            number,
            market,
            zone,
            joined: arrival.date,
            plan: Plan::Guest,
            orders: 0,
            first_channel,
            device: random.weighted(&DEVICES),
            second_device: random.weighted(&DEVICES),
            attachment,
        }
    }

    pub(super) fn id(&self) -> String {
        format!("visitor-{:05}", self.number)
    }

    pub(super) fn attachment(&self) -> f64 {
        self.attachment
    }

    /// How many visits there are on a day. The chance of one falls with the root of the days since
    /// the first: a power law, which is how real retention decays.
    pub(super) fn visits(&self, date: NaiveDate, random: &mut Random) -> u32 {
        let Ok(age) = u16::try_from((date - self.joined).num_days()) else { return 0 };
        let again = u32::from(random.chance(0.12)) + u32::from(random.chance(0.05));
        if age == 0 {
            return 1 + again;
        }
        // An order and a membership bind.
        let bond = match (self.plan, self.orders) {
            (Plan::Plus, _) => 1.9,
            (_, 1..) => 1.4,
            _ => 1.0,
        };
        let chance = self.attachment * bond * rhythm::weekday(date) / f64::from(age).sqrt();
        if random.chance(chance.min(0.9)) { 1 + again } else { 0 }
    }

    pub(super) fn device(&self, random: &mut Random) -> &'static Device {
        if random.chance(0.16) { self.second_device } else { self.device }
    }

    pub(super) fn channel(&self, first_visit: bool, random: &mut Random) -> &'static Channel {
        if first_visit { self.first_channel } else { random.weighted(&LATER_CHANNELS) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_is_always_the_same() {
        let arrival = Arrival { date: NaiveDate::from_ymd_opt(2026, 9, 1).unwrap(), by_sale: false };
        let twice = [Visitor::new(1, 7, arrival), Visitor::new(1, 7, arrival)].map(|v| format!("{v:?}"));
        assert_eq!(twice[0], twice[1]);
        assert_ne!(twice[0], format!("{:?}", Visitor::new(2, 7, arrival)));
    }

    #[test]
    fn everybody_comes_on_the_first_day_and_nobody_before() {
        let date = NaiveDate::from_ymd_opt(2026, 9, 1).unwrap();
        let visitor = Visitor::new(1, 7, Arrival { date, by_sale: false });
        let mut random = Random::new(5);
        assert!(visitor.visits(date, &mut random) >= 1);
        assert_eq!(visitor.visits(date.pred_opt().unwrap(), &mut random), 0);
    }
}
