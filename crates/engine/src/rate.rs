//! Rate limits, in two classes. Both are charged first and in a step of their own.
//!
//! - **Flood** limits keep one address from burying the server: in memory, per process, by governor
//!   with the engine's clock. Of N processes that live each charges an attempt N times, so that
//!   together they let pass about what one alone would.
//! - **Guard** limits keep secrets from being guessed: exact, in the store, across processes.
//!
//! A refused attempt writes nothing and costs its maker nothing.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::{Quota, RateLimiter};

use crate::error::{Internal, Limited};
use crate::limits::{
    CLAIM_DRAFTS_PER_HOUR, CLAIM_POSTS_PER_HOUR, FLOOD_ADDRESSES_MAX, PASSWORD_GUESS_WINDOW,
    PASSWORD_GUESSES_MAX, PUSHES_PER_HOUR, REMOTE_LOOKUPS_PER_HOUR,
};
use crate::ports::store::StoreError;
use crate::ports::timer::Timer;
use crate::tables::{GUARDS, GuardRow};
use crate::tx::Tx;
use crate::types::UnixMillis;

/// [`PUSHES_PER_HOUR`] as governor counts: the cells of a bucket, and how many come back an hour.
const PUSHES: NonZeroU32 = NonZeroU32::new(PUSHES_PER_HOUR).expect("it is not zero");
/// [`REMOTE_LOOKUPS_PER_HOUR`] likewise.
const REMOTE_LOOKUPS: NonZeroU32 =
    NonZeroU32::new(REMOTE_LOOKUPS_PER_HOUR).expect("it is not zero");
/// [`CLAIM_POSTS_PER_HOUR`] likewise.
const CLAIM_POSTS: NonZeroU32 = NonZeroU32::new(CLAIM_POSTS_PER_HOUR).expect("it is not zero");
/// [`CLAIM_DRAFTS_PER_HOUR`] likewise.
const CLAIM_DRAFTS: NonZeroU32 = NonZeroU32::new(CLAIM_DRAFTS_PER_HOUR).expect("it is not zero");

/// Where an attempt came from, as far as a flood limit tells addresses apart: an IPv4 address, or
/// the /64 network of an IPv6 one, as one subscriber holds the whole of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    V4([u8; 4]),
    V6([u8; 8]),
    /// Addresses that come when [`FLOOD_ADDRESSES_MAX`] others have buckets share the allowances of
    /// this many, so that whoever fills the table spoils it for a few others only.
    Overflow(u16),
}

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, h, ..] = v6.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }

    /// The bucket of an address that comes when the table is full.
    fn overflow(&self) -> Self {
        let bytes: &[u8] = match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
            Self::Overflow(_) => return *self,
        };
        let [high, low, ..] = crypto::token::sha256(bytes);
        Self::Overflow(u16::from_be_bytes([high, low]))
    }
}

/// The engine's clock in governor's terms.
#[derive(Clone)]
struct TimerClock(Arc<dyn Timer>);

impl Clock for TimerClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.monotonic())
    }
}

/// The buckets of one limit: at most [`FLOOD_ADDRESSES_MAX`] of addresses, give or take those that
/// come at the same moment, and those of [`Source::Overflow`].
#[derive(Default)]
struct Buckets(DashMapStateStore<Source>);

impl StateStore for Buckets {
    type Key = Source;

    /// An address that has a bucket keeps it when the table is full: otherwise whoever fills the table
    /// would give everybody, and himself, a new allowance.
    fn measure_and_replace<T, F, E>(&self, source: &Source, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if self.0.contains_key(source) || self.0.len() < FLOOD_ADDRESSES_MAX {
            self.0.measure_and_replace(source, measure)
        } else {
            self.0.measure_and_replace(&source.overflow(), measure)
        }
    }
}

impl ShrinkableKeyedStateStore<Source> for Buckets {
    fn retain_recent(&self, drop_below: Nanos) {
        ShrinkableKeyedStateStore::retain_recent(&self.0, drop_below);
    }

    fn shrink_to_fit(&self) {
        self.0.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

type Keyed = RateLimiter<Source, Buckets, TimerClock, governor::middleware::NoOpMiddleware<Nanos>>;

/// One flood limit: a bucket for each address, with the cells that come back in an hour.
struct Flood {
    buckets: Keyed,
    per_hour: NonZeroU32,
}

impl Flood {
    fn new(per_hour: NonZeroU32, clock: TimerClock) -> Self {
        Self {
            buckets: RateLimiter::new(Quota::per_hour(per_hour), Buckets::default(), clock),
            per_hour,
        }
    }

    /// Takes `cost` cells from an address's bucket, but never more than a bucket has.
    fn charge(&self, address: IpAddr, cost: NonZeroU32, now: Nanos) -> Result<(), Limited> {
        let source = Source::of(address);
        match self.buckets.check_key_n(&source, cost.min(self.per_hour)) {
            // The cost is no more than a bucket holds, so there is always room for it some time.
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(refused)) => Err(Limited {
                retry_after: refused.wait_time_from(now),
            }),
        }
    }

    fn sweep(&self) {
        self.buckets.retain_recent();
        self.buckets.shrink_to_fit();
    }
}

/// The flood limits of this process.
pub(crate) struct FloodLimits {
    pushes: Option<Flood>,
    remote_lookups: Option<Flood>,
    claim_posts: Option<Flood>,
    claim_drafts: Option<Flood>,
    clock: TimerClock,
    /// Processes that live besides this one.
    others: AtomicU32,
    refused: Refused,
}

/// Attempts this process has refused, by what limited them.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    /// Pushes and form posts, by the address's allowance.
    pub(crate) pushes: AtomicU64,
    /// Look-ups at other domains, by the address's allowance.
    pub(crate) remote_lookups: AtomicU64,
    /// Posts and drafts of claims, by the address's allowance.
    pub(crate) claims: AtomicU64,
    /// Guesses of an edit password, by the name's.
    pub(crate) edit_passwords: AtomicU64,
}

