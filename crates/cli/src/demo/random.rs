//! Randomness that is the same everywhere and for ever.
//!
//! The generator is SplitMix64 (Steele, Lea and Flood, 2014), written out here because the
//! algorithms behind the convenient functions of general libraries may change with a release. The
//! distributions use no function that platforms compute differently: additions, multiplications,
//! divisions and square roots are exact by IEEE 754, logarithms and powers are not.

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of random numbers that its seed decides.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own for each combination of `parts`, so that what one visitor does on one day
    /// does not depend on the order in which visitors and days are gone through.
    pub(super) fn derived(seed: u64, parts: &[u64]) -> Self {
        let mut random = Self::new(seed);
        for part in parts {
            random = Self(random.next() ^ part.wrapping_mul(GOLDEN_GAMMA));
        }
        Self(random.next())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_GAMMA);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        const SCALE: f64 = 1.0 / 9_007_199_254_740_992.0;
        #[expect(clippy::cast_precision_loss, reason = "the value has 53 bits, which f64 holds exactly")]
        let bits = (self.next() >> 11) as f64;
        bits * SCALE
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Evenly in 0..bound; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        // The high half of a 32 × 32 bit product: always below the bound.
        let product = (self.next() >> 32) * u64::from(bound);
        u32::try_from(product >> 32).unwrap_or(0)
    }

    /// An entry by its weight.
    pub(super) fn weighted<'a, T>(&mut self, entries: &'a [(u32, T)]) -> &'a T {
        let mut left = self.below(entries.iter().map(|(weight, _)| weight).sum());
        let mut chosen = 0;
        for (index, (weight, _)) in entries.iter().enumerate() {
            chosen = index;
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => break,
            }
        }
        #[expect(clippy::indexing_slicing, reason = "every table of the simulation has entries")]
        &entries[chosen].1
    }

    /// A time that is as often shorter as longer than `median` and sometimes much longer: log-logistic
    /// with shape 2, as the pauses of people at screens are.
    pub(super) fn pause(&mut self, median: f64, longest: f64) -> f64 {
        let unit = self.unit();
        (median * (unit / (1.0 - unit)).sqrt()).min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_splitmix64() {
        // The published values for the seed 1234567.
        let mut random = Random::new(1_234_567);
        let values = [random.next(), random.next(), random.next()];
        assert_eq!(values, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn streams_differ_in_every_part() {
        let first = |parts: &[u64]| Random::derived(1, parts).next();
        assert_eq!(first(&[1, 2]), first(&[1, 2]));
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
        assert_ne!(first(&[1, 2]), first(&[1, 3]));
        assert_ne!(Random::derived(1, &[1]).next(), Random::derived(2, &[1]).next());
    }

    #[test]
    fn distributions_keep_their_promise() {
        let mut random = Random::new(7);
        let table = [(1, 'a'), (0, 'b'), (3, 'c')];
        let (mut seen, mut longer) = (0, 0);
        for _ in 0..10_000 {
            let chosen = *random.weighted(&table);
            assert_ne!(chosen, 'b');
            seen += u32::from(chosen == 'c');
            let pause = random.pause(20.0, 600.0);
            assert!((0.0..=600.0).contains(&pause));
            longer += u32::from(pause > 20.0);
            assert!(random.below(3) < 3);
        }
        assert!((7_300..7_700).contains(&seen), "three of four: {seen}");
        assert!((4_800..5_200).contains(&longer), "one of two: {longer}");
    }
}
