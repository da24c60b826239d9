//! Guard limits: attempts at secrets, counted in the store.

use std::net::IpAddr;
use std::time::Duration;

use crate::error::{Internal, Limited};
use crate::limits::{PASSWORD_GUESS_WINDOW, PASSWORD_GUESSES_MAX, PASSWORD_GUESSES_OF_ALL_MAX};
use crate::ports::store::StoreError;
use crate::tables::{GUARDS, GuardRow};
use crate::tx::Tx;
use crate::types::UnixMillis;

/// What a guard limit protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Guesses of a name's edit password, from everywhere; the subject is the name's label.
    EditPassword = 1,
    /// Those from one network, as `network` cuts it; the subject is a keyed hash of both.
    EditPasswordFrom = 2,
}

impl Guard {
    const ALL: [Self; 2] = [Self::EditPassword, Self::EditPasswordFrom];

    fn most(self) -> u32 {
        match self {
            Self::EditPassword => PASSWORD_GUESSES_OF_ALL_MAX,
            Self::EditPasswordFrom => PASSWORD_GUESSES_MAX,
        }
    }

    fn window(self) -> Duration {
        match self {
            Self::EditPassword | Self::EditPasswordFrom => PASSWORD_GUESS_WINDOW,
        }
    }
}

/// The network of an address, as a guard limit tells them apart: its version, and the /24 of an IPv4
/// address or the /48 of an IPv6 one. Wider than a flood limit's source: to be told apart is what
/// somebody wants who spends others' attempts.
pub(crate) fn network(address: IpAddr) -> [u8; 7] {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            [4, a, b, c, 0, 0, 0]
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, ..] = v6.octets();
            [6, a, b, c, d, e, f]
        }
    }
}

/// A guard refused, or could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// No attempt is left in this window.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// Our own failure.
    #[error(transparent)]
    Internal(#[from] Internal),
}

impl From<StoreError> for GuardError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}

impl crate::tx::Refusal for GuardError {
    fn internal(&self) -> Option<&Internal> {
        match self {
            Self::Internal(internal) => Some(internal),
            Self::Limited(_) => None,
        }
    }
}

/// Counts an attempt at something that these guards protect, each with its subject. One read for all,
/// a write for each; every attempt counts, right or wrong.
///
/// # Errors
/// When a window has none left; then nothing is written.
pub(crate) async fn guard_in(
    tx: &mut Tx<'_>,
    guarded: &[(Guard, [u8; 32])],
    now: UnixMillis,
) -> Result<(), GuardError> {
    let key = |(guard, subject): &(Guard, [u8; 32])| (*guard as u8, *subject);
    let keys: Vec<_> = guarded.iter().map(|of| GUARDS.key(&key(of))).collect();
    tx.prefetch(&keys).await?;
    let mut counted = Vec::with_capacity(guarded.len());
    let mut wait: Option<Duration> = None;
    for of in guarded {
        let row = tx.get(&GUARDS, &key(of)).await?.unwrap_or_default();
        match count(of.0, &row, now) {
            Ok(row) => counted.push((key(of), row)),
            Err(limited) => wait = wait.max(Some(limited.retry_after)),
        }
    }
    if let Some(retry_after) = wait {
        return Err(Limited { retry_after }.into());
    }
    for (key, row) in &counted {
        tx.put(&GUARDS, key, row);
    }
    Ok(())
}

/// The row of a guard after one more attempt.
fn count(guard: Guard, row: &GuardRow, now: UnixMillis) -> Result<GuardRow, Limited> {
    let started = UnixMillis(row.window_started_ms);
    // A window that starts in the future was written before the clock was set back: start anew.
    let is_open = started <= now && now.since(started) < guard.window();
    if !is_open {
        return Ok(GuardRow {
            window_started_ms: now.0,
            attempts: 1,
        });
    }
    if row.attempts >= guard.most() {
        let retry_after = started.plus(guard.window()).since(now);
        return Err(Limited { retry_after });
    }
    Ok(GuardRow {
        window_started_ms: started.0,
        attempts: row.attempts.saturating_add(1),
    })
}

/// Whether a guard's window has ended, so that its row may go.
pub(crate) fn guard_ended(policy: u8, row: &GuardRow, now: UnixMillis) -> bool {
    let mut guards = Guard::ALL.into_iter();
    let guard = guards.find(|guard| *guard as u8 == policy);
    guard.is_some_and(|guard| now.since(UnixMillis(row.window_started_ms)) >= guard.window())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tx::in_tx;
    use crate::tx::testing::Bench;

    const DAY_MS: u64 = 86_400_000;

    #[tokio::test]
    async fn a_guard_counts_in_windows_and_writes_nothing_when_it_refuses() {
        let bench = Bench::new();
        let attempt = async |now: u64| {
            let guarded = [(Guard::EditPasswordFrom, [1; 32])];
            let now = UnixMillis(DAY_MS + now);
            in_tx!(bench, "guard", |tx| guard_in(tx, &guarded, now).await)
        };
        for at in 0..10 {
            attempt(1_000 + at).await.unwrap();
        }
        let before = bench.rows.table(GUARDS.tag());
        let Err(GuardError::Limited(limited)) = attempt(2_000).await else {
            unreachable!("the eleventh is refused");
        };
        assert_eq!(limited.retry_after, Duration::from_millis(3_599_000));
        assert_eq!(bench.rows.table(GUARDS.tag()), before);
        attempt(3_600_999).await.unwrap_err();
        attempt(3_601_000).await.unwrap();
        let (key, value) = &bench.rows.table(GUARDS.tag())[0];
        let row = GUARDS.read(value).unwrap();
        assert_eq!(
            (row.window_started_ms, row.attempts),
            (DAY_MS + 3_601_000, 1)
        );
        let (policy, _) = GUARDS.read_key(key).unwrap();
        let ended = |policy, at| guard_ended(policy, &row, UnixMillis(at));
        assert!(!ended(policy, DAY_MS + 7_200_999) && ended(policy, DAY_MS + 7_201_000));
        assert!(!ended(200, u64::MAX), "a policy of a newer version");
        assert!(!ended(policy, 0), "the clock was set back");
    }

    #[tokio::test]
    async fn a_network_s_attempts_are_few_and_those_of_all_many() {
        let bench = Bench::new();
        let attempt = async |network: u8, now: u64| {
            let guarded = [
                (Guard::EditPassword, [0; 32]),
                (Guard::EditPasswordFrom, [network; 32]),
            ];
            let now = UnixMillis(DAY_MS + now);
            in_tx!(bench, "guard", |tx| guard_in(tx, &guarded, now).await)
        };
        for network in 0..99 {
            for _ in 0..10 {
                attempt(network, 0).await.unwrap();
            }
            // What is refused counts for nobody.
            attempt(network, 0).await.unwrap_err();
        }
        for _ in 0..5 {
            attempt(99, 0).await.unwrap();
            attempt(100, 1000).await.unwrap();
        }
        for network in [99, 100, 101] {
            let Err(GuardError::Limited(limited)) = attempt(network, 2000).await else {
                unreachable!("the 1001st is refused");
            };
            assert_eq!(limited.retry_after, Duration::from_secs(3598));
        }
        attempt(101, 3_600_000).await.unwrap();
    }

    #[test]
    fn a_network_is_what_one_site_is_given() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("192.0.2.255"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.9"));
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:ffff::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:1::1"));
    }
}
