//! What strangers send to the ProofService API.

use door_proofservice::parsers::{self, BODIES};

/// The first byte says which request it is, the rest is its body.
pub(crate) fn body(data: &[u8]) {
    let Some((which, body)) = data.split_first() else {
        return;
    };
    let which = usize::from(*which) % BODIES.len();
    if let Some(read) = BODIES.get(which) {
        // What it promises it looks at itself.
        let _is_read = read(body);
    }
}

/// The parameters of an address, as they stand behind the question mark.
pub(crate) fn query(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        let _is_read = parsers::query(text);
    }
}
