//! Tox IDs.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;

/// A Tox ID, 38 bytes: key (32), nospam (4), checksum (2). The checksum holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToxId([u8; 38]);

impl ToxId {
    /// The ID of a key and a nospam.
    #[must_use]
    pub fn new(key: &[u8; 32], nospam: [u8; 4]) -> Self {
        let mut id = [0; 38];
        for (to, from) in id.iter_mut().zip(key.iter().chain(&nospam)) {
            *to = *from;
        }
        let sum = checksum(&id);
        for (to, from) in id.iter_mut().rev().zip(sum.iter().rev()) {
            *to = *from;
        }
        Self(id)
    }

    /// Takes 38 bytes; `None` when the checksum does not hold.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 38]) -> Option<Self> {
        // The checksum is itself the last pair, so over all 19 pairs the sum is zero.
        (checksum(&bytes) == [0, 0]).then_some(Self(bytes))
    }

    /// Parses 76 hex digits of any case; `None` when the form or the checksum is wrong.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        Self::from_bytes(bytes.try_into().ok()?)
    }

    /// The profile's public key.
    #[must_use]
    pub fn key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key.iter_mut()
            .zip(&self.0)
            .for_each(|(to, from)| *to = *from);
        key
    }

    /// The 38 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 38] {
        &self.0
    }
}

/// XOR of the bytes at even places, and of those at odd places.
fn checksum(bytes: &[u8; 38]) -> [u8; 2] {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.iter().fold([0, 0], |[even, odd], [left, right]| {
        [even ^ left, odd ^ right]
    })
}

/// Upper-case hex, 76 digits.
impl fmt::Display for ToxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for ToxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToxId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "56A1ADE4B65B86BCD51CC73E2CD4E542179F47959FE3E0E21B4B0ACDADE51855D34D34D37CB5";

    #[test]
    fn the_checksum_is_computed_and_checked() {
        let id = ToxId::parse(ID).unwrap();
        assert_eq!(id.to_string(), ID);
        assert_eq!(ToxId::new(&id.key(), [0xd3, 0x4d, 0x34, 0xd3]), id);
        assert_eq!(ToxId::parse(&ID.replace("56A1", "56A2")), None);
        assert_eq!(ToxId::parse(&ID[..72]), None);
        assert_eq!(ToxId::parse("é"), None);
    }
}
