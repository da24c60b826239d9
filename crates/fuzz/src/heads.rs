//! Heads of requests, before the HTTP server reads them.

use super::scanner::Scanner;

/// The bytes of a connection, in parts of the length in the first byte: whether a head is refused is
/// the same however they are cut, and it stays refused.
pub(crate) fn heads(data: &[u8]) {
    let Some((part, sent)) = data.split_first() else {
        return;
    };
    let whole = is_refused(sent, sent.len());
    assert_eq!(is_refused(sent, usize::from(*part)), whole);
    assert_eq!(is_refused(sent, 1), whole);
}

fn is_refused(sent: &[u8], part: usize) -> bool {
    let mut scanner = Scanner::default();
    let mut parts = sent.chunks(part.max(1));
    let is_refused = parts.any(|part| scanner.feed(part).is_err());
    assert_eq!(scanner.is_spoilt(), is_refused);
    assert!(!is_refused || scanner.feed(b"GET").is_err());
    is_refused
}
