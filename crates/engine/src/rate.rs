//! Rate limits, in two classes. Both are charged first and in a step of their own.
//!
//! - **Flood** limits keep one address from burying the server: in memory, per process (each of N
//!   processes applies its share), by governor with the engine's clock.
//! - **Guard** limits keep secrets from being guessed: exact, in the store, across processes.
//!
//! A refused attempt writes nothing and costs its maker nothing.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock;
use governor::nanos::Nanos;
use governor::{Quota, RateLimiter};

use crate::error::{Internal, Limited};
use crate::limits::{
    FLOOD_ADDRESSES_MAX, PASSWORD_GUESS_WINDOW, PASSWORD_GUESSES_MAX, PUSHES_PER_HOUR,
};
use crate::ports::store::StoreError;
use crate::ports::timer::Timer;
use crate::tables::{GUARDS, GuardRow};
use crate::tx::Tx;
use crate::types::UnixMillis;

/// Where an attempt came from, as far as a flood limit tells addresses apart: an IPv4 address, or
/// the /64 network of an IPv6 one, as one subscriber holds the whole of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    V4([u8; 4]),
    V6([u8; 8]),
    /// Addresses beyond [`FLOOD_ADDRESSES_MAX`] share the allowances of this many buckets, so that
    /// whoever fills the table spoils it for a few others only.
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
    fn overflow(self) -> Self {
        let bytes: &[u8] = match &self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
            Self::Overflow(_) => return self,
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

type Keyed = RateLimiter<
    Source,
    governor::state::keyed::DashMapStateStore<Source>,
    TimerClock,
    governor::middleware::NoOpMiddleware<Nanos>,
>;

/// The flood limits of this process.
pub(crate) struct FloodLimits {
    pushes: Option<Keyed>,
    clock: TimerClock,
}

impl FloodLimits {
    /// `enabled = false` lets everything pass; `processes` is how many share the allowance.
    pub(crate) fn new(timer: Arc<dyn Timer>, enabled: bool, processes: NonZeroU32) -> Self {
        let clock = TimerClock(timer);
        let share = NonZeroU32::new(PUSHES_PER_HOUR / processes).unwrap_or(NonZeroU32::MIN);
        let pushes =
            enabled.then(|| RateLimiter::dashmap_with_clock(Quota::per_hour(share), clock.clone()));
        Self { pushes, clock }
    }

    /// Counts a push or a form post.
    ///
    /// # Errors
    /// When the address has none left.
    pub(crate) fn charge_push(&self, address: IpAddr) -> Result<(), Limited> {
        let Some(pushes) = &self.pushes else {
            return Ok(());
        };
        let mut source = Source::of(address);
        if pushes.len() >= FLOOD_ADDRESSES_MAX {
            source = source.overflow();
        }
        pushes.check_key(&source).map_err(|refused| Limited {
            retry_after: refused.wait_time_from(self.clock.now()),
        })
    }

    /// Forgets addresses that have their whole allowance again.
    pub(crate) fn sweep(&self) {
        if let Some(pushes) = &self.pushes {
            pushes.retain_recent();
            pushes.shrink_to_fit();
        }
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
