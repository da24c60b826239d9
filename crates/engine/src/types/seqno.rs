//! Positions in a sigchain.

use std::num::NonZeroU32;

/// Position of a link in its subject's sigchain, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seqno(NonZeroU32);

impl Seqno {
    /// The first position.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// `None` for 0, which is no position.
    #[must_use]
    pub fn new(value: u32) -> Option<Self> {
        NonZeroU32::new(value).map(Self)
    }

    /// The position as a number, at least 1.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The next position; `None` after 2^32 - 1.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}
