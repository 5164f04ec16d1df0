//! A memory of bounded size, for when Redis is away.

use std::collections::HashMap;

/// Attackers may make up keys. Twice this many are remembered at most.
const MAX_REMEMBERED: usize = 50_000;

/// When the young are many they become the old ones, and the old ones are forgotten.
#[derive(Debug)]
pub(crate) struct Generations<V> {
    young: HashMap<String, V>,
    old: HashMap<String, V>,
}

impl<V> Default for Generations<V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<V> Generations<V> {
    pub(crate) fn find(&self, key: &str) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(crate) fn put(&mut self, key: &str, value: V) {
        if self.young.len() >= MAX_REMEMBERED && !self.young.contains_key(key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key.to_owned(), value);
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_kept_and_the_rest_is_forgotten() {
        let mut memory = Generations::default();
        for round in 0..3 * MAX_REMEMBERED {
            memory.put("known", round);
            memory.put(&round.to_string(), round);
        }
        assert!(memory.find("known").is_some() && memory.find("0").is_none());
        assert!(memory.young.len() + memory.old.len() <= 2 * MAX_REMEMBERED);
        memory.remove("known");
        assert!(memory.find("known").is_none());
    }
}
