//! What contracts of ENS are asked, and what they answer, as bytes (the contract ABI).
//!
//! ```text
//! question      function (4 bytes) ‖ arguments
//! argument      a word of 32 bytes: a hash, a number; of texts and bytes where in the arguments they are
//! text, bytes   its length as a word ‖ it ‖ zeros to the end of a word
//! ```
//!
//! A function is the beginning of the Keccak-256 of its signature.

use crypto::digest::keccak256;
use data_encoding::HEXLOWER;

/// `resolver(bytes32)`.
const RESOLVER: [u8; 4] = [0x01, 0x78, 0xb8, 0xbf];
/// `supportsInterface(bytes4)` (ERC-165).
const SUPPORTS: [u8; 4] = [0x01, 0xff, 0xc9, 0xa7];
/// `text(bytes32,string)`.
const TEXT: [u8; 4] = [0x59, 0xd1, 0xd4, 0x3c];
/// `resolve(bytes,bytes)`: also the number of the interface of resolvers for whole domains (ENSIP-10).
const RESOLVE: [u8; 4] = [0x90, 0x61, 0xb9, 0x23];
/// `OffchainLookup(address,string[],bytes,bytes4,bytes)`: how the word of a contract begins that sends
/// elsewhere (EIP-3668).
pub(super) const OFFCHAIN_LOOKUP: [u8; 4] = [0x55, 0x6f, 0x18, 0x30];
/// Bytes of a word.
const WORD: usize = 32;
/// Longest record.
const RECORD_BYTES_MAX: usize = 4096;

/// Asks the registry for the resolver of a name.
pub(super) fn resolver_of(name: &str) -> Vec<u8> {
    [&RESOLVER[..], &namehash(name)].concat()
}

/// Asks a resolver whether it answers for whole domains.
pub(super) fn is_extended() -> Vec<u8> {
    [&SUPPORTS[..], &RESOLVE, &[0; WORD - 4]].concat()
}

/// Asks a resolver for a text record of a name.
pub(super) fn text_of(name: &str, record: &str) -> Vec<u8> {
    let record = counted(record.as_bytes());
    [&TEXT[..], &namehash(name), &word(2 * WORD), &record].concat()
}

/// Puts a question about a name to a resolver that answers for whole domains.
pub(super) fn resolve(name: &str, question: &[u8]) -> Vec<u8> {
    let (name, question) = (counted(&dns_form(name)), counted(question));
    let (first, second) = (word(2 * WORD), word(2 * WORD + name.len()));
    [&RESOLVE[..], &first, &second, &name, &question].concat()
}

/// The address in an answer, with `0x`; `None` for none.
pub(super) fn address(answer: &[u8]) -> Option<String> {
    let (zeros, address) = answer.get(..WORD)?.split_at_checked(12)?;
    let is_address = zeros.iter().all(|byte| *byte == 0) && address.iter().any(|byte| *byte != 0);
    is_address.then(|| format!("0x{}", HEXLOWER.encode(address)))
}

/// Whether an answer is yes.
pub(super) fn is_true(answer: &[u8]) -> bool {
    number(answer, 0) == Some(1)
}

/// The bytes in an answer.
pub(super) fn bytes(answer: &[u8]) -> Option<&[u8]> {
    let at = number(answer, 0)?;
    let length = number(answer, at)?;
    let start = at.checked_add(WORD)?;
    answer.get(start..start.checked_add(length)?)
}

