//! Deterministic adapters of the engine's ports.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use crypto::boxed::{self, BoxPublicKey, BoxSecretKey};
use crypto::ed25519::SigningKey;
use crypto::secret::Secret;
use engine::ports::keys::{BoxKey, OpenError, SignError, Signer};
use engine::ports::rng::Rng;
use engine::ports::timer::Timer;
use engine::types::UnixMillis;
use tokio::sync::watch;

/// Waits shorter than this do not wait: they are pauses between two tries, and the clock of a test
/// stands still meanwhile.
const NO_WAIT: Duration = Duration::from_millis(100);

/// A clock that moves by [`FixedClock::advance`] only.
pub struct FixedClock {
    start_ms: u64,
    passed: watch::Sender<Duration>,
    wall_offset_ms: AtomicU64,
}

impl FixedClock {
    /// A clock that stands at `start_ms` milliseconds since 1970.
    #[must_use]
    pub fn at(start_ms: u64) -> Self {
        Self {
            start_ms,
            passed: watch::Sender::new(Duration::ZERO),
            wall_offset_ms: AtomicU64::new(0),
        }
    }

    /// Moves wall clock and monotonic clock, and wakes whoever waits for that.
    pub fn advance(&self, by: Duration) {
        self.passed.send_modify(|passed| *passed += by);
    }

    /// Sets the wall clock back, as an operator would; the monotonic clock goes on.
    pub fn set_back(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).expect("a test's step is small");
        self.wall_offset_ms.fetch_add(millis, Ordering::SeqCst);
    }
}

#[async_trait]
impl Timer for FixedClock {
    fn now(&self) -> UnixMillis {
        let passed = u64::try_from(self.passed.borrow().as_millis()).expect("a test is short");
        UnixMillis(self.start_ms + passed - self.wall_offset_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        *self.passed.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        if duration < NO_WAIT {
            return tokio::task::yield_now().await;
        }
        let mut passed = self.passed.subscribe();
        let end = self.monotonic() + duration;
        // The sender lives as long as the clock, which this future borrows.
        let _ = passed.wait_for(|passed| *passed >= end).await;
    }
}

/// Bytes that look random and are the same in every run.
pub struct SeededRng(Mutex<u64>);

impl SeededRng {
    /// A generator; equal seeds give equal bytes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Rng for SeededRng {
    fn fill(&self, out: &mut [u8]) {
        let mut state = self.0.lock().expect("no test panics while it holds this");
        for chunk in out.chunks_mut(32) {
            *state += 1;
            let block = crypto::token::sha256(&state.to_be_bytes());
            chunk
                .iter_mut()
                .zip(block)
                .for_each(|(to, from)| *to = from);
        }
    }
}

/// A signer with a key from a seed.
pub struct FixedSigner(SigningKey);

impl FixedSigner {
    /// The Ed25519 key of a 32-byte seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_seed(&Secret::new(seed)).expect("any seed is a key"))
    }
}

impl Signer for FixedSigner {
    fn public_key(&self) -> [u8; 32] {
        *self.0.verifying_key().as_bytes()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.0.sign(message))
    }
}

/// A box key from fixed bytes.
pub struct FixedBoxKey(BoxSecretKey);

impl FixedBoxKey {
    /// The key whose secret these bytes are.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self(BoxSecretKey::from_bytes(secret))
    }
}

impl BoxKey for FixedBoxKey {
    fn public_key(&self) -> [u8; 32] {
        self.0.public().0
    }

    fn open(
        &self,
        sender: &[u8; 32],
        nonce: &[u8; 24],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        boxed::open(&self.0, &BoxPublicKey(*sender), nonce, ciphertext)
            .map(|plain| plain.to_vec())
            .map_err(|_| OpenError)
    }
}
