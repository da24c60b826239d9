//! Plain hashes that a format of others asks for. SHA-256 is in [`crate::token`]. What needs a domain of
//! its own gets it from the caller.

use sha2::{Digest, Sha384};
use sha3::Keccak256;

/// SHA-384 of the parts, one after the other. The borders between them do not count.
#[must_use]
pub fn sha384(parts: &[&[u8]]) -> [u8; 48] {
    let mut hasher = Sha384::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// Keccak-256 of the parts, one after the other: SHA-3 before its standard, as Ethereum uses it. The
/// borders between the parts do not count.
#[must_use]
pub fn keccak256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// The examples of FIPS 180-4 and of Keccak's own test vectors.
    #[test]
    fn abc_and_nothing() {
        assert_eq!(
            HEXLOWER.encode(&sha384(&[b"ab", b"", b"c"])),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7"
        );
        assert_eq!(
            HEXLOWER.encode(&keccak256(&[])),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
        assert_eq!(keccak256(&[b"a", b"bc"]), keccak256(&[b"abc"]));
    }
}
