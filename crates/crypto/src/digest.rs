//! Plain hashes, where a format asks for them. What needs a domain of its own gets it from the caller.

use sha2::{Digest, Sha256, Sha384};

/// SHA-256 of the parts, one after the other. The borders between them do not count.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// SHA-384 of the parts, one after the other. The borders between them do not count.
#[must_use]
pub fn sha384(parts: &[&[u8]]) -> [u8; 48] {
    let mut hasher = Sha384::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// FIPS 180-4's own example.
    #[test]
    fn abc() {
        assert_eq!(
            HEXLOWER.encode(&sha256(&[b"a", b"", b"bc"])),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            HEXLOWER.encode(&sha384(&[b"ab", b"c"])),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7"
        );
    }
}
