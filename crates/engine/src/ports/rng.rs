//! Randomness.

/// A cryptographic random generator. Drawn from before a unit of work, never inside it.
pub trait Rng: Send + Sync {
    /// Fills `out`. Never blocks, never fails: an adapter that cannot draw stops the process.
    fn fill(&self, out: &mut [u8]);
}

/// Draws `N` random bytes.
pub fn draw<const N: usize>(rng: &dyn Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill(&mut bytes);
    bytes
}
