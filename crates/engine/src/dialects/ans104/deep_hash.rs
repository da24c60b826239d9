//! The hash that items and transactions are signed by.

use crypto::digest::sha384;

/// What is hashed: bytes, or a list.
#[derive(Clone, Copy, Debug)]
pub enum Deep<'a> {
    /// Bytes.
    Blob(&'a [u8]),
    /// Parts, in order.
    List(&'a [Deep<'a>]),
}

/// SHA-384 that keeps borders apart. Of bytes it is `H(H("blob" ‖ length) ‖ H(bytes))`; of a list it
/// begins with `H("list" ‖ count)`, and each part makes of the hash so far `H(it ‖ hash of the part)`.
/// Lengths and counts are decimal text. It goes as deep as the caller's list.
#[must_use]
pub fn deep_hash(part: Deep<'_>) -> [u8; 48] {
    match part {
        Deep::Blob(bytes) => {
            let length = bytes.len().to_string();
            let tag = sha384(&[b"blob", length.as_bytes()]);
            sha384(&[&tag, &sha384(&[bytes])])
        }
        Deep::List(parts) => {
            let count = parts.len().to_string();
            let start = sha384(&[b"list", count.as_bytes()]);
            parts
                .iter()
                .fold(start, |hash, part| sha384(&[&hash, &deep_hash(*part)]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_and_depth_count() {
        let hash = |parts: &[Deep<'_>]| deep_hash(Deep::List(parts));
        let (a, b, ab) = (Deep::Blob(b"a"), Deep::Blob(b"b"), Deep::Blob(b"ab"));
        let nested = [Deep::List(&[a]), b];
        let all = [
            hash(&[a, b]),
            hash(&[ab]),
            hash(&[ab, Deep::Blob(b"")]),
            hash(&nested),
            deep_hash(ab),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one));
        }
    }
}
