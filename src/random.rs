//! Chance that repeats: one small generator (SplitMix64), so that a seed means the same run on every machine.

/// A seeded stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A stream fixed by `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The stream of one purpose among several: those of one seed don't repeat each other.
    #[must_use]
    pub fn of(seed: u64, purpose: u64) -> Self {
        let mut random = Self::new(seed);
        random.state = random.bits() ^ purpose.wrapping_mul(0xD1B5_4A32_D192_ED03);
        random
    }

    /// A stream of its own for some part of the work.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self { state: self.bits() }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number of at least 0 and below 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// One element of `items`, if there is any.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len())).copied()
    }

    /// Puts `items` into random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_fixes_the_stream_and_bounds_hold() {
        let (mut a, mut b, mut other) = (Random::of(7, 1), Random::of(7, 1), Random::of(7, 2));
        assert_ne!(a.clone().bits(), other.bits());
        for bound in 1..1000 {
            let x = a.below(bound);
            assert!(x < bound);
            assert_eq!(x, b.below(bound));
            assert!((0.0..1.0).contains(&a.unit()));
            b.unit();
        }
        assert_eq!(a.pick::<u32>(&[]), None);
        assert_eq!(a.below(0), 0);
        let mut all: Vec<u32> = (0..50).collect();
        a.shuffle(&mut all);
        assert_ne!(all, (0..50).collect::<Vec<_>>());
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
    }
}