impl FloodLimits {
    /// Those of the only process; `enabled = false` lets everything pass.
    pub(crate) fn new(timer: Arc<dyn Timer>, enabled: bool) -> Self {
        let clock = TimerClock(timer);
        let flood = |per_hour| enabled.then(|| Flood::new(per_hour, clock.clone()));
        Self {
            pushes: flood(PUSHES),
            remote_lookups: flood(REMOTE_LOOKUPS),
            claim_posts: flood(CLAIM_POSTS),
            claim_drafts: flood(CLAIM_DRAFTS),
            clock,
            others: AtomicU32::new(0),
            refused: Refused::default(),
        }
    }

    /// What was refused so far.
    pub(crate) fn refused(&self) -> &Refused {
        &self.refused
    }

    /// Says how many other processes share the allowances from now on. What was charged stays
    /// charged.
    pub(crate) fn share_with(&self, others: u32) {
        self.others.store(others, Ordering::Relaxed);
    }

    /// One attempt costs a cell for each process, and every process lets something pass.
    fn charge(&self, flood: Option<&Flood>, address: IpAddr) -> Result<(), Limited> {
        let others = self.others.load(Ordering::Relaxed);
        let cost = NonZeroU32::MIN.saturating_add(others);
        flood.map_or(Ok(()), |flood| {
            flood.charge(address, cost, self.clock.now())
        })
    }

    /// Counts a push or a form post.
    ///
    /// # Errors
    /// When the address has none left.
    pub(crate) fn charge_push(&self, address: IpAddr) -> Result<(), Limited> {
        let charged = self.charge(self.pushes.as_ref(), address);
        if charged.is_err() {
            self.refused.pushes.fetch_add(1, Ordering::Relaxed);
        }
        charged
    }

    /// Counts a look-up that another domain's server is asked for.
    ///
    /// # Errors
    /// When the address has none left.
    pub(crate) fn charge_remote_lookup(&self, address: IpAddr) -> Result<(), Limited> {
        let charged = self.charge(self.remote_lookups.as_ref(), address);
        if charged.is_err() {
            self.refused.remote_lookups.fetch_add(1, Ordering::Relaxed);
        }
        charged
    }

    /// Counts a post of a claim or a subkey.
    ///
    /// # Errors
    /// When the address has none left.
    pub(crate) fn charge_claim_post(&self, address: IpAddr) -> Result<(), Limited> {
        self.charge_claim(self.claim_posts.as_ref(), address)
    }

    /// Counts a draft of a claim.
    ///
    /// # Errors
    /// When the address has none left.
    pub(crate) fn charge_claim_draft(&self, address: IpAddr) -> Result<(), Limited> {
        self.charge_claim(self.claim_drafts.as_ref(), address)
    }

    fn charge_claim(&self, flood: Option<&Flood>, address: IpAddr) -> Result<(), Limited> {
        let charged = self.charge(flood, address);
        if charged.is_err() {
            self.refused.claims.fetch_add(1, Ordering::Relaxed);
        }
        charged
    }

    /// Forgets addresses that have their whole allowance again.
    pub(crate) fn sweep(&self) {
        let floods = [
            &self.pushes,
            &self.remote_lookups,
            &self.claim_posts,
            &self.claim_drafts,
        ];
        floods.into_iter().flatten().for_each(Flood::sweep);
    }
}

/// What a guard limit protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Guesses of a name's edit password; the subject is the name's label.
    EditPassword = 1,
}

impl Guard {
    fn most(self) -> u32 {
        match self {
            Self::EditPassword => PASSWORD_GUESSES_MAX,
        }
    }