/// The text in an answer; `None` for an empty one, or one longer than a record.
pub(super) fn text(answer: &[u8]) -> Option<String> {
    let bytes = bytes(answer)?;
    let fits = (1..=RECORD_BYTES_MAX).contains(&bytes.len());
    fits.then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// The node of a name (EIP-137).
fn namehash(name: &str) -> [u8; WORD] {
    name.rsplit('.').fold([0; WORD], |node, label| {
        let label = keccak256(&[label.as_bytes()]);
        keccak256(&[&node, &label])
    })
}

/// A name as DNS has it in packets, with labels of up to 255 bytes.
fn dns_form(name: &str) -> Vec<u8> {
    let mut form = Vec::with_capacity(name.len().saturating_add(2));
    for label in name.split('.') {
        form.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        form.extend_from_slice(label.as_bytes());
    }
    form.push(0);
    form
}

/// Bytes with their length before them, and zeros behind.
fn counted(bytes: &[u8]) -> Vec<u8> {
    let mut counted = word(bytes.len()).to_vec();
    counted.extend_from_slice(bytes);
    counted.resize(counted.len().next_multiple_of(WORD), 0);
    counted
}

/// A number as a word.
fn word(number: usize) -> [u8; WORD] {
    let mut word = [0; WORD];
    for (to, from) in word.iter_mut().rev().zip((number as u64).to_le_bytes()) {
        *to = from;
    }
    word
}

/// The word that begins at a byte, as a number of bytes.
fn number(answer: &[u8], at: usize) -> Option<usize> {
    let word = answer.get(at..at.checked_add(WORD)?)?;
    let (zeros, low) = word.split_at_checked(WORD.checked_sub(8)?)?;
    let low = u64::from_be_bytes(low.try_into().ok()?);
    zeros
        .iter()
        .all(|byte| *byte == 0)
        .then_some(usize::try_from(low).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_and_functions_are_those_of_the_standards() {
        for (name, node) in [
            (
                "eth",
                "93cdeb708b7545dc668eb9280176169d1c33cfd8ed6f04690a0bcc88a93fc4ae",
            ),
            (
                "foo.eth",
                "de9b09fd7c5f901e23a3f19fecc54828e9c848539801e86591bd9801b019f84f",
            ),
        ] {
            assert_eq!(HEXLOWER.encode(&namehash(name)), node, "{name}");
        }
        for (signature, function) in [
            ("resolver(bytes32)", RESOLVER),
            ("supportsInterface(bytes4)", SUPPORTS),
            ("text(bytes32,string)", TEXT),
            ("resolve(bytes,bytes)", RESOLVE),
            (
                "OffchainLookup(address,string[],bytes,bytes4,bytes)",
                OFFCHAIN_LOOKUP,
            ),
        ] {
            let hash = keccak256(&[signature.as_bytes()]);
            assert_eq!(hash[..4], function, "{signature}");
        }
    }

    #[test]
    fn answers_of_contracts_are_read_within_their_bounds() {
        let mut answer = vec![0; 96];
        answer[31] = 32;
        answer[63] = 3;
        answer[64..67].copy_from_slice(b"abc");
        assert_eq!(text(&answer).as_deref(), Some("abc"));
        answer[63] = 0;
        assert_eq!(text(&answer), None);
        answer[63] = 33;
        assert_eq!(text(&answer), None);
        answer[56..64].fill(0xff);
        assert_eq!(text(&answer), None);
        answer[24..32].fill(0xff);
        assert_eq!(text(&answer), None);
        assert_eq!(text(&[]), None);
        let long = [&word(WORD)[..], &counted(&[b'a'; RECORD_BYTES_MAX + 1])].concat();
        assert_eq!(bytes(&long).map(<[u8]>::len), Some(RECORD_BYTES_MAX + 1));
        assert_eq!(text(&long), None);
        assert_eq!(address(&[0; 32]), None);
        assert_eq!(address(&[1; 32]), None);
        assert_eq!(address(&[0; 31]), None);
        assert!(is_true(&word(1)) && !is_true(&word(2)) && !is_true(&word(0)));
        assert!(!is_true(&[1; 32]) && !is_true(&[1]) && !is_true(&[]));
    }

    #[test]
    fn labels_of_any_length_stand_behind_their_lengths() {
        assert_eq!(dns_form("a.eth"), b"\x01a\x03eth\x00");
        let long = "x".repeat(251);
        let form = dns_form(&format!("{long}.eth"));
        assert_eq!((form[0], form.len()), (251, 1 + 251 + 4 + 1));
    }
}
