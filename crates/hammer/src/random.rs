//! Seeded random numbers, so that a run can be repeated, and Zipf's distribution.

/// SplitMix64: small, fast and even enough to choose keys and moments. Not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The generator of one worker: its own sequence for every `stream`.
    pub(crate) fn stream(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        Self(random.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `bound - 1`; 0 for a bound of 0. The bias is below 2^-32 for bounds below 2^32.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// From 0 up to, not including, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        let bits = u32::try_from(self.next() >> 32).unwrap_or(0);
        f64::from(bits) / 4_294_967_296.0
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            for (to, from) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *to = from;
            }
        }
        bytes
    }
}

/// Ranks from 0 to `count - 1`, rank `r` with a probability in proportion to `1 / (r + 1)^s`, by
/// the method of Gray and others ("Quickly generating billion-record synthetic databases").
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    count: f64,
    alpha: f64,
    zeta: f64,
    eta: f64,
    half: f64,
}

impl Zipf {
    /// `s` must lie between 0 and 1. Sums `count` terms once: about 20 ms for a million.
    pub(crate) fn new(count: u64, s: f64) -> Self {
        let terms = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        let zeta = (1..=terms)
            .map(|rank| f64::from(rank).powf(-s))
            .sum::<f64>();
        let count = f64::from(terms);
        let half = 0.5_f64.powf(s);
        let eta = (1.0 - (2.0 / count).powf(1.0 - s)) / (1.0 - (1.0 + half) / zeta);
        Self {
            count,
            alpha: 1.0 / (1.0 - s),
            zeta,
            eta,
            half,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the rank is between 0 and the count"
    )]
    pub(crate) fn rank(&self, random: &mut Random) -> u64 {
        let unit = random.unit();
        let scaled = unit * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + self.half {
            return 1.min(self.count as u64 - 1);
        }
        let rank = self.count * (self.eta * unit - self.eta + 1.0).powf(self.alpha);
        (rank as u64).min(self.count as u64 - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(count: u64, s: f64, draws: u32) -> Vec<f64> {
        let zipf = Zipf::new(count, s);
        let mut random = Random::new(7);
        let mut hits = vec![0_u32; usize::try_from(count).unwrap()];
        for _ in 0..draws {
            hits[usize::try_from(zipf.rank(&mut random)).unwrap()] += 1;
        }
        hits.iter()
            .map(|hit| f64::from(*hit) / f64::from(draws))
            .collect()
    }

    #[test]
    fn zipf_gives_each_rank_its_share() {
        let found = shares(1000, 0.99, 400_000);
        let zeta: f64 = (1..=1000).map(|rank| f64::from(rank).powf(-0.99)).sum();
        // The first two ranks are exact, the others follow a smooth curve through the sum.
        for rank in [0_usize, 1] {
            let share = f64::from(u32::try_from(rank + 1).unwrap()).powf(-0.99) / zeta;
            assert!(
                (found[rank] - share).abs() < 0.005,
                "{rank}: {}",
                found[rank]
            );
        }
        let first_tenth: f64 = found[..100].iter().sum();
        let expected: f64 = (1..=100)
            .map(|rank| f64::from(rank).powf(-0.99))
            .sum::<f64>()
            / zeta;
        assert!(
            (first_tenth - expected).abs() < 0.02,
            "{first_tenth} {expected}"
        );
        assert!(found[999] > 0.0, "the last rank is drawn too");
    }

    #[test]
    fn zipf_of_one_rank_is_that_rank() {
        assert_eq!(shares(1, 0.99, 100), [1.0]);
    }

    #[test]
    fn a_seed_repeats_and_streams_differ() {
        let draw = |mut random: Random| [random.next(), random.next(), random.below(10)];
        assert_eq!(draw(Random::new(1)), draw(Random::new(1)));
        assert_ne!(draw(Random::stream(1, 0)), draw(Random::stream(1, 1)));
        let mut random = Random::new(3);
        assert_eq!(random.below(0), 0);
        assert!((0..1000).all(|_| random.below(7) < 7 && random.unit() < 1.0));
        assert_ne!(random.bytes::<24>(), random.bytes::<24>());
    }
}
