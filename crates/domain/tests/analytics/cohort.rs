//! Cohorts from their definition: for each user, whether what they did makes them one of it.

use millrace_domain::analytics::audience::Audience;
use millrace_domain::analytics::cohort::Definition;
use proptest::prelude::*;
use roaring::RoaringBitmap;
use serde_json::{Value, json};

const USERS: u32 = 12;

/// A rule over users, and for each of its leaves who fits it.
fn any_rule() -> impl Strategy<Value = Rule> {
    let leaf =
        prop::collection::btree_set(0..USERS, 0..8).prop_map(|users| Rule::Leaf(users.into_iter().collect()));
    leaf.prop_recursive(4, 16, 3, |part| {
        prop_oneof![
            prop::collection::vec(part.clone(), 1..4).prop_map(Rule::And),
            prop::collection::vec(part.clone(), 1..4).prop_map(Rule::Or),
            part.prop_map(|part| Rule::Not(Box::new(part))),
        ]
    })
}

#[derive(Clone, Debug)]
enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Leaf(Vec<u32>),
}

impl Rule {
    fn fits(&self, user: u32) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.fits(user)),
            Self::Or(parts) => parts.iter().any(|part| part.fits(user)),
            Self::Not(part) => !part.fits(user),
            Self::Leaf(users) => users.contains(&user),
        }
    }

    fn leaves(&self) -> Vec<RoaringBitmap> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::leaves).collect(),
            Self::Not(part) => part.leaves(),
            Self::Leaf(users) => vec![users.iter().copied().collect()],
        }
    }

    fn json(&self) -> Value {
        let all = |parts: &[Self]| parts.iter().map(Self::json).collect::<Vec<_>>();
        match self {
            Self::And(parts) => json!({"and": all(parts)}),
            Self::Or(parts) => json!({"or": all(parts)}),
            Self::Not(part) => json!({"not": part.json()}),
            Self::Leaf(_) => json!({"did": {"event_type": "visit"}}),
        }
    }
}

fn users(audience: &Audience) -> Vec<u32> {
    audience.among((0..USERS).collect()).into_iter().collect()
}

proptest! {
    #[test]
    fn a_definition_has_the_users_that_it_fits(rule in any_rule()) {
        prop_assume!(rule.leaves().len() <= 20);
        let definition = Definition::parse(rule.json()).expect("a definition");
        prop_assert_eq!(definition.leaves().len(), rule.leaves().len());
        let members = definition.members(rule.leaves());
        let expected: Vec<u32> = (0..USERS).filter(|user| rule.fits(*user)).collect();
        prop_assert_eq!(users(&members), expected.clone());
        for user in 0..USERS {
            prop_assert_eq!(members.has(user), expected.contains(&user));
        }
    }
}
