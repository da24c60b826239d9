//! Welch's t-test, one value at a time.

/// Two classes of values.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Welch {
    first: Moments,
    second: Moments,
}

/// Count, mean and sum of squared distances from it, by Welford's method.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Welch {
    /// Adds a value to one of the classes.
    #[expect(
        clippy::cast_precision_loss,
        reason = "times are far below 2^53 nanoseconds"
    )]
    pub(crate) fn add(&mut self, is_second: bool, value: u64) {
        let moments = if is_second {
            &mut self.second
        } else {
            &mut self.first
        };
        moments.add(value as f64);
    }

    /// How many standard errors the means are apart; 0 while there is nothing to compare.
    pub(crate) fn t(&self) -> f64 {
        let error = (self.first.error() + self.second.error()).sqrt();
        if error > 0.0 {
            (self.first.mean - self.second.mean) / error
        } else {
            0.0
        }
    }
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
    }

    /// The squared standard error of the mean.
    fn error(&self) -> f64 {
        if self.count < 2.0 {
            return 0.0;
        }
        self.squares / (self.count - 1.0) / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn t(values: impl Fn(&mut Random, bool) -> u64) -> f64 {
        let mut random = Random::new(7);
        let mut test = Welch::default();
        for _ in 0..100_000 {
            let is_second = random.next() & 1 == 1;
            let value = values(&mut random, is_second);
            test.add(is_second, value);
        }
        test.t().abs()
    }

    #[test]
    fn a_difference_of_one_percent_of_the_noise_is_seen_and_none_is_not() {
        assert!(t(|random, _| 1000 + random.below(100)) < 4.5);
        assert!(t(|random, second| 1000 + random.below(100) + u64::from(second) * 2) > 4.5);
    }

    #[test]
    fn it_is_the_t_of_the_textbook() {
        let mut test = Welch::default();
        for (first, second) in [(30, 29), (31, 30), (32, 33), (33, 34), (34, 39)] {
            test.add(false, first);
            test.add(true, second);
        }
        // Means 32 and 33, variances 2.5 and 15.5, five values each.
        assert!((test.t() + 1.0 / (18.0_f64 / 5.0).sqrt()).abs() < 1e-12);
        assert!(Welch::default().t().abs() < f64::EPSILON);
    }
}
