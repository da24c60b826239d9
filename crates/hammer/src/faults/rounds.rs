//! Runs that know nothing of each other, a few at a time.

use std::future::Future;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

/// Runs at a time: each is a server and its client, and waits for the disk a good part of its time.
const AT_ONCE: usize = 3;

/// Makes a run of each number, a few at a time, and hands each result on.
///
/// # Errors
/// The first error of a run; the runs still under way are given up.
pub(crate) async fn side_by_side<T, F>(
    numbers: impl IntoIterator<Item = u64>,
    make: impl Fn(u64) -> F,
    mut done: impl FnMut(T),
) -> Result<()>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut numbers = numbers.into_iter();
    let mut runs = JoinSet::new();
    let mut begin = |runs: &mut JoinSet<Result<T>>| {
        if let Some(number) = numbers.next() {
            let run = make(number);
            runs.spawn(async move { run.await.with_context(|| format!("run {number}")) });
        }
    };
    for _ in 0..AT_ONCE {
        begin(&mut runs);
    }
    while let Some(ended) = runs.join_next().await {
        done(ended.context("a run broke")??);
        begin(&mut runs);
    }
    Ok(())
}

/// `count` numbers from 1 to `last`, spread evenly; all of them if there are not more.
pub(crate) fn spread(last: u64, count: u64) -> Vec<u64> {
    if last <= count {
        return (1..=last).collect();
    }
    let at = |index: u64| 1 + index * (last - 1) / count.saturating_sub(1).max(1);
    (0..count).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_over_all() {
        assert_eq!(spread(3, 100), [1, 2, 3]);
        assert_eq!(spread(100, 4), [1, 34, 67, 100]);
        assert_eq!(spread(100, 1), [1]);
        assert!(spread(0, 5).is_empty());
    }

    #[tokio::test]
    async fn every_run_is_made_and_an_error_ends_them() {
        let mut sum = 0;
        side_by_side(1..=20, |at| async move { Ok(at) }, |at: u64| sum += at)
            .await
            .unwrap();
        assert_eq!(sum, 210);
        let broken = |at: u64| async move {
            anyhow::ensure!(at != 3, "planted");
            Ok(at)
        };
        let error = side_by_side(1..=20, broken, |_| {}).await.unwrap_err();
        assert!(format!("{error:#}").contains("run 3: planted"), "{error:#}");
    }
}
