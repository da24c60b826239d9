//! Medians and percentiles of what was measured.

use std::time::Duration;

/// The value below which `share` (0 to 1) of the values lie, the nearest one that was measured;
/// `None` without values.
pub(crate) fn percentile<T: Copy + PartialOrd>(values: &[T], share: f64) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let last = u32::try_from(sorted.len().checked_sub(1)?).unwrap_or(u32::MAX);
    let at = (f64::from(last) * share).round();
    (0..=last)
        .rev()
        .find(|index| f64::from(*index) <= at)
        .and_then(|index| sorted.get(usize::try_from(index).ok()?).copied())
}

/// The middle value; 0 without values.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5).unwrap_or(0.0)
}

/// Milliseconds, for people and for JSON.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let values: Vec<f64> = (0..101).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 0.0), Some(0.0));
        assert_eq!(percentile(&values, 0.5), Some(50.0));
        assert_eq!(percentile(&values, 0.99), Some(99.0));
        assert_eq!(percentile(&values, 1.0), Some(100.0));
        assert_eq!(percentile::<f64>(&[], 0.5), None);
        assert_eq!(median(&[3.0]), 3.0);
    }
}
