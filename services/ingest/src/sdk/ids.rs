//! From the message ids of other products to ours: the same one for the same message, whenever it comes.

use millrace_domain::ids::EventId;
use uuid::{Uuid, uuid};

/// What our UUIDv5 are made under. Another value would make other events of everything that is sent again.
const NAMESPACE: Uuid = uuid!("5e8454f5-a8c2-4d54-bd1d-b0422e2f5301");

/// The id of a message whose own is unique by itself: a UUID stays what it is.
#[must_use]
pub fn message(family: &str, id: &str) -> EventId {
    EventId(id.parse().unwrap_or_else(|_not_a_uuid: uuid::Error| derived(family, &[id]).0))
}

/// The id of a message that is told apart by several things together.
#[must_use]
pub fn derived(family: &str, parts: &[&str]) -> EventId {
    let mut name = family.as_bytes().to_vec();
    for part in parts {
        // With its length, so that no two lists of parts make the same name.
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    EventId(Uuid::new_v5(&NAMESPACE, &name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_uuid_stays_what_it_is_and_other_texts_have_one_for_ever() {
        let uuid = "01939c1e-7a3b-7c44-9c1a-0f3d7b1e5a22";
        assert_eq!(message("segment", uuid).to_string(), uuid);
        // Pinned: what was stored under it would be stored again under another.
        assert_eq!(message("segment", "node-next-1").to_string(), "4c970cb5-7197-5bb3-8440-674673b11ac8");
    }

    proptest! {
        #[test]
        fn different_parts_make_different_ids(a in ".{0,9}", b in ".{0,9}", c in ".{0,9}", d in ".{0,9}") {
            let same = a == c && b == d;
            prop_assert_eq!(derived("x", &[&a, &b]) == derived("x", &[&c, &d]), same);
            prop_assert_ne!(derived("x", &[&a, &b]), derived("x", &[&format!("{a}{b}")]));
            prop_assert_ne!(derived("x", &[&a]), derived("y", &[&a]));
        }
    }
}