    fn window(self) -> Duration {
        match self {
            Self::EditPassword => PASSWORD_GUESS_WINDOW,
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

/// Counts an attempt at something guarded. One read, one write; every attempt counts, right or wrong.
///
/// # Errors
/// When the window has none left; then nothing is written.
pub(crate) async fn guard_in(
    tx: &mut Tx<'_>,
    guard: Guard,
    subject: [u8; 32],
    now: UnixMillis,
) -> Result<(), GuardError> {
    let key = (guard as u8, subject);
    let row = tx.get(&GUARDS, &key).await?.unwrap_or_default();
    let started = UnixMillis(row.window_started_ms);
    // A window that starts in the future was written before the clock was set back: start anew.
    let open = started <= now && now.since(started) < guard.window();
    let (window_started_ms, attempts) = if open {
        (started.0, row.attempts)
    } else {
        (now.0, 0)
    };
    if attempts >= guard.most() {
        return Err(Limited {
            retry_after: started.plus(guard.window()).since(now),
        }
        .into());
    }
    tx.put(
        &GUARDS,
        &key,
        &GuardRow {
            window_started_ms,
            attempts: attempts.saturating_add(1),
        },
    );
    Ok(())
}

/// Whether a guard's window has ended, so that its row may go.
pub(crate) fn guard_ended(policy: u8, row: &GuardRow, now: UnixMillis) -> bool {
    let window = match policy {
        policy if policy == Guard::EditPassword as u8 => Guard::EditPassword.window(),
        _ => return false,
    };
    now.since(UnixMillis(row.window_started_ms)) >= window
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tx::in_tx;
    use crate::tx::testing::{Bench, Hands};

    const DAY_MS: u64 = 86_400_000;

    fn v4(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    fn passes(limits: &FloodLimits, address: IpAddr) -> usize {
        (0..100)
            .take_while(|_| limits.charge_push(address).is_ok())
            .count()
    }

    #[test]
    fn processes_share_the_allowance_and_each_has_one() {
        let clock = Arc::new(Hands::default());
        for (processes, expect) in [(1, 13), (2, 6), (3, 4), (13, 1), (100, 1)] {
            let limits = FloodLimits::new(clock.clone(), true);
            limits.share_with(processes - 1);
            assert_eq!(passes(&limits, v4(1)), expect, "{processes}");
        }
        let off = FloodLimits::new(clock, false);
        assert_eq!(passes(&off, v4(1)), 100);
    }

    #[test]
    fn limits_do_not_share_their_cells() {
        let limits = FloodLimits::new(Arc::new(Hands::default()), true);
        assert_eq!(passes(&limits, v4(1)), 13);
        let asked = (0..100).take_while(|_| limits.charge_remote_lookup(v4(1)).is_ok());
        assert_eq!(asked.count(), 60);
        assert!(limits.charge_remote_lookup(v4(2)).is_ok());
    }

    #[test]
    fn what_was_charged_stays_charged_when_processes_come_and_go() {
        let clock = Arc::new(Hands::default());
        let limits = FloodLimits::new(clock.clone(), true);
        for _ in 0..9 {
            limits.charge_push(v4(1)).unwrap();
        }
        limits.share_with(1);
        assert_eq!(passes(&limits, v4(1)), 2, "4 cells are left, 2 a push");
        limits.share_with(3);
        let refused = limits.charge_push(v4(1)).unwrap_err();
        limits.share_with(0);
        assert_eq!(passes(&limits, v4(1)), 0);
        // Four cells come back in 4/13 of an hour.
        let step = Duration::from_secs(3600) / 13;
        let off = refused.retry_after.abs_diff(step * 4);
        assert!(off < Duration::from_secs(1), "{refused:?}");
        clock.advance(step + Duration::from_secs(1));
        assert_eq!(passes(&limits, v4(1)), 1);
    }

    #[test]
    fn a_full_table_shares_allowances_and_the_sweep_empties_it() {
        let clock = Arc::new(Hands::default());
        let limits = FloodLimits::new(clock.clone(), true);
        let count = u32::try_from(FLOOD_ADDRESSES_MAX).unwrap();
        assert_eq!(passes(&limits, v4(0)), 13);
        for number in 1..count {
            limits.charge_push(v4(number)).unwrap();
        }
        // Whoever has a bucket keeps it, used up or not.
        assert_eq!(passes(&limits, v4(0)), 0);
        assert_eq!(passes(&limits, v4(1)), 12);
        // Whoever comes now shares with those of the same bucket, and with nobody else.
        let (one, two) = (v4(count), v4(count + 1));
        assert_ne!(Source::of(one).overflow(), Source::of(two).overflow());
        assert_eq!(passes(&limits, one), 13);
        assert_eq!(passes(&limits, two), 13);
        clock.advance(Duration::from_secs(2 * 3600));
        limits.sweep();
        assert_eq!(limits.pushes.as_ref().unwrap().buckets.len(), 0);
        assert_eq!(passes(&limits, one), 13);
    }

    #[test]
    fn an_address_counts_by_its_network() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[tokio::test]
    async fn a_guard_counts_in_windows_and_writes_nothing_when_it_refuses() {
        let bench = Bench::new();
        let attempt = async |now: u64| {
            in_tx!(bench, "guard", |tx| guard_in(
                tx,
                Guard::EditPassword,
                [1; 32],
                UnixMillis(DAY_MS + now)
            )
            .await)
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
}
